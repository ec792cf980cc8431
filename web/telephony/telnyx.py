"""Telnyx: webhooks signed with Ed25519; a TeXML application's answer routes the call.

The hook's address serves both kinds of application. A Voice API application (or a SIP
connection) posts JSON events that tell of legs and never wait for an answer; a TeXML
application asks what to do with a call and is told by `texml`. Section 13 of the telephony
notes; https://developers.telnyx.com/docs/voice/programmable-voice/voice-api-webhooks and
https://developers.telnyx.com/docs/development/api-fundamentals/webhooks.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadInput, BadSignature, Unreadable
from web.telephony import fields, texml
from web.telephony.base import Answer, Hook, Provider, Route

TOLERANCE = timedelta(minutes=5)  # of a signature's age, as Telnyx's own library has it
KEY_BYTES = 32
SIGNATURE_BYTES = 64

# How a leg ended that did not end by hanging up after a talk.
CAUSES = {
    "call_rejected": "rejected",
    "originator_cancel": "cancelled",
    "timeout": "missed",
    "no_answer": "missed",
    "user_busy": "busy",
    "not_found": "failed",
    "unspecified": "failed",
}
# Only a dialled leg ends so; the caller's leg may go on and be connected elsewhere.
OF_DIALLED = frozenset({"call_rejected", "no_answer", "user_busy", "not_found"})

TYPES = frozenset(
    {
        "call.initiated",
        "call.answered",
        "call.bridged",
        "call.hangup",
        "call.recording.saved",
    }
)

Scalar = fields.Scalar
Object = dict[str, Any] | list[Any] | None


class Payload(msgspec.Struct, frozen=True):
    """What happened to one leg; which fields there are depends on the event."""

    call_session_id: Scalar = None  # shared by the legs of one call
    call_leg_id: Scalar = None
    direction: Scalar = None  # only in call.initiated: incoming, outgoing
    from_: Scalar = msgspec.field(name="from", default=None)
    to: Scalar = None
    start_time: Scalar = None
    hangup_cause: Scalar = None
    sip_hangup_cause: Scalar = None  # a SIP status, or "unspecified"
    recording_id: Scalar = None
    recording_urls: Object = None  # valid for ten minutes
    public_recording_urls: Object = None  # for good, where the account has them
    recording_started_at: Scalar = None
    recording_ended_at: Scalar = None


class Event(msgspec.Struct, frozen=True):
    event_type: Scalar = None
    id: Scalar = None
    occurred_at: Scalar = None
    payload: msgspec.Raw = msgspec.Raw()  # read when it is known to tell of a call


class Message(msgspec.Struct, frozen=True):
    data: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Telnyx(Provider):
    """A Telnyx account whose applications tell us of their calls."""

    kind: ClassVar[str] = "telnyx"
    routes: ClassVar[bool] = True

    public_key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    timeout: Annotated[int, msgspec.Meta(ge=5, le=120)] = 30  # seconds it may ring
    record: bool = True

    def check(self) -> None:
        self._key()

    def verify(self, hook: Hook) -> None:
        """Over the timestamp and the body: what stands in the address is not signed."""
        if hook.method != "POST":
            raise BadSignature(
                "set the application's method to POST: GET is not signed"
            )
        sent = hook.header("telnyx-timestamp")
        if not _fresh(sent, hook.received_at):
            raise BadSignature("the timestamp is missing or not of now")
        signature = _decoded(hook.header("telnyx-signature-ed25519"), SIGNATURE_BYTES)
        try:
            self._key().verify(signature, sent.encode() + b"|" + hook.body)
        except InvalidSignature:
            raise BadSignature("the signature does not fit") from None

    def events(self, hook: Hook) -> list[CallEvent]:
        """Events of playing, gathering, streaming and the like tell nothing of the call."""
        if not _is_json(hook):
            return texml.events(hook)
        event = fields.decode(hook.body, Message).data
        type_ = fields.text(event.event_type)
        if type_ not in TYPES:
            return []
        told = fields.decode(bytes(event.payload), Payload)
        at = fields.moment(event.occurred_at, "occurred_at") or hook.received_at
        match type_:
            case "call.initiated":
                return [_initiated(told, at)]
            case "call.answered":  # by a phone, or by whoever commands the call
                return [_of_leg(told, "progress", at)]
            case "call.bridged":
                return [_of_leg(told, "answered", at, answered_at=at)]
            case "call.hangup":
                return [_hangup(told, at)]
        return [_recorded(told, event, at)]

    def asks_route(self, hook: Hook) -> bool:
        return not _is_json(hook) and texml.asks_route(hook)

    def answer(self, hook: Hook, route: Route) -> Answer:
        if _is_json(hook):
            return Answer()
        number = route.forward_to if self.asks_route(hook) else None
        return texml.answer(
            hook.address, number, timeout=self.timeout, record=self.record
        )

    def _key(self) -> Ed25519PublicKey:
        """The account's key; raises BadInput."""
        try:
            raw = _decoded(self.public_key.strip(), KEY_BYTES)
            return Ed25519PublicKey.from_public_bytes(raw)
        except (BadSignature, ValueError):
            raise BadInput(
                f"must be base64 of {KEY_BYTES} bytes; copy it from Keys & Credentials",
                field="public_key",
            ) from None


def _decoded(text: str, length: int) -> bytes:
    """Base64 of so many bytes; raises BadSignature."""
    try:
        raw = base64.b64decode(text.encode(), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != length:
        raise BadSignature("the signature is missing or is none")
    return raw


def _fresh(sent: str, received_at: datetime) -> bool:
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        return False
    return abs(int(sent) - received_at.timestamp()) <= TOLERANCE.total_seconds()


def _is_json(hook: Hook) -> bool:
    return hook.body.lstrip()[:1] == b"{"


def _initiated(told: Payload, at: datetime) -> CallEvent:
    """The customer's leg tells who calls which number; a dialled one is ringing."""
    started_at = fields.moment(told.start_time, "start_time") or at
    if fields.text(told.direction) == "outgoing":
        # Of our own call, or dialled for a caller: the caller's leg outweighs it then.
        return _of_leg(told, "ringing", at, direction="outbound")
    caller = fields.text(told.from_, phones.LONGEST_INPUT)
    return _of_leg(
        told,
        "started",
        at,
        caller=phones.digits_to_e164(caller),
        hidden=phones.is_hidden(caller),
        tracked=phones.digits_to_e164(fields.text(told.to, phones.LONGEST_INPUT)),
        started_at=started_at,
    )


def _hangup(told: Payload, at: datetime) -> CallEvent:
    """A leg is over, whether the caller's or a dialled one is not told.

    So neither is the call's direction, and the event is no `ended`, which would be believed
    in that. The latest end is the call's. A phone that did not take the call ends nothing:
    only such a leg has both one of these causes and a SIP status.
    """
    cause = fields.text(told.hangup_cause)
    tried = cause in OF_DIALLED and fields.text(told.sip_hangup_cause).isdigit()
    return _of_leg(
        told,
        "progress",
        at,
        ended_at=None if tried else at,
        outcome=CAUSES.get(cause),
    )


def _recorded(told: Payload, event: Event, at: datetime) -> CallEvent:
    url = _link(told.public_recording_urls) or _link(told.recording_urls)
    if not url:
        raise Unreadable("recording_urls: must have an http or https address")
    since = fields.moment(told.recording_started_at, "recording_started_at")
    until = fields.moment(told.recording_ended_at, "recording_ended_at")
    length = max(0, round((until - since).total_seconds())) if since and until else None
    id_ = fields.key(fields.text(told.recording_id) or event.id, "id")
    return _of_leg(
        told, "recording", at, recording=Recording(id=id_, url=url, seconds=length)
    )


def _link(urls: Object) -> str:
    if not isinstance(urls, dict):
        return ""
    return fields.link(urls.get("mp3")) or fields.link(urls.get("wav"))


def _of_leg(told: Payload, type_: str, at: datetime, **rest: Any) -> CallEvent:
    return CallEvent(
        type=type_,
        call_key=fields.key(told.call_session_id, "call_session_id"),
        at=at,
        leg_key=fields.text(told.call_leg_id) or None,
        **rest,
    )
