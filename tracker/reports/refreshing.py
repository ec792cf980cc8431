"""Keeps `daily` up to date: makes the days anew on which something changed.

Contacts, deals and costs mark their days in `stale_days`; visits are too many for that, so a
site's day that gets visits is marked here and stays marked until it is over. A mark is taken
away only if it is still the one that was there before the counting began, so nothing that
is written meanwhile gets lost. The worker calls `Refresher.refresh` every few seconds.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker import ids
from tracker.reports import rollup

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=10)  # after midnight: visits of the day may still be written
SHARE = 10  # a day rests ten times as long as its counting took …
LEAST_REST = 2.0  # seconds; … and never less than this
MOST = 500  # days made in one go; the rest comes next time

Key = tuple[int, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """One row of `stale_days`; its version changes whenever it is marked again."""

    site_id: int
    day: date
    version: str
    timezone: ZoneInfo

    @property
    def key(self) -> Key:
        return self.site_id, self.day

    def over(self, at: datetime) -> bool:
        """Whether no more visits of this day can come."""
        return at >= rollup.midnight(self.day + rollup.DAY, self.timezone) + GRACE


class Refresher:
    """Remembers what has been counted, so that nothing is counted again in vain."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool
        self._caught_up = False
        self._newest: dict[Key, UUID] = {}  # the latest session of a running day
        self._made: dict[Key, tuple[str, UUID | None]] = {}  # from which state
        self._rest: dict[Key, float] = {}  # until when (the loop's clock)

    async def refresh(self, *, at: datetime) -> int:
        """Make what is stale and rested; returns how many days that were."""
        if not self._caught_up:
            await catch_up(self._pool)
            self._caught_up = True
        await self._mark_running(at)
        moment = asyncio.get_running_loop().time()
        self._rest = {key: end for key, end in self._rest.items() if end > moment}
        made = 0
        for mark in await self._stale():
            if made >= MOST:
                break
            if self._due(mark, at):
                made += await self._make(mark, at)
        return made

    async def _mark_running(self, at: datetime) -> None:
        """Mark each site's running day, if it has a visit not yet counted.

        For a while after midnight also the day before: its last visits may be new to us.
        """
        running = []
        for row in await self._pool.fetch("SELECT id, timezone FROM sites"):
            timezone = ZoneInfo(row["timezone"])
            for day in {_local(at, timezone), _local(at - 2 * GRACE, timezone)}:
                start = rollup.midnight(day, timezone)
                end = rollup.midnight(day + rollup.DAY, timezone)
                running.append((row["id"], day, ids.floor(start), ids.floor(end)))
        rows = await self._pool.fetch(
            """
            SELECT d.site_id, d.day, newest.id
              FROM unnest($1::int[], $2::date[], $3::uuid[], $4::uuid[])
                   AS d (site_id, day, low, high)
             CROSS JOIN LATERAL (
                   SELECT s.id FROM sessions s
                    WHERE s.site_id = d.site_id AND s.id >= d.low AND s.id < d.high
                    ORDER BY s.id DESC LIMIT 1) AS newest
            """,
            *database.columns(running, 4),
        )
        newest = {(row["site_id"], row["day"]): row["id"] for row in rows}
        fresh = [key for key in newest if newest[key] != self._newest.get(key)]
        if fresh:
            await self._pool.execute(
                "INSERT INTO stale_days (site_id, day) "
                "SELECT * FROM unnest($1::int[], $2::date[]) ON CONFLICT DO NOTHING",
                *database.columns(fresh, 2),
            )
        self._newest = newest

    async def _stale(self) -> list[_Mark]:
        """The marked days, the latest first."""
        rows = await self._pool.fetch(
            """
            SELECT d.site_id, d.day, d.xmin::text AS version, s.timezone
              FROM stale_days d JOIN sites s ON s.id = d.site_id
             ORDER BY d.day DESC, d.site_id
            """
        )
        return [
            _Mark(
                site_id=row["site_id"],
                day=row["day"],
                version=row["version"],
                timezone=ZoneInfo(row["timezone"]),
            )
            for row in rows
        ]

    def _due(self, mark: _Mark, at: datetime) -> bool:
        if mark.over(at) and mark.key in self._made:
            return True  # the last look at a day that was running
        if mark.key in self._rest:
            return False
        state = mark.version, self._newest.get(mark.key)
        return self._made.get(mark.key) != state

    async def _make(self, mark: _Mark, at: datetime) -> bool:
        """Count the day; False when another worker is at it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        newest = self._newest.get(mark.key)
        async with self._pool.acquire() as db, db.transaction():
            version = await _take(db, mark)
            if version is None:
                return False
            await rollup.rebuild_day(db, mark.site_id, mark.day)
            if mark.over(at):
                await _unmark(db, mark, version)
        took = loop.time() - began
        self._rest[mark.key] = loop.time() + max(SHARE * took, LEAST_REST)
        if mark.over(at):
            self._made.pop(mark.key, None)
        else:
            self._made[mark.key] = version, newest
        log.debug("day counted", extra={"site": mark.site_id, "day": str(mark.day)})
        return True


async def refresh(pool: database.Pool, *, at: datetime) -> int:
    """Make all that is stale now, without rest; for commands and tests."""
    return await Refresher(pool).refresh(at=at)


async def catch_up(pool: database.Pool) -> None:
    """Mark the days whose visits came while no worker ran.

    All of them at once, before any is counted: the latest counted day then tells where to
    begin, even if this worker too dies half-way.
    """
    rows = await pool.fetch(
        """
        SELECT s.id, s.timezone,
               (SELECT d.day FROM daily d WHERE d.site_id = s.id AND d.visits > 0
                 ORDER BY d.day DESC LIMIT 1) AS counted,
               (SELECT v.id FROM sessions v WHERE v.site_id = s.id
                 ORDER BY v.id LIMIT 1) AS oldest,
               (SELECT v.id FROM sessions v WHERE v.site_id = s.id
                 ORDER BY v.id DESC LIMIT 1) AS newest
          FROM sites s
        """
    )
    for row in rows:
        if row["newest"] is None:
            continue
        timezone = ZoneInfo(row["timezone"])
        since = row["counted"] or _day(row["oldest"], timezone)
        await pool.execute(
            """
            INSERT INTO stale_days (site_id, day)
            SELECT $1, day::date FROM generate_series($2::date, $3::date, '1 day') AS day
            ON CONFLICT DO NOTHING
            """,
            row["id"],
            since,
            _day(row["newest"], timezone),
        )


def _day(session: UUID, timezone: ZoneInfo) -> date:
    return _local(ids.moment(session), timezone)


def _local(at: datetime, timezone: ZoneInfo) -> date:
    return at.astimezone(timezone).date()


async def _take(db: database.Connection, mark: _Mark) -> str | None:
    """The mark's version as it is now, if nobody else is making this day."""
    mine = await db.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
        rollup.lock(mark.site_id, mark.day),
    )
    if not mine:
        return None
    version: str | None = await db.fetchval(
        "SELECT xmin::text FROM stale_days WHERE site_id = $1 AND day = $2",
        mark.site_id,
        mark.day,
    )
    return version


async def _unmark(db: database.Connection, mark: _Mark, version: str) -> None:
    await db.execute(
        "DELETE FROM stale_days WHERE site_id = $1 AND day = $2 AND xmin::text = $3",
        mark.site_id,
        mark.day,
        version,
    )
