"""How good a set of answers is, against who really called.

Found and accuracy are taken over all calls, those to the static number included: a rule that
gives few visitors a number finds few callers. Log-loss, Brier, calibration and the counts
per source are taken over the calls to the pool, for which weights were given.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.benchmarks.attribution.answers import Answer, Broken
from tests.benchmarks.attribution.events import Event

FLOOR = 0.001  # of a weight in the log-loss
BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One run's figures."""

    found: float  # right visit first / all calls that a visit led to
    accuracy: float  # right visit, or rightly none, first / all calls
    log_loss: float
    brier: float
    calibration: float  # expected calibration error
    by_source: float  # sum of |weights - calls| over sources / calls


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer beside the truth; None stands for no visit."""

    weights: Mapping[str | None, float]  # none's included; sum to 1
    truth: str | None
    pooled: bool  # a call to a pool number

    @property
    def first(self) -> str | None:
        """What the answer holds likeliest; a visit rather than none when they tie."""
        return max(self.weights, key=lambda one: (self.weights[one], one is not None))

    @property
    def first_visit(self) -> str | None:
        visits = {visit: w for visit, w in self.weights.items() if visit is not None}
        return max(visits, key=visits.__getitem__) if visits else None


def score(events: list[Event], answers: list[Answer]) -> Score:
    """Judges answers about these events; raises `Broken` unless one stands for each call."""
    calls = [event for event in events if event.kind == "call"]
    sources = {e.session: str(e.source) for e in events if e.kind == "visit"}
    judged = list(judge(calls, answers))
    visits = [one for one in judged if one.truth is not None]
    pooled = [one for one in judged if one.pooled]
    return Score(
        found=share(one.first_visit == one.truth for one in visits),
        accuracy=share(one.first == one.truth for one in judged),
        log_loss=mean(log_loss(one.weights, one.truth) for one in pooled),
        brier=mean(brier(one.weights, one.truth) for one in pooled),
        calibration=calibration(
            (one.weights[one.first], one.first == one.truth) for one in pooled
        ),
        by_source=source_error(pooled, sources),
    )


def judge(calls: list[Event], answers: list[Answer]) -> Iterable[Judged]:
    if [call.call for call in calls] != [answer.call for answer in answers]:
        raise Broken("not one answer for each call, in order")
    for call, answer in zip(calls, answers, strict=True):
        weights: dict[str | None, float] = {
            one.session: one.weight for one in answer.candidates
        }
        weights[None] = max(1 - sum(weights.values()), 0.0)
        yield Judged(weights, call.session, answer.number is not None)


def log_loss(weights: Mapping[str | None, float], truth: str | None) -> float:
    return -math.log(max(weights.get(truth, 0.0), FLOOR))


def brier(weights: Mapping[str | None, float], truth: str | None) -> float:
    """Squared distance between the weights and the truth; 0 to 2."""
    right = weights.get(truth, 0.0)
    return sum(w * w for w in weights.values()) - right * right + (1 - right) ** 2


def calibration(claims: Iterable[tuple[float, bool]]) -> float:
    """Expected calibration error of largest weights, in ten bins."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for weight, right in claims:
        bins[min(int(weight * BINS), BINS - 1)].append((weight, right))
    gaps = [abs(sum(weight - right for weight, right in one)) for one in bins.values()]
    return sum(gaps) / max(sum(map(len, bins.values())), 1)


def source_error(judged: list[Judged], sources: Mapping[str | None, str]) -> float:
    """How far the weighted counts per source are from the true ones, over all calls."""
    apart: dict[str, float] = defaultdict(float)
    for one in judged:
        for visit, weight in one.weights.items():
            if visit is not None:
                apart[sources[visit]] += weight
        if one.truth is not None:
            apart[sources[one.truth]] -= 1
    total = sum(one.truth is not None for one in judged)
    return sum(map(abs, apart.values())) / max(total, 1)


def mean(values: Iterable[float]) -> float:
    kept = list(values)
    return math.fsum(kept) / len(kept) if kept else 0.0


def share(rights: Iterable[bool]) -> float:
    return mean(float(right) for right in rights)
