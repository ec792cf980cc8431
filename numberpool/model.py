"""What is believed about callers before a call is weighed: rates, factors, noise.

Pure. `day_one` knows nothing of the site; a learned model is a `Model` with other numbers.
Rates are calls per second of one session, in 21 bins of the delay since its reference
moment (the click, the reveal or the visit).
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from numberpool.opening import DAY_ONE

EDGES = (
    0, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900, 1800, 3600, 7200, 14400, 28800, 57600,
    86400, 172800, 345600, 691200, 1209600,
)  # fmt: skip
BINS = len(EDGES) - 1
HORIZON = EDGES[-1]  # seconds; nobody calls after that
FLOOR = 1e-10  # calls per second: a table has no zeros
# Visible seconds; an edge belongs to the band below it.
ENGAGEMENT_EDGES = (5, 10, 20, 40, 80, 150, 300, 600)
STAYS = len(ENGAGEMENT_EDGES) + 1
DEVICES = ("mobile", "desktop")
PROVISIONAL = 50  # first calls
# Sessions that must all lack a reveal before the site is thought to send none. A click tells
# of no reveals: it comes from the link itself.
ENOUGH_UNSEEN = 50
LEAST_NOISE = 1e-9  # calls per second: a pool without any traffic has some all the same

Table = tuple[float, ...]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one site's posterior."""

    version: str
    rates: Mapping[str, Table]  # by state: "click_quiet", "seen_here/mobile", …
    noise: float  # unrelated calls per second over the whole pool
    source_factors: Mapping[Any, float] = {}  # by source
    # By bands of visible time, of those who are gone and call minutes later or more: first of
    # those who had seen the number, then of those of whom no look was told.
    engagement: Table = (1.0,) * (2 * STAYS)
    redial_chance: float = 0.2  # that a caller calls the same number again
    redial_gaps: Table  # density per second of the time between two such calls
    workday: Table = DAY_ONE  # the opening clock's profile, an entry an hour
    weekend: Table = DAY_ONE
    calls: int = 0  # first calls it was learned from

    @property
    def provisional(self) -> bool:
        """Whether too few calls were learned from to speak of certainty without a warning."""
        return self.calls < PROVISIONAL


def day_one(*, noise: float) -> Model:
    """What is believed of any site at first; `noise` in calls per second over the pool."""
    return Model(
        version="day-one",
        rates=_day_one_rates(),
        noise=max(noise, LEAST_NOISE),
        redial_gaps=_day_one_gaps(),
    )


def day_one_noise(sessions_per_second: float) -> float:
    """Unrelated calls per second: a twentieth of the calls that three visits in 100 make."""
    return 0.05 * 0.03 * sessions_per_second


@cache
def _day_one_rates() -> Mapping[str, Table]:
    later = _mix((0.02, mass(5400, 1.5)), (0.006, mass(129600, 1.2)))
    return {name: _rates(masses) for name, masses in day_one_masses(later).items()}


def day_one_masses(
    later: Sequence[float], *, now: float = 60, unseen: float = 0.04
) -> Mapping[str, Table]:
    """How many calls a session makes in each bin, by state.

    `later` are those of no haste, `now` is the median delay of the others in seconds, and
    `unseen` the share of those who call although no look was told.
    """
    soon, quick, slow = mass(now, 1.2), mass(8, 1.0), mass(600, 1.5)
    seen = {
        "here": _mix((0.05, soon), (1, later)),
        "gone": _mix((0.0125, soon), (1, later)),
    }
    masses = {
        "click_quiet": _mix((0.50, quick), (0.05, slow)),
        "click_seen": _mix((0.03, quick), (0.05, slow)),
    }
    for device in DEVICES:
        for where, each in seen.items():
            masses[f"seen_{where}/{device}"] = each
            masses[f"unseen_{where}/{device}"] = _mix((unseen, each))
    return masses


@cache
def _day_one_gaps() -> Table:
    """Half of the redials come within minutes, half within days."""
    masses = _mix((0.5, mass(400, 1.5)), (0.5, mass(172800, 1.5)))
    total = math.fsum(masses)
    return _densities([one / total for one in masses])


@lru_cache(maxsize=4096)
def mass(median: float, sigma: float) -> Table:
    """How much of a lognormal lies in each bin; `median` in seconds."""

    def below(edge: float) -> float:
        if edge <= 0:
            return 0.0
        z = (math.log(edge) - math.log(median)) / sigma
        return (1 + math.erf(z / math.sqrt(2))) / 2

    return tuple(below(high) - below(low) for low, high in pairwise(EDGES))


def lognormal(seconds: float, median: float, sigma: float) -> float:
    """The density of a lognormal, per second."""
    if seconds <= 0:
        return 0.0
    z = math.log(seconds / median) / sigma
    return math.exp(-z * z / 2) / (seconds * sigma * math.sqrt(2 * math.pi))


def _mix(*parts: tuple[float, Sequence[float]]) -> Table:
    return tuple(
        math.fsum(share * masses[n] for share, masses in parts) for n in range(BINS)
    )


def _rates(masses: Sequence[float]) -> Table:
    return tuple(max(one, FLOOR) for one in _densities(masses))


def _densities(masses: Sequence[float]) -> Table:
    return tuple(
        one / (high - low)
        for one, (low, high) in zip(masses, pairwise(EDGES), strict=True)
    )
