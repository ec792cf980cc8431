"""The best answer there is: Bayes with all true parameters, told no more than anybody.

It lends by the product's own rules, sees events up to the call, and knows the site: delays,
readiness, opening hours, lost signals, redials, new cookies, unrelated callers. For each
caller it keeps a belief about who he is (which visitor, or somebody unrelated) and which
visit his last call came from; each further call weighs that belief anew. A visitor who is
believed to have another phone is left to that one.

Exact for a first call but for one approximation: what is believed of other callers is taken
as independent of this one, instead of all ways to match callers and visitors.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.attribution import baselines, lending
from tests.benchmarks.attribution.answers import Answer, Candidate, number_name
from tests.benchmarks.attribution.events import Event
from tests.benchmarks.attribution.hazard import Indices, Sessions
from tests.benchmarks.attribution.site import FARTHEST, Site
from tests.benchmarks.attribution.spreads import DAY, Numbers, Timing

LEAST = 1e-4  # weights below this are left out of answers
NEGLIGIBLE = 1e-7  # and of beliefs
FORGOTTEN = 40 * DAY  # withheld calls that long ago are redialled no more


@dataclass(slots=True)
class Caller:
    """What is believed of one phone."""

    number: int  # that it called last
    at: float
    first: float
    visits: dict[int, float]  # the last call's visit: weight
    visitors: dict[str, float]
    unrelated: float
    pending: float = 1.0  # that no redial of a withheld call has come yet


@dataclass(slots=True)
class Weights:
    """Unnormalised weights of one call's explanations."""

    calls: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    redials: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    unrelated: float = 0.0

    def total(self) -> float:
        return self.unrelated + sum(self.calls.values()) + sum(self.redials.values())

    def normalised(self) -> "Weights":
        total = self.total()
        if total <= 0:
            return Weights(unrelated=1.0)
        return Weights(
            {at: w / total for at, w in self.calls.items() if w > NEGLIGIBLE * total},
            {at: w / total for at, w in self.redials.items() if w > NEGLIGIBLE * total},
            self.unrelated / total,
        )

    def by_visit(self) -> dict[int, float]:
        together = defaultdict(float, self.calls)
        for at, weight in self.redials.items():
            together[at] += weight
        return together


class Oracle:
    """Answers the calls of one file of events."""

    def __init__(self, site: Site, events: list[Event], numbers: int) -> None:
        self.site = site
        self.events = events
        self.numbers = numbers
        self.lent = lending.OldestSeen(numbers, reveals=site.shape.reveals_lost < 1)
        visits = sum(event.kind == "visit" for event in events)
        self.sessions = Sessions(site, visits)
        self.names: list[str] = []
        self.holders: list[list[int]] = [[] for _ in range(numbers)]
        self.first_seen: dict[str, float] = {}  # a visitor's first visit
        self.used = np.zeros(visits)  # probability that the visit's own call has come
        self.claimed: dict[str, float] = defaultdict(float)  # log P(no phone yet)
        self.callers: dict[str, Caller] = {}
        self.withheld: list[list[Caller]] = [[] for _ in range(numbers)]

    def answers(self) -> list[Answer]:
        answers = []
        for event in self.events:
            if event.kind == "call":
                answers.append(self.answer(event))
            else:
                self.tell(event)
        return answers

    def tell(self, event: Event) -> None:
        name = str(event.session)
        before = self.lent.number.get(name)
        if event.kind == "visit":
            self.sessions.open(event)
            self.names.append(name)
            self.first_seen.setdefault(str(event.visitor), event.at)
        else:
            self.sessions.tell(event)
        baselines.tell(self.lent, event)
        number = self.lent.number.get(name)
        if number is not None and number != before:
            self.holders[number].append(self.sessions.index[name])

    def answer(self, call: Event) -> Answer:
        number = baselines.dialled(self.lent, call, self.numbers)
        if number is None:
            return Answer(str(call.call), None)
        weights = self.weigh(call.caller, number, call.at).normalised()
        self.learn(call.caller, number, call.at, weights)
        ranked = sorted(weights.by_visit().items(), key=lambda one: (-one[1], -one[0]))
        candidates = tuple(
            Candidate(self.names[at], min(weight, 1.0))
            for at, weight in ranked
            if weight >= LEAST
        )
        return Answer(str(call.call), number_name(number), candidates)

    # Weighing.

    def weigh(self, phone: str | None, number: int, at: float) -> Weights:
        which = self.candidates(number, at)
        if phone is None:
            return self.weigh_withheld(which, number, at)
        known = self.callers.get(phone)
        if known is None:
            shape = self.site.shape
            return self.weigh_first(
                which, at, 1 - shape.withheld, 1 - shape.unrelated_withheld
            )
        return self.weigh_known(known, which, number, at)

    def candidates(self, number: int, at: float) -> Indices:
        """Visits that were shown this number and may still call."""
        holders = self.holders[number]
        which = np.array(holders, dtype=np.intp)
        recent = self.sessions.began[which] > at - FARTHEST - DAY
        if len(holders) > 2 * recent.sum():
            self.holders[number] = which[recent].tolist()
        return which[recent]

    def weigh_first(
        self, which: Indices, at: float, ours: float, unrelated: float
    ) -> Weights:
        """A phone that never called; the last two: shares that such a phone shows up as it did."""
        weights = Weights(unrelated=self.unrelated_rate(at) * unrelated)
        rates = self.sessions.rates(which, at) * (1 - self.used[which]) * ours
        for index, rate in zip(which.tolist(), rates.tolist(), strict=True):
            if rate > 0:
                claimed = self.claimed.get(self.sessions.visitors[index], 0.0)
                weights.calls[index] = rate * float(np.exp(claimed))
        return weights

    def unrelated_rate(self, at: float) -> float:
        """First calls of unrelated people to one number, per second."""
        per_second = self.site.shape.unrelated_per_day / DAY / self.numbers
        return per_second * float(self.site.calling.rate(at))

    def weigh_withheld(self, which: Indices, number: int, at: float) -> Weights:
        shape = self.site.shape
        weights = self.weigh_first(which, at, shape.withheld, shape.unrelated_withheld)
        self.withheld[number] = [
            one for one in self.withheld[number] if at - one.at < FORGOTTEN
        ]
        redials = []
        for earlier in self.withheld[number]:
            before = weights.total()
            self.weigh_redial(weights, earlier, number, at)
            redials.append(weights.total() - before)
        for earlier, redial in zip(self.withheld[number], redials, strict=True):
            earlier.pending *= 1 - redial / max(weights.total(), 1e-300)
        return weights

    def weigh_redial(
        self, weights: Weights, known: Caller, number: int, at: float
    ) -> None:
        shape = self.site.shape
        if number == known.number:
            again = self.again(shape.redial_gap, shape.redials, known.at, at)
            again *= known.pending
            for index, weight in known.visits.items():
                weights.redials[index] += weight * again
        same = shape.unrelated_same * (number == known.number)
        to_this = same + (1 - shape.unrelated_same) / self.numbers
        again = self.again(shape.unrelated_gap, shape.unrelated_redials, known.at, at)
        weights.unrelated += known.pending * known.unrelated * again * to_this

    def again(self, gap: Timing, share: float, since: float, at: float) -> float:
        """The rate of a redial now, none having come yet."""
        moment = np.array([since])
        density = gap.density(moment, at, self.site.calling)[0]
        by_now = gap.share_by(moment, at, self.site.calling)[0]
        return float(share * density / (1 - share * by_now))

    def weigh_known(
        self, known: Caller, which: Indices, number: int, at: float
    ) -> Weights:
        """He redials, or calls from another visit of his, under whichever cookie."""
        weights = Weights()
        self.weigh_redial(weights, known, number, at)
        mine = self.sharing(known, which)
        likely = mine > NEGLIGIBLE
        which, mine = which[likely], mine[likely]
        if len(which):
            later = self.sessions.began[which] > known.first
            usual = self.sessions.rates(which, at)
            readier = self.sessions.rates(which, at, times=self.site.shape.ready_again)
            rates = np.where(later, readier, usual) * mine
            for index, rate in zip(which.tolist(), rates.tolist(), strict=True):
                weights.calls[index] += rate
        return weights

    def sharing(self, known: Caller, which: Indices) -> Numbers:
        """The probability that each of these visits is his, its own call still to come."""
        visitors = [self.sessions.visitors[index] for index in which.tolist()]
        same = np.array([known.visitors.get(visitor, 0.0) for visitor in visitors])
        taken = np.array([known.visits.get(index, 0.0) for index in which.tolist()])
        by_others = np.array([self.claimed.get(visitor, 0.0) for visitor in visitors])
        by_others -= np.log1p(-np.minimum(same, SURE))
        own = np.maximum(same - taken, 0.0)
        renewed = np.zeros(len(which))
        fresh = np.array([self.first_seen[visitor] for visitor in visitors])
        after = (fresh > known.first) & (same < NEGLIGIBLE)
        if after.any():
            renewed[after] = self.renewed(known, fresh[after])
            renewed *= 1 - self.used[which]
        return np.asarray((own + renewed) * np.exp(np.minimum(by_others, 0.0)))

    def renewed(self, known: Caller, fresh: Numbers) -> Numbers:
        """The probability that a cookie first seen at each moment is his new one."""
        shape, clock = self.site.shape, self.site.visiting
        told, density = clock.read(fresh), np.zeros(len(fresh))
        for index, weight in known.visits.items():
            if weight > 1e-3:
                gone = told - clock.read(self.sessions.began[index])
                density += weight * shape.return_gap.density(gone)
        density *= clock.rate(fresh)
        rate = shape.returning_callers * shape.new_cookie * density
        return rate / np.maximum(self.site.cookie_rate(fresh) + rate, 1e-12)

    # Believing.

    def learn(
        self, phone: str | None, number: int, at: float, weights: Weights
    ) -> None:
        """What this call tells about the caller and the visits, for later ones."""
        for index, weight in weights.calls.items():
            self.used[index] = 1 - (1 - self.used[index]) * (1 - weight)
        visits = dict(weights.by_visit())
        visitors: dict[str, float] = defaultdict(float)
        for index, weight in visits.items():
            visitors[self.sessions.visitors[index]] += weight
        known = self.callers.get(phone) if phone else None
        now = Caller(
            number=number,
            at=at,
            first=known.first if known else at,
            visits=visits,
            visitors=dict(visitors),
            unrelated=weights.unrelated,
        )
        if phone is None:
            self.withheld[number].append(now)
            return
        self.callers[phone] = now
        self.claim(known.visitors if known else {}, now.visitors)

    def claim(self, before: dict[str, float], now: dict[str, float]) -> None:
        """Keeps, for each visitor, the probability that no phone is known to be his."""
        for visitor, weight in before.items():
            self.claimed[visitor] -= np.log1p(-min(weight, SURE))
        for visitor, weight in now.items():
            self.claimed[visitor] += np.log1p(-min(weight, SURE))


SURE = 1 - 1e-9
