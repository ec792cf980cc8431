"""The opening clock: how willing people are to call at each hour of a site's week.

Pure. The profile has mean 1, so a delay measured on this clock is as long as a usual one
over whole weeks, and a night hardly counts. Moments are Unix seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import accumulate

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
MONDAY = 3 * DAY  # 1970 began on a Thursday, three days into its week
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Day one: people call from 9 to 20 h, on every day of the week alike.
DAY_ONE = tuple(1.6 if 9 <= hour < 20 else 0.45 for hour in range(24))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A site's week of 24 hours for workdays and 24 for weekends, scaled to mean 1."""

    timezone: tzinfo
    workday: tuple[float, ...] = DAY_ONE
    weekend: tuple[float, ...] = DAY_ONE
    _rates: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _sums: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        week = self.workday * 5 + self.weekend * 2
        mean = sum(week) / len(week)
        rates = tuple(one / mean for one in week)
        object.__setattr__(self, "_rates", rates)
        sums = accumulate((one * HOUR for one in rates), initial=0.0)
        object.__setattr__(self, "_sums", tuple(sums))

    @property
    def week(self) -> tuple[float, ...]:
        """a(t) hour by hour from Monday's midnight, mean 1."""
        return self._rates

    def rate(self, at: float) -> float:
        """a(t): how willing people are to call at that moment; 1 is the week's mean."""
        return self._rates[int(self._local(at) % WEEK // HOUR)]

    def seconds(self, start: float, end: float) -> float:
        """The integral of a(t) between two moments: seconds on the opening clock."""
        if offset(self.timezone, start) == offset(self.timezone, end):
            return self._passed(self._local(end)) - self._passed(self._local(start))
        if end - start < 1:
            return end - start
        middle = (start + end) / 2  # the clocks were changed in between
        return self.seconds(start, middle) + self.seconds(middle, end)

    def until(self, end: float) -> Callable[[float], float]:
        """`seconds` to one end from many starts, with the end's share of the work done."""
        zone = self.timezone
        shift = offset(zone, end)
        ahead = shift + MONDAY
        rates, sums, week = self._rates, self._sums, self._sums[-1]
        at_end = self._passed(end + ahead)

        def seconds(start: float) -> float:
            if offset(zone, start) != shift:
                return self.seconds(start, end)
            weeks, rest = divmod(start + ahead, WEEK)
            hour = int(rest // HOUR)
            return (
                at_end - weeks * week - sums[hour] - (rest - hour * HOUR) * rates[hour]
            )

        return seconds

    def _local(self, unix: float) -> float:
        """Seconds of the site's own clock since a Monday."""
        return unix + offset(self.timezone, unix) + MONDAY

    def _passed(self, local: float) -> float:
        """The integral from that Monday on."""
        rest = local % WEEK
        hour = int(rest // HOUR)
        within = self._sums[hour] + (rest - hour * HOUR) * self._rates[hour]
        return (local - rest) / WEEK * self._sums[-1] + within


def offset(timezone: tzinfo, unix: float) -> float:
    """Seconds that the zone is ahead of UTC; cheap for all but the days of a change."""
    first, last = _offsets_of_day(timezone, int(unix // DAY))
    return first if first == last else _exact_offset(timezone, unix)


@lru_cache(maxsize=4096)
def _offsets_of_day(timezone: tzinfo, day: int) -> tuple[float, float]:
    start = day * DAY
    return _exact_offset(timezone, start), _exact_offset(timezone, start + DAY - 1)


def _exact_offset(timezone: tzinfo, unix: float) -> float:
    moment = (EPOCH + timedelta(seconds=unix)).astimezone(timezone)
    return (moment.utcoffset() or timedelta()).total_seconds()
