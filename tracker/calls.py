"""Calls: what providers' events tell, joined into one row a call.

Stages arrive in any order, twice, or never. So nothing is overwritten: every event adds to
the call's `Facts`, in which each field is the earliest, the latest, the largest or the
union of what was told. The join is commutative, associative and idempotent; the columns
that people read are derived from the facts anew. Sections 1.2 and 1.3 of the protocol
notes say which of several answers is the right one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from tracker import db as database
from tracker import ids

TOLD_WITHIN = timedelta(minutes=2)  # by then a provider has told what it knows
LONGEST = timedelta(hours=4)  # no provider lets one call last longer
LATE = timedelta(minutes=10)  # a live event that is further off has a wrong clock
QUARTER = timedelta(minutes=15)  # time zones differ by multiples of it
NEAR = timedelta(minutes=2)  # delays that do not hide a whole zone's difference

LIVE = frozenset({"started", "ringing", "answered", "transferred", "progress"})
# Which of several outcomes is the call's: each phone of a group that did not pick up
# reports its own.
OUTCOMES = (
    "missed",
    "cancelled",
    "failed",
    "rejected",
    "busy",
    "voicemail",
    "answered",
)
# Who knows the direction best: the report on the whole call, then its beginning.
TRUST = (
    "ended",
    "started",
    "ringing",
    "answered",
    "transferred",
    "progress",
    "recording",
)
NIL = UUID(int=0)
MOST = 20  # managers, notes and recordings of one call that are remembered

Ordered = TypeVar("Ordered", int, datetime, str, tuple[int, datetime, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that can be fetched or listened to."""

    id: str
    url: str  # empty: the provider gives it out only through its own API
    seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One thing a provider told of a call, in our words rather than the provider's.

    A connector emits any number of these a request; whatever it does not know is None.
    """

    # started, ringing, answered, transferred, progress (a leg lives or ended, the call
    # goes on), ended, recording
    type: str
    call_key: str  # the provider's id shared by all legs of one customer call
    at: datetime  # of this event at the provider; of receipt if it gives none
    leg_key: str | None = None
    seq: int | None = None  # the provider's order, valid within a leg only
    direction: str = "inbound"  # inbound, outbound, internal
    caller: str | None = None  # E.164; None when withheld or not a phone
    hidden: bool = False  # the caller withheld his number
    tracked: str | None = None  # E.164, the number the customer dialled
    ours: bool = False  # `tracked` is one of the site's numbers
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    outcome: str | None = (
        None  # answered, missed, busy, rejected, cancelled, failed, voicemail
    )
    manager: str | None = None  # who answered: name, extension or group
    recording: Recording | None = None
    note: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A recording as the facts hold it."""

    at: datetime
    id: str
    url: str
    seconds: int = -1  # not told


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that was told of a call so far, kept in `calls.legs`."""

    heard_at: datetime | None = None  # the earliest event of any type
    first_at: datetime | None = None  # the earliest that is not a recording's
    last_at: datetime | None = None  # the latest that is not a recording's
    started_at: datetime | None = None  # earliest
    answered_at: datetime | None = None  # earliest
    ended_at: datetime | None = None  # latest
    closed_at: datetime | None = (
        None  # no end was told within the longest a call may last
    )
    ring_seconds: int | None = None  # largest, only where the provider says so itself
    talk_seconds: int | None = None  # the same
    outcome: int | None = None  # place in OUTCOMES, largest
    direction: tuple[int, datetime, str] | None = (
        None  # the most trusted, then earliest
    )
    caller: tuple[int, datetime, str] | None = None  # earliest
    hidden: bool = False
    # (0 when it is one of ours, when told, number): the call's own stands first.
    tracked: tuple[tuple[int, datetime, str], ...] = ()
    managers: tuple[
        tuple[datetime, int, str], ...
    ] = ()  # (when, seq, who), latest last
    recordings: tuple[Told, ...] = ()  # one an id, earliest first
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a customer, as far as it is known."""

    contact_id: UUID  # the contact that this call is
    call_key: str
    direction: str
    caller: str | None  # E.164; None when withheld or not known yet
    hidden: bool
    tracked: str | None  # E.164, the number the customer dialled
    started_at: datetime
    answered_at: datetime | None  # by a person
    ended_at: datetime | None
    ring_seconds: int | None
    talk_seconds: int | None  # None while it goes on, or when nobody told
    outcome: str | None  # None while it goes on
    manager: str | None  # the last who answered
    recordings: tuple[Recording, ...]
    notes: tuple[str, ...]
    facts: Facts = field(compare=False, repr=False)

    @property
    def answered(self) -> bool:
        """Whether a person spoke with the caller, also while the call goes on."""
        return self.answered_at is not None or self.outcome == "answered"

    @property
    def missed(self) -> bool:
        """Whether it ended without an answer."""
        return self.ended_at is not None and not self.answered

    @property
    def recording(self) -> str | None:
        """Where the first recording is heard."""
        return next((one.url for one in self.recordings if one.url), None)

    @property
    def is_told(self) -> bool:
        """Whether it is known who called which number, or that he hides it."""
        return self.tracked is not None and (self.caller is not None or self.hidden)

    @property
    def revision(self) -> str:
        """The same for the same knowledge: names what others were told of the call."""
        known = msgspec.json.encode((_columns(self)[:-2], self.caller, self.tracked))
        return sha256(known).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What an event made of a call."""

    call: Call
    before: Call | None  # None: the event was the first of this call
    changed: bool  # something a person would see is different now

    @property
    def new(self) -> bool:
        return self.before is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A call that was never ended and is now taken for ended."""

    site_id: int
    call: Call


def contact_id(site_id: int, connection_id: int, call_key: str) -> UUID:
    """The contact that this call is, however often it is told."""
    return ids.natural(site_id, "call", str(connection_id), call_key)


# Pure: events become facts, facts become a call ---------------------------------------


def join(call: Call | None, event: CallEvent, contact_id: UUID = NIL) -> Call:
    """The call with what this event tells; any order and any repetition give the same.

    `contact_id` names the call that begins here.
    """
    if call is None:
        return _derive(contact_id, event.call_key, _facts(event))
    return _derive(call.contact_id, call.call_key, _both(call.facts, _facts(event)))


def close(call: Call) -> Call:
    """The call taken for ended at the last sign of it; a true end told later wins."""
    last = call.facts.last_at or call.facts.heard_at
    facts = msgspec.structs.replace(call.facts, closed_at=last)
    return _derive(call.contact_id, call.call_key, facts)


def corrected(event: CallEvent, received_at: datetime) -> tuple[CallEvent, timedelta]:
    """The event in true time, and how far the provider's clock had to be moved.

    Nothing can be told long before it happens, and a live event is told at once; reports
    that come after the call (ended, recording) may be as late as they like. A difference
    close to a time zone's is taken for one, so that seconds within the call stay exact;
    any other is made up by the moment of receipt (sections 1.4 and 3.4).
    """
    ahead = event.at - received_at
    if not (ahead > LATE or (ahead < -LATE and event.type in LIVE)):
        return event, timedelta(0)
    zone = round(ahead / QUARTER) * QUARTER
    shift = -(zone if abs(ahead - zone) <= NEAR else ahead)
    moved: dict[str, Any] = {
        name: value + shift
        for name in ("started_at", "answered_at", "ended_at")
        if (value := getattr(event, name)) is not None
    }
    return replace(event, at=event.at + shift, **moved), shift


def _facts(event: CallEvent) -> Facts:
    """What this one event tells."""
    at = event.at.astimezone(UTC)
    rest: dict[str, Any] = {}
    if event.type != "recording":
        trust = TRUST.index(event.type) if event.type in TRUST else len(TRUST)
        rest["first_at"] = rest["last_at"] = at
        rest["direction"] = (trust, at, event.direction)
    if event.caller:
        rest["caller"] = (0, at, event.caller)
    if event.tracked:
        rest["tracked"] = ((0 if event.ours else 1, at, event.tracked),)
    if event.manager:
        rest["managers"] = ((at, event.seq or 0, event.manager),)
    if event.outcome in OUTCOMES:
        rest["outcome"] = OUTCOMES.index(event.outcome)
    if event.recording is not None:
        rest["recordings"] = (_told(at, event.recording),)
    if event.note:
        rest["notes"] = (event.note,)
    return Facts(
        heard_at=at,
        started_at=_utc(event.started_at),
        answered_at=_utc(
            event.answered_at or (at if event.type == "answered" else None)
        ),
        ended_at=_utc(event.ended_at or (at if event.type == "ended" else None)),
        ring_seconds=event.ring_seconds,
        talk_seconds=event.talk_seconds,
        hidden=event.hidden,
        **rest,
    )


def _told(at: datetime, recording: Recording) -> Told:
    seconds = -1 if recording.seconds is None else recording.seconds
    return Told(at=at, id=recording.id, url=recording.url, seconds=seconds)


def _both(one: Facts, two: Facts) -> Facts:
    """The facts of both: a least upper bound, field by field."""
    return Facts(
        heard_at=_least(one.heard_at, two.heard_at),
        first_at=_least(one.first_at, two.first_at),
        last_at=_greatest(one.last_at, two.last_at),
        started_at=_least(one.started_at, two.started_at),
        answered_at=_least(one.answered_at, two.answered_at),
        ended_at=_greatest(one.ended_at, two.ended_at),
        closed_at=_greatest(one.closed_at, two.closed_at),
        ring_seconds=_greatest(one.ring_seconds, two.ring_seconds),
        talk_seconds=_greatest(one.talk_seconds, two.talk_seconds),
        outcome=_greatest(one.outcome, two.outcome),
        direction=_least(one.direction, two.direction),
        caller=_least(one.caller, two.caller),
        hidden=one.hidden or two.hidden,
        tracked=_candidates((*one.tracked, *two.tracked)),
        managers=tuple(sorted({*one.managers, *two.managers})[-MOST:]),
        recordings=_recordings((*one.recordings, *two.recordings)),
        notes=tuple(sorted({*one.notes, *two.notes})[:MOST]),
    )


def _candidates(
    told: Iterable[tuple[int, datetime, str]],
) -> tuple[tuple[int, datetime, str], ...]:
    """Each number once, the call's own first."""
    best: dict[str, tuple[int, datetime, str]] = {}
    for one in sorted(told):
        best.setdefault(one[2], one)
    return tuple(best.values())[:MOST]


def _recordings(told: Iterable[Told]) -> tuple[Told, ...]:
    """Each recording once, with all that was told of it."""
    known: dict[str, Told] = {}
    for one in told:
        other = known.get(one.id, one)
        known[one.id] = Told(
            at=min(one.at, other.at),
            id=one.id,
            url=max(one.url, other.url),
            seconds=max(one.seconds, other.seconds),
        )
    return tuple(sorted(known.values(), key=lambda one: (one.at, one.id))[:MOST])


def _derive(contact_id: UUID, call_key: str, facts: Facts) -> Call:
    """The call that these facts make."""
    ended = facts.ended_at or facts.closed_at
    answered = facts.answered_at
    if answered is None and ended is not None and facts.talk_seconds:
        answered = ended - timedelta(seconds=facts.talk_seconds)
    started = facts.started_at or _least(facts.first_at, answered) or facts.heard_at
    if started is None:
        raise ValueError("facts without an event")
    outcome = _outcome(facts, answered) if ended is not None else None
    return Call(
        contact_id=contact_id,
        call_key=call_key,
        direction=facts.direction[2] if facts.direction else "inbound",
        caller=facts.caller[2] if facts.caller else None,
        hidden=facts.hidden and facts.caller is None,
        tracked=facts.tracked[0][2] if facts.tracked else None,
        started_at=started,
        answered_at=answered,
        ended_at=ended,
        ring_seconds=_ring(facts, started, answered or ended),
        talk_seconds=_talk(facts, answered, ended, outcome),
        outcome=outcome,
        manager=facts.managers[-1][2] if facts.managers else None,
        recordings=tuple(
            Recording(
                id=one.id,
                url=one.url,
                seconds=one.seconds if one.seconds >= 0 else None,
            )
            for one in facts.recordings
        ),
        notes=_notes(facts),
        facts=facts,
    )


def _outcome(facts: Facts, answered: datetime | None) -> str:
    return "answered" if answered is not None else OUTCOMES[facts.outcome or 0]


def _ring(facts: Facts, started: datetime, until: datetime | None) -> int | None:
    if facts.ring_seconds is not None:
        return facts.ring_seconds
    return _seconds(started, until) if until is not None else None


def _talk(
    facts: Facts, answered: datetime | None, ended: datetime | None, outcome: str | None
) -> int | None:
    if ended is None:
        return None
    if outcome != "answered":
        return 0
    if facts.talk_seconds is not None:
        return facts.talk_seconds
    if answered is None or (facts.ended_at is None and ended <= answered):
        return None  # closed for want of news: how long they spoke is not known
    return _seconds(answered, ended)


def _notes(facts: Facts) -> tuple[str, ...]:
    """What does not fit a column: other dialled numbers, who had answered before."""
    dialled = [f"also dialled {number}" for _, _, number in facts.tracked[1:]]
    managers = list(dict.fromkeys(who for _, _, who in facts.managers))
    earlier = [f"answered by {who}" for who in managers if who != facts.managers[-1][2]]
    closed = facts.closed_at is not None and facts.ended_at is None
    return (*dialled, *earlier, *facts.notes, *(("no end was told",) if closed else ()))


def _seconds(since: datetime, until: datetime) -> int:
    return max(0, round((until - since).total_seconds()))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def _least(one: Ordered | None, two: Ordered | None) -> Ordered | None:
    if one is None or two is None:
        return two if one is None else one
    return min(one, two)


def _greatest(one: Ordered | None, two: Ordered | None) -> Ordered | None:
    if one is None or two is None:
        return two if one is None else one
    return max(one, two)


# The table `calls` --------------------------------------------------------------------


async def merge(
    db: database.Connection,
    *,
    site_id: int,
    connection_id: int,
    contact_id: UUID,
    event: CallEvent,
) -> Merged:
    """Join the event to its call's row, which stays locked until the transaction ends."""
    row = await _locked(db, site_id, contact_id)
    if row is None:
        call = join(None, event, contact_id)
        if await _insert(db, site_id, connection_id, call):
            return Merged(call=call, before=None, changed=True)
        row = await _locked(db, site_id, contact_id)  # another event came first
        if row is None:  # and was erased in the same moment: the queue tells us again
            raise asyncpg.SerializationError("the call vanished while it was joined")
    before = _call(row)
    call = join(before, event)
    if call.facts != before.facts:
        await _update(db, site_id, call)
    return Merged(call=call, before=before, changed=call != before)


async def find(db: database.Db, site_id: int, contact_id: UUID) -> Call | None:
    """The call behind a contact, if it is one."""
    row = await db.fetchrow(
        "SELECT contact_id, call_key, legs FROM calls WHERE site_id = $1 AND contact_id = $2",
        site_id,
        contact_id,
    )
    return _call(row) if row is not None else None


async def close_stale(
    db: database.Connection,
    *,
    at: datetime,
    limit: timedelta = LONGEST,
    most: int = 500,
) -> list[Closed]:
    """Take calls for ended that began longer than `limit` ago; at most `most` of them."""
    rows = await db.fetch(
        """
        SELECT site_id, contact_id, call_key, legs
          FROM calls
         WHERE ended_at IS NULL AND started_at < $1::timestamptz
         ORDER BY started_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
        """,
        at - limit,
        most,
    )
    closed = [Closed(site_id=row["site_id"], call=close(_call(row))) for row in rows]
    for one in closed:
        await _update(db, one.site_id, one.call)
    return closed


async def without_contact(
    db: database.Connection,
    *,
    at: datetime,
    patience: timedelta = TOLD_WITHIN,
    most: int = 100,
) -> list[tuple[int, Call]]:
    """Incoming calls of the last days that no contact was made of, with their sites.

    `patience` is how long after its beginning a call may still tell who called which number.
    """
    rows = await db.fetch(
        """
        SELECT k.site_id, k.contact_id, k.call_key, k.legs
          FROM calls k
         WHERE k.started_at BETWEEN $1::timestamptz - interval '3 days' AND $2::timestamptz
           AND k.direction = 'inbound'
           AND NOT EXISTS (SELECT FROM contacts c
                            WHERE c.site_id = k.site_id AND c.id = k.contact_id)
         ORDER BY k.started_at
         LIMIT $3
           FOR UPDATE OF k SKIP LOCKED
        """,
        at,
        at - patience,
        most,
    )
    return [(row["site_id"], _call(row)) for row in rows]


async def _locked(
    db: database.Connection, site_id: int, contact_id: UUID
) -> asyncpg.Record | None:
    return await db.fetchrow(
        """
        SELECT contact_id, call_key, legs FROM calls
         WHERE site_id = $1 AND contact_id = $2
           FOR UPDATE
        """,
        site_id,
        contact_id,
    )


async def _insert(
    db: database.Connection, site_id: int, connection_id: int, call: Call
) -> bool:
    """Whether the row is new; waits for another transaction that is writing it."""
    status = await db.execute(
        """
        INSERT INTO calls (
            site_id, contact_id, connection_id, call_key, direction, started_at,
            answered_at, ended_at, ring_seconds, talk_seconds, outcome, manager,
            recordings, legs, notes
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT DO NOTHING
        """,
        site_id,
        call.contact_id,
        connection_id,
        call.call_key,
        *_columns(call),
    )
    return status == "INSERT 0 1"


async def _update(db: database.Connection, site_id: int, call: Call) -> None:
    await db.execute(
        """
        UPDATE calls
           SET direction = $3, started_at = $4, answered_at = $5, ended_at = $6,
               ring_seconds = $7, talk_seconds = $8, outcome = $9, manager = $10,
               recordings = $11, legs = $12, notes = $13
         WHERE site_id = $1 AND contact_id = $2
        """,
        site_id,
        call.contact_id,
        *_columns(call),
    )


def _columns(call: Call) -> tuple[Any, ...]:
    """Values from `direction` on, in the table's order."""
    return (
        call.direction,
        call.started_at,
        call.answered_at,
        call.ended_at,
        call.ring_seconds,
        call.talk_seconds,
        call.outcome,
        call.manager,
        msgspec.to_builtins(call.recordings),
        msgspec.to_builtins(call.facts),
        list(call.notes),
    )


def _call(row: asyncpg.Record) -> Call:
    facts = msgspec.convert(row["legs"], Facts)
    return _derive(row["contact_id"], row["call_key"], facts)
