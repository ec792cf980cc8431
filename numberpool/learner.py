"""A site's model as its traffic comes: what was shown and called goes in, models come out.

Pure; told in the order of time, in a replay line by line, in the worker from the ledger.
A new model is due after enough new calls and half a day; it is learned from the last 135
days. Before the first one, the model is that of day one with the noise of the traffic.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import UTC, tzinfo
from itertools import count, pairwise

import msgspec
import numpy as np

from numberpool import exposure, learning, posterior
from numberpool.exposure import HALF_LIFE, Floats
from numberpool.model import (
    EDGES,
    ENOUGH_UNSEEN,
    HORIZON,
    Model,
    day_one,
    day_one_noise,
    mass,
)
from numberpool.opening import DAY, DAY_ONE, HOUR, Opening, offset

LEAST_CALLS = 10  # new first calls a new model takes, …
LEAST_GROWTH = 0.08  # … and what share of those it was learned from
LEAST_PAUSE = 12 * HOUR
LEAST_ELAPSED = 6 * HOUR
MEMORY = 135 * DAY
SETTLED = 15 * DAY  # nothing more happens to sessions as old as this
REDIAL_PRIOR = 8.0  # calls spread as on day one


class Learner:
    """Learns one site's model."""

    def __init__(self, *, timezone: tzinfo = UTC, model: Model | None = None) -> None:
        """`model` is one to go on from, learned before."""
        self._timezone = timezone
        self.model = model or day_one(noise=0.0)
        self.opening = Opening(
            timezone=timezone, workday=self.model.workday, weekend=self.model.weekend
        )
        self._versions = count(1)
        self._began: float | None = None
        self._shown = 0
        self._seen = 0
        self._open: list[posterior.Holding] = []  # not yet settled
        self._settled: list[tuple[float, Floats]] = []  # exposure as it was at a moment
        self._sources: dict[Hashable, int] = {}
        self._first_calls: list[learning.Seen] = []
        self._first_of: dict[str, learning.Seen] = {}  # by phone
        self._learned_from = 0  # first calls ever, when the model was learned
        self._heard = 0  # first calls ever
        self._learned_at = float("-inf")
        self._calls: list[float] = []  # moments of all calls
        self._redials: list[tuple[float, float, float]] = []  # moment, gap, weight
        self._numbers = 1  # of the pool, or of all pools
        self._recalled = (
            0  # sessions of a ledger that saw a number in the last two weeks
        )

    @property
    def heard(self) -> int:
        """How many first calls there were."""
        return self._heard

    def knows(self, source: Hashable) -> bool:
        """Whether a session of that source was shown a number."""
        return source in self._sources

    @property
    def reveals(self) -> bool:
        """Whether the site tells of reveals at all."""
        return self._seen > 0 or self._shown < ENOUGH_UNSEEN

    def shown(self, holding: posterior.Holding) -> None:
        """A session was shown a number; the holding is read later, as it is then."""
        if self._began is None:
            self._began = holding.since
        self._shown += 1
        self._open.append(holding)
        self._sources.setdefault(holding.source_id, len(self._sources))

    def revealed(self) -> None:
        """A reveal came: this site sends them (a click alone shows nothing of that)."""
        self._seen += 1

    def recall(
        self, holdings: Sequence[posterior.Holding], *, at: float, after: float
    ) -> None:
        """Sessions of a ledger that is read again, in any order and chunk by chunk.

        They are counted at once, as known at `at`, the moment of the learning to come, and
        not kept; nothing before `after` counts.
        """
        self._shown += len(holdings)
        self._seen += sum(
            one.seen_at is not None and one.clicked_at is None for one in holdings
        )
        for one in holdings:
            self._sources.setdefault(one.source_id, len(self._sources))
        self._recalled += sum(self._may_call(one, at) for one in holdings)
        first = max(min((one.since for one in holdings), default=at), after)
        self._began = first if self._began is None else min(self._began, first)
        counted = self._count(holdings, at, after=after)
        if self._settled and self._settled[-1][0] == at:
            before = self._settled.pop()[1]
            counted[: len(before)] += before
        self._settled.append((at, counted))

    def current(self, at: float) -> Model:
        """The model to weigh a call with, learned anew when that is due."""
        if self._due(at):
            self.learn(at)
        elif not self._learned_from:
            noise = day_one_noise(self._shown / self._elapsed(at))
            self.model = msgspec.structs.replace(
                day_one(noise=noise), version="day-one"
            )
        return self.model

    def called(
        self,
        answer: posterior.Answer,
        memory: posterior.Memory,
        *,
        at: float,
        numbers: int,
        number: Hashable,
        caller: str | None,
    ) -> None:
        """A call was weighed; `numbers` is how many it might have reached."""
        self._numbers = numbers
        self._calls.append(at)
        last = memory.last
        if last is None:
            share = self.opening.rate(at) / max(numbers, 1)
            call = learning.seen(answer, at=at, noise_share=share)
            for source in call.sources:
                self._sources.setdefault(source, len(self._sources))
            self._first_calls.append(call)
            self._heard += 1
            if caller is not None:
                self._first_of[caller] = call
            return
        if caller in self._first_of:
            self._first_of[caller].learn(learning.hindsight(answer, last))
        if last.number == number:
            self._redials.append((at, at - last.at, redial_weight(answer)))

    def learn(self, at: float) -> Model:
        """Learn a new model from all that is remembered."""
        self._forget(at)
        self._settle(at)
        sources = list(self._sources)
        fitted = learning.fit(
            self._first_calls,
            self._exposed(at),
            sources,
            start=self.model,
            at=at,
            elapsed=self._elapsed(at),
            listed=self._listed(at),
        )
        chance, gaps = self._redialling(at)
        workday, weekend = self._hours(at)
        self._learned_at, self._learned_from = at, self._heard
        self.model = Model(
            version=f"learned-{next(self._versions)}",
            rates={
                name: tuple(map(float, row))
                for name, row in zip(posterior.STATES, fitted.rates, strict=True)
            },
            noise=fitted.noise,
            source_factors=dict(zip(sources, map(float, fitted.sources), strict=True)),
            engagement=tuple(map(float, fitted.engagement)),
            redial_chance=chance,
            redial_gaps=gaps,
            workday=workday,
            weekend=weekend,
            calls=len(self._first_calls),
        )
        self.opening = Opening(
            timezone=self._timezone, workday=workday, weekend=weekend
        )
        return self.model

    def _due(self, at: float) -> bool:
        fresh = self._heard - self._learned_from
        return (
            fresh >= max(LEAST_CALLS, LEAST_GROWTH * self._learned_from)
            and at - self._learned_at >= LEAST_PAUSE
        )

    def _elapsed(self, at: float) -> float:
        began = at if self._began is None else self._began
        return max(at - began, LEAST_ELAPSED)

    def _may_call(self, holding: posterior.Holding, at: float) -> bool:
        seen = holding.seen_at is not None or not self.reveals
        return seen and holding.since > at - HORIZON

    def _listed(self, at: float) -> float:
        """The share of a number's possible callers that a call's candidates are."""
        seen = self._recalled + sum(self._may_call(one, at) for one in self._open)
        return min(1.0, posterior.SEEN * self._numbers / max(seen, 1))

    def _forget(self, at: float) -> None:
        bound = at - MEMORY
        self._settled = [one for one in self._settled if one[0] >= bound]
        self._first_calls = [one for one in self._first_calls if one.at >= bound]
        self._first_of = {
            of: one for of, one in self._first_of.items() if one.at >= bound
        }
        self._redials = [one for one in self._redials if one[0] >= bound]
        self._calls = [one for one in self._calls if one >= bound]

    def _settle(self, at: float) -> None:
        """Count sessions that are over for good; their holdings are needed no more."""
        over = [one for one in self._open if one.last_sign_at < at - SETTLED]
        if over:
            self._open = [one for one in self._open if one.last_sign_at >= at - SETTLED]
            self._settled.append((at, self._count(over, at)))

    def _count(
        self,
        holdings: Sequence[posterior.Holding],
        at: float,
        *,
        after: float = float("-inf"),
    ) -> Floats:
        return exposure.count(
            exposure.Sessions.of(holdings, self._sources, reveals=self.reveals),
            until=at,
            opening=self.opening,
            sources=len(self._sources),
            after=after,
        )

    def _exposed(self, at: float) -> Floats:
        found = self._count(self._open, at)
        for moment, counted in self._settled:
            found[: len(counted)] += counted * 0.5 ** ((at - moment) / HALF_LIFE)
        return found

    def _redialling(self, at: float) -> tuple[float, tuple[float, ...]]:
        """The chance that a caller calls the same number again, and the gaps' density."""
        weights = [weight * _faded(at - moment) for moment, _, weight in self._redials]
        calls = sum(_faded(at - moment) for moment in self._calls)
        chance = min((sum(weights) + 4) / (calls + 20), 0.5)
        masses = np.array(mass(400, 1.5)) + np.array(mass(172800, 1.5))
        masses *= REDIAL_PRIOR / masses.sum()
        for weight, (_, gap, _) in zip(weights, self._redials, strict=True):
            masses[posterior.delay_bin(gap)] += weight
        masses /= masses.sum()
        gaps = [float(m) / (high - low) for m, (low, high) in zip(masses, pairwise(EDGES), strict=True)]  # fmt: skip
        return chance, tuple(gaps)

    def _hours(self, at: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The opening clock's profiles of a workday and of a weekend day."""
        by_hour = [0.0] * 24
        by_kind: Counter[bool] = Counter()
        for moment in self._calls:
            local = moment + offset(self._timezone, moment)
            by_hour[int(local % DAY // HOUR)] += 1
            by_kind[_is_weekend(local)] += 1
        days: Counter[bool] = Counter()
        start = max(at - self._elapsed(at), at - MEMORY)
        for day in range(int(start // DAY), int(at // DAY) + 1):
            days[_is_weekend(day * DAY)] += 1
        smooth = [
            (by_hour[hour - 1] + 2 * by_hour[hour] + by_hour[(hour + 1) % 24]) / 4
            + 40 * DAY_ONE[hour] / sum(DAY_ONE)
            for hour in range(24)
        ]
        mean = sum(smooth) / 24
        workday = tuple(max(one / mean, 0.03) for one in smooth)
        usual = (by_kind[False] + 10) / (days[False] + 5)
        ratio = (by_kind[True] + 4) / (days[True] + 2) / usual
        return workday, tuple(max(one * ratio, 0.03) for one in workday)


def redial_weight(answer: posterior.Answer) -> float:
    """How much of a call's weight is that of its caller calling once more."""
    return sum(
        one.weight * one.rate.redial / one.rate.total
        for one in answer.candidates
        if one.rate.total > 0
    )


def _faded(age: float) -> float:
    return float(0.5 ** (age / HALF_LIFE))


def _is_weekend(local: float) -> bool:
    """Local seconds since 1970, which began on a Thursday."""
    return int(local // DAY + 3) % 7 >= 5
