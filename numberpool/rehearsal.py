"""A site's past visits lent to anew, and drawn calls answered, for a pool of any size.

Pure. The rules of lending and the posterior are those of real visitors and calls. Only the
first and the last sign of a visit are known, so a visit is taken to be there all the while
in between.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from numberpool import calibration, posterior
from numberpool.allocation import Allocator
from numberpool.drawing import Drawn
from numberpool.model import HORIZON, Model
from numberpool.opening import Opening
from numberpool.past import Past
from numberpool.posterior import Holding

VISIT, SIGN, LOOK = 0, 1, 2
SIGNS = 60.0  # seconds between two: nearer than a number needs to stay busy
MOST_SIGNS = 1440  # of one visit

Event = tuple[float, int, int]  # moment, kind, place of the visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a pool lends."""

    share: bool = True
    late: str = "peak"
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Lent:
    """Which number each visit was shown."""

    number: list[int]  # by the place of the visit; -1: none
    holders: list[list[Holding]]  # by number, in the order of time
    since: list[list[float]]  # their moments


@dataclass(slots=True)
class Score:
    """How drawn calls were answered."""

    callers: int = 0  # calls by visits, also by those shown no number
    found: int = 0
    unrelated: int = 0
    right: int = 0  # of all calls, the likeliest answer was the truth
    checked: list[calibration.Checked] = field(default_factory=list)


def events(visits: Sequence[Holding]) -> list[Event]:
    """What lending is told, in the order of time."""
    told: list[Event] = []
    for n, one in enumerate(visits):
        told.append((one.since, VISIT, n))
        at = one.since + SIGNS
        last = min(one.last_sign_at, one.since + SIGNS * MOST_SIGNS)
        while at < last:
            told.append((at, SIGN, n))
            at += SIGNS
        told.append((max(last, one.since), SIGN, n))
        for look in {one.seen_at, one.clicked_at}:
            if look is not None:
                told.append((max(look, one.since), LOOK, n))
    told.sort()
    return told


def lend(
    visits: Sequence[Holding],
    told: Iterable[Event],
    size: int,
    terms: Terms,
    *,
    reveals: bool,
) -> Lent:
    """Lend `size` numbers to the visits."""
    pool = Allocator(size, share=terms.share, late=terms.late, rest=terms.rest)
    number = [-1] * len(visits)
    holders: list[list[Holding]] = [[] for _ in range(size)]
    for at, kind, n in told:
        if number[n] >= 0 or kind == SIGN:
            pool.sign(n, at, seen=kind == LOOK or not reveals)
            continue
        held = pool.want(n, visits[n].visitor_id, at, reading=kind == LOOK)
        if held is None:
            continue
        number[n] = held.number
        holders[held.number].append(_shown(visits[n], at, held.shared))
        if not reveals:
            pool.sign(n, at, seen=True)
    since = [[one.since for one in each] for each in holders]
    return Lent(number, holders, since)


def _shown(visit: Holding, at: float, shared: bool) -> Holding:
    if at == visit.since and not shared:
        return visit
    return msgspec.structs.replace(visit, since=at, shared=shared)


class Answering:
    """The posterior of a site at some moment of learning, over its visits."""

    def __init__(
        self,
        visits: Sequence[Holding],
        model: Model,
        opening: Opening,
        *,
        reveals: bool,
    ) -> None:
        self._model, self._opening, self._reveals = model, opening, reveals
        self._over = [_over(one) for one in visits]
        self._of_visitor: dict[Hashable, list[int]] = {}
        for n, one in enumerate(visits):
            self._of_visitor.setdefault(one.visitor_id, []).append(n)

    def score(
        self, lent: Lent, calls: Iterable[Drawn], score: Score, *, since: float
    ) -> None:
        """Answer the calls in the order of time; those from `since` on are scored."""
        past, size = Past(), len(lent.holders)
        for call in calls:
            number = self._dialled(lent, call, size)
            answer = None
            if number >= 0:
                answer = self._answer(lent, past, call, number)
                past.credit(answer, caller=call.caller, number=number, at=call.at)
            if call.at >= since:
                _count(score, call, answer)

    def _dialled(self, lent: Lent, call: Drawn, size: int) -> int:
        """The number that was called; -1: the site's static one."""
        if call.session < 0:
            return call.slot % size
        return lent.number[call.session]

    def _answer(
        self, lent: Lent, past: Past, call: Drawn, number: int
    ) -> posterior.Answer:
        return posterior.weigh(
            self._candidates(lent, past, call, number),
            number=number,
            at=call.at,
            numbers=len(lent.holders),
            memory=past.memory(call.caller),
            model=self._model,
            opening=self._opening,
            reveals=self._reveals,
        )

    def _candidates(
        self, lent: Lent, past: Past, call: Drawn, number: int
    ) -> list[Holding]:
        """The latest holders, seen and unseen, and the visits tied to this phone."""
        at, holders = call.at, lent.holders[number]
        shown = bisect_right(lent.since[number], at)
        before = (holders[n] for n in range(shown - 1, -1, -1))
        found = posterior.latest(before, at, reveals=self._reveals)
        if call.caller is not None and (last := past.last(call.caller)):
            tied = set(last.weights)
            for visitor in past.own(call.caller):
                tied.update(self._of_visitor[visitor])
            tied -= found.keys()
            for one in holders if tied else ():
                if one.session_id in tied and at - HORIZON < one.since <= at:
                    found[one.session_id] = one
        over = self._over
        return [
            one if over[one.session_id] <= at else posterior.known_by(one, at)
            for one in found.values()
        ]


def _over(one: Holding) -> float:
    """From when on nothing more happens to the visit."""
    known = (one.last_sign_at, one.seen_at, one.clicked_at, one.pinged_at, one.left_at)
    return max(moment for moment in known if moment is not None)


def _count(score: Score, call: Drawn, answer: posterior.Answer | None) -> None:
    best = answer.candidates[0] if answer and answer.candidates else None
    heaviest = best.weight if best else 0.0
    found = best is not None and best.session_id == call.session
    none = answer is not None and answer.none > heaviest
    if call.session < 0:
        score.unrelated += 1
        right = none
    else:
        score.callers += 1
        score.found += found
        right = found and not none
    score.right += right
    if answer is not None:
        weight = min(max(heaviest, answer.none), 1.0)
        score.checked.append(calibration.Checked(weight, right))
