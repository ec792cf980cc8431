"""Calls that a site's visits might have made, drawn from its learned rates.

Pure; NumPy. A visit's rate stands still within a state and a bin of delay, so the calls of
each such stretch are a Poisson number, laid evenly on its clock: that of the wall in the
first half hour, that of opening hours after it. The stretches are those that learning counts
(`exposure`), so what is drawn is what was learned. A visit makes one first call at most;
callers may call again; calls that no visit led to come besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from numberpool import exposure, learning
from numberpool.exposure import LOW, Floats, Ints
from numberpool.model import EDGES, HORIZON, Model
from numberpool.opening import Opening
from numberpool.posterior import Holding

STEP = 900.0  # seconds: time zones differ by quarters of an hour
MOST_REDIALS = 5  # in a row
_WIDTHS = np.diff(np.array(EDGES, float))


class Drawn(NamedTuple):
    """A call that might have come."""

    at: float
    session: int  # place of the visit that made it; -1: none did
    caller: str | None  # None: withheld
    slot: int  # without a visit: the number it goes to, modulo the pool's size


@dataclass(frozen=True, slots=True)
class Expected:
    """The first calls expected of each stretch of each visit."""

    session: Ints
    reference: Floats  # on the clock of the stretch
    low: Floats  # delays on that clock
    high: Floats
    opening: Any  # bool: which clock
    calls: Floats

    @property
    def total(self) -> float:
        return float(self.calls.sum())


class Clock:
    """The opening clock between two moments, read both ways."""

    def __init__(self, opening: Opening, since: float, until: float) -> None:
        self._at = np.arange(since // STEP * STEP, until + 2 * STEP, STEP)
        rates = np.array([opening.rate(float(at)) for at in self._at[:-1]])
        self._told = np.concatenate([[0.0], np.cumsum(rates * STEP)])

    def read(self, at: Any) -> Floats:
        """Seconds told by that moment."""
        return np.asarray(np.interp(at, self._at, self._told))

    def when(self, told: Any) -> Floats:
        """The moment when so many seconds have been told."""
        return np.asarray(np.interp(told, self._told, self._at))


def expect(
    visits: Sequence[Holding],
    model: Model,
    opening: Opening,
    *,
    until: float,
    reveals: bool,
) -> tuple[Expected, Clock]:
    """What these visits, in the order of time, may lead to by `until`."""
    names = sorted({one.source_id for one in visits})
    place = {name: n for n, name in enumerate(names)}
    sessions = exposure.Sessions.of(visits, place, reveals=reveals)
    believed = learning.starting(model, names)
    rates = believed.cells
    factors = believed.sources[sessions.source]
    clock = Clock(opening, float(sessions.since[0]), until)
    parts = []
    for state, reference, start, end in exposure.stretches(sessions, until):
        end = np.minimum(end, np.minimum(until, reference + HORIZON))
        kept = np.flatnonzero(start < end)
        if kept.size:
            each = rates[exposure.rows(state, sessions)[kept]] * factors[kept, None]
            parts += _parts(
                kept, each, clock, reference[kept], start[kept], end[kept]
            )  # fmt: skip
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Expected(*columns), clock


def _parts(
    session: Ints,
    rates: Floats,
    clock: Clock,
    reference: Floats,
    start: Floats,
    end: Floats,
) -> list[tuple[Any, ...]]:
    """The stretches cut by bins of delay: columns of `Expected`."""
    half_hour = reference + EDGES[LOW]
    zero = clock.read(reference)
    # By the opening clock half an hour may be told before it is over, or long after it.
    late = clock.read(np.maximum(start, half_hour)) - zero
    later = np.where(end > half_hour, clock.read(end) - zero, -np.inf)
    found = []
    for n in range(len(EDGES) - 1):
        opening = n >= LOW
        low, high = float(EDGES[n]), float(EDGES[n + 1])
        if opening:
            low = -np.inf if n == LOW else low
            high = np.inf if n == len(EDGES) - 2 else high
            begin, over = np.maximum(late, low), np.minimum(later, high)
        else:
            begin = np.maximum(start - reference, low)
            over = np.minimum(end - reference, high)
        inside = np.flatnonzero(over > begin)
        begin, over = begin[inside], over[inside]
        found.append(
            (
                session[inside],
                zero[inside] if opening else reference[inside],
                begin,
                over,
                np.full(inside.shape, opening),
                (over - begin) * rates[inside, n],
            )
        )
    return found


def draw(
    expected: Expected,
    clock: Clock,
    visits: Sequence[Holding],
    model: Model,
    opening: Opening,
    *,
    until: float,
    noise: float,
    withheld: float,
    times: int,
    rng: np.random.Generator,
) -> list[list[Drawn]]:
    """Draw all calls up to `until` so many times; each in the order of time.

    `noise` are unrelated calls a second over the pool; `withheld` the share of callers who
    hide their phone.
    """
    drawn: list[list[Drawn]] = [[] for _ in range(times)]
    hidden = rng.random(len(visits)) < withheld
    again = _Redials(model, opening, until, rng)
    for turn, session, at in _first_calls(expected, clock, times, rng):
        visitor = visits[session].visitor_id
        caller = None if hidden[session] else f"visitor {visitor}"
        for moment in again.of(at):
            drawn[turn].append(Drawn(moment, session, caller, 0))
    for turn in range(times):
        begin, end = clock.read([visits[0].since, until])
        count = rng.poisson(noise * (end - begin))
        for n, told in enumerate(rng.uniform(begin, end, count)):
            name = None if rng.random() < withheld else f"nobody {n}"
            at, slot = float(clock.when(told)), int(rng.integers(1 << 30))
            drawn[turn].append(Drawn(at, -1, name, slot))
        drawn[turn].sort(key=lambda call: (call.at, call.session, call.slot))
    return drawn


def _first_calls(
    expected: Expected, clock: Clock, times: int, rng: np.random.Generator
) -> list[tuple[int, int, float]]:
    """(turn, session, moment): of each visit in each turn the earliest call."""
    counts = rng.poisson(expected.calls * times)
    cell = np.repeat(np.arange(counts.size), counts)
    turn = rng.integers(times, size=cell.size)
    told = expected.reference[cell] + rng.uniform(
        expected.low[cell], expected.high[cell]
    )
    at = np.where(expected.opening[cell], clock.when(told), told)
    first: dict[tuple[int, int], float] = {}
    keys = zip(turn.tolist(), expected.session[cell].tolist(), strict=True)
    for key, moment in zip(keys, at.tolist(), strict=True):
        first[key] = min(moment, first.get(key, moment))
    return [(turn, session, at) for (turn, session), at in sorted(first.items())]


class _Redials:
    """Calls of a caller to the same number again, by thinning."""

    def __init__(
        self, model: Model, opening: Opening, until: float, rng: np.random.Generator
    ) -> None:
        self._opening, self._until, self._rng = opening, until, rng
        self._most = max(opening.week)
        masses = np.array(model.redial_gaps) * _WIDTHS * model.redial_chance
        masses[LOW:] *= self._most  # of these a(t) / most are kept
        self._mean = float(masses.sum())
        self._shares = masses / max(self._mean, 1e-300)  # of none nothing is drawn

    def of(self, at: float) -> list[float]:
        """The call at `at`, and those that follow it."""
        moments = [at]
        while len(moments) <= MOST_REDIALS:
            gaps = [gap for gap in self._gaps() if self._kept(moments[-1], gap)]
            if not gaps or moments[-1] + min(gaps) >= self._until:
                break
            moments.append(moments[-1] + min(gaps))
        return moments

    def _gaps(self) -> list[float]:
        count = self._rng.poisson(self._mean)
        if not count:
            return []
        bins = self._rng.choice(self._shares.size, size=count, p=self._shares)
        return [float(self._rng.uniform(EDGES[n], EDGES[n + 1])) for n in bins.tolist()]

    def _kept(self, at: float, gap: float) -> bool:
        if gap < EDGES[LOW]:
            return True
        chance = self._opening.rate(at + gap) / self._most
        return bool(self._rng.random() < chance)
