"""What a site's own traffic teaches: its delay curve, factors, noise and opening hours.

Pure. Every factor is observed over expected calls, shrunk to 1 by some imaginary ones:
F = (O + tau) / (E + tau), the conjugate update of a Gamma-Poisson pair. Observed are the
weights the posterior gives to the cells of calls by phones that had not called before;
expected is what all shown sessions, callers or not, were exposed to. Three rounds of
expectation and maximisation; old terms fade with a half-life.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numberpool import exposure, posterior
from numberpool.exposure import BANDS, HALF_LIFE, ROW, STATE_OF_ROW, Floats
from numberpool.model import BINS, EDGES, Model, day_one

ROUNDS = 3
BAND_EDGES = (0, 15, 60, 240, 1800, 7200, 28800, 86400, 345600)  # of delays, in step 2
LEAST_FACTOR = 1e-3

_CLICKED = np.array([name in (posterior.CLICK_QUIET, posterior.CLICK_SEEN) for name in posterior.STATES])  # fmt: skip
_SEEN_HERE = np.array([name.startswith("seen_here") for name in posterior.STATES])
_LOW = np.arange(BINS) < exposure.LOW
# The few calls of a cell move it more where calls are many and surely one's own.
_CELL_TAU = np.where(_CLICKED[:, None] | (_SEEN_HERE[:, None] & _LOW[None, :]), 3.0, 60.0)  # fmt: skip
_BAND_OF_BIN = np.searchsorted(BAND_EDGES, EDGES[:-1], side="right") - 1


@dataclass(frozen=True, slots=True)
class Seen:
    """One first call as it was weighed: each candidate's cell."""

    at: float
    noise_share: float  # of the site's noise that falls on this number now: a(t) / N
    rows: Sequence[int]
    bins: Sequence[int]
    sources: Sequence[Any]
    openings: Sequence[float]  # a(t) where the delay is counted on the opening clock


def seen(answer: posterior.Answer, *, at: float, noise_share: float) -> Seen:
    """What is remembered of a call for learning."""
    rates = [one.rate for one in answer.candidates]
    return Seen(
        at=at,
        noise_share=noise_share,
        rows=[
            ROW[
                one.state,
                posterior.band(one.holding) if one.state in posterior.GONE else None,
            ]
            for one in rates
        ],
        bins=[posterior.delay_bin(one.opening_seconds) for one in rates],
        sources=[one.holding.source_id for one in rates],
        openings=[one.opening for one in rates],
    )


@dataclass(slots=True)
class Parameters:
    """What the rounds work on; the rest of a model is counted, not fitted."""

    rates: Floats  # (STATES, BINS), calls per second
    sources: Floats
    engagement: Floats  # (BANDS + 1): the last, 1, is of those who are here
    noise: float


def starting(model: Model, sources: Sequence[Any]) -> Parameters:
    """The parameters of a model."""
    return Parameters(
        rates=np.array([model.rates[name] for name in posterior.STATES]),
        sources=np.array([model.source_factors.get(one, 1.0) for one in sources]),
        engagement=np.array([*model.engagement, 1.0]),
        noise=model.noise,
    )


def fit(
    calls: Sequence[Seen],
    exposed: Floats,
    sources: Sequence[Any],
    *,
    start: Model,
    at: float,
    elapsed: float,
) -> Parameters:
    """Fit the parameters to the calls, beginning with those of `start`.

    `exposed` is `exposure.count` of all shown sessions, with `sources` in its order;
    `elapsed` are the seconds since the first of them.
    """
    told = _Calls(calls, sources, at)
    now = starting(start, sources)
    faded = HALF_LIFE / np.log(2) * (1 - 0.5 ** (elapsed / HALF_LIFE))
    prior = np.array([day_one(noise=0).rates[name] for name in posterior.STATES])
    for _ in range(ROUNDS):
        now = _round(told, exposed, now, prior, float(faded))
    return now


def factor(observed: Any, expected: Any, tau: float | Floats) -> Floats:
    """Observed over expected, shrunk to 1 by `tau` imaginary calls."""
    return np.asarray((observed + tau) / (expected + tau))


class _Calls:
    """The candidates of all calls in one row of arrays."""

    def __init__(
        self, calls: Sequence[Seen], sources: Sequence[Any], at: float
    ) -> None:
        place = {source: n for n, source in enumerate(sources)}
        sizes = [len(one.rows) for one in calls]
        self.of = np.repeat(np.arange(len(calls)), sizes)
        self.row = np.array([row for one in calls for row in one.rows], int)
        self.bin = np.array([bin_ for one in calls for bin_ in one.bins], int)
        self.source = np.array([place[s] for one in calls for s in one.sources], int)
        self.opening = np.array([a for one in calls for a in one.openings], float)
        self.noise_share = np.array([one.noise_share for one in calls], float)
        self.faded = 0.5 ** ((at - np.array([one.at for one in calls], float)) / HALF_LIFE)  # fmt: skip

    def weigh(self, now: Parameters) -> tuple[Floats, float]:
        """Each candidate's weight, faded by its call's age, and the faded sum of none."""
        rate = (
            now.rates[STATE_OF_ROW[self.row], self.bin]
            * now.sources[self.source]
            * now.engagement[exposure.BAND_OF_ROW[self.row]]
            * self.opening
        )
        noise = now.noise * self.noise_share
        total = np.bincount(self.of, weights=rate, minlength=len(noise)) + noise
        weight = rate / total[self.of] * self.faded[self.of]
        return weight, float((noise / total * self.faded).sum())


def _round(
    calls: _Calls, exposed: Floats, now: Parameters, prior: Floats, faded: float
) -> Parameters:
    weight, none = calls.weigh(now)
    states = len(prior)
    observed = np.zeros((states, BINS))
    np.add.at(observed, (STATE_OF_ROW[calls.row], calls.bin), weight)
    # Seconds by state and bin, as many calls of an average session they stand for.
    by_row = np.tensordot(now.sources, exposed, axes=(0, 0))
    by_row *= now.engagement[exposure.BAND_OF_ROW][:, None]
    seconds = np.zeros((states, BINS))
    np.add.at(seconds, STATE_OF_ROW, by_row)
    rates = _cells(observed, seconds, prior)
    return Parameters(
        rates=rates,
        sources=_sources(calls, weight, exposed, rates, now),
        engagement=_engagement(calls, weight, exposed, rates, now),
        noise=_noise(none, float(calls.faded.sum()), faded),
    )


def _cells(observed: Floats, seconds: Floats, prior: Floats) -> Floats:
    """Steps 1 to 4: the level, bands of delay, states, single cells; each on the last."""
    rates = prior * factor(observed.sum(), (prior * seconds).sum(), 3.0)
    waiting = ~_CLICKED
    for band in range(len(BAND_EDGES)):
        cells = np.ix_(waiting, np.equal(_BAND_OF_BIN, band))
        rates[cells] *= factor(
            observed[cells].sum(), (rates * seconds)[cells].sum(), 6.0
        )
    for state in np.flatnonzero(waiting):
        for side in (_LOW, ~_LOW):
            expected = (rates[state] * seconds[state])[side].sum()
            rates[state, side] *= factor(observed[state, side].sum(), expected, 8.0)
    return np.asarray(rates * factor(observed, rates * seconds, _CELL_TAU))


def _sources(
    calls: _Calls, weight: Floats, exposed: Floats, rates: Floats, now: Parameters
) -> Floats:
    """Step 5."""
    each = rates[STATE_OF_ROW] * now.engagement[exposure.BAND_OF_ROW][:, None]
    expected = np.tensordot(exposed, each, axes=2)
    observed = np.bincount(calls.source, weights=weight, minlength=len(expected))
    return factor(observed, expected, 4.0)


def _engagement(
    calls: _Calls, weight: Floats, exposed: Floats, rates: Floats, now: Parameters
) -> Floats:
    """Step 6: bands of visible time, for those who are gone."""
    by_row = np.tensordot(now.sources, exposed, axes=(0, 0)) * rates[STATE_OF_ROW]
    band_of_row = exposure.BAND_OF_ROW
    expected = np.bincount(band_of_row, weights=by_row.sum(axis=1), minlength=BANDS + 1)
    observed = np.bincount(band_of_row[calls.row], weights=weight, minlength=BANDS + 1)
    found = factor(observed, expected, 10.0)
    found[BANDS] = 1.0
    return found


def _noise(none: float, calls: float, elapsed: float) -> float:
    """Unrelated calls per second: a twentieth of the calls until told otherwise."""
    day_one = 0.05 * max(calls, 1e-9) / elapsed
    return (none + 20) / (elapsed + 20 / day_one)
