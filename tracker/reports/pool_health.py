"""How healthy a number pool is, from its hours: reads `pool_hours`, adds up, divides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker.reports import rollup

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One pool in one hour, as counted."""

    hour: datetime
    numbers: int = 0
    issued: int = 0  # visitors who were lent a number
    shared: int = 0  # of them, while its holder was still alive
    waited: int = 0  # visitors who found no idle number
    served: int = 0  # of them, those who were lent one later
    most_busy: int = 0
    busy_seconds: float = 0.0
    called: int = 0
    right_calls: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One pool over some hours: what is shown, each with its formula in `web/words.py`."""

    issued: int = 0
    shared: int = 0
    waited: int = 0
    blocked: int = 0  # waited and never got one
    called: int = 0
    right_calls: float = 0.0
    busiest: float | None = None  # share of the numbers in use at the busiest moment
    utilisation: float | None = None  # share of the numbers' time in use

    @property
    def own(self) -> int:
        """Visitors who were lent a number that was nobody's."""
        return self.issued - self.shared

    @property
    def accuracy(self) -> float | None:
        """Expected share of the calls that are answered right."""
        return self.right_calls / self.called if self.called else None

    @property
    def overloaded(self) -> float | None:
        """Share of those who wanted a number and got none, or a shared one."""
        wanted = self.issued + self.blocked
        return (self.shared + self.blocked) / wanted if wanted else None


def health(hours: Iterable[Hour], *, seconds: float) -> Health:
    """The hours together; `seconds` is how long they are, counted or not."""
    rows = list(hours)
    size = max((one.numbers for one in rows), default=0)
    busy = sum(one.busy_seconds for one in rows)
    return Health(
        issued=sum(one.issued for one in rows),
        shared=sum(one.shared for one in rows),
        waited=sum(one.waited for one in rows),
        # Who is lent a number on a later page may not have asked for one before.
        blocked=sum(max(one.waited - one.served, 0) for one in rows),
        called=sum(one.called for one in rows),
        right_calls=sum(one.right_calls for one in rows),
        busiest=max(
            (min(one.most_busy / one.numbers, 1.0) for one in rows if one.numbers),
            default=None,
        ),
        utilisation=min(busy / (size * seconds), 1.0) if size and seconds > 0 else None,
    )


async def hours(
    db: database.Db, site_id: int, pool_id: int, *, since: datetime, until: datetime
) -> list[Hour]:
    """The pool's hours that have anything, in order."""
    rows = await db.fetch(
        """
        SELECT hour, numbers, issued, shared, waited, served, most_busy, busy_seconds,
               called, right_calls
          FROM pool_hours
         WHERE site_id = $1 AND pool_id = $2 AND hour >= $3 AND hour < $4 ORDER BY hour
        """,
        site_id,
        pool_id,
        since,
        until,
    )
    return [Hour(**row) for row in rows]


def filled(rows: Sequence[Hour], *, since: datetime, until: datetime) -> list[Hour]:
    """Every hour of the period, also those in which nothing happened."""
    known = {one.hour: one for one in rows}
    every, hour = [], since
    while hour < until:
        every.append(known.get(hour) or Hour(hour=hour))
        hour += HOUR
    return every


def by_day(
    rows: Sequence[Hour],
    *,
    since: date,
    until: date,
    timezone: ZoneInfo,
    at: datetime,
) -> list[tuple[date, Health]]:
    """Each day of the site's calendar, both ends included; the running one as far as it is."""
    days = []
    day = since
    while day <= until:
        start = rollup.midnight(day, timezone)
        end = min(rollup.midnight(day + rollup.DAY, timezone), at)
        own = [one for one in rows if start <= one.hour < end]
        days.append((day, health(own, seconds=(end - start).total_seconds())))
        day += rollup.DAY
    return days
