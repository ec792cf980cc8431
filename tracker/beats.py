"""Signs of life: what open pages tell, in Valkey at once and in the ledger within seconds.

A beat is answered before it is written: losing one costs nothing, the next one tells the
same. Beats that PostgreSQL could not take are kept and tried again, the oldest dropped first.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import redis.asyncio

from numberpool import ledger, lending, nodes
from tracker import db as database
from tracker import ids, visit_rows, visits
from tracker.sites import Directory

log = logging.getLogger(__name__)

PERIOD = 1.0  # seconds between writings
MOST = 50_000  # beats kept while PostgreSQL is away
BATCH = 5_000
SEEING = ("reveal", "tel_click")  # events that show the number was read
PAGE = "page"  # a further page of the visit; its address is the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something the visitor did."""

    type: str  # page, reveal, tel_click, mail_click, messenger_click, goal
    at: datetime
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What one page told at one moment."""

    session: UUID
    at: datetime
    state: str  # visible, hidden, left
    events: tuple[Happening, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)  # of analytics systems, late

    @property
    def site_id(self) -> int:
        return ids.site(self.session)


class Beats:
    """Collects beats and writes them in batches; one a process."""

    def __init__(
        self, pool: database.Pool, valkey: redis.asyncio.Redis, directory: Directory
    ) -> None:
        self._pool = pool
        self._valkey = valkey
        self._directory = directory
        self._waiting: deque[Beat] = deque(maxlen=MOST)

    def add(self, beat: Beat) -> None:
        """Take a beat; it is written within a second or two."""
        self._waiting.append(beat)

    async def run(self) -> None:
        """Write what comes, until cancelled; what is left is written at the end."""
        try:
            while True:
                await asyncio.sleep(PERIOD)
                await self.flush()
        finally:
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Write what has been collected."""
        while self._waiting:
            batch = [
                self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))
            ]
            await self._touch(batch)
            try:
                await write(self._pool, batch)
            except database.AWAY:
                log.warning(
                    "beats wait: PostgreSQL is away", extra={"count": len(batch)}
                )
                room = MOST - len(self._waiting)
                self._waiting.extendleft(reversed(batch[-room:] if room else []))
                return

    async def _touch(self, batch: Sequence[Beat]) -> None:
        signs = []
        for beat in batch:
            site = self._directory.by_id(beat.site_id)
            if site is None or not (beat.state == "visible" or beat.events):
                continue
            seen = any(one.type in SEEING for one in beat.events)
            signs += [
                lending.Sign(
                    pool_id=pool.id, session=beat.session, at=beat.at, seen=seen
                )
                for pool in site.pools
            ]
        try:
            await lending.touch(self._valkey, signs)
        except nodes.TROUBLE:
            log.warning("signs of life not told: Valkey is away")


async def write(pool: database.Pool, batch: Sequence[Beat]) -> None:
    """The beats in the ledger, the sessions and the events, in one transaction."""
    async with pool.acquire() as db, db.transaction():
        await ledger.sign(db, [sign for beat in batch for sign in _signs(beat)])
        await _see(db, batch)
        await _record(db, batch)
        await _turn(db, batch)
        await _name(db, batch)


def _signs(beat: Beat) -> list[ledger.Sign]:
    """What the ledger is told: the beat itself, and each event that shows reading."""
    signs = [
        ledger.Sign(
            site_id=beat.site_id,
            session_id=beat.session,
            at=one.at,
            seen=True,
            clicked=one.type == "tel_click",
        )
        for one in beat.events
        if one.type in SEEING
    ]
    if beat.state != "visible" or not signs:
        # A page that tells of a click at once does not ping with it: the call may be placed.
        signs.append(
            ledger.Sign(
                site_id=beat.site_id,
                session_id=beat.session,
                at=beat.at,
                pinged=beat.state == "visible",
                left=beat.state != "visible",
            )
        )
    return signs


async def _see(db: database.Connection, batch: Sequence[Beat]) -> None:
    latest = {
        (beat.site_id, beat.session): beat.at
        for beat in batch
        if beat.state == "visible"
    }
    await db.execute(
        """
        UPDATE sessions s SET last_seen_at = greatest(s.last_seen_at, seen.at)
          FROM unnest($1::int[], $2::uuid[], $3::timestamptz[]) AS seen (site_id, id, at)
         WHERE s.site_id = seen.site_id AND s.id = seen.id
        """,
        *database.columns([(*key, at) for key, at in sorted(latest.items())], 3),
    )


async def _record(db: database.Connection, batch: Sequence[Beat]) -> None:
    rows = [
        (beat.site_id, beat.session, one.at, one.type, one.target)
        for beat in batch
        for one in beat.events
        if one.type != PAGE
    ]
    if rows:
        await db.execute(
            "INSERT INTO events (site_id, session_id, at, type, target) "
            "SELECT * FROM unnest($1::int[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[])",
            *database.columns(rows, 5),
        )


async def _turn(db: database.Connection, batch: Sequence[Beat]) -> None:
    turns = [
        visit_rows.Turn(
            site_id=beat.site_id,
            session=beat.session,
            at=one.at,
            url=one.target,
            test=visits.test_mark(one.target),
        )
        for beat in batch
        for one in beat.events
        if one.type == PAGE
    ]
    if turns:
        await visit_rows.turn(db, turns)


async def _name(db: database.Connection, batch: Sequence[Beat]) -> None:
    """Analytics ids that were not yet there at the visit."""
    rows = [(beat.site_id, beat.session, beat.ids) for beat in batch if beat.ids]
    if rows:
        await db.executemany(
            """
            UPDATE sessions SET details = coalesce(details, '{}') || jsonb_build_object(
                   'ids', coalesce(details->'ids', '{}') || $3::jsonb)
             WHERE site_id = $1 AND id = $2
            """,
            rows,
        )
