"""When people visit and call: the rhythm of the day and of the week. Pure."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracker.demo_tape import DAY

VISITS = 93  # on a usual day
WEEK = (1.06, 1.1, 1.05, 1.02, 0.96, 0.86, 0.95)  # Monday first
HOURS = (
    7, 4, 2, 2, 2, 3, 8, 18, 34, 50, 62, 66, 60, 56, 58, 60, 58, 56, 60, 66, 72, 66, 42, 18,
)  # fmt: skip
OPENS, CLOSES = time(9), time(20)  # when somebody answers the telephone


def days(since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[date]:
    """The days of the period in the site's calendar."""
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        yield day
        day += DAY


def visits(rng: random.Random, day: date, zone: ZoneInfo) -> list[datetime]:
    """When visits begin on that day, in order."""
    count = round(VISITS * WEEK[day.weekday()] * rng.uniform(0.84, 1.16))
    hours = rng.choices(range(24), HOURS, k=count)
    return sorted(_at(day, hour, rng.uniform(0, 3600), zone) for hour in hours)


def open_at(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the shop answers the telephone then."""
    return OPENS <= moment.astimezone(zone).time() < CLOSES


def when_open(rng: random.Random, moment: datetime, zone: ZoneInfo) -> datetime:
    """That moment, or one soon after the shop next opens."""
    if open_at(moment, zone):
        return moment
    local = moment.astimezone(zone)
    day = local.date() + (DAY if local.time() >= CLOSES else timedelta())
    return _at(day, OPENS.hour, rng.uniform(60, 2.5 * 3600), zone)


def by_day(rng: random.Random, day: date, zone: ZoneInfo) -> datetime:
    """Some moment of that day within opening hours."""
    return _at(day, OPENS.hour, rng.uniform(0, 11 * 3600), zone)


def about(rng: random.Random, median: timedelta, spread: float = 0.8) -> timedelta:
    """A length of time near the median, now and then much longer."""
    return median * rng.lognormvariate(0, spread)


def _at(day: date, hour: int, seconds: float, zone: ZoneInfo) -> datetime:
    start = datetime.combine(day, time(hour), zone).astimezone(UTC)
    return start + timedelta(seconds=round(seconds, 3))
