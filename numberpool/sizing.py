"""How many numbers a pool needs: what is asked, what is answered, and the advice.

Pure, and without NumPy, so that every process can read a plan; `planner` makes it. Erlang B
tells when a pool is hopelessly small, the rehearsed traffic how many callers are found.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import ceil, floor
from typing import Literal

import msgspec

MOST_NUMBERS = 10_000  # of a pool that is rehearsed
VISITS_A_NUMBER = 20  # a day: the rule of thumb that is tried beside the others
LADDER = 5  # further sizes, for a smooth chart
NEAR = 0.2  # sizes as near as this to another tell nothing new
MORE = 10  # numbers that …
LEAST_GAIN = 0.02  # … must find so many more of the callers to be worth it
STRETCH = 1.6  # how much larger the next size is when the largest is still not enough
HOUR = 3600.0
IDLE = 150.0  # seconds a number stays busy after the last sign of its holder


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan is made for; what is left out is as it is."""

    days: int = 28
    traffic: float = 1.0  # times today's visits
    sources: Mapping[str, float] = {}  # by "source/medium": times its visits, besides
    rest: float | None = None  # seconds
    share: bool | None = None
    late: Literal["always", "peak", "never"] | None = None
    goal: float | None = None  # share of callers to be found

    @property
    def most_traffic(self) -> float:
        """How many times more visits than there were this may ask for."""
        return self.traffic * max([1.0, *self.sources.values()])


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool of so many numbers would do."""

    numbers: int
    own: float  # share of visitors shown a number that was idle
    shared: float  # … shown one whose holder was still alive
    blocked: float  # … shown none
    erlang: float  # share that finds no idle number in the busiest hour, by Erlang B
    found: float  # share of callers whose visit is ranked first
    right: (
        float  # share of all calls, unrelated ones too, whose likeliest answer is true
    )
    sure: float  # mean of the largest probability, over the calls to the pool
    error: float  # expected calibration error of these
    wrong_calls: float  # in 30 days
    loss: Decimal | None = None  # money whose source is told wrongly, in 30 days


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """How many numbers to have, and why."""

    numbers: int
    reason: Literal["goal", "goal_unreached", "knee", "unsettled"]
    found: float
    gain: float  # how many more callers `MORE` more numbers would find, as a share


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; without visits `sizes` is empty and there is no advice."""

    question: Question
    current: int  # numbers the pool has
    since: float  # Unix seconds: the days that were rehearsed
    until: float
    days: float
    asked_days: int
    visits_a_day: float  # after what was asked
    every: int = 1  # so much traffic that only one visitor of so many was rehearsed
    peak_visits: float = 0.0  # in the busiest hour of a day, on average
    visible_seconds: float = 0.0  # mean
    load: float = 0.0  # numbers busy at once in that hour
    model: str = ""
    provisional: bool = True
    drawn_calls: int = 0  # that each size was tried with
    calls: int = 0  # real ones, in the same days
    sure: float | None = None  # mean of the largest probability, over the real calls
    month_calls: float = 0.0  # expected in 30 days, after what was asked
    worth: Decimal | None = None  # of a contact
    worth_by: Literal["revenue", "cost"] | None = None
    currency: str = ""
    sizes: tuple[Size, ...] = ()
    advice: Advice | None = None

    @property
    def now(self) -> Size | None:
        """The pool as it is."""
        return self.of(self.current)

    def of(self, numbers: int) -> Size | None:
        """The figures of a size that was tried."""
        return next((one for one in self.sizes if one.numbers == numbers), None)


def erlang_b(numbers: int, load: float) -> float:
    """The share of arrivals that find all `numbers` busy; `load` in erlangs."""
    blocked = 1.0
    for k in range(1, numbers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def load(visits_an_hour: float, visible_seconds: float) -> float:
    """Numbers that are busy at once, in erlangs."""
    return visits_an_hour * (visible_seconds + IDLE) / HOUR


def to_try(current: int, visits_a_day: float) -> list[int]:
    """The sizes a plan compares, smallest first."""
    told = [current * part for part in (0.75, 1, 1.25, 2, 3) if current]
    told.append(visits_a_day / VISITS_A_NUMBER)
    sizes = {min(max(round(one), 1), MOST_NUMBERS) for one in told}
    low = max(min(sizes) // 2, 1)
    high = min(max(*sizes, low + MORE), MOST_NUMBERS)
    for n in range(LADDER):
        step = round(low * (high / low) ** (n / (LADDER - 1)))
        if all(abs(step - one) > NEAR * one for one in sizes):
            sizes.add(step)
    return sorted(sizes | {high})


def advise(sizes: Collection[Size], goal: float | None = None) -> Advice:
    """The smallest size that reaches the goal, or from which more numbers bring little.

    Between the sizes that were tried a straight line is believed, under the concave cover
    of all of them: each further number brings less than the one before, and what looks
    otherwise is chance.
    """
    points = {one.numbers: one.found for one in sizes}
    cover = _cover(points)
    low, high = min(points), max(points)

    def found(numbers: int) -> float:
        return points[numbers] if numbers in points else _at(cover, numbers)

    def told(numbers: int, reason: Literal["goal", "goal_unreached", "knee", "unsettled"]) -> Advice:  # fmt: skip
        # Rounded down, so that what is less than a bound is never written as that bound.
        gain = floor(1000 * (_at(cover, numbers + MORE) - _at(cover, numbers))) / 1000
        return Advice(numbers=numbers, reason=reason, found=found(numbers), gain=gain)

    if goal is not None:
        enough = [n for n in points if points[n] >= goal]
        if not enough:
            return told(high, "goal_unreached")
        return told(_smallest(points, min(enough), goal), "goal")
    for numbers in range(low, high - MORE + 1):
        if _at(cover, numbers + MORE) - _at(cover, numbers) < LEAST_GAIN:
            return told(numbers, "knee")
    return told(high, "unsettled")


def settled(sizes: Collection[Size], goal: float | None = None) -> Advice:
    """The advice among the sizes that were tried: the nearest one that is not smaller."""
    tried = {one.numbers: one.found for one in sizes}
    advice = advise(sizes, goal)
    numbers = min((n for n in tried if n >= advice.numbers), default=max(tried))
    return msgspec.structs.replace(advice, numbers=numbers, found=tried[numbers])


def larger(sizes: Iterable[Size]) -> int | None:
    """The next size to try when the largest is not enough; None: it is large enough."""
    most = max(one.numbers for one in sizes)
    return min(ceil(most * STRETCH), MOST_NUMBERS) if most < MOST_NUMBERS else None


def _smallest(points: Mapping[int, float], enough: int, goal: float) -> int:
    """Where the line to the first size that is enough crosses the goal."""
    below = max((n for n in points if n < enough), default=None)
    if below is None:
        return enough
    rise = points[enough] - points[below]
    part = (goal - points[below]) / rise
    return min(below + ceil(part * (enough - below) - 1e-9), enough)


def _cover(points: Mapping[int, float]) -> list[tuple[int, float]]:
    """The upper convex hull of the points and the empty pool."""
    hull: list[tuple[int, float]] = []
    for point in sorted({0: 0.0, **points}.items()):
        while len(hull) > 1 and _slope(hull[-2], point) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(point)
    return hull


def _slope(one: tuple[int, float], other: tuple[int, float]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def _at(cover: Sequence[tuple[int, float]], numbers: int) -> float:
    """The cover's height; level beyond its end."""
    for one, other in pairwise(cover):
        if numbers <= other[0]:
            return one[1] + _slope(one, other) * (numbers - one[0])
    return cover[-1][1]
