"""One site with everything true about it resolved: clocks, bursts, who is ready to call."""

import random
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.attribution.shapes import Shape, Source
from tests.benchmarks.attribution.spreads import DAY, HOUR, Clock, Numbers

MONDAY = 1_740_960_000.0  # 2025-03-03T00:00:00Z
BEYOND = 40  # days that clocks go on after the end, for delays that reach there
FARTHEST = 14 * DAY  # nobody calls later than this after having seen the number


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A campaign's hour or two: many more visits of one source."""

    begins: float
    ends: float
    rate: float  # visits a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A shape on the calendar."""

    shape: Shape
    days: int
    visiting: Clock
    calling: Clock
    bursts: tuple[Burst, ...]
    sources: dict[str, Source] = field(default_factory=dict)

    @property
    def ends(self) -> float:
        return MONDAY + self.days * DAY

    def stretch(self, at: Numbers | float) -> Numbers | float:
        """How much longer delays are for visits at that moment: the drift."""
        along = (np.asarray(at) - MONDAY) / (self.days * DAY) - 0.5
        return np.exp(self.shape.drift * along)

    def readiness(self, source: str, *, mobile: bool) -> float:
        """The share of such visitors who call, of those who look at the number."""
        factor = self.shape.mobile_readiness if mobile else 1.0
        return min(
            self.shape.readiness * self.sources[source].readiness * factor, READIEST
        )

    def openness(self, at: Numbers | float) -> Numbers:
        """What is left, at that hour, of those who would call at once."""
        return np.minimum(self.calling.rate(at), 1.0)

    def people_rate(self) -> float:
        """New people a second, bursts left out, mean over the week."""
        shape = self.shape
        return shape.visits_per_day * (1 - shape.bots) * (1 - shape.returning) / DAY

    def bot_rate(self) -> float:
        """Bots a second, mean over the week."""
        return self.shape.visits_per_day * self.shape.bots / DAY

    def cookie_rate(self, at: Numbers) -> Numbers:
        """Visits under a cookie never seen before, per second at each of these moments."""
        shape = self.shape
        renewed = 1 + shape.returning / (1 - shape.returning) * shape.new_cookie
        steady = self.people_rate() * renewed + self.bot_rate()
        rate = steady * self.visiting.rate(at)
        for burst in self.bursts:
            rate = rate + burst.rate * ((at >= burst.begins) & (at < burst.ends))
        return rate


READIEST = 0.8


def settle(shape: Shape, *, days: int, rng: random.Random) -> Site:
    """The shape on a calendar of its own, bursts drawn."""
    begins = [
        MONDAY + day * DAY + rng.uniform(8, 20) * HOUR
        for day in range(days)
        if rng.random() < shape.bursts_per_week / 7
    ]
    length = shape.burst_hours * HOUR
    return Site(
        shape=shape,
        days=days,
        visiting=_clock(shape.visiting, shape.visiting_weekend, days),
        calling=_clock(shape.calling, shape.calling_weekend, days),
        bursts=tuple(
            Burst(begins=at, ends=at + length, rate=shape.burst_visits / length)
            for at in begins
        ),
        sources={source.name: source for source in shape.sources},
    )


def _clock(hours: tuple[float, ...], weekend: float, days: int) -> Clock:
    week = [rate for _ in range(5) for rate in hours]
    week += [rate * weekend for _ in range(2) for rate in hours]
    return Clock(week, start=MONDAY, days=days + BEYOND)
