"""Whether certainty is true: of the calls that were 80 % sure, were 80 % right?

Pure. Takes calls whose truth became known without the answer's help, each with the largest
weight of its answer ("none of them" included), and sorts them into ten bins. It judges the
probabilities, not the site: calls that can be checked are easier than the others.

A call that nobody of the site made can seldom be known as such, so among the checked ones the
answer "none of them" is wrong each time. It counts in the error, but no bin is held to be off
because of it.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, fsum, lgamma, log, sqrt
from typing import Literal, NamedTuple

BINS = 10
EDGES = tuple(n / BINS for n in range(BINS + 1))
ENOUGH = 30  # calls of a bin from which on it can be said to be off
Z = 1.959963984540054  # of 95 %: the normal distribution's 0.975 quantile
TAIL = 0.025  # what lies beyond it on each side


class Checked(NamedTuple):
    """A call whose truth is known."""

    weight: float  # the answer's largest probability
    right: bool  # whether that was the truth
    none: bool = False  # the likeliest was "none of them"


class Interval(NamedTuple):
    """Where a share may truly lie, given what was counted."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Calls of about the same certainty; only bins with calls are made."""

    low: float  # lower edge, included
    high: float  # upper edge; included in the last bin only
    calls: int
    right: int
    none: int  # answered with "none of them"
    mean_weight: float

    @property
    def share_right(self) -> float:
        return self.right / self.calls

    @property
    def interval(self) -> Interval:
        """Where the share of right answers lies with 95 %."""
        return wilson(self.right, self.calls)

    @property
    def named(self) -> int:
        """Calls that were laid to a visit: these are judged."""
        return self.calls - self.none

    @property
    def enough(self) -> bool:
        """Whether there are calls enough to say anything."""
        return self.named >= ENOUGH

    @property
    def off(self) -> Literal[-1, 0, 1]:
        """1: surer than it is right; −1: less sure; 0: it fits, or nobody can tell.

        Wilson's interval is too narrow for shares near 0 and 1, where most calls are: what
        lies outside it must also be too rare to come by chance.
        """
        if not self.enough:
            return 0
        low, high = wilson(self.right, self.named)
        if self.mean_weight > high:
            rare = at_most(self.right, self.named, self.mean_weight) < TAIL
            return 1 if rare else 0
        if self.mean_weight < low:
            wrong = self.named - self.right
            rare = at_most(wrong, self.named, 1 - self.mean_weight) < TAIL
            return -1 if rare else 0
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How weights and truths agree."""

    bins: tuple[Bin, ...] = ()  # by certainty, lowest first

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self.bins)

    @property
    def right(self) -> int:
        return sum(one.right for one in self.bins)

    @property
    def none(self) -> int:
        return sum(one.none for one in self.bins)

    @property
    def mean_weight(self) -> float | None:
        """None without calls, like all shares of nothing."""
        if not self.calls:
            return None
        return fsum(one.calls * one.mean_weight for one in self.bins) / self.calls

    @property
    def share_right(self) -> float | None:
        return self.right / self.calls if self.calls else None

    @property
    def error(self) -> float | None:
        """The expected calibration error: how far bins are off, weighted by their calls."""
        if not self.calls:
            return None
        gaps = (one.calls * abs(one.mean_weight - one.share_right) for one in self.bins)
        return fsum(gaps) / self.calls

    @property
    def off(self) -> tuple[Bin, ...]:
        """The bins that chance does not explain."""
        return tuple(one for one in self.bins if one.off)


def calibrate(checked: Iterable[Checked]) -> Calibration:
    """Sort the calls into bins. Raises ValueError for a weight outside 0 … 1."""
    found: list[list[Checked]] = [[] for _ in range(BINS)]
    for one in checked:
        if not 0 <= one.weight <= 1:
            raise ValueError("a weight is a probability")
        found[min(bisect_right(EDGES, one.weight) - 1, BINS - 1)].append(one)
    return Calibration(
        bins=tuple(
            _bin(low, high, calls)
            for (low, high), calls in zip(pairwise(EDGES), found, strict=True)
            if calls
        )
    )


def wilson(right: int, calls: int) -> Interval:
    """The Wilson score interval of a share, 95 %; honest for few calls too.

    Raises ValueError unless 0 ≤ `right` ≤ `calls` and there is a call.
    """
    if not 0 <= right <= calls or not calls:
        raise ValueError("counts do not fit")
    share, square = right / calls, Z * Z / calls
    middle = (share + square / 2) / (1 + square)
    half = Z * sqrt(share * (1 - share) / calls + square / (4 * calls)) / (1 + square)
    return Interval(
        0.0 if right == 0 else max(0.0, middle - half),
        1.0 if right == calls else min(1.0, middle + half),
    )


def at_most(times: int, calls: int, chance: float) -> float:
    """How likely something of that chance happens `times` times or less in so many calls."""
    if times >= calls or chance <= 0:
        return 1.0
    if chance >= 1 or times < 0:
        return 0.0
    if times > calls / 2:  # the other side is shorter
        return 1 - at_most(calls - times - 1, calls, 1 - chance)
    whole = lgamma(calls + 1)
    return fsum(
        exp(
            whole - lgamma(n + 1) - lgamma(calls - n + 1)
            + n * log(chance) + (calls - n) * log(1 - chance)
        )
        for n in range(times + 1)
    )  # fmt: skip


def _bin(low: float, high: float, checked: list[Checked]) -> Bin:
    mean = fsum(one.weight for one in checked) / len(checked)
    return Bin(
        low=low,
        high=high,
        calls=len(checked),
        right=sum(one.right for one in checked),
        none=sum(one.none for one in checked),
        mean_weight=mean,
    )
