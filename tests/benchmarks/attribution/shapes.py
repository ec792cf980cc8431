"""Sites that differ in all that attribution must not be tuned on.

A `Shape` holds every true parameter of one site's traffic. `varied` moves most of them at
random, so that another seed is another site of that kind, not the same site again.
"""

import math
import random
from dataclasses import dataclass, replace

from tests.benchmarks.attribution.spreads import DAY, HOUR, Part, Spread, Timing

OFFICE = (0.02,) * 8 + (0.5, 1.6, 2.0, 2.0, 1.7, 1.8, 1.9, 1.8, 1.6, 1.2, 0.7, 0.4, 0.2) + (0.05,) * 3  # fmt: skip
SHOP = (0.05,) * 7 + (0.2, 0.6, 1.2, 1.6, 1.7, 1.6, 1.6, 1.6, 1.6, 1.7, 1.8, 1.8, 1.6, 1.2, 0.8, 0.3, 0.1)  # fmt: skip
NIGHT = (2.0, 2.0, 1.8, 1.2, 0.5, 0.1) + (0.03,) * 9 + (0.1, 0.4, 0.8, 1.2, 1.5, 1.8, 2.0, 2.2, 2.2)  # fmt: skip
BROWSING = (0.3, 0.2, 0.1, 0.1, 0.1, 0.2, 0.4, 0.7, 1.0, 1.3, 1.4, 1.4, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.4, 1.6, 1.7, 1.6, 1.2, 0.7)  # fmt: skip
OWLS = (2.2, 2.0, 1.6, 1.1, 0.6, 0.3, 0.2, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.4, 0.5, 0.5, 0.7, 0.9, 1.2, 1.5, 1.8, 2.1, 2.3, 2.4)  # fmt: skip


VIEW = Spread("lognormal", 12, 1.1)
TAP_TO_CALL = Spread("lognormal", 6, 0.7)
RETURN_GAP = Spread("lognormal", 1.2 * DAY, 1.4)
DELAYS = Timing(
    (
        Part(0.60, Spread("lognormal", 50, 1.0)),  # the first part: at once
        Part(0.32, Spread("lognormal", 3 * HOUR, 1.2), waits=True),
        Part(0.08, Spread("lognormal", 1.3 * DAY, 0.8), waits=True),
    )
)
REDIAL_GAP = Timing(
    (
        Part(0.6, Spread("lognormal", 6 * 60, 1.3)),
        Part(0.4, Spread("lognormal", 2 * DAY, 1.3), waits=True),
    )
)
UNRELATED_GAP = Timing(
    (
        Part(0.5, Spread("lognormal", 10 * 60, 1.3)),
        Part(0.5, Spread("lognormal", 3 * DAY, 1.2), waits=True),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where visits come from: its share of them, how readily its visitors call."""

    name: str
    share: float
    readiness: float
    mobile: float = 0.0  # added to the site's share of mobile visits


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How long a page stays visible."""

    unseen: Spread  # nobody looked at the number
    plain: Spread  # after it was looked at, by one who will not call
    keen: Spread  # the same, by one who will call


def shares(*weights: tuple[str, float, float]) -> tuple[Source, ...]:
    return tuple(
        Source(name=name, share=share, readiness=readiness)
        for name, share, readiness in weights
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The true parameters of one site."""

    name: str
    visits_per_day: float = 300
    visiting: tuple[float, ...] = BROWSING  # 24 hours, UTC
    visiting_weekend: float = 0.8  # a weekend day against a workday
    calling: tuple[float, ...] = SHOP
    calling_weekend: float = 0.7
    bursts_per_week: float = 0.0
    burst_visits: float = (
        0.0  # of one burst, over `burst_hours`, all from the first source
    )
    burst_hours: float = 2.0
    mobile: float = 0.6
    bots: float = 0.1
    sources: tuple[Source, ...] = shares(
        ("yandex/cpc", 0.35, 1.5), ("google/organic", 0.3, 0.8), ("vk/social", 0.15, 0.4),
        ("direct/none", 0.15, 1.2), ("mail/email", 0.05, 0.7),
    )  # fmt: skip

    looking_mobile: float = 0.45  # share of human visits that look at the number
    looking_desktop: float = 0.6
    view: Spread = VIEW  # from the visit to the look
    reveals_lost: float = 0.07
    leaves_lost: float = 0.15
    reopening: float = 0.12  # share of pages shown again after they were left
    stay: Stay = Stay(
        unseen=Spread("lognormal", 35, 1.2),
        plain=Spread("lognormal", 45, 1.2),
        keen=Spread("lognormal", 110, 1.0),
    )

    readiness: float = 0.07  # share of those who look that call
    mobile_readiness: float = 1.1
    delays: Timing = DELAYS
    drift: float = 0.0  # delays at the end are exp(drift) times those at the start
    staying: float = (
        0.7  # share of callers at once whose page stays open until they call
    )
    taps: float = 0.6  # share of mobile callers at once who tap the number
    tap_to_call: Spread = TAP_TO_CALL
    empty_taps: float = 0.03  # taps without a call, per mobile visit that looked
    tap_stays: float = 0.2  # share of pages that stay visible after a tap that calls
    empty_tap_stays: float = 0.75

    redials: float = 0.2  # after each call
    redial_gap: Timing = REDIAL_GAP
    returning: float = 0.2  # share of visits followed by another of the same person
    returning_callers: float = 0.3
    return_gap: Spread = RETURN_GAP  # on the clock of visits
    new_cookie: float = 0.2
    ready_again: float = 2.0  # readiness of one who has called, on a later visit
    withheld: float = 0.02

    unrelated_per_day: float = 0.7
    unrelated_withheld: float = 0.1
    unrelated_redials: float = 0.25
    unrelated_gap: Timing = UNRELATED_GAP
    unrelated_same: float = 0.7  # share of their redials that go to the same number

    def varied(self, rng: random.Random) -> "Shape":
        """Another site of this kind."""

        def around(value: float, times: float, most: float = float("inf")) -> float:
            return min(value * times_between(rng, times), most)

        stretch = times_between(rng, 1.5)
        first, *later = self.delays.parts
        at_once = min(max(first.share + rng.uniform(-0.12, 0.12), 0.05), 0.9)
        rest = (1 - at_once) / sum(part.share for part in later)
        delays = (
            Part(
                at_once, stretched(first.spread, times_between(rng, 1.5)), first.waits
            ),
            *(
                Part(part.share * rest, stretched(part.spread, stretch), part.waits)
                for part in later
            ),
        )
        return replace(
            self,
            visits_per_day=around(self.visits_per_day, 1.25),
            visiting_weekend=around(self.visiting_weekend, 1.2),
            calling_weekend=around(self.calling_weekend, 1.2),
            mobile=min(max(self.mobile + rng.uniform(-0.1, 0.1), 0.05), 0.95),
            bots=around(self.bots, 1.5),
            sources=tuple(
                replace(
                    source,
                    share=around(source.share, 1.3),
                    readiness=around(source.readiness, 1.4),
                )
                for source in self.sources
            ),
            looking_mobile=around(self.looking_mobile, 1.2, 0.9),
            looking_desktop=around(self.looking_desktop, 1.2, 0.9),
            view=stretched(self.view, times_between(rng, 1.4)),
            reveals_lost=around(self.reveals_lost, 1.6, 1.0)
            if self.reveals_lost < 1
            else 1.0,
            leaves_lost=around(self.leaves_lost, 1.6, 0.8),
            stay=Stay(
                unseen=stretched(self.stay.unseen, times_between(rng, 1.3)),
                plain=stretched(self.stay.plain, times_between(rng, 1.3)),
                keen=stretched(self.stay.keen, times_between(rng, 1.3)),
            ),
            readiness=around(self.readiness, 1.25),
            delays=Timing(delays),
            staying=around(self.staying, 1.3, 0.95),
            taps=around(self.taps, 1.3, 0.95),
            empty_taps=around(self.empty_taps, 2),
            redials=around(self.redials, 1.4, 0.45),
            returning=around(self.returning, 1.4, 0.5),
            new_cookie=around(self.new_cookie, 1.5, 0.8),
            unrelated_per_day=around(self.unrelated_per_day, 1.5),
            unrelated_redials=around(self.unrelated_redials, 1.4, 0.6),
        )


def stretched(spread: Spread, times: float) -> Spread:
    return replace(spread, scale=spread.scale * times)


def times_between(rng: random.Random, most: float) -> float:
    return math.exp(rng.uniform(-1, 1) * math.log(most))


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="everyday"),
        Shape(
            name="small shop",
            visits_per_day=90,
            readiness=0.16,
            mobile=0.45,
            visiting_weekend=1.1,
            calling=OFFICE,
            calling_weekend=0.5,
            delays=Timing(
                (
                    Part(0.45, Spread("gamma", 60, 1.4)),
                    Part(0.40, Spread("weibull", 2.5 * HOUR, 0.7), waits=True),
                    Part(0.15, Spread("gamma", 1.2 * DAY, 0.9), waits=True),
                )
            ),
            unrelated_per_day=0.4,
            sources=shares(
                ("google/cpc", 0.3, 1.8),
                ("google/organic", 0.5, 0.9),
                ("direct/none", 0.2, 0.5),
            ),
        ),
        Shape(
            name="busy mobile",
            visits_per_day=900,
            mobile=0.88,
            looking_mobile=0.35,
            readiness=0.07,
            view=Spread("weibull", 14, 0.8),
            taps=0.8,
            empty_taps=0.06,
            leaves_lost=0.35,
            delays=Timing(
                (
                    Part(0.7, Spread("loglogistic", 30, 1.8)),
                    Part(0.3, Spread("weibull", 4 * HOUR, 0.6), waits=True),
                )
            ),
            unrelated_per_day=1.5,
        ),
        Shape(
            name="campaign bursts",
            visits_per_day=220,
            bursts_per_week=3,
            burst_visits=250,
            burst_hours=1.5,
            sources=shares(
                ("tv/spot", 0.1, 0.8),
                ("yandex/cpc", 0.5, 1.4),
                ("direct/none", 0.4, 0.8),
            ),
            delays=Timing(
                (
                    Part(0.6, Spread("gamma", 35, 1.2)),
                    Part(0.4, Spread("lognormal", 2 * HOUR, 1.5), waits=True),
                )
            ),
        ),
        Shape(
            name="long delays",
            visits_per_day=160,
            readiness=0.12,
            delays=Timing(
                (
                    Part(0.25, Spread("lognormal", 120, 1.2)),
                    Part(0.45, Spread("gamma", 8 * HOUR, 1.1), waits=True),
                    Part(0.30, Spread("weibull", 2.5 * DAY, 1.1), waits=True),
                )
            ),
            calling=OFFICE,
            calling_weekend=0.15,
            returning=0.35,
            redials=0.3,
        ),
        Shape(
            name="far too few numbers",
            visits_per_day=1100,
            readiness=0.05,
            mobile=0.7,
            stay=Stay(
                unseen=Spread("gamma", 60, 1.0),
                plain=Spread("gamma", 90, 1.0),
                keen=Spread("gamma", 90, 2.0),
            ),
        ),
        Shape(
            name="drifting delays",
            visits_per_day=250,
            drift=1.6,
            readiness=0.1,
            delays=Timing(
                (
                    Part(0.5, Spread("lognormal", 45, 0.9)),
                    Part(0.5, Spread("loglogistic", 3 * HOUR, 1.6), waits=True),
                )
            ),
        ),
        Shape(
            name="noisy",
            visits_per_day=260,
            unrelated_per_day=3.0,
            unrelated_withheld=0.2,
            unrelated_redials=0.4,
            withheld=0.06,
            bots=0.25,
        ),
        Shape(
            name="no reveals",
            visits_per_day=200,
            readiness=0.11,
            reveals_lost=1.0,
            view=Spread("lognormal", 8, 0.9),
            looking_mobile=0.6,
            looking_desktop=0.75,
        ),
        Shape(
            name="weekend-heavy",
            visits_per_day=220,
            readiness=0.1,
            visiting_weekend=2.5,
            calling_weekend=2.2,
            mobile=0.75,
            delays=Timing(
                (
                    Part(0.5, Spread("weibull", 90, 0.8)),
                    Part(0.5, Spread("gamma", 6 * HOUR, 0.7), waits=True),
                )
            ),
            new_cookie=0.4,
            returning=0.3,
        ),
        Shape(
            name="night owls",
            visits_per_day=240,
            readiness=0.1,
            visiting=OWLS,
            calling=NIGHT,
            calling_weekend=1.5,
            visiting_weekend=1.3,
            mobile=0.35,
            staying=0.9,
            view=Spread("gamma", 20, 0.9),
            reveals_lost=0.15,
            delays=Timing(
                (
                    Part(0.6, Spread("gamma", 80, 1.0)),
                    Part(0.4, Spread("lognormal", 1.5 * HOUR, 1.0), waits=True),
                )
            ),
        ),
    )
}
