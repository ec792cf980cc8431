"""What can happen in the example site's story, one record each; all moments aware UTC.

`demo_story` makes these up, `demo_history` tells them to the functions that real visits,
calls and letters go through.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A visitor opens a page."""

    at: datetime
    visit: int
    visitor: int
    url: str
    referrer: str
    device: str
    ids: dict[str, str] = field(default_factory=dict)  # of analytics systems

    @property
    def over(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What an open page tells."""

    at: datetime
    visit: int
    state: str  # visible, hidden, left
    did: str = ""  # reveal, tel_click, mail_click

    @property
    def over(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Which number is dialled: what a visit was shown, a static one, or any of the pool."""

    visit: int | None = None
    static: int | None = None  # the first, the second … of the site
    number: int | None = None  # the first, the second … of the pool, round and round


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A telephone call."""

    at: datetime  # when it begins to ring
    key: str
    line: Line
    caller: str | None  # E.164; None when withheld
    rings: timedelta
    talks: timedelta | None  # None: nobody answered
    manager: str | None = None
    outbound: bool = False  # we call back

    @property
    def over(self) -> datetime:
        return self.at + self.rings + (self.talks or timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to the address a visit was shown."""

    at: datetime
    key: str
    visit: int
    name: str
    email: str
    phone: str | None  # E.164, when it stands in the letter
    subject: str
    text: str

    @property
    def over(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form sent from a page."""

    at: datetime
    key: str
    visit: int
    name: str
    phone: str | None
    email: str
    text: str

    @property
    def over(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal as the CRM has it from this moment on."""

    at: datetime
    key: str
    phone: str | None
    email: str
    title: str
    stage: str
    state: str  # open, won, lost
    amount: Decimal  # roubles
    manager: str
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def over(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one campaign cost on one day."""

    day: date  # of the site's calendar
    source: str
    medium: str
    campaign: str
    clicks: int
    impressions: int
    amount: Decimal  # roubles


Happening = Page | Sign | Call | Letter | Form | Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything, in the order of time."""

    since: datetime
    until: datetime
    happenings: tuple[Happening, ...]
    costs: tuple[Cost, ...]

    @property
    def visits(self) -> int:
        return len({one.visit for one in self.happenings if isinstance(one, Page)})

    @property
    def contacts(self) -> int:
        """Calls, letters and forms that came to us."""
        return sum(
            isinstance(one, Letter | Form)
            or (isinstance(one, Call) and not one.outbound)
            for one in self.happenings
        )

    @property
    def deals(self) -> int:
        return len({one.key for one in self.happenings if isinstance(one, Deal)})
