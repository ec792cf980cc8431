"""Which session made this call: every candidate with its probability, and why.

Pure. Each session that was shown the number has a rate, the calls per second expected of it
given all that was known by the moment of the call; unrelated calls have one too. Given that
one call came, each rate's share of their sum is the probability. Nothing else is added: no
window, no threshold. Moments are Unix seconds.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import fsum
from typing import Any, Final, NamedTuple

import msgspec

from numberpool.model import (
    EDGES,
    ENGAGEMENT_EDGES,
    HORIZON,
    STAYS,
    Model,
    lognormal,
)
from numberpool.opening import Opening

FAMILY: Final = "pool-posterior"
RULE: Final = f"{FAMILY}/3"
HERE = 35.0  # seconds: a beat every 30 s, and a little for the way
OPENING_FROM = 1800.0  # seconds of delay from which the opening clock counts
ENGAGED_FROM = 120.0  # seconds of delay from which it counts how long a page was read
SAME_NUMBER = (
    0.7  # of the further calls of somebody unrelated; the rest go to any number
)
DAYS = 86400.0
SEEN, UNSEEN = 100, 25  # candidates of each kind: nearly as good as all
LEAST_WEIGHT = 1e-4  # lighter candidates are left out of the answer

Id = Any  # of a session, a visitor, a source: the ledger's, or a text in a replay

CLICK_QUIET, CLICK_SEEN = "click_quiet", "click_seen"
# By whether the number was seen, whether the session is here, and whether it is mobile.
_WATCHING = {
    (seen, here, mobile): (
        f"{'seen' if seen else 'unseen'}_{'here' if here else 'gone'}"
        f"/{'mobile' if mobile else 'desktop'}"
    )
    for seen in (False, True)
    for here in (False, True)
    for mobile in (False, True)
}
GONE = frozenset(name for (_, here, _), name in _WATCHING.items() if not here)
STATES = (CLICK_QUIET, CLICK_SEEN, *sorted(_WATCHING.values()))


# Structs rather than dataclasses: a call has sixty of them, and they are made faster.
class Holding(msgspec.Struct, kw_only=True):
    """A session that was shown the number, with what is known of it."""

    session_id: Id
    visitor_id: Id
    source_id: Id
    device: str
    since: float  # when it was shown
    last_sign_at: float
    seen_at: float | None = None  # the first reveal or tel_click
    clicked_at: float | None = None  # the latest tel_click
    pinged_at: float | None = None  # the latest ping
    left_at: float | None = None  # the latest leave
    first_left_at: float | None = None  # the first: a page may be shown again after it
    shared: bool = False


class LastCall(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's call before this one, as it was credited."""

    at: float
    number: Hashable
    weights: Mapping[Id, float]  # by session
    none: float  # the weight of "none of them"


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier calls say about this one."""

    withheld: bool = False  # no caller number came
    last: LastCall | None = None  # None: this phone has not called the pool before
    own: Mapping[Id, float] = {}  # by visitor: this phone's
    other: Mapping[Id, float] = {}  # by visitor: other phones'
    credited: Mapping[Id, float] = {}  # by session: mass given


class Rate(NamedTuple):
    """A session's calls per second, and what that is made of."""

    total: float
    holding: Holding
    state: str
    seconds: float  # since the reference moment
    opening_seconds: float  # the same on the opening clock, from half an hour on
    base: float  # the table's rate
    source: float
    engagement: float
    opening: float  # how willing people are to call at that hour
    not_credited: float  # what earlier calls have left of the session
    no_other_phone: float
    redial: float = 0.0  # terms of a caller who has called before
    own_visitor: float = 0.0
    new_cookie: float = 0.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A session that may have made the call."""

    session_id: Id
    visitor_id: Id
    source_id: Id
    weight: float
    rate: Rate

    @property
    def why(self) -> dict[str, Any]:
        """Each factor of the weight as plain JSON, for the page that explains it."""
        told = self.rate._asdict()
        holding = told.pop("holding")
        return {"rate": told.pop("total"), **told, "shared": holding.shared}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who may have made the call; what is left over is none of them."""

    candidates: tuple[Candidate, ...]  # heaviest first
    none: float
    noise: float  # unrelated calls per second on this number at that moment
    model: str  # version of the parameters
    rule: str = RULE


def weigh(
    holdings: Iterable[Holding],
    *,
    number: Hashable,
    at: float,
    numbers: int,
    memory: Memory,
    model: Model,
    opening: Opening,
    reveals: bool = True,
) -> Answer:
    """Weigh all who were shown `number` by the call at `at`.

    `numbers` is the size of the pool. `reveals=False` is for a site that sends none: each
    session then counts as having seen the number at its visit.
    """
    willing = opening.rate(at)
    noise = model.noise * willing / max(numbers, 1)
    clock = opening.until(at)
    rates = [
        _rate(one, at, willing, memory, model, clock)
        for one in (holdings if reveals else map(as_seen, holdings))
    ]
    if memory.withheld:
        noise *= 2
    elif memory.last is not None:
        gap = at - memory.last.at
        again, same = _redial(gap, willing, model), number == memory.last.number
        noise = _known_noise(memory.last, again, same, numbers, noise)
        redial = again if same else 0.0
        cookie = 0.01 * lognormal(gap, 2 * DAYS, 1.5) / (20 * model.noise)
        rates = [_known(one, memory, memory.last, redial, cookie) for one in rates]
    total = fsum([noise, *(one.total for one in rates)])
    if total <= 0:
        return Answer(candidates=(), none=1.0, noise=noise, model=model.version)
    return Answer(
        candidates=_candidates(rates, total),
        none=noise / total,
        noise=noise,
        model=model.version,
    )


def state(holding: Holding, at: float) -> tuple[str, float]:
    """In which state the session is at that moment, and since which reference moment.

    Exposure is counted by the same rules (`numberpool.exposure`): they must agree.
    """
    clicked = holding.clicked_at
    if clicked is not None:
        pinged = holding.pinged_at
        quiet = pinged is None or pinged <= clicked
        return (CLICK_QUIET if quiet else CLICK_SEEN), clicked
    seen, left = holding.seen_at, holding.left_at
    last = holding.last_sign_at
    here = (left is None or left < last) and at - last <= HERE
    name = _WATCHING[seen is not None, here, holding.device == "mobile"]
    return name, holding.since if seen is None else seen


def known_by(holding: Holding, at: float) -> Holding:
    """The holding as it was known at `at`: a call read late must not see its own future.

    Of each kind only one moment is recorded, so what came later hides what came before.
    A click, ping or reveal of later counts as not yet done. A sign of life of later tells
    that the session was still open; unless it had left before `at`, it was there.
    """
    last_sign, left = holding.last_sign_at, _by(holding.left_at, at)
    if last_sign > at:
        last_sign = at if left is None else min(left, at)
    return msgspec.structs.replace(
        holding,
        last_sign_at=last_sign,
        left_at=left,
        first_left_at=_by(holding.first_left_at, at),
        seen_at=_by(holding.seen_at, at),
        clicked_at=_by(holding.clicked_at, at),
        pinged_at=_by(holding.pinged_at, at),
    )


def _by(moment: float | None, at: float) -> float | None:
    return moment if moment is not None and moment <= at else None


def latest(
    holders: Iterable[Holding], at: float, *, reveals: bool
) -> dict[Id, Holding]:
    """The candidates of a call among the holders of its number, by session.

    `holders` come latest first. Of those of the last 14 days, `SEEN` that had seen the number
    by then and `UNSEEN` that had not; without `reveals` all count as having seen it.
    `ledger.holders` takes the same from PostgreSQL.
    """
    found: dict[Id, Holding] = {}
    seen = unseen = 0
    for one in holders:
        if one.since <= at - HORIZON or (seen >= SEEN and unseen >= UNSEEN):
            break
        if not reveals or (one.seen_at is not None and one.seen_at <= at):
            seen += 1
            kept = seen <= SEEN
        else:
            unseen += 1
            kept = unseen <= UNSEEN
        if kept:
            found[one.session_id] = one
    return found


def as_seen(holding: Holding) -> Holding:
    """The holding of a site that tells of no reveals: seen at its visit."""
    if holding.seen_at is not None:
        return holding
    return msgspec.structs.replace(holding, seen_at=holding.since)


def _rate(
    holding: Holding,
    at: float,
    willing: float,
    memory: Memory,
    model: Model,
    clock: Callable[[float], float],
) -> Rate:
    """The rate of a session when the caller is not known."""
    where, reference = state(holding, at)
    delay = clock_delay = at - reference
    factor = 1.0
    if delay >= OPENING_FROM:
        factor = willing
        clock_delay = max(OPENING_FROM, clock(reference))
    base = 0.0
    if 0 <= delay < HORIZON:
        base = model.rates[where][delay_bin(clock_delay)]
    source = model.source_factors.get(holding.source_id, 1.0)
    engagement = 1.0
    if delay >= ENGAGED_FROM and where in GONE:
        engagement = model.engagement[band(holding)]
    credited = 1 - memory.credited.get(holding.session_id, 0.0)
    other = 1.0
    if not memory.withheld and memory.last is None:
        other -= memory.other.get(holding.visitor_id, 0.0)
    return Rate(
        # A visitor's other phone may well be the one this session was credited with.
        base * source * engagement * factor * min(credited, other),
        holding, where, delay, clock_delay, base, source, engagement, factor, credited, other,
    )  # fmt: skip


def band(holding: Holding) -> int:
    """Which band of visible time (`Model.engagement`) a session that is gone belongs to.

    Until the first leave: how long a page was out of sight before it was shown again tells
    nothing.
    """
    seen, left = holding.seen_at, holding.first_left_at
    first, start = (STAYS, holding.since) if seen is None else (0, seen)
    end = left if left is not None and left >= start else holding.last_sign_at
    return first + bisect_left(ENGAGEMENT_EDGES, end - start)


def delay_bin(seconds: float) -> int:
    """The bin of a delay; beyond the last edge the last bin."""
    return min(bisect_right(EDGES, seconds), len(EDGES) - 1) - 1


def _known(
    rate: Rate, memory: Memory, last: LastCall, redial: float, cookie: float
) -> Rate:
    """The rate of a session when the caller has called before."""
    own = memory.own.get(rate.holding.visitor_id, 0.0)
    again = last.weights.get(rate.holding.session_id, 0.0) * redial
    same = rate.total * own * 2
    other = rate.total * (1 - own) * cookie
    return Rate._make((again + same + other, *rate[1:-3], again, same, other))


def _redial(gap: float, willing: float, model: Model) -> float:
    """How often a caller who surely held the number calls it again at this distance."""
    if not 0 <= gap < HORIZON:
        return 0.0
    factor = willing if gap >= OPENING_FROM else 1.0
    return model.redial_chance * model.redial_gaps[delay_bin(gap)] * factor


def _known_noise(
    last: LastCall, again: float, same: bool, numbers: int, noise: float
) -> float:
    """Unrelated calls of a phone that has called before, mostly without a visit.

    He calls again as often as others do, but not always the same number: who called one that
    no visit of his was shown hardly came from a visit the first time.
    """
    to_this = SAME_NUMBER * same + (1 - SAME_NUMBER) / max(numbers, 1)
    return last.none * again * to_this + 0.001 * noise


def _candidates(rates: Sequence[Rate], total: float) -> tuple[Candidate, ...]:
    kept = [one for one in rates if one.total / total >= LEAST_WEIGHT]
    kept.sort(key=lambda one: (one.total, one.holding.since), reverse=True)
    return tuple(
        Candidate(
            session_id=one.holding.session_id,
            visitor_id=one.holding.visitor_id,
            source_id=one.holding.source_id,
            weight=one.total / total,
            rate=one,
        )
        for one in kept
    )
