"""Vonage Voice API: webhooks signed by a JWT; the answer webhook's NCCO routes the call.

The hook's address is set as the application's answer URL and event URL; what the NCCO asks
to be told of comes back below it: `/event` and `/rec`. A person has answered when the
outbound leg has. Section 15 of the telephony notes;
https://developer.vonage.com/en/voice/voice-api/webhook-reference and
https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, ClassVar

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import fields, jwt
from web.telephony.base import Answer, Hook, Provider, Route, Token

TOLERANCE = timedelta(minutes=5)  # of a token's age; it has no end of its own
NOTHING = b"[]"  # an empty NCCO: the call ends

LIVE = {"started": "ringing", "ringing": "ringing", "answered": "answered"}
OUTCOMES = {
    "busy": "busy",
    "cancelled": "cancelled",
    "rejected": "rejected",
    "failed": "failed",
    "timeout": "missed",
    "unanswered": "missed",
}
# What an unanswered leg's `detail` says better than its status.
DETAILS = {"declined": "rejected", "unavailable": "failed", "invalid_number": "failed"}

Name = Annotated[str, msgspec.Meta(max_length=100)]


class Told(msgspec.Struct, frozen=True):
    """The fields of all its webhooks; which there are depends on the event."""

    status: fields.Scalar = None
    direction: fields.Scalar = None  # of the leg
    from_: fields.Scalar = msgspec.field(name="from", default=None)
    to: fields.Scalar = None
    uuid: fields.Scalar = None  # the leg
    call_uuid: fields.Scalar = None  # the same, of human and machine
    conversation_uuid: fields.Scalar = None  # the call
    conversation_uuid_from: fields.Scalar = None
    conversation_uuid_to: fields.Scalar = None
    timestamp: fields.Scalar = None
    start_time: fields.Scalar = None
    end_time: fields.Scalar = None
    detail: fields.Scalar = None
    recording_url: fields.Scalar = None
    recording_uuid: fields.Scalar = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vonage(Provider):
    """A Vonage application whose numbers ask us where to connect their calls."""

    kind: ClassVar[str] = "vonage"
    routes: ClassVar[bool] = True

    signature_secret: Token  # of the account
    api_key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    application_id: Name = ""  # only this application's requests, when set
    # A body's hash is always compared. How a GET's parameters are hashed is told by a
    # support article only, and a refused answer webhook would be a lost call: use POST.
    check_query: bool = False
    timeout: Annotated[int, msgspec.Meta(ge=5, le=120)] = 30  # seconds it may ring
    record: bool = True

    def verify(self, hook: Hook) -> None:
        scheme, _, token = hook.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            raise BadSignature("no signed token; switch signed webhooks on")
        said = jwt.claims(token.strip(), self.signature_secret)
        if not _fresh(said, hook.received_at):
            raise BadSignature("the token is not of now")
        if said.get("api_key") != self.api_key:
            raise BadSignature("the token is another account's")
        if self.application_id and said.get("application_id") != self.application_id:
            raise BadSignature("the token is another application's")
        if not self._is_payload(hook, said.get("payload_hash")):
            raise BadSignature("the request is not the one that was signed")

    def events(self, hook: Hook) -> list[CallEvent]:
        told = _told(hook)
        at = fields.moment(told.timestamp, "timestamp") or hook.received_at
        match _what(told):
            case "answer":
                return [_event(told, "started", at, started_at=at, **_parties(told))]
            case "leg" if fields.text(told.direction) == "inbound":
                return [_of_caller(told, at)]
            case "leg":
                return [_of_dialled(told, at)]
            case "recording":
                return [_of_recording(told, at)]
            case "transfer":
                return [_moved(told, at)]
        return []  # input, errors in an NCCO and the like

    def asks_route(self, hook: Hook) -> bool:
        if hook.name == "answer":
            return True
        try:
            return hook.name == "" and _what(_told(hook)) == "answer"
        except Unreadable:
            return True  # better a route too many than a call that rings nowhere

    def answer(self, hook: Hook, route: Route) -> Answer:
        if not self.asks_route(hook):
            return Answer()
        body = self._ncco(hook, route.forward_to) if route.forward_to else NOTHING
        return Answer(content_type="application/json", body=body)

    def _ncco(self, hook: Hook, number: str) -> bytes:
        connect: dict[str, Any] = {
            "action": "connect",
            "timeout": self.timeout,
            "eventUrl": [f"{hook.address}/event"],
            "endpoint": [{"type": "phone", "number": number.removeprefix("+")}],
        }
        # Only a number of the account is shown to who is called; the dialled one is one.
        if ours := _dialled(hook):
            connect["from"] = ours.removeprefix("+")
        record = {
            "action": "record",
            "eventUrl": [f"{hook.address}/rec"],
            "split": "conversation",
            "channels": 2,
            "format": "mp3",
        }
        return msgspec.json.encode([record, connect] if self.record else [connect])

    def _is_payload(self, hook: Hook, sent: object) -> bool:
        """Whether the request's parameters are those whose hash the token carries."""
        if not hook.body and not (self.check_query and hook.params):
            return True
        # A GET's parameters are hashed as the JSON object that they would be.
        payload = hook.body or msgspec.json.encode(dict(hook.params))
        expected = sha256(payload).hexdigest().encode()
        return isinstance(sent, str) and hmac.compare_digest(
            expected, sent.lower().encode()
        )


def _fresh(said: dict[str, Any], received_at: datetime) -> bool:
    now, since, until = received_at.timestamp(), said.get("iat"), said.get("exp")
    if isinstance(until, (int, float)) and until < now:
        return False
    return (
        isinstance(since, (int, float))
        and abs(since - now) <= TOLERANCE.total_seconds()
    )


def _told(hook: Hook) -> Told:
    """The fields, from a JSON body or from a query; raises Unreadable."""
    if hook.body:
        return fields.decode(hook.body, Told)
    return msgspec.convert(dict(hook.params), Told)


def _what(told: Told) -> str:
    """Which of the webhooks it is, by what it tells."""
    if fields.text(told.recording_url):
        return "recording"
    if fields.text(told.conversation_uuid_to):
        return "transfer"
    if fields.text(told.status):
        return "leg"
    return "answer" if fields.text(told.uuid) and told.to is not None else "other"


def _of_caller(told: Told, at: datetime) -> CallEvent:
    """The caller's own leg: its answer is ours, its end the call's."""
    status, parties = fields.text(told.status), _parties(told)
    if status == "completed" or status in OUTCOMES:
        ended_at = fields.moment(told.end_time, "end_time") or at
        outcome = OUTCOMES.get(status, "missed")
        return _event(told, "ended", at, ended_at=ended_at, outcome=outcome, **parties)
    if status in ("started", "ringing"):
        return _event(told, "started", at, started_at=at, **parties)
    return _event(told, "progress", at, **parties)


def _of_dialled(told: Told, at: datetime) -> CallEvent:
    """A leg that was dialled, for a caller or by ourselves: the caller's outweighs it then.

    That it was not answered ends nothing, the caller may be connected elsewhere. That it
    was hung up is the end of an outgoing call; an incoming one ends with the caller's leg,
    which is told to end a little later.
    """
    status = fields.text(told.status)
    rest: dict[str, Any] = {"direction": "outbound"}
    if status == "answered":
        rest["answered_at"] = at
    elif status == "completed":
        rest["answered_at"] = fields.moment(told.start_time, "start_time")
        rest["ended_at"] = fields.moment(told.end_time, "end_time") or at
    elif outcome := OUTCOMES.get(status):
        rest["outcome"] = DETAILS.get(fields.text(told.detail), outcome)
    elif status == "machine":
        rest["note"] = "answered by a machine"
    return _event(told, LIVE.get(status, "progress"), at, **rest)


def _of_recording(told: Told, at: datetime) -> CallEvent:
    url = fields.link(told.recording_url)
    if not url:
        raise Unreadable("recording_url: must be an http or https address")
    since = fields.moment(told.start_time, "start_time")
    until = fields.moment(told.end_time, "end_time")
    length = max(0, round((until - since).total_seconds())) if since and until else None
    id_ = fields.text(told.recording_uuid) or url.rpartition("/")[2]
    recording = Recording(id=fields.key(id_, "recording_uuid"), url=url, seconds=length)
    return _event(told, "recording", at, recording=recording)


def _moved(told: Told, at: datetime) -> CallEvent:
    """A leg goes on in another conversation, whose id names another call."""
    return CallEvent(
        type="progress",
        call_key=fields.key(told.conversation_uuid_from, "conversation_uuid_from"),
        at=at,
        leg_key=fields.text(told.uuid) or None,
        note=f"moved to {fields.text(told.conversation_uuid_to)}",
    )


def _parties(told: Told) -> dict[str, Any]:
    """The numbers, as the caller's own leg tells them."""
    raw = fields.text(told.from_, phones.LONGEST_INPUT)
    to = fields.text(told.to, phones.LONGEST_INPUT)
    return {
        "caller": phones.digits_to_e164(raw, "e164-no-plus"),
        "hidden": phones.is_hidden(raw),
        "tracked": phones.digits_to_e164(to, "e164-no-plus"),
    }


def _dialled(hook: Hook) -> str | None:
    """The number that the caller dialled; None where the request cannot be read."""
    try:
        to = fields.text(_told(hook).to, phones.LONGEST_INPUT)
    except Unreadable:
        return None
    return phones.digits_to_e164(to, "e164-no-plus")


def _event(told: Told, type_: str, at: datetime, **rest: Any) -> CallEvent:
    return CallEvent(
        type=type_,
        call_key=fields.key(told.conversation_uuid, "conversation_uuid"),
        at=at,
        leg_key=fields.text(told.uuid) or fields.text(told.call_uuid) or None,
        **rest,
    )
