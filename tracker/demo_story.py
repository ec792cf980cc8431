"""The make-believe weeks of the example site: who came, from where, and what came of it.

Pure and seeded: the same seed and the same end tell the same story. Visits, calls, letters,
forms and deals stand on one tape in the order of time; `demo_history` plays it.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tracker import demo_checks
from tracker import demo_clock as clock
from tracker import demo_words as words
from tracker.demo_browsing import Browsing, Visit
from tracker.demo_origins import RETURNS, Origin
from tracker.demo_talking import Talking
from tracker.demo_tape import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Cost,
    Deal,
    Happening,
    Line,
    Page,
    Story,
)
from tracker.demo_words import Customer

KEENER = 2.5  # how much likelier a visitor who came back gets in touch
DEALS = 0.36  # of leads
USUAL_DEAL = 11.75  # the logarithm of the usual amount: 127 thousand roubles
LEAST_DEAL, LARGEST_DEAL = 40_000, 400_000  # roubles
OFFLINE = (0.85, 0.4)  # calls a day to each static number
NOISE = 0.7  # calls a day to pool numbers by people who never saw the site
STILL_HERE = 5  # visitors on the site when the story ends
OUTSIDE = Origin(name="offline", share=0, wins=0.45)

WAYS = ("click", "look", "later", "form", "letter")
WAYS_OF = {"mobile": (52, 6, 14, 20, 8), "desktop": (0, 34, 20, 26, 20)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lead:
    """A customer's interest, with what decides how it ends."""

    customer: Customer
    at: datetime  # when the first contact was over
    origin: Origin
    by_phone: bool  # what the shop knows him by; else it is his email address


def tell(*, seed: int, since: datetime, until: datetime, zone: ZoneInfo) -> Story:
    """The story of that period: nothing begins before it or goes on after it."""
    teller = _Teller(seed, zone)
    for day in clock.days(since, until, zone):
        for at in clock.visits(teller.rng, day, zone):
            teller.somebody_comes(at)
        teller.calls_from_outside(clock.by_day(teller.rng, day, zone))
    for n in range(STILL_HERE):
        teller.somebody_is_here(until - (20 + 37 * n) * SECOND)
    tape = [*teller.tape, *demo_checks.calls(seed, since, until, zone)]
    told = [one for one in tape if since <= one.at and one.over <= until]
    told.sort(key=lambda one: one.at)
    clicks = [(at, way) for at, way in teller.browsing.clicks if since <= at <= until]
    return Story(
        since=since,
        until=until,
        happenings=tuple(_without_orphans(told)),
        costs=tuple(_costs(teller.rng, clicks, zone)),
    )


def _without_orphans(told: list[Happening]) -> Iterator[Happening]:
    """Only what hangs on a visit that is told, too: some began before the period."""
    begun = {one.visit for one in told if isinstance(one, Page)}
    for one in told:
        line = one.line if hasattr(one, "line") else one
        visit: int | None = getattr(line, "visit", None)
        if visit is None or visit in begun:
            yield one


class _Teller:
    """Makes up one thing after another, each with all that follows from it."""

    def __init__(self, seed: int, zone: ZoneInfo) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - make-believe
        self.tape: list[Happening] = []
        self.browsing = Browsing(rng=self.rng, tape=self.tape)
        self._talking = Talking(rng=self.rng, zone=zone, tape=self.tape)
        self._customers = words.customers(self.rng)
        self._zone = zone

    def somebody_comes(self, at: datetime) -> None:
        """A visit, and what it leads to."""
        visit = self.browsing.somebody(at)
        visitor = visit.visitor
        chance = visitor.origin.contacts * (KEENER if visit.returned else 1)
        if visitor.customer is None and self.rng.random() < chance:
            self._gets_in_touch(visit)
        else:
            self.browsing.looks_around(visit)
            self.browsing.leaves(visit)

    def somebody_is_here(self, at: datetime) -> None:
        """A visit that goes on."""
        visit = self.browsing.somebody(at)
        self.browsing.stays(visit, 10 * MINUTE)

    def calls_from_outside(self, moment: datetime) -> None:
        """A day's calls by people who saw a billboard, a leaflet, or nothing at all."""
        for static, usual in enumerate(OFFLINE):
            if self.rng.random() < usual:
                customer = next(self._customers)
                over = self._talking.call(Line(static=static), customer.phone, moment)
                lead = _Lead(customer=customer, at=over, origin=OUTSIDE, by_phone=True)
                self._may_buy(lead)
        if self.rng.random() < NOISE:
            hidden = self.rng.random() < 0.3
            phone = None if hidden else next(self._customers).phone
            line = Line(number=self.rng.randrange(100))
            self._talking.call(line, phone, moment + self.rng.uniform(-4, 4) * HOUR)

    def _gets_in_touch(self, visit: Visit) -> None:
        """The first contact of a customer, and all that follows from it."""
        customer = visit.visitor.customer = next(self._customers)
        way = self.rng.choices(WAYS, WAYS_OF[visit.visitor.device])[0]
        at = visit.over
        if way == "form":
            self._talking.form(visit.number, customer, at)
            self.browsing.leaves(visit)
        elif way == "letter":
            at = self._writes(visit, customer)
        else:
            at = self._calls(visit, customer, way)
        lead = _Lead(
            customer=customer,
            at=at,
            origin=visit.visitor.origin,
            by_phone=way != "letter",
        )
        self._comes_again(lead, visit)
        self._may_buy(lead)

    def _writes(self, visit: Visit, customer: Customer) -> datetime:
        self.browsing.sign(visit, visit.over, did="mail_click")
        self.browsing.leaves(visit)
        at = visit.over + clock.about(self.rng, 12 * MINUTE)
        with_phone = self.rng.random() < 0.4
        self._talking.letter(
            visit.number, customer, at, words.LETTERS, with_phone=with_phone
        )
        return at

    def _calls(self, visit: Visit, customer: Customer, way: str) -> datetime:
        """From the page, while looking at it, or hours later; returns when it was over."""
        line, rng = Line(visit=visit.number), self.rng
        if way == "click":
            self.browsing.sign(visit, visit.over, did="tel_click")
            self.browsing.sign(visit, visit.over + 2 * SECOND, "hidden")
            at = visit.over + clock.about(rng, 7 * SECOND, 0.4)
        else:
            self.browsing.sign(visit, visit.over, did="reveal")
            if way == "look":
                wait = clock.about(rng, 35 * SECOND, 0.5)
                at = visit.over + wait
                self.browsing.stays(visit, wait + 40 * SECOND)
            else:
                wait = min(clock.about(rng, 2.5 * HOUR, 1), 60 * HOUR)
                at = clock.when_open(rng, visit.over + wait, self._zone)
            self.browsing.leaves(visit)
        return self._talking.call(line, customer.phone, at)

    def _comes_again(self, lead: _Lead, visit: Visit) -> None:
        """Some write after they have called, call again, look once more, or order anew."""
        luck, rng, customer = self.rng.random(), self.rng, lead.customer
        if luck < 0.13 and lead.by_phone:
            at = lead.at + clock.about(rng, 3 * HOUR)
            self._talking.letter(
                visit.number, customer, at, words.AGAIN, with_phone=True
            )
        elif luck < 0.34:
            later = lead.at + clock.about(rng, 40 * HOUR)
            at = clock.when_open(rng, later, self._zone)
            self._talking.call(Line(visit=visit.number), customer.phone, at)
        elif luck < 0.44:
            at = lead.at + clock.about(rng, 60 * HOUR)
            back = self.browsing.visit(visit.visitor, self.browsing.way_back(), at)
            if rng.random() < 0.5:
                self._talking.form(back.number, customer, back.over)
            self.browsing.leaves(back)
        elif luck < 0.5:
            at = lead.at + rng.uniform(20, 34) * DAY
            back = self.browsing.visit(visit.visitor, RETURNS[0], at)
            self._calls(back, customer, "look")

    def _may_buy(self, lead: _Lead) -> None:
        """A deal of the CRM: opened after the talk, closed days or weeks later."""
        rng, origin = self.rng, lead.origin
        if rng.random() >= DEALS:
            return
        opened = lead.at + clock.about(rng, 9 * HOUR)
        closed = opened + rng.uniform(4, 24) * DAY
        amount = rng.lognormvariate(USUAL_DEAL, 0.5) * origin.size
        amount = min(max(amount, LEAST_DEAL), LARGEST_DEAL)
        stages = [(opened, "Замер", "open")]
        if rng.random() < origin.wins:
            stages.append((opened + (closed - opened) / 2, "Договор", "open"))
            stages.append((closed, "Оплачено", "won"))
        else:
            stages.append((closed, "Отказ", "lost"))
        key, title = self._talking.key("deal"), rng.choice(words.ORDERS)
        manager = rng.choice(words.MANAGERS)
        for at, stage, state in stages:
            self.tape.append(
                Deal(
                    at=at,
                    key=key,
                    phone=lead.customer.phone if lead.by_phone else None,
                    email="" if lead.by_phone else lead.customer.email,
                    title=title,
                    stage=stage,
                    state=state,
                    amount=Decimal(round(amount / 500) * 500),
                    manager=manager,
                    opened_at=opened,
                    closed_at=None if state == "open" else at,
                )
            )


def _costs(
    rng: random.Random, clicks: Iterable[tuple[datetime, Origin]], zone: ZoneInfo
) -> Iterator[Cost]:
    """What the paid clicks cost, by day and campaign."""
    campaigns: dict[str, Origin] = {}
    days: Counter[tuple[date, str]] = Counter()
    for at, origin in clicks:
        campaigns[origin.name] = origin
        days[at.astimezone(zone).date(), origin.name] += 1
    for (day, name), count in sorted(days.items()):
        origin = campaigns[name]
        yield Cost(
            day=day,
            source=origin.source,
            medium=origin.medium,
            campaign=origin.campaign,
            clicks=count,
            impressions=round(count * origin.shows * rng.uniform(0.7, 1.4)),
            amount=round(Decimal(origin.click * count * rng.uniform(0.8, 1.2)), 2),
        )
