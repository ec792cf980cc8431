"""Makes a plan: a site's own last weeks rehearsed with pools of other sizes.

Pure; NumPy, so processes that answer visitors import `sizing` only. The visits are lent to
anew with each size; the same drawn calls go to the numbers their visits were shown and are
answered by the posterior, so that the truth of each is known. Calls are drawn once for all
sizes: the sizes then differ by their numbers and not by chance.
"""

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Literal

import msgspec
import numpy as np

from numberpool import calibration, drawing, rehearsal, sizing
from numberpool.model import Model
from numberpool.opening import DAY, HOUR, Opening, offset
from numberpool.posterior import Holding
from numberpool.rehearsal import Terms
from numberpool.sizing import Advice, Plan, Question, Size

MONTH = 30.0  # days
ENOUGH_CALLS = 1200  # drawn for each size, in as many repetitions as that takes …
MOST_TIMES = 100
MOST_CALLS = 3000  # … and answered: of more the latest
MOST_SHIFT = 900.0  # seconds that the copy of a visit comes sooner or later
MOST_STEPS = 4  # sizes tried besides, to find the one to advise
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What is known of a pool's past; visits before `since` only warm it up."""

    visits: Sequence[Holding]  # in the order of time, `since` being the visit's moment
    since: float
    until: float
    asked_days: int
    model: Model
    opening: Opening
    reveals: bool = True
    every: int = 1  # only each so many-th visitor is among them
    withheld: float = 0.0  # share of callers who hide their phone
    calls: int = 0  # to the pool, between `since` and `until`
    sure: float | None = None  # mean of their largest weights

    @property
    def days(self) -> float:
        return (self.until - self.since) / DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a contact is worth to the owner, on average."""

    each: Decimal | None = None
    by: Literal["revenue", "cost"] | None = None
    currency: str = ""


UNKNOWN = Worth()


def make(
    question: Question,
    traffic: Traffic,
    *,
    current: int,
    terms: Terms,
    worth: Worth = UNKNOWN,
    told: Callable[[float], None] = lambda _: None,
    seed: int = SEED,
) -> Plan:
    """Make the plan for a pool of `current` numbers; the same input, the same plan.

    `told` hears how much is done, from 0 to 1; what it raises ends the work.
    """
    visits = multiplied(traffic.visits, question, seed)
    fresh = [one for one in visits if one.since >= traffic.since]
    plan = Plan(
        question=question,
        current=current,
        since=traffic.since,
        until=traffic.until,
        days=traffic.days,
        asked_days=traffic.asked_days,
        visits_a_day=len(fresh) * traffic.every / traffic.days if fresh else 0.0,
        every=traffic.every,
        model=traffic.model.version,
        provisional=traffic.model.provisional,
        calls=traffic.calls,
        sure=traffic.sure,
        worth=worth.each,
        worth_by=worth.by,
        currency=worth.currency,
    )
    if not fresh:
        return plan
    stage = _Stage(traffic, visits, terms, seed)
    plan = msgspec.structs.replace(
        plan,
        **_busiest(fresh, traffic),
        drawn_calls=stage.calls,
        month_calls=_month_calls(stage, traffic),
    )
    sizes = sizing.to_try(current, plan.visits_a_day)
    found: dict[int, Size] = {}

    def tried(numbers: int) -> Size:
        def part() -> None:
            told(min(len(found) / (len(sizes) + MOST_STEPS), 1.0))

        found[numbers] = stage.size(numbers, plan, part)
        return found[numbers]

    for numbers in sizes:
        tried(numbers)
    advice = _settle(found, question.goal, tried)
    told(1.0)
    tried_sizes = tuple(found[numbers] for numbers in sorted(found))
    return msgspec.structs.replace(plan, sizes=tried_sizes, advice=advice)


def _settle(
    found: dict[int, Size], goal: float | None, tried: Callable[[int], Size]
) -> Advice:
    """Try further sizes until the advised one is among those that were tried."""
    for _ in range(MOST_STEPS):
        advice = sizing.advise(found.values(), goal)
        wanted: int | None = advice.numbers
        if advice.reason in ("goal_unreached", "unsettled"):
            wanted = sizing.larger(found.values())
        if wanted is None or wanted in found:
            return advice
        tried(wanted)
    return sizing.settled(found.values(), goal)


class _Stage:
    """What all sizes have in common: the visits and the calls drawn for them."""

    def __init__(
        self, traffic: Traffic, visits: Sequence[Holding], terms: Terms, seed: int
    ) -> None:
        self._visits, self._terms, self._traffic = visits, terms, traffic
        expected, clock = _expect(traffic, visits)
        self.expected = expected.total
        times = ceil(ENOUGH_CALLS / max(self.expected, 1.0))
        self.times = min(times, MOST_TIMES)
        turns = drawing.draw(
            expected,
            clock,
            visits,
            traffic.model,
            traffic.opening,
            until=traffic.until,
            noise=traffic.model.noise / traffic.every,
            withheld=traffic.withheld,
            times=self.times,
            rng=np.random.default_rng(seed),
        )
        self._turns = [turn[-MOST_CALLS:] for turn in turns]
        self.drawn = sum(call.at >= traffic.since for turn in turns for call in turn)
        self.calls = sum(
            call.at >= traffic.since for turn in self._turns for call in turn
        )
        self._events = rehearsal.events(visits)
        self._answering = rehearsal.Answering(
            visits, traffic.model, traffic.opening, reveals=traffic.reveals
        )

    def size(self, numbers: int, plan: Plan, told: Callable[[], None]) -> Size:
        """Rehearse a pool of so many numbers; `told` is called at each step."""
        traffic = self._traffic
        lent = rehearsal.lend(
            self._visits,
            self._events,
            max(round(numbers / traffic.every), 1),
            self._terms,
            reveals=traffic.reveals,
        )
        score = rehearsal.Score()
        for turn in self._turns:
            told()
            self._answering.score(lent, turn, score, since=traffic.since)
        own, shared, blocked = _shares(lent, self._visits, traffic.since)
        right = score.right / max(score.callers + score.unrelated, 1)
        checked = calibration.calibrate(score.checked)
        wrong = plan.month_calls * (1 - right)
        return Size(
            numbers=numbers,
            own=own,
            shared=shared,
            blocked=blocked,
            erlang=sizing.erlang_b(numbers, plan.load),
            found=score.found / max(score.callers, 1),
            right=right,
            sure=checked.mean_weight or 0.0,
            error=checked.error or 0.0,
            wrong_calls=wrong,
            loss=_loss(plan.worth, wrong),
        )


def _expect(
    traffic: Traffic, visits: Sequence[Holding]
) -> tuple[drawing.Expected, drawing.Clock]:
    return drawing.expect(
        visits,
        traffic.model,
        traffic.opening,
        until=traffic.until,
        reveals=traffic.reveals,
    )


def _shares(
    lent: rehearsal.Lent, visits: Sequence[Holding], since: float
) -> tuple[float, float, float]:
    """Of the visits from `since` on: shown an idle number, a shared one, none."""
    shared = {one.session_id for held in lent.holders for one in held if one.shared}
    counted = [0, 0, 0]
    for n, one in enumerate(visits):
        if one.since >= since:
            counted[2 if lent.number[n] < 0 else n in shared] += 1
    own, both, none = (count / max(sum(counted), 1) for count in counted)
    return own, both, none


def _loss(worth: Decimal | None, calls: float) -> Decimal | None:
    if worth is None:
        return None
    return (worth * Decimal(str(round(calls, 6)))).quantize(Decimal("0.01"))


def _month_calls(stage: _Stage, traffic: Traffic) -> float:
    """Calls to expect in a month: the real ones, as many more as the visits promise."""
    if not traffic.calls:
        calls = stage.drawn / stage.times * traffic.every
    else:
        before = _expect(traffic, traffic.visits)[0].total
        calls = traffic.calls * stage.expected / max(before, 1e-9)
    return calls / traffic.days * MONTH


def _busiest(visits: Sequence[Holding], traffic: Traffic) -> dict[str, float]:
    """The mean of each day's busiest hour, and what that keeps busy."""
    by_hour: dict[tuple[int, int], int] = {}
    for one in visits:
        local = one.since + offset(traffic.opening.timezone, one.since)
        hour = int(local // DAY), int(local % DAY // HOUR)
        by_hour[hour] = by_hour.get(hour, 0) + 1
    best: dict[int, int] = {}
    for (day, _), count in by_hour.items():
        best[day] = max(best.get(day, 0), count)
    peak = sum(best.values()) / len(best) * traffic.every
    stay = sum(one.last_sign_at - one.since for one in visits) / len(visits)
    return {
        "peak_visits": peak,
        "visible_seconds": stay,
        "load": sizing.load(peak, stay),
    }


# What if there were more, or fewer, visits ------------------------------------------------


def multiplied(
    visits: Sequence[Holding], question: Question, seed: int = SEED
) -> list[Holding]:
    """The visits as often as is asked, in order, each with its place as its session.

    A copy belongs to a visitor of its own and comes up to a quarter of an hour sooner or
    later, with all the visits of that visitor alike.
    """
    found: list[Holding] = []
    for one in visits:
        factor = question.traffic * question.sources.get(str(one.source_id), 1.0)
        if factor == 1:
            found.append(one)
            continue
        for copy in range(ceil(factor)):
            chance, shift = _dice(one.visitor_id, copy, seed)
            if chance < factor - copy:
                found.append(_moved(one, copy, shift) if copy else one)
    found.sort(key=lambda one: one.since)
    return [
        msgspec.structs.replace(one, session_id=place)
        for place, one in enumerate(found)
    ]


def _dice(visitor: Hashable, copy: int, seed: int) -> tuple[float, float]:
    """The same for all the visits of a visitor: a number in 0 … 1 and a shift in seconds."""
    dice = random.Random(f"{seed}/{visitor}/{copy}")  # noqa: S311
    return dice.random(), dice.uniform(-MOST_SHIFT, MOST_SHIFT)


def _moved(one: Holding, copy: int, shift: float) -> Holding:
    def later(at: float | None) -> float | None:
        return None if at is None else at + shift

    return msgspec.structs.replace(
        one,
        visitor_id=(one.visitor_id, copy),
        since=one.since + shift,
        last_sign_at=one.last_sign_at + shift,
        seen_at=later(one.seen_at),
        clicked_at=later(one.clicked_at),
        pinged_at=later(one.pinged_at),
        left_at=later(one.left_at),
        first_left_at=later(one.first_left_at),
    )
