"""What a site's own traffic teaches: its delay curve, factors, noise and opening hours.

Pure. Every factor is observed over expected calls, shrunk to 1 by some imaginary ones:
F = (O + tau) / (E + tau), the conjugate update of a Gamma-Poisson pair. Observed are the
weights the posterior gives to the cells of calls by phones that had not called before;
expected is what all shown sessions, callers or not, were exposed to. Three rounds of
expectation and maximisation, from the shape that `delays` finds; old terms fade with a
half-life.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numberpool import delays, exposure, posterior
from numberpool.exposure import (
    BAND_OF_ROW,
    BANDS,
    HALF_LIFE,
    ROW,
    STATE_OF_ROW,
    Floats,
)
from numberpool.model import BINS, EDGES, Model

ROUNDS = 3
BAND_EDGES = (0, 15, 60, 240, 1800, 7200, 28800, 86400, 345600)  # of delays, in step 2
_DOUBT = 0.001  # nothing is surer than that, and a phone's calls together not either
NOISE_TAU = 6.0  # imaginary calls behind the noise of the prior

_CLICKED = np.array([name in (posterior.CLICK_QUIET, posterior.CLICK_SEEN) for name in posterior.STATES])  # fmt: skip
_SEEN_HERE = np.array([name.startswith("seen_here") for name in posterior.STATES])
_LOW = np.arange(BINS) < exposure.LOW
_EARLY = np.array(EDGES[:-1]) < posterior.ENGAGED_FROM
# The few calls of a cell move it more where calls are many and surely one's own.
_CELL_TAU = np.where(_CLICKED[:, None] | (_SEEN_HERE[:, None] & _LOW[None, :]), 3.0, 60.0)  # fmt: skip
_BAND_OF_BIN = np.searchsorted(BAND_EDGES, EDGES[:-1], side="right") - 1


@dataclass(slots=True)
class Seen:
    """One first call as it was weighed: each candidate's cell."""

    at: float
    noise_share: float  # of the site's noise that falls on this number now: a(t) / N
    rows: Sequence[int]
    bins: Sequence[int]
    sources: Sequence[Any]
    openings: Sequence[float]  # a(t) where the delay is counted on the opening clock
    unrelated: float = 1.0  # how much likelier the phone's later calls make it noise

    def learn(self, odds: float) -> None:
        """The phone called again, which makes noise so much likelier (`hindsight`)."""
        self.unrelated = min(max(self.unrelated * odds, _DOUBT), 1 / _DOUBT)


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


def hindsight(answer: posterior.Answer, last: posterior.LastCall) -> float:
    """How much likelier a further call makes it that its phone belongs to nobody of the site.

    The odds of "none of them" after the call over those before it: whoever calls a number that
    no visit of his was shown was unrelated already the first time.
    """
    before = min(max(last.none, _DOUBT), 1 - _DOUBT)
    after = min(max(answer.none, _DOUBT), 1 - _DOUBT)
    return after / (1 - after) * (1 - before) / before


@dataclass(slots=True)
class Parameters:
    """What the rounds work on; the rest of a model is counted, not fitted."""

    rates: Floats  # (STATES, BINS), calls per second
    sources: Floats
    engagement: Floats  # (BANDS)
    noise: float

    @property
    def cells(self) -> Floats:
        """Calls per second by row and bin, (ROWS, BINS), of a source of factor 1."""
        return np.asarray(self.rates[STATE_OF_ROW] * _spread(self.engagement))


def starting(model: Model, sources: Sequence[Any]) -> Parameters:
    """The parameters of a model."""
    return Parameters(
        rates=np.array([model.rates[name] for name in posterior.STATES]),
        sources=np.array([model.source_factors.get(one, 1.0) for one in sources]),
        engagement=np.array(model.engagement),
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
    listed: float,
) -> Parameters:
    """Fit the parameters; only the sources' factors begin with those of `start`.

    `exposed` is `exposure.count` of all shown sessions, with `sources` in its order;
    `elapsed` are the seconds since the first of them. `listed` is the share of a number's
    possible callers among a call's candidates: with a crowd beyond them noise can hardly be
    told from callers not listed, and is believed in more as on day one.
    """
    told = _Calls(calls, sources, at)
    known = starting(start, sources).sources
    faded = float(HALF_LIFE / np.log(2) * (1 - 0.5 ** (elapsed / HALF_LIFE)))
    usual = 0.05 * max(float(told.faded.sum()), 1e-9) / faded
    seconds = np.tensordot(known, exposed, axes=(0, 0))
    others = known[told.source] * told.opening

    def likelihood(figures: Floats) -> float:
        cells = delays.table(figures)[STATE_OF_ROW] * _spread(
            delays.engagement(figures)
        )
        noise = usual * np.exp(figures[delays.NOISE])
        total = told.total(cells[told.row, told.bin] * others, noise)
        expected = (cells * seconds).sum() + noise * faded
        return float((np.log(total) * told.faded).sum() - expected)

    spread = delays.SPREAD.copy()
    spread[delays.NOISE] *= listed**0.5
    figures = delays.best(likelihood, delays.USUAL, spread)
    prior = Parameters(
        rates=delays.table(figures),
        sources=known,
        engagement=delays.engagement(figures),
        noise=float(usual * np.exp(figures[delays.NOISE])),
    )
    now = prior
    for _ in range(ROUNDS):
        now = _round(told, exposed, now, prior, faded, NOISE_TAU / listed)
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
        self.noise_share = np.array([one.noise_share * one.unrelated for one in calls], float)  # fmt: skip
        self.faded = 0.5 ** ((at - np.array([one.at for one in calls], float)) / HALF_LIFE)  # fmt: skip

    def total(self, rates: Floats, noise: float) -> Floats:
        """The rate of each call, its candidates and noise together."""
        summed = np.bincount(self.of, weights=rates, minlength=len(self.noise_share))
        return np.asarray(summed + noise * self.noise_share)

    def weigh(self, now: Parameters) -> tuple[Floats, float]:
        """Each candidate's weight, faded by its call's age, and the faded sum of none."""
        rate = now.cells[self.row, self.bin] * now.sources[self.source] * self.opening
        total = self.total(rate, now.noise)
        none = now.noise * self.noise_share / total * self.faded
        return rate / total[self.of] * self.faded[self.of], float(none.sum())


def _round(
    calls: _Calls,
    exposed: Floats,
    now: Parameters,
    prior: Parameters,
    faded: float,
    noise_tau: float,
) -> Parameters:
    weight, none = calls.weigh(now)
    by_row = np.tensordot(now.sources, exposed, axes=(0, 0))
    rates = _cells(calls, weight, by_row * _spread(now.engagement), prior.rates)
    fitted = Parameters(rates, now.sources, now.engagement, now.noise)
    return Parameters(
        rates=rates,
        sources=_sources(calls, weight, exposed, fitted),
        engagement=_engagement(calls, weight, by_row * rates[STATE_OF_ROW], prior),
        noise=(none + noise_tau) / (faded + noise_tau / prior.noise),
    )


def _cells(calls: _Calls, weight: Floats, by_row: Floats, prior: Floats) -> Floats:
    """Steps 1 to 4: the level, bands of delay, states, single cells; each on the last."""
    observed, seconds = np.zeros_like(prior), np.zeros_like(prior)
    np.add.at(observed, (STATE_OF_ROW[calls.row], calls.bin), weight)
    np.add.at(seconds, STATE_OF_ROW, by_row)
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


def _sources(calls: _Calls, weight: Floats, exposed: Floats, now: Parameters) -> Floats:
    """Step 5; scaled to a mean of 1 over all calls expected, for a source not yet known."""
    expected = np.tensordot(exposed, now.cells, axes=2)
    observed = np.bincount(calls.source, weights=weight, minlength=len(expected))
    found = factor(observed, expected, 4.0)
    return np.asarray(found * expected.sum() / (found * expected).sum())


def _engagement(
    calls: _Calls, weight: Floats, usual: Floats, prior: Parameters
) -> Floats:
    """Step 6: bands of visible time, for those who are gone and call later."""
    later = (usual * _spread(prior.engagement))[:, ~_EARLY].sum(axis=1)
    expected = np.bincount(BAND_OF_ROW, weights=later, minlength=BANDS + 1)
    observed = np.bincount(
        BAND_OF_ROW[calls.row], weights=weight * ~_EARLY[calls.bin], minlength=BANDS + 1
    )
    return np.asarray(prior.engagement * factor(observed, expected, 10.0)[:BANDS])


def _spread(engagement: Floats) -> Floats:
    """The factors by row and bin: 1 for those who are here, and within the first minutes."""
    by_row = np.append(engagement, 1.0)[BAND_OF_ROW]
    return np.where(_EARLY, 1.0, by_row[:, None])
