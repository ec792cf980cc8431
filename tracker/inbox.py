"""Everything inbound is kept as it came before it is answered.

The doors `keep` raw events, alone or many in one statement, and answer only then. Each
door's process runs a `Reader`, which turns kept events into contacts. An event that cannot
be read stays, with the reason, and is tried again: later, and whenever the door starts anew,
for the fix may have come.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tracker import db as database
from tracker.errors import TrackerError

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)  # longer than reading one event may take
BATCH = 20
POLL = 1.0  # seconds; `wake` makes it sooner
MAX_WAIT = timedelta(hours=6)  # between tries of an event that cannot be read
REASON = 500  # characters kept of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One inbound event exactly as it came."""

    site_id: int
    id: UUID  # ids.mint(site_id, received_at)
    door: str  # telephony, mail, form, crm
    kind: str  # the provider, smtp, or the form's channel
    connection_id: int | None
    received_at: datetime
    meta: dict[str, Any]
    body: bytes


Read = Callable[[database.Connection, Event], Awaitable[None]]


async def keep(db: database.Db, events: Sequence[Event]) -> None:
    """Write the events and queue them to be read, in one statement; told twice is harmless."""
    rows = [
        (
            event.site_id,
            event.id,
            event.door,
            event.kind,
            event.connection_id,
            event.received_at,
            event.meta,
            event.body,
        )
        for event in events
    ]
    await db.execute(
        """
        WITH kept AS (
            INSERT INTO inbox (site_id, id, door, kind, connection_id, received_at, meta, body)
            SELECT * FROM unnest($1::int[], $2::uuid[], $3::text[], $4::text[],
                                 $5::bigint[], $6::timestamptz[], $7::jsonb[], $8::bytea[])
            ON CONFLICT (site_id, id) DO NOTHING
            RETURNING site_id, id, received_at
        )
        INSERT INTO unread (site_id, inbox_id, due_at)
        SELECT site_id, id, received_at FROM kept
        """,
        *database.columns(rows, 8),
    )


async def keep_all(pool: database.Pool, events: list[Event]) -> list[None]:
    """`keep` as `Together` settles: one result an event."""
    await keep(pool, events)
    return [None] * len(events)


async def find(db: database.Db, site_id: int, id_: UUID) -> Event | None:
    """The event as it came."""
    row = await db.fetchrow(
        "SELECT * FROM inbox WHERE site_id = $1 AND id = $2", site_id, id_
    )
    return Event(**row) if row else None


async def refuse(
    db: database.Db,
    *,
    door: str,
    kind: str,
    reason: str,
    at: datetime,
    site_id: int = 0,
    connection_id: int = 0,
    count: int = 1,
) -> None:
    """Count something that was not let in; one row an hour, however many come."""
    await db.execute(
        """
        INSERT INTO refusals AS r (hour, door, kind, reason, site_id, connection_id, count, last_at)
        VALUES (date_trunc('hour', $1::timestamptz), $2, $3, $4, $5, $6, $7, $1)
        ON CONFLICT (hour, door, kind, reason, site_id, connection_id)
        DO UPDATE SET count = r.count + excluded.count, last_at = greatest(r.last_at, excluded.last_at)
        """,
        at,
        door,
        kind[:50],
        reason[:REASON],
        site_id,
        connection_id,
        count,
    )


async def read_again(
    db: database.Db,
    *,
    at: datetime,
    door: str | None = None,
    site_id: int | None = None,
) -> int:
    """Make events that could not be read due at once; returns how many."""
    status = await db.execute(
        """
        UPDATE unread u SET due_at = $1
          FROM inbox i
         WHERE i.site_id = u.site_id AND i.id = u.inbox_id AND u.reason IS NOT NULL
           AND ($2::text IS NULL OR i.door = $2) AND ($3::int IS NULL OR u.site_id = $3)
        """,
        at,
        door,
        site_id,
    )
    return int(status.split()[-1])


class Reader:
    """Reads the events of one door, as they come and again after a failure."""

    def __init__(self, pool: database.Pool, *, door: str, read: Read) -> None:
        self._pool = pool
        self._door = door
        self._read = read
        self._more = asyncio.Event()

    def wake(self) -> None:
        """Something was kept: look at once."""
        self._more.set()

    async def run(self) -> None:
        """Read until cancelled; trouble with PostgreSQL only delays."""
        fresh = True
        while True:
            try:
                if fresh:
                    await read_again(self._pool, at=datetime.now(UTC), door=self._door)
                    fresh = False
                if await self.read_due(at=datetime.now(UTC)):
                    continue
            except database.AWAY:
                log.warning(
                    "inbox waits: PostgreSQL is away", extra={"door": self._door}
                )
            await self._rest()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._more.wait(), POLL)
        except TimeoutError:
            return
        self._more.clear()

    async def read_due(self, *, at: datetime) -> int:
        """Read what is due at that moment; returns how many events were taken up."""
        events = await self._claim(at)
        for event in events:
            await self._take(event, at)
        return len(events)

    async def _claim(self, at: datetime) -> list[Event]:
        # Claiming pushes the due time ahead: a reader that dies leaves nothing to clean up.
        rows = await self._pool.fetch(
            """
            WITH due AS (
                SELECT u.site_id, u.inbox_id FROM unread u
                  JOIN inbox i ON i.site_id = u.site_id AND i.id = u.inbox_id
                 WHERE u.due_at <= $1 AND i.door = $2
                 ORDER BY u.due_at LIMIT $3 FOR UPDATE OF u SKIP LOCKED
            ), claimed AS (
                UPDATE unread u SET due_at = $1::timestamptz + $4::interval, attempts = attempts + 1
                  FROM due WHERE u.site_id = due.site_id AND u.inbox_id = due.inbox_id
                RETURNING u.site_id, u.inbox_id
            )
            SELECT i.* FROM claimed c
              JOIN inbox i ON i.site_id = c.site_id AND i.id = c.inbox_id
             ORDER BY i.id
            """,
            at,
            self._door,
            BATCH,
            CLAIM,
        )
        return [Event(**row) for row in rows]

    async def _take(self, event: Event, at: datetime) -> None:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._read(connection, event)
                await connection.execute(
                    "DELETE FROM unread WHERE site_id = $1 AND inbox_id = $2",
                    event.site_id,
                    event.id,
                )
        except TrackerError as error:
            log.warning("event not read", extra={"event": event.id, "kind": event.kind})
            await self._put_off(event, str(error), at)
        except database.AWAY:
            raise
        except Exception as error:  # a bug: kept with its reason until it is mended
            log.exception(
                "event crashed", extra={"event": event.id, "kind": event.kind}
            )
            await self._put_off(event, f"{type(error).__name__}: {error}", at)

    async def _put_off(self, event: Event, reason: str, at: datetime) -> None:
        await self._pool.execute(
            """
            UPDATE unread
               SET reason = $3,
                   due_at = $4::timestamptz
                       + least($5::interval, interval '2 seconds' * power(2, least(attempts, 20)))
             WHERE site_id = $1 AND inbox_id = $2
            """,
            event.site_id,
            event.id,
            reason[:REASON].replace("\0", ""),
            at,
            MAX_WAIT,
        )
