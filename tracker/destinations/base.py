"""What every destination is: settings with a `kind` that take a parcel, or say why not.

A destination is a frozen dataclass. Its fields are its settings: msgspec checks them when
they are saved, forms are drawn from them, `Meta(extra={"secret": True})` marks what is never
shown. It has no state and no database: what it learns it tells the `Wire`, and the worker
writes it down. Every failure is one `DeliveryFailed`, which answers the worker's questions:
try again? when? is the whole connection at fault?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeVar
from uuid import UUID

import msgspec

from tracker.errors import DeliveryFailed

if TYPE_CHECKING:
    from tracker.destinations.wire import Wire

# How settings are written ------------------------------------------------------------

SECRET = {"secret": True}
Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+", max_length=2000)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=500, extra=SECRET)]
Label = Annotated[str, msgspec.Meta(max_length=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]  # a probability

# What goes wrong ---------------------------------------------------------------------


class Unanswered(DeliveryFailed):
    """No answer that decides: the destination may have taken it or not."""


class NotSent(DeliveryFailed):
    """We ourselves refuse to send it, for a reason that will not change."""

    def __init__(self, message: str) -> None:
        super().__init__(f"not sent: {message}", permanent=True)


class NotYet(DeliveryFailed):
    """Its moment has not come; this is no attempt. `after` says when to look again."""

    def __init__(self, message: str, *, after: timedelta) -> None:
        super().__init__(message, after=after)


# When it is tried again --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The waits after each failure; after the last one it is given up."""

    waits: tuple[timedelta, ...]
    jitter: float  # a share of the wait, either way

    def wait(self, tries: int, chance: float) -> timedelta | None:
        """How long to wait after that many tries (from 1); None: give up.

        `chance` from 0 to 1 places the wait within its jitter.
        """
        if tries > len(self.waits):
            return None
        return self.waits[tries - 1] * (1 + self.jitter * (2 * chance - 1))


def _doubling(
    first: timedelta, longest: timedelta, whole: timedelta
) -> tuple[timedelta, ...]:
    waits: list[timedelta] = []
    wait = first
    while sum(waits, timedelta()) + wait <= whole:
        waits.append(wait)
        wait = min(wait * 2, longest)
    return tuple(waits)


A_DAY = Schedule(
    waits=_doubling(timedelta(seconds=5), timedelta(minutes=15), timedelta(hours=24)),
    jitter=0.2,
)

# What is sent ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A session (or, without one, a source alone) the contact may have come from."""

    weight: float
    source: dict[str, str]  # channel, source, medium, campaign, term, content
    session_id: UUID | None = None
    visitor_id: UUID | None = None
    started_at: datetime | None = None
    last_visit_at: datetime | None = None  # of the visitor, at any time
    landing_url: str = ""
    referrer_url: str = ""
    device: str = ""
    ids: dict[str, str] = field(default_factory=dict)  # click and analytics ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page the likeliest session saw."""

    url: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who it is about."""

    id: UUID
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call of a phone contact, as far as it is known."""

    started_at: datetime
    ended_at: datetime | None = None
    answered: bool = False
    talk_seconds: int | None = None
    ring_seconds: int | None = None
    manager: str | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """The deal of a deal's event; money in the deal's own currency."""

    crm: str
    crm_id: str
    amount: str  # decimal
    currency: str
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery with everything a destination may want to tell."""

    id: UUID  # of the delivery: the same however often it is tried
    site: str  # the site's name
    event: str
    key: str  # idempotency
    at: datetime  # when it happened
    now: datetime  # when this attempt is made
    attempt: int  # from 1; 1 means that nothing of it can have been sent before
    data: dict[str, Any]  # the record as the REST API gives it
    lead_id: UUID | None = None
    contact_id: UUID | None = None
    channel: str = ""  # of the contact: phone, email, form, …
    kind: str = ""  # of the contact: call, email, form, message
    excluded: str | None = None  # spam, test, staff: left out of figures meanwhile
    text: str = ""
    subject: str = ""
    person: Person | None = None
    call: Call | None = None
    deal: Deal | None = None
    first_time: bool = False  # the person's first contact
    candidates: tuple[Candidate, ...] = ()  # heaviest first
    pages: tuple[Page, ...] = ()  # of the heaviest candidate
    remote: dict[tuple[str, UUID], str] = field(default_factory=dict)

    def known(self, kind: str, local_id: UUID | None) -> str | None:
        """The destination's own id of our object."""
        return self.remote.get((kind, local_id)) if local_id else None


Key = TypeVar("Key")


def heaviest(
    candidates: Sequence[Candidate], key: Callable[[Candidate], Key]
) -> tuple[Candidate, float] | None:
    """The likeliest group of candidates that share a key: its first one and its weight.

    Two sessions of one campaign at 0.4 each make the campaign 0.8 certain.
    """
    weights: dict[Key, float] = {}
    firsts: dict[Key, Candidate] = {}
    for one in candidates:
        weights[key(one)] = weights.get(key(one), 0.0) + one.weight
        firsts.setdefault(key(one), one)
    if not weights:
        return None
    best = max(weights, key=weights.__getitem__)
    return firsts[best], min(weights[best], 1.0)


# Who takes it ------------------------------------------------------------------------


class Destination(Protocol):
    """Takes one parcel at a time."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # its settings
    kind: ClassVar[str]
    events: ClassVar[frozenset[str]]  # what this kind can be told of
    schedule: ClassVar[Schedule]
    ordered: ClassVar[bool]  # whether deliveries of one lead go one after another
    at_once: ClassVar[int]  # attempts in the air to one destination

    def check(self) -> None:
        """Settings that types cannot check; raises BadInput."""

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""

    def wants(self, event: str) -> bool:
        """Whether this one is to be told of it."""

    def first_due(self, at: datetime) -> datetime:
        """When a delivery owed at that moment is due."""

    async def send(self, parcel: Parcel, wire: "Wire") -> None:
        """Deliver it; raises DeliveryFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What goes out in one request for many parcels."""

    type: str  # which of the destination's uploads
    header: tuple[str, ...]
    rows: tuple[tuple[UUID, tuple[str, ...]], ...]  # the parcel's id and its line

    def line(self, values: Sequence[str]) -> str:
        """One parcel's own line under the file's head, for the attempt's row."""
        return "\n".join((",".join(self.header), ",".join(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Parcels sorted into uploads; what cannot go says why."""

    uploads: tuple[Upload, ...]
    refused: dict[UUID, DeliveryFailed]


class BatchDestination(Protocol):
    """Takes many parcels in one upload, under an id that is written down before."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    kind: ClassVar[str]
    events: ClassVar[frozenset[str]]
    schedule: ClassVar[Schedule]
    ordered: ClassVar[bool]
    at_once: ClassVar[int]
    most: ClassVar[int]  # parcels a batch

    def check(self) -> None:
        """Settings that types cannot check; raises BadInput."""

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""

    def wants(self, event: str) -> bool:
        """Whether this one is to be told of it."""

    def first_due(self, at: datetime) -> datetime:
        """When a delivery owed at that moment is due: the end of its interval."""

    def pack(self, parcels: Sequence[Parcel]) -> Packed:
        """Sort the parcels into uploads; pure."""

    async def upload(self, upload: Upload, batch: UUID, wire: "Wire") -> str:
        """Send it, marked with the batch's id; returns the destination's own id of it.

        Raises DeliveryFailed; `Unanswered` when it may have been taken nevertheless.
        """

    async def uploaded(self, batches: Sequence[UUID], wire: "Wire") -> dict[UUID, str]:
        """Which of these batches did arrive, with the destination's ids of them."""


AnyDestination = Destination | BatchDestination
