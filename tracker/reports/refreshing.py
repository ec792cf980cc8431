"""Keeps `daily` up to date: makes the days anew on which something changed.

Contacts, deals and costs mark their days (`tracker/stale.py`); visits are too many for that,
so a site's day that gets visits is marked here and stays marked until it is over. The worker
calls `Refresher.refresh` every few seconds.
"""

import asyncio
import logging
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker import ids, stale
from tracker.reports import rollup
from tracker.stale import Marked

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=10)  # after midnight: visits of the day may still be written
SHARE = 10  # a day rests ten times as long as its counting took …
LEAST_REST = 2.0  # seconds; … and never less than this
MOST = 500  # days made in one go; the rest comes next time

Key = tuple[int, date]  # a site's day


class Refresher:
    """Remembers what has been counted, so that nothing is counted again in vain."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool
        self._caught_up = False
        self._newest: dict[Key, UUID] = {}  # the latest session of a running day
        self._made: dict[
            Key, tuple[int, UUID | None]
        ] = {}  # the mark kept, and the session
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
        for one in await stale.marked(self._pool):
            if made >= MOST:
                break
            if self._due(one, at):
                made += await self._make(one, at)
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
            await stale.mark_days(self._pool, fresh)
        self._newest = newest

    def _due(self, one: Marked, at: datetime) -> bool:
        key = one.site_id, one.day
        if key in self._made and _over(one, at):
            return True  # the last look at a day that was running
        if key in self._rest:
            return False
        made = self._made.get(key)
        return made is None or one.marks != made[:1] or self._newest.get(key) != made[1]

    async def _make(self, one: Marked, at: datetime) -> bool:
        """Count the day; False when another worker is at it."""
        key = one.site_id, one.day
        began, newest = asyncio.get_running_loop().time(), self._newest.get(key)
        # A running day keeps a mark, so that it is counted a last time even if this worker
        # is gone by then.
        kept = () if _over(one, at) else one.marks[-1:]
        async with self._pool.acquire() as db, db.transaction():
            if not await rollup.try_lock(db, *key):
                return False
            await rollup.rebuild_day(db, *key)
            await stale.unmark(db, one.site_id, set(one.marks) - set(kept))
        moment = asyncio.get_running_loop().time()
        self._rest[key] = moment + max(SHARE * (moment - began), LEAST_REST)
        self._made.pop(key, None)
        if kept:
            self._made[key] = kept[0], newest
        log.debug("day counted", extra={"site": one.site_id, "day": str(one.day)})
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
        since = row["counted"] or _local(ids.moment(row["oldest"]), timezone)
        until = _local(ids.moment(row["newest"]), timezone)
        await stale.mark_span(pool, row["id"], since, until)


def _over(one: Marked, at: datetime) -> bool:
    """Whether no more visits of this day can come."""
    return at >= rollup.midnight(one.day + rollup.DAY, one.timezone) + GRACE


def _local(at: datetime, timezone: ZoneInfo) -> date:
    return at.astimezone(timezone).date()
