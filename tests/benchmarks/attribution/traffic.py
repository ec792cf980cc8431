"""Makes a site's traffic: whole people, what they do on pages, when they call and from where.

People are drawn one by one with all their visits and calls; the events are then put in
order. What decides a call (whether the visitor ever will, and in which way) is drawn before
the visit, so a page's life and its calls depend on each other as they do in the world, and
not as any formula of attribution supposes.
"""

import itertools
import random
from dataclasses import dataclass, field

from tests.benchmarks.attribution.events import Event
from tests.benchmarks.attribution.shapes import Shape, Source
from tests.benchmarks.attribution.site import FARTHEST, MONDAY, READIEST, Site, settle
from tests.benchmarks.attribution.spreads import DAY, HOUR, Spread

BEAT = 30.0
LONGEST_STAY = 3 * HOUR
IDLE = 1500.0  # a page shown again later than this would be another session
BOT_STAY = Spread("lognormal", 1.5, 1.0)
STAYS_AFTER_CALL = Spread("gamma", 20, 1.0)  # a page kept open until the call, and then
EMPTY_TAP = Spread("lognormal", 20, 1.0)  # from the look to a tap that leads to no call
AWAY = Spread("lognormal", 200, 1.0)  # until a page is shown again
SECOND_LOOK = Spread("lognormal", 40, 1.0)
MOST_VISITS, MOST_REDIALS = 8, 5
ORDER = {"visit": 0, "ping": 1, "reveal": 2, "tel_click": 3, "leave": 4, "call": 5}


@dataclass(slots=True)
class Person:
    """Somebody with a phone and a browser."""

    phone: str | None  # None: always withheld
    visitor: str
    source: Source
    mobile: bool
    first_called: float = float("inf")


@dataclass(slots=True)
class Traffic:
    """The generator's own state: its dice, its counters and what has happened so far."""

    site: Site
    rng: random.Random
    events: list[Event] = field(default_factory=list)
    serial: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def shape(self) -> Shape:
        return self.site.shape

    def name(self, letter: str) -> str:
        return f"{letter}{next(self.serial)}"

    def phone(self, withheld: float) -> str | None:
        number = (
            1009 * next(self.serial) % 10**9
        )  # each another, in no order that tells
        return None if self.chance(withheld) else f"+79{number:09d}"

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def tell(self, at: float, kind: str, session: str) -> None:
        self.events.append(Event(round(at, 3), kind, session))

    # Arrivals.

    def arrivals(self) -> None:
        """Everybody who comes, in order."""
        site = self.site
        for at in self._moments(site.people_rate()):
            self.person(at, self._source())
        for at in self._moments(site.bot_rate()):
            self.bot(at)
        for burst in site.bursts:
            at = burst.begins + self.rng.expovariate(burst.rate)
            while at < burst.ends:
                self.person(at, self.shape.sources[0])
                at += self.rng.expovariate(burst.rate)

    def _moments(self, rate: float) -> list[float]:
        """Independent moments on the clock of visits, `rate` a second."""
        at, moments = MONDAY, []
        while rate and (
            at := self.site.visiting.after(at, self.rng.expovariate(rate))
        ) < (self.site.ends):
            moments.append(at)
        return moments

    def _source(self) -> Source:
        sources = self.shape.sources
        return self.rng.choices(sources, [source.share for source in sources])[0]

    # People.

    def person(self, at: float, source: Source) -> None:
        """All visits of one person."""
        mobile = self.chance(self.shape.mobile + source.mobile)
        person = Person(self.phone(self.shape.withheld), self.name("v"), source, mobile)
        for _ in range(MOST_VISITS):
            called = self.visit(person, at)
            back = self.shape.returning_callers if called else self.shape.returning
            if not self.chance(back):
                return
            gap = self.shape.return_gap.draw(self.rng)
            at = self.site.visiting.after(at, gap)
            if at >= self.site.ends:
                return
            if self.chance(self.shape.new_cookie):
                person.visitor = self.name("v")
            if self.chance(0.5):
                person.source = self._source()

    def opened(self, visitor: str, at: float, source: Source, *, mobile: bool) -> str:
        session = self.name("s")
        device = "mobile" if mobile else "desktop"
        self.events.append(
            Event(round(at, 3), "visit", session, visitor, device, source.name)
        )
        return session

    def bot(self, at: float) -> None:
        """One that runs scripts but looks at nothing."""
        mobile = self.chance(self.shape.mobile)
        session = self.opened(self.name("v"), at, self._source(), mobile=mobile)
        self.stay(session, at, at + BOT_STAY.draw(self.rng))

    def visit(self, person: Person, at: float) -> bool:
        """One visit; whether it led to a call."""
        shape, rng = self.shape, self.rng
        session = self.opened(person.visitor, at, person.source, mobile=person.mobile)
        looking = shape.looking_mobile if person.mobile else shape.looking_desktop
        if not self.chance(looking):
            self.stay(session, at, at + shape.stay.unseen.draw(rng))
            return False
        seen = at + shape.view.draw(rng)
        if not self.chance(shape.reveals_lost):
            self.tell(seen, "reveal", session)
        call = self._behave(person, session, at, seen)
        if call is None or call > seen + FARTHEST:
            return False
        person.first_called = min(person.first_called, call)
        self.calls(person.phone, call, session)
        return True

    def _behave(
        self, person: Person, session: str, at: float, seen: float
    ) -> float | None:
        """What happens on the page after the look; the moment of the call it leads to."""
        shape, rng = self.shape, self.rng
        way = self._way(person, at, seen)
        if way == 0 and person.mobile and self.chance(shape.taps):
            return self._tap(session, at, seen)
        call = None
        if way is not None:
            part = shape.delays.parts[way]
            delay = part.spread.draw(rng) * float(self.site.stretch(at))
            call = self.site.calling.after(seen, delay) if part.waits else seen + delay
        if way == 0 and call is not None and self.chance(shape.staying):
            leaves = call + STAYS_AFTER_CALL.draw(rng)
        else:
            stay = shape.stay.plain if way is None else shape.stay.keen
            leaves = seen + stay.draw(rng)
        if person.mobile and self.chance(shape.empty_taps):
            tap = seen + EMPTY_TAP.draw(rng)
            if tap < leaves and (way != 0 or call is None or tap < call):
                self.tell(tap, "tel_click", session)
                leaves = leaves if self.chance(shape.empty_tap_stays) else tap + 0.2
        self.stay(session, at, leaves)
        return call

    def _way(self, person: Person, at: float, seen: float) -> int | None:
        """Which part of the delays this visitor's call will follow; None: no call."""
        ready = self.site.readiness(person.source.name, mobile=person.mobile)
        if person.first_called < at:
            ready = min(ready * self.shape.ready_again, READIEST)
        if not self.chance(ready):
            return None
        parts = self.shape.delays.parts
        way = self.rng.choices(range(len(parts)), [part.share for part in parts])[0]
        if way == 0 and not self.chance(float(self.site.openness(seen))):
            return None
        return way

    def _tap(self, session: str, at: float, seen: float) -> float:
        """A tap on the number, from which the call follows."""
        part = self.shape.delays.parts[0]
        tap = seen + part.spread.draw(self.rng) * float(self.site.stretch(at))
        self.tell(tap, "tel_click", session)
        if self.chance(self.shape.tap_stays):
            self.stay(session, at, tap + self.shape.stay.plain.draw(self.rng))
        else:
            self.stay(session, at, tap + 0.2)
        return tap + self.shape.tap_to_call.draw(self.rng)

    # Pages.

    def stay(self, session: str, at: float, leaves: float) -> None:
        """A page visible until then, and maybe shown again."""
        leaves = min(leaves, at + LONGEST_STAY)
        self._visible(session, at, leaves)
        again = leaves + AWAY.draw(self.rng)
        if self.chance(self.shape.reopening) and again < leaves + IDLE:
            self.tell(again, "ping", session)
            self._visible(session, again, again + SECOND_LOOK.draw(self.rng))

    def _visible(self, session: str, since: float, until: float) -> None:
        beat = since + BEAT
        while beat < until:
            self.tell(beat, "ping", session)
            beat += BEAT
        if not self.chance(self.shape.leaves_lost):
            self.tell(until, "leave", session)

    # Calls.

    def calls(self, phone: str | None, at: float, session: str) -> None:
        """A call and its redials: each goes to the number that the session was shown."""
        for _ in range(MOST_REDIALS + 1):
            self.call(phone, at, session=session)
            if not self.chance(self.shape.redials):
                return
            at = self.shape.redial_gap.draw(at, self.site.calling, self.rng)

    def unrelated(self) -> None:
        """Calls that no visit led to."""
        shape, clock, rng = self.shape, self.site.calling, self.rng
        rate = shape.unrelated_per_day / DAY
        at = clock.after(MONDAY, rng.expovariate(rate))
        while at < self.site.ends:
            phone, again = self.phone(shape.unrelated_withheld), at
            slot = rng.randrange(10**6)
            for _ in range(MOST_REDIALS + 1):
                self.call(phone, again, slot=slot)
                if not self.chance(shape.unrelated_redials):
                    break
                again = shape.unrelated_gap.draw(again, clock, rng)
                if not self.chance(shape.unrelated_same):
                    slot = rng.randrange(10**6)
            at = clock.after(at, rng.expovariate(rate))

    def call(
        self,
        phone: str | None,
        at: float,
        *,
        session: str | None = None,
        slot: int | None = None,
    ) -> None:
        self.events.append(
            Event(
                round(at, 3), "call", session,
                call=self.name("c"), caller=phone, slot=slot,
            )
        )  # fmt: skip


def make(shape: Shape, *, seed: int, days: int) -> tuple[Site, list[Event]]:
    """A site of this kind and its events in order; the same for the same seed."""
    rng = random.Random(f"{shape.name}/{seed}")
    site = settle(shape.varied(rng), days=days, rng=rng)
    return site, events_of(site, rng)


def events_of(site: Site, rng: random.Random) -> list[Event]:
    """Everything that happens before the end, in order of time."""
    traffic = Traffic(site, rng)
    traffic.arrivals()
    traffic.unrelated()
    events = [event for event in traffic.events if event.at < site.ends]
    return sorted(events, key=lambda event: (event.at, ORDER[event.kind]))
