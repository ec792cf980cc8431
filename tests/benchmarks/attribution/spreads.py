"""How long people take: densities, their sums and draws from them, on several clocks.

A `Spread` is one distribution of seconds, a `Clock` a weekly profile of willingness, a
`Timing` a mixture of spreads, each on the wall clock or on the clock of opening hours. The
generator draws from them and the oracle weighs with the very same curves.
"""

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FIRST, LAST, STEPS = math.log(1e-2), math.log(2e7), 4000
HOUR, DAY, WEEK = 3600.0, 86400.0, 604800.0


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of seconds: its family, its middle or scale, its shape."""

    family: str  # lognormal, gamma, weibull, loglogistic
    scale: float  # seconds: the median of lognormal and loglogistic, else the scale
    shape: float  # sigma of lognormal

    def density(self, seconds: Numbers) -> Numbers:
        """Per second; nothing before 0."""
        return _look_up(_table(self)[0], seconds)

    def share_by(self, seconds: Numbers) -> Numbers:
        """The share that took at most so long."""
        return _look_up(_table(self)[1], seconds)

    def draw(self, rng: random.Random) -> float:
        """Seconds, from the same table as the density."""
        shares = _table(self)[1]
        place = float(np.searchsorted(shares, rng.random() * shares[-1]))
        step = (LAST - FIRST) / (STEPS - 1)
        return math.exp(FIRST + (place - rng.random()) * step)


@lru_cache(maxsize=4096)
def _table(spread: Spread) -> tuple[Numbers, Numbers]:
    """Density and share at `STEPS` moments, evenly spaced in their logarithm."""
    logs = np.linspace(FIRST, LAST, STEPS)
    relative, k = logs - math.log(spread.scale), spread.shape
    if spread.family == "lognormal":
        of_log = np.exp(-0.5 * (relative / k) ** 2)
    elif spread.family == "gamma":
        of_log = np.exp(k * relative - np.exp(np.minimum(relative, 50)))
    elif spread.family == "weibull":
        of_log = np.exp(k * relative - np.exp(np.minimum(k * relative, 50)))
    elif spread.family == "loglogistic":
        of_log = 1 / (np.exp(k * relative / 2) + np.exp(-k * relative / 2)) ** 2
    else:
        raise ValueError(f"no such family of delays: {spread.family}")
    steps = (of_log[1:] + of_log[:-1]) / 2
    shares = np.concatenate(([0.0], np.cumsum(steps)))
    step = (LAST - FIRST) / (STEPS - 1)
    return of_log / (shares[-1] * step) / np.exp(logs), shares / shares[-1]


def _look_up(table: Numbers, seconds: Numbers) -> Numbers:
    """The table between its points; 0 at and before the moment 0."""
    step = (LAST - FIRST) / (STEPS - 1)
    after = seconds > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (np.log(np.where(after, seconds, 1.0)) - FIRST) / step
    place = np.clip(place, 0, STEPS - 1.001)
    below = place.astype(np.intp)
    part = place - below
    return np.where(after, table[below] * (1 - part) + table[below + 1] * part, 0.0)


class Clock:
    """A rate that follows the hours of the week, and the time it has told since `start`."""

    def __init__(self, hours: list[float], *, start: float, days: int) -> None:
        """`hours`: 168 rates from Monday midnight on, which `start` is; made mean 1."""
        mean = sum(hours) / len(hours)
        self.start = start
        self.rates = np.resize(np.array(hours) / mean, days * 24)
        self.edges = start + HOUR * np.arange(days * 24 + 1)
        self.told = np.concatenate(([0.0], np.cumsum(self.rates * HOUR)))

    def rate(self, at: Numbers | float) -> Numbers:
        """How fast this clock goes; mean 1 over the week."""
        hour = ((np.asarray(at) - self.start) // HOUR).astype(np.intp)
        return np.asarray(self.rates[np.clip(hour, 0, len(self.rates) - 1)])

    def read(self, at: Numbers | float) -> Numbers:
        """Seconds told between `start` and this moment."""
        return np.asarray(np.interp(at, self.edges, self.told))

    def after(self, at: float, seconds: float) -> float:
        """The moment when that many more seconds will have been told."""
        return float(np.interp(self.read(at) + seconds, self.told, self.edges))


@dataclass(frozen=True, slots=True)
class Part:
    """One way of taking time, and the share of people who take it."""

    share: float
    spread: Spread
    waits: bool = False  # on the clock of opening hours, not the wall's


@dataclass(frozen=True, slots=True)
class Timing:
    """A mixture of ways of taking time."""

    parts: tuple[Part, ...]

    def draw(self, at: float, clock: Clock, rng: random.Random) -> float:
        """The moment this leads to, from `at` on."""
        part = rng.choices(self.parts, [part.share for part in self.parts])[0]
        seconds = part.spread.draw(rng)
        return clock.after(at, seconds) if part.waits else at + seconds

    def density(self, since: Numbers, at: float, clock: Clock) -> Numbers:
        """Per second of the wall, at the moment `at`."""
        return sum(
            (
                part.share * moment_density(part, since, at, clock)
                for part in self.parts
            ),
            start=np.zeros_like(since),
        )

    def share_by(self, since: Numbers, at: float, clock: Clock) -> Numbers:
        """The share that has happened by `at`."""
        return sum(
            (part.share * moment_share(part, since, at, clock) for part in self.parts),
            start=np.zeros_like(since),
        )


def moment_density(
    part: Part, since: Numbers, at: float, clock: Clock, scale: Numbers | float = 1.0
) -> Numbers:
    """The density of one part at `at`, its delays stretched by `scale`."""
    if not part.waits:
        return part.spread.density((at - since) / scale) / scale
    told = clock.read(at) - clock.read(since)
    return part.spread.density(told / scale) / scale * clock.rate(at)


def moment_share(
    part: Part, since: Numbers, at: float, clock: Clock, scale: Numbers | float = 1.0
) -> Numbers:
    """The share of one part that has happened by `at`."""
    if not part.waits:
        return part.spread.share_by((at - since) / scale)
    return part.spread.share_by((clock.read(at) - clock.read(since)) / scale)
