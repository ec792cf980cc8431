"""Twilio: signed webhooks; the answer to the voice webhook (TwiML) routes the call.

The hook's address is set as the number's voice URL and as its status callback; what the
TwiML asks to be told of comes back below it: `/dial` (the end of the dialling), `/leg`
(stages of the dialled leg) and `/rec` (recordings). A person has answered when the dialled
leg has: the caller's own leg is answered by Twilio itself. Section 12 of the telephony
notes; https://www.twilio.com/docs/voice/twiml/dial and
https://www.twilio.com/docs/usage/webhooks/webhooks-security.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha1, sha256
from typing import Annotated, Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import fields
from web.telephony.base import (
    Answer,
    Hook,
    MaybeToken,
    Provider,
    Route,
    Token,
)

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NOTHING = f"{HEAD}<Response/>"
PORTS = {"https": "443", "http": "80"}
URL = re.compile(
    r"(https?)://((?:[^/@?#]*@)?(?:\[[^\]/]*\]|[^/:?#]*))(?::(\d+))?(.*)", re.S
)

OUTCOMES = {
    "busy": "busy",
    "no-answer": "missed",
    "canceled": "cancelled",
    "failed": "failed",
}
TALKED = frozenset({"completed", "answered"})
OVER = frozenset({"completed", *OUTCOMES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Twilio(Provider):
    """A Twilio account whose numbers ask us where to connect their calls."""

    kind: ClassVar[str] = "twilio"
    routes: ClassVar[bool] = True

    auth_token: Token  # of this very (sub-)account
    auth_token_secondary: MaybeToken = ""  # while tokens are rotated
    timeout: Annotated[int, msgspec.Meta(ge=5, le=600)] = 30  # seconds it may ring
    record: bool = True

    def verify(self, hook: Hook) -> None:
        sent = hook.header("x-twilio-signature").encode()
        tokens = [one for one in (self.auth_token, self.auth_token_secondary) if one]
        params = _signed_params(hook)
        for url in _spellings(hook.url):
            for token in tokens:
                expected = signature(token, url, params)
                if hmac.compare_digest(expected.encode(), sent):
                    return
        raise BadSignature("the signature does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        told = _told(hook)
        at = _moment(told.get("Timestamp", "")) or hook.received_at
        match _what(hook, told):
            case "rec":
                return _of_recording(told, hook.received_at)
            case "dial":
                return _of_dial(told, at)
            case "leg":
                return _of_leg(told, at)
            case "status":
                return _of_status(told, at)
            case _:
                return _of_voice(told, at)

    def asks_route(self, hook: Hook) -> bool:
        try:
            return _what(hook, _told(hook)) == "voice"
        except Unreadable:
            return True  # better a route too many than a call that rings nowhere

    def answer(self, hook: Hook, route: Route) -> Answer:
        asked = self.asks_route(hook) and route.forward_to is not None
        twiml = self._dial(hook.address, route.forward_to or "") if asked else NOTHING
        return Answer(content_type="text/xml", body=twiml.encode())

    def _dial(self, address: str, number: str) -> str:
        """Connect the call; no callerId, so that the caller's own number is passed on."""
        dial = {
            "timeout": str(self.timeout),
            "answerOnBridge": "true",
            "action": f"{address}/dial",
            "method": "POST",
        }
        if self.record:
            dial["record"] = "record-from-answer-dual"
            dial["recordingStatusCallback"] = f"{address}/rec"
            dial["recordingStatusCallbackEvent"] = "completed absent"
        leg = {
            "statusCallback": f"{address}/leg",
            "statusCallbackEvent": "initiated ringing answered completed",
        }
        number_tag = f"<Number{_attributes(leg)}>{escape(number)}</Number>"
        return (
            f"{HEAD}<Response><Dial{_attributes(dial)}>{number_tag}</Dial></Response>"
        )


def signature(token: str, url: str, params: list[tuple[str, str]]) -> str:
    """X-Twilio-Signature of a request: repeated names give each different value once."""
    signed = url + "".join(name + value for name, value in sorted(set(params)))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), sha1)).decode()


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _signed_params(hook: Hook) -> list[tuple[str, str]]:
    """What is signed beside the address; raises BadSignature when the body is not."""
    if hook.method == "GET":
        return []
    digest = dict(hook.params).get("bodySHA256")
    if digest is None or "form" in hook.header("content-type"):
        return hook.form
    body = sha256(hook.body).hexdigest()
    if not hmac.compare_digest(body.encode(), digest.lower().encode()):
        raise BadSignature("the body is not the one that was signed")
    return []


def _spellings(url: str) -> list[str]:
    """The address without and with a port: Twilio's signer is not of one mind."""
    found = URL.fullmatch(url)
    if found is None:
        return [url]
    scheme, host, port, rest = found.groups()
    usual = f"{scheme}://{host}:{port or PORTS[scheme]}{rest}"
    return list(dict.fromkeys((url, f"{scheme}://{host}{rest}", usual)))


def _told(hook: Hook) -> dict[str, str]:
    """The parameters by name; raises Unreadable."""
    if hook.body.lstrip()[:1] == b"{":
        return {
            name: fields.text(value, fields.LONGEST_LINK)
            for name, value in fields.decode(hook.body, dict[str, Any]).items()
        }
    return hook.fields


def _what(hook: Hook, told: dict[str, str]) -> str:
    """Which of the webhooks it is: by its address, at the bare one by what it tells."""
    if hook.name in ("dial", "leg", "rec", "status"):
        return hook.name
    if "RecordingStatus" in told:
        return "rec"
    if "DialCallStatus" in told:
        return "dial"
    if told.get("ParentCallSid"):
        return "leg"
    return "status" if told.get("CallStatus") in OVER else "voice"


def _of_voice(told: dict[str, str], at: datetime) -> list[CallEvent]:
    """A call came in; the moment of receipt is its beginning."""
    raw = told.get("From", "")
    outbound = told.get("Direction", "").startswith("outbound")
    return [
        CallEvent(
            type="started",
            call_key=_key(told),
            at=at,
            leg_key=fields.text(told.get("CallSid")) or None,
            direction="outbound" if outbound else "inbound",
            caller=None if outbound else phones.digits_to_e164(raw),
            hidden=not outbound and phones.is_hidden(raw),
            tracked=None if outbound else phones.digits_to_e164(told.get("To", "")),
            started_at=at,
        )
    ]


def _of_leg(told: dict[str, str], at: datetime) -> list[CallEvent]:
    """A stage of the dialled leg; `From` and `To` are not the caller's there."""
    status = told.get("CallStatus", "")
    seq = fields.whole(told.get("SequenceNumber"), "SequenceNumber")
    leg, call_key = fields.text(told.get("CallSid")) or None, _key(told)
    if status in OVER:
        # The call dials one number only: its leg's end is the call's.
        return [_end(call_key, status, told.get("CallDuration"), at)]
    if status == "in-progress":
        return [
            CallEvent(
                type="answered",
                call_key=call_key,
                at=at,
                leg_key=leg,
                seq=seq,
                answered_at=at,
            )
        ]
    return [CallEvent(type="ringing", call_key=call_key, at=at, leg_key=leg, seq=seq)]


def _of_dial(told: dict[str, str], at: datetime) -> list[CallEvent]:
    """The dialling is over; the answer to it hangs up."""
    status = told.get("DialCallStatus", "")
    end = _end(_key(told), status, told.get("DialCallDuration"), at)
    url = fields.link(told.get("RecordingUrl"))
    if not url:
        return [end]
    id_ = fields.text(told.get("RecordingSid")) or url.rstrip("/").rpartition("/")[2]
    return [end, _recorded(end.call_key, id_, url, None, at)]


def _of_status(told: dict[str, str], at: datetime) -> list[CallEvent]:
    """The caller's leg is over. Its "completed" says nothing of an answer by a person."""
    raw = told.get("From", "")
    outbound = told.get("Direction", "").startswith("outbound")
    return [
        CallEvent(
            type="ended",
            call_key=_key(told),
            at=at,
            direction="outbound" if outbound else "inbound",
            caller=None if outbound else phones.digits_to_e164(raw),
            tracked=None if outbound else phones.digits_to_e164(told.get("To", "")),
            ended_at=at,
            outcome=OUTCOMES.get(told.get("CallStatus", ""), "missed"),
        )
    ]


def _of_recording(told: dict[str, str], received_at: datetime) -> list[CallEvent]:
    call_key = _key(told)
    if told.get("RecordingStatus", "completed") != "completed":
        return []
    url = fields.link(told.get("RecordingUrl"))
    if not url:
        raise Unreadable("RecordingUrl: must be an http or https address")
    id_ = fields.key(told.get("RecordingSid"), "RecordingSid")
    length = fields.seconds(told.get("RecordingDuration"), "RecordingDuration")
    at = _moment(told.get("RecordingStartTime", "")) or received_at
    return [_recorded(call_key, id_, url, length, at)]


def _recorded(
    call_key: str, id_: str, url: str, length: int | None, at: datetime
) -> CallEvent:
    heard = url if url.endswith((".mp3", ".wav")) else f"{url}.mp3"
    recording = Recording(id=id_, url=heard, seconds=length)
    return CallEvent(type="recording", call_key=call_key, at=at, recording=recording)


def _end(call_key: str, status: str, duration: str | None, at: datetime) -> CallEvent:
    talk = fields.seconds(duration, "duration") if status in TALKED else None
    talked = status in TALKED and talk != 0
    return CallEvent(
        type="ended",
        call_key=call_key,
        at=at,
        ended_at=at,
        talk_seconds=talk or None,
        outcome="answered" if talked else OUTCOMES.get(status, "missed"),
    )


def _key(told: dict[str, str]) -> str:
    """The caller's leg names the call."""
    return fields.key(told.get("ParentCallSid") or told.get("CallSid"), "CallSid")


def _moment(text: str) -> datetime | None:
    """RFC 2822; None when absent or odd: the moment of receipt is nearly as good."""
    try:
        moment = parsedate_to_datetime(text[:60])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment if fields.EARLIEST <= moment <= fields.LATEST else None
