"""Mango Office, VPBX API: signed notifications; the answer cannot route.

The PBX appends `/events/call`, `/events/summary`, … to the hook's address and posts a form
of `vpbx_api_key`, `sign` and `json`. Section 3 of the telephony notes; the provider's
document is "MANGO OFFICE API" (https://www.mango-office.ru/support/integratsiya-api/).
Its times are Unix seconds; editions disagree whether the PBX shifts them by three hours,
which `calls.corrected` settles by the moment of receipt.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature
from web.telephony import fields
from web.telephony.base import Answer, Hook, Provider, Route, Token

OK = Answer(content_type="application/json", body=b"{}")
API = "https://app.mango-office.ru/vpbx"
LINKS_LAST = timedelta(days=365)  # our own recording links
RECORDED = 1000  # completion_code
DIRECTIONS = {0: "internal", 1: "inbound", 2: "outbound"}

# Section 3.8: how a call ended that nobody answered.
BUSY = frozenset({1121})
REJECTED = frozenset({1122, 1123, 1151, 1152})
CANCELLED = frozenset({1110})
UNREACHABLE = frozenset({*range(1130, 1135), *range(1190, 1193)})
FAILED = (2, 3, 4, 5)  # thousands: billing, wrong number, not allowed, server

Empty = list[Any] | None  # how editions spell an absent object, besides {}
Scalar = fields.Scalar


class Party(msgspec.Struct, frozen=True):
    """Either end of a leg."""

    number: Scalar = None
    extension: Scalar = None
    taken_from_call_id: Scalar = None
    line_number: Scalar = None
    acd_group: Scalar = None


NOBODY = Party()


class CallTold(msgspec.Struct, frozen=True):
    """`events/call`: one leg came to one state."""

    entry_id: Scalar = None
    call_id: Scalar = None
    timestamp: Scalar = None
    seq: Scalar = None
    call_state: Scalar = None
    location: Scalar = None
    from_: Party | Empty = msgspec.field(name="from", default=None)
    to: Party | Empty = None
    disconnect_reason: Scalar = None
    task_id: Scalar = None
    callback_initiator: Scalar = None


class Summary(msgspec.Struct, frozen=True):
    """`events/summary`: the whole call, once it is over."""

    entry_id: Scalar = None
    call_direction: Scalar = None
    from_: Party | Empty = msgspec.field(name="from", default=None)
    to: Party | Empty = None
    line_number: Scalar = None
    create_time: Scalar = None
    talk_time: Scalar = None
    end_time: Scalar = None
    disconnect_reason: Scalar = None


class Recorded(msgspec.Struct, frozen=True):
    """`events/recording` and `events/record/added`."""

    entry_id: Scalar = None
    recording_id: Scalar = None
    recording_state: Scalar = None
    timestamp: Scalar = None
    completion_code: Scalar = None
    recipient: Scalar = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mango(Provider):
    """An account of Mango Office's virtual PBX."""

    kind: ClassVar[str] = "mango"

    api_key: Token  # "unique code of your PBX"
    api_salt: Token  # "key to create a signature"
    recording_links: bool = False  # the account allows links to recordings

    def greet(self, hook: Hook) -> Answer | None:
        """The "check connection" button sends no `json`."""
        return None if hook.fields.get("json") else OK

    def verify(self, hook: Hook) -> None:
        key, sign = hook.fields.get("vpbx_api_key", ""), hook.fields.get("sign", "")
        signed = self.api_key + hook.fields.get("json", "") + self.api_salt
        expected = sha256(signed.encode()).hexdigest()
        right_key = hmac.compare_digest(self.api_key.encode(), key.encode())
        right_sign = hmac.compare_digest(expected.encode(), sign.lower().encode())
        if not (right_key and right_sign):
            raise BadSignature("the key or the signature does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        """Other notifications (dtmf, sms, results of commands) tell nothing of calls."""
        told = hook.fields.get("json", "")
        if hook.name.endswith("events/call"):
            return _of_call(fields.decode(told, CallTold), hook.received_at)
        if hook.name.endswith("events/summary"):
            return _of_summary(fields.decode(told, Summary), hook.received_at)
        if hook.name.endswith("events/recording"):
            recorded = fields.decode(told, Recorded)
            return self._of_recording(recorded, hook) if _is_stored(recorded) else []
        if hook.name.endswith("events/record/added"):
            return self._of_recording(fields.decode(told, Recorded), hook)
        return []

    def answer(self, hook: Hook, route: Route) -> Answer:
        return OK

    def _of_recording(self, told: Recorded, hook: Hook) -> list[CallEvent]:
        id_ = fields.key(told.recording_id, "recording_id")
        return [
            CallEvent(
                type="recording",
                call_key=fields.key(told.entry_id, "entry_id"),
                at=fields.unix(told.timestamp, "timestamp") or hook.received_at,
                recording=Recording(id=id_, url=self._link(id_, hook.received_at)),
            )
        ]

    def _link(self, recording_id: str, at: datetime) -> str:
        """A link to listen (section 3.5); empty unless the account allows links."""
        if not self.recording_links:
            return ""
        expires = int((at + LINKS_LAST).timestamp())
        signed = f"{self.api_key}{expires}{recording_id}{self.api_salt}"
        sign = sha256(signed.encode()).hexdigest()
        path = quote(f"{recording_id}", safe="")
        return (
            f"{API}/queries/recording/link/{path}/play/{self.api_key}/{expires}/{sign}"
        )


def _of_call(told: CallTold, received_at: datetime) -> list[CallEvent]:
    """One leg's state. Nothing here ends the call: legs come and go, the summary ends it."""
    state = fields.text(told.call_state).lower()
    at_person = fields.text(told.location).lower() == "abonent"
    caller, callee = _party(told.from_), _party(told.to)
    moved = bool(fields.text(caller.taken_from_call_id))
    initiator = fields.text(told.callback_initiator).replace("С", "C")  # Cyrillic
    direction = _direction(told, caller, callee, moved, bool(initiator))
    first_hand = direction == "inbound" and not moved and not caller.extension
    type_ = _type(state, at_person, moved)
    at = fields.unix(told.timestamp, "timestamp") or received_at
    answered = type_ in ("answered", "transferred")
    return [
        CallEvent(
            type=type_,
            call_key=fields.key(told.entry_id, "entry_id"),
            at=at,
            leg_key=fields.text(told.call_id) or None,
            seq=fields.whole(told.seq, "seq"),
            direction=direction,
            caller=_number(caller.number) if first_hand else None,
            hidden=first_hand and phones.is_hidden(fields.text(caller.number)),
            tracked=_line(callee, at_person) if direction == "inbound" else None,
            started_at=at if state == "appeared" else None,
            answered_at=at if answered else None,
            manager=_who(callee) if answered else None,
            note=f"callback by {initiator}" if initiator else None,
        )
    ]


def _type(state: str, at_person: bool, moved: bool) -> str:
    if state == "appeared":
        return "ringing" if at_person else "started"
    if state == "connected" and at_person:  # in a menu or a queue nobody has answered
        return "transferred" if moved else "answered"
    return "progress"


def _direction(
    told: CallTold, caller: Party, callee: Party, moved: bool, callback: bool
) -> str:
    if callback or fields.text(told.task_id):
        return "outbound"
    if moved or not fields.text(caller.extension):
        return "inbound"
    return "internal" if fields.text(callee.extension) else "outbound"


def _of_summary(told: Summary, received_at: datetime) -> list[CallEvent]:
    entry_id = fields.key(told.entry_id, "entry_id")
    direction = DIRECTIONS.get(
        fields.whole(told.call_direction, "call_direction") or 0, "internal"
    )
    caller, callee = _party(told.from_), _party(told.to)
    inbound = direction == "inbound"
    # An answer is told by the talk's beginning; `entry_result` is not reliable.
    answered_at = fields.unix(told.talk_time, "talk_time")
    ended_at = fields.unix(told.end_time, "end_time") or received_at
    reason = fields.whole(told.disconnect_reason, "disconnect_reason") or 0
    known: dict[str, Any] = {
        "call_key": entry_id,
        "direction": direction,
        "caller": _number(caller.number) if inbound else None,
        "hidden": inbound and phones.is_hidden(fields.text(caller.number)),
        "tracked": _number(told.line_number) if inbound else None,
        "started_at": fields.unix(told.create_time, "create_time"),
        "answered_at": answered_at,
        "ended_at": ended_at,
    }
    outcome = "answered" if answered_at else _outcome(reason)
    events = [CallEvent(type="ended", at=ended_at, outcome=outcome, **known)]
    if answered_at and (who := _who(callee)):
        # Who answered first: a transfer that `events/call` told is later and so wins. It is
        # part of the report: a live event as old as a long talk would speak of a wrong clock.
        events.append(CallEvent(type="ended", at=answered_at, manager=who, **known))
    return events


def _outcome(reason: int) -> str:
    if reason in BUSY:
        return "busy"
    if reason in REJECTED:
        return "rejected"
    if reason in CANCELLED:
        return "cancelled"
    if reason in UNREACHABLE or reason // 1000 in FAILED:
        return "failed"
    return "missed"


def _is_stored(told: Recorded) -> bool:
    return (
        fields.text(told.recording_state).lower() == "completed"
        and fields.whole(told.completion_code, "completion_code") == RECORDED
        and "cloud" in fields.text(told.recipient).lower()
    )


def _party(told: Party | Empty) -> Party:
    return told if isinstance(told, Party) else NOBODY


def _number(raw: Scalar) -> str | None:
    """Digits with the country code; SIP names and extensions are no numbers."""
    return phones.digits_to_e164(fields.text(raw), "e164-no-plus")


def _line(callee: Party, at_person: bool) -> str | None:
    """The line the call came in on; on a person's leg `number` is his own."""
    if line := _number(callee.line_number):
        return line
    return None if at_person else _number(callee.number)


def _who(party: Party) -> str | None:
    """Who answered: an extension, else the group."""
    return fields.text(party.extension) or fields.text(party.acd_group) or None
