"""How the make-believe visitors of the example site browse: pages, beats, reveals. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker import demo_clock as clock
from tracker.demo_origins import ORIGINS, PATHS, RETURNS, SHOP, Origin
from tracker.demo_tape import SECOND, Happening, Page, Sign
from tracker.demo_words import Customer

BEAT = 30 * SECOND
RETURNING = 0.2  # of all visits
LATELY = 500  # visitors back: those who come again were here about that long ago
REVEALS = 0.28  # of visits without a contact look at the number
LONGEST_STAY = 360 * SECOND  # on one page
COUNTED = 0.85  # of visitors do not block the analytics counters


@dataclass(slots=True, kw_only=True)
class Visitor:
    """A browser that may come back."""

    number: int
    device: str
    origin: Origin  # of the first visit: how keen he is, and what he is worth
    ids: dict[str, str]
    customer: Customer | None = None  # since he got in touch


@dataclass(slots=True, kw_only=True)
class Visit:
    """A visit, as far as it is told."""

    number: int
    visitor: Visitor
    at: datetime
    over: datetime
    returned: bool = False


@dataclass(slots=True, kw_only=True)
class Browsing:
    """Makes up visits and writes them on the tape."""

    rng: random.Random
    tape: list[Happening]
    clicks: list[tuple[datetime, Origin]] = field(default_factory=list)  # paid ones
    _visitors: list[Visitor] = field(default_factory=list)
    _visits: int = 0

    def somebody(self, at: datetime) -> Visit:
        """A visit by somebody new, or by somebody who was here before."""
        returned = len(self._visitors) > 20 and self.rng.random() < RETURNING
        visitor = self._earlier() if returned else self._new(at)
        if not returned:
            return self.visit(visitor, visitor.origin, at)
        visit = self.visit(visitor, self.way_back(), at)
        visit.returned = True
        return visit

    def way_back(self) -> Origin:
        """How one comes who has been here before."""
        return self._one_of(RETURNS)

    def visit(self, visitor: Visitor, origin: Origin, at: datetime) -> Visit:
        """Pages one after another, a beat every half minute while they are open."""
        self._visits += 1
        visit = Visit(number=self._visits, visitor=visitor, at=at, over=at)
        if origin.click:
            self.clicks.append((at, origin))
        url, referrer = origin.url(self.rng), origin.referrer
        for _ in range(self._how_many()):
            self._page(visit, url, referrer)
            stay = clock.about(self.rng, 26 * SECOND, 0.9)
            self.stays(visit, min(max(stay, 4 * SECOND), LONGEST_STAY))
            url, referrer = SHOP + self.rng.choice(PATHS), url
        return visit

    def looks_around(self, visit: Visit) -> None:
        """Nothing comes of it, though some had a look at the number."""
        if self.rng.random() < REVEALS:
            part = self.rng.uniform(0.4, 0.95)
            self.sign(visit, visit.at + (visit.over - visit.at) * part, did="reveal")

    def stays(self, visit: Visit, stay: timedelta) -> None:
        """The page stays open and tells so."""
        beat = visit.over + BEAT
        visit.over += stay
        while beat < visit.over:
            self.sign(visit, beat)
            beat += BEAT

    def leaves(self, visit: Visit) -> None:
        """The page is closed; mobile browsers do not always tell."""
        visit.over += SECOND
        if self.rng.random() < (0.75 if visit.visitor.device == "mobile" else 0.95):
            self.sign(visit, visit.over, "left")

    def sign(
        self, visit: Visit, at: datetime, state: str = "visible", did: str = ""
    ) -> None:
        """What the page tells at that moment."""
        self.tape.append(Sign(at=at, visit=visit.number, state=state, did=did))

    def _page(self, visit: Visit, url: str, referrer: str) -> None:
        visitor = visit.visitor
        self.tape.append(
            Page(
                at=visit.over,
                visit=visit.number,
                visitor=visitor.number,
                url=url,
                referrer=referrer,
                device=visitor.device,
                ids=visitor.ids,
            )
        )

    def _how_many(self) -> int:
        count = 1
        while count < 7 and self.rng.random() < 0.48:
            count += 1
        return count

    def _earlier(self) -> Visitor:
        back = int(self.rng.expovariate(1 / LATELY))
        return self._visitors[-1 - min(back, len(self._visitors) - 1)]

    def _new(self, at: datetime) -> Visitor:
        origin = self._one_of(ORIGINS)
        ids = {}
        if self.rng.random() < COUNTED:
            begun = int(at.timestamp())
            ids["ym_client_id"] = f"{begun}{self.rng.randrange(10**8, 10**9)}"
            ids["ga_client_id"] = f"{self.rng.randrange(10**8, 10**9)}.{begun}"
        visitor = Visitor(
            number=len(self._visitors),
            device="mobile" if self.rng.random() < origin.mobile else "desktop",
            origin=origin,
            ids=ids,
        )
        self._visitors.append(visitor)
        return visitor

    def _one_of(self, origins: Sequence[Origin]) -> Origin:
        return self.rng.choices(origins, [one.share for one in origins])[0]
