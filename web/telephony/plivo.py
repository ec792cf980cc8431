"""Plivo: requests signed V3; the answer to the answer URL (Plivo XML) routes the call.

The hook's address is set as the application's answer URL and hang-up URL; what the XML asks
to be told of comes back below it: `/dial` (the end of the dialling), `/leg` (stages of the
dialled leg), `/rec` (recordings). A person has answered when the dialled leg has: Plivo
answers the caller's own leg, and calls every incoming call "completed". Section 14 of the
telephony notes; https://www.plivo.com/docs/voice/xml/dial/ and
https://www.plivo.com/docs/voice/concepts/signature-validation/. The moments that Plivo
tells are in the console's time zone, whatever that is, and its durations may be rounded for
billing: the moments of receipt are used instead of either.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import fields
from web.telephony.base import Answer, Hook, MaybeToken, Provider, Route, Token

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
HANG_UP = f"{HEAD}<Response><Hangup/></Response>"
SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
MOST_SIGNATURES = 10  # in one header; Plivo sends two while a token is changed
LONGEST_RECORDING = 14_400  # seconds; Plivo's own limit of a call, its default is 60
PORT = re.compile(r"^(https?://[^/?#]*?):\d+(?=[/?#]|$)")

DIALLED = {
    "completed": "answered",
    "busy": "busy",
    "failed": "failed",
    "cancel": "cancelled",
    "no-answer": "missed",
    "timeout": "missed",
}
CAUSES = {
    "ORIGINATOR_CANCEL": "cancelled",
    "USER_BUSY": "busy",
    "CALL_REJECTED": "rejected",
}
BELOW = frozenset({"dial", "leg", "rec", "hangup"})
PICKED_UP = frozenset({"answer", "connected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plivo(Provider):
    """A Plivo account whose numbers ask us where to connect their calls."""

    kind: ClassVar[str] = "plivo"
    routes: ClassVar[bool] = True

    auth_token: Token  # of the account, or of the sub-account that has the numbers
    auth_token_secondary: MaybeToken = ""  # while tokens are changed
    timeout: Annotated[int, msgspec.Meta(ge=5, le=600)] = 30  # seconds it may ring
    record: bool = True

    def verify(self, hook: Hook) -> None:
        nonce = hook.header("x-plivo-signature-v3-nonce")
        sent = [one.encode() for name in SIGNATURES for one in _listed(hook, name)]
        tokens = [one for one in (self.auth_token, self.auth_token_secondary) if one]
        # The provider's own libraries disagree whether a port belongs to the address.
        for url in dict.fromkeys((hook.url, PORT.sub(r"\1", hook.url))):
            base = signed_text(hook.method, url, hook)
            for token in tokens:
                expected = signature(token, base, nonce).encode()
                # All are compared: how long it takes says nothing of which one fits.
                if nonce and any([hmac.compare_digest(expected, one) for one in sent]):
                    return
        raise BadSignature("the signature does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        told, at = hook.fields, hook.received_at
        match _what(hook, told):
            case "rec":
                return [_of_recording(told, at)]
            case "dial":
                return [_of_dial(told, at)]
            case "leg":
                return [_of_leg(told, at)]
            case "hangup":
                return [_of_hangup(told, at)]
        return [_event(told, "started", at, started_at=at, **_parties(told))]

    def asks_route(self, hook: Hook) -> bool:
        try:
            return _what(hook, hook.fields) == "answer"
        except Unreadable:
            return True  # better a route too many than a call that rings nowhere

    def answer(self, hook: Hook, route: Route) -> Answer:
        asked = self.asks_route(hook) and route.forward_to is not None
        xml = self._dial(hook.address, route.forward_to or "") if asked else HANG_UP
        return Answer(content_type="application/xml", body=xml.encode())

    def _dial(self, address: str, number: str) -> str:
        """Connect the call; no callerId, so that the caller's own number is passed on."""
        dial = {
            "timeout": str(self.timeout),
            "action": f"{address}/dial",
            "method": "POST",
            "callbackUrl": f"{address}/leg",
            "callbackMethod": "POST",
        }
        tag = f"<Number>{escape(number.removeprefix('+'))}</Number>"
        record = _record(address) if self.record else ""
        return (
            f"{HEAD}<Response>{record}<Dial{_attributes(dial)}>{tag}</Dial></Response>"
        )


def _record(address: str) -> str:
    record = {
        "startOnDialAnswer": "true",
        "redirect": "false",
        "maxLength": str(LONGEST_RECORDING),
        "callbackUrl": f"{address}/rec",
        "callbackMethod": "POST",
    }
    return f"<Record{_attributes(record)}/>"


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def signature(token: str, text: str, nonce: str) -> str:
    """X-Plivo-Signature-V3 of what `signed_text` gives."""
    digest = hmac.digest(token.encode(), f"{text}.{nonce}".encode(), sha256)
    return base64.b64encode(digest).decode()


def signed_text(method: str, url: str, hook: Hook) -> str:
    """The address, its query and the body's fields, each sorted by name and value."""
    base = url.partition("#")[0].partition("?")[0]
    query = "&".join(f"{name}={value}" for name, value in sorted(hook.params))
    if method == "GET" or not hook.body:
        return f"{base}?{query}" if query else base
    body = "".join(f"{name}{value}" for name, value in sorted(hook.form))
    return f"{base}?{query}.{body}" if query else f"{base}?{body}"


def _listed(hook: Hook, name: str) -> list[str]:
    found = hook.header(name).split(",")[:MOST_SIGNATURES]
    return [one.strip() for one in found]


def _what(hook: Hook, told: dict[str, str]) -> str:
    """Which of the requests it is: by its address, at the bare one by what it tells."""
    if hook.name in BELOW:
        return hook.name
    if "RecordUrl" in told:
        return "rec"
    if "DialStatus" in told:
        return "dial"
    if "DialBLegStatus" in told or "DialAction" in told:
        return "leg"
    over = "HangupCause" in told or told.get("CallStatus") in DIALLED
    return "hangup" if over else "answer"


def _of_leg(told: dict[str, str], at: datetime) -> CallEvent:
    """A stage of the dialled leg. Its end is not the call's: the dialling tells of that."""
    stage = told.get("DialAction") or told.get("DialBLegStatus") or told.get("Event")
    word = (stage or "").lower().removeprefix("dial")
    leg = fields.text(told.get("DialBLegUUID")) or None
    if word in PICKED_UP:
        return _event(told, "answered", at, leg_key=leg, answered_at=at)
    return _event(told, "progress", at, leg_key=leg)


def _of_dial(told: dict[str, str], at: datetime) -> CallEvent:
    """The dialling is over; the answer to it hangs up."""
    status = told.get("DialStatus", "")
    outcome = DIALLED.get(status, "missed")
    if outcome != "answered":
        outcome = CAUSES.get(told.get("DialHangupCause", "").upper(), outcome)
    return _event(told, "ended", at, ended_at=at, outcome=outcome, **_parties(told))


def _of_hangup(told: dict[str, str], at: datetime) -> CallEvent:
    """The caller's leg is over; of an outgoing call, the only leg there is."""
    parties = _parties(told)
    outcome = "missed"
    if parties["direction"] == "outbound":
        outcome = DIALLED.get(told.get("CallStatus", ""), outcome)
    if outcome == "missed":
        outcome = CAUSES.get(told.get("HangupCause", "").upper(), outcome)
    return _event(told, "ended", at, ended_at=at, outcome=outcome, **parties)


def _of_recording(told: dict[str, str], at: datetime) -> CallEvent:
    url = fields.link(told.get("RecordUrl"))
    if not url:
        raise Unreadable("RecordUrl: must be an http or https address")
    id_ = fields.text(told.get("RecordingID")) or url.rstrip("/").rpartition("/")[2]
    raw = fields.text(told.get("RecordingDuration"))
    # -1 as long as it goes on
    length = (
        None
        if raw.startswith("-")
        else fields.seconds(raw or None, "RecordingDuration")
    )
    recording = Recording(id=fields.key(id_, "RecordingID"), url=url, seconds=length)
    return _event(told, "recording", at, recording=recording)


def _parties(told: dict[str, str]) -> dict[str, Any]:
    """Direction and numbers, as the caller's own leg tells them."""
    if told.get("Direction") == "outbound":
        return {"direction": "outbound"}
    raw = told.get("From")
    return {
        "direction": "inbound",
        "caller": phones.digits_to_e164(raw, "e164-no-plus"),
        "hidden": raw is not None and phones.is_hidden(raw),
        "tracked": phones.digits_to_e164(told.get("To"), "e164-no-plus"),
    }


def _event(told: dict[str, str], type_: str, at: datetime, **rest: Any) -> CallEvent:
    """The caller's leg names the call."""
    key = told.get("DialALegUUID") or told.get("CallUUID")
    return CallEvent(type=type_, call_key=fields.key(key, "CallUUID"), at=at, **rest)
