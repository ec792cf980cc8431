"""Any PBX that can make an HTTP request: our own contract.

JSON or form fields of the same names, in the body or (GET) in the query:
`{"event": "ringing|answered|ended|recording", "call_id", "from", "to", "at", "duration",
"recording_url", "manager", "answered_at"}`. `at` is RFC 3339 or Unix seconds, the moment of
receipt when absent. `duration` is the talk in seconds: an `ended` with a duration was
answered, also when no `answered` was told; without one and without an `answered` the call
was missed. Authenticated by Standard Webhooks headers
(https://www.standardwebhooks.com/) or by `?token=`; answered
`{"forward_to": "+7…"}` or `{"forward_to": null}`.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadInput, BadSignature, Unreadable
from web.telephony import fields
from web.telephony.base import (
    Answer,
    Country,
    Hook,
    MaybeToken,
    Provider,
    Route,
)

TOLERANCE = timedelta(minutes=5)  # of a signature's age, as Standard Webhooks advises
MOST_SIGNATURES = 10  # in one header; a sender that rotates its key sends two
PREFIX = "whsec_"
BOM = b"\xef\xbb\xbf"  # some systems write it before their JSON

TYPES = {
    "ringing": "ringing",
    "answered": "answered",
    "ended": "ended",
    "recording": "recording",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generic(Provider):
    """A PBX that speaks our contract."""

    kind: ClassVar[str] = "generic"
    routes: ClassVar[bool] = True

    secret: MaybeToken = ""  # whsec_…; signs the requests
    token: MaybeToken = ""  # or this stands in the address
    country: Country = "RU"  # how local spellings of phones are read

    def check(self) -> None:
        if not self.secret and not self.token:
            raise BadInput("is required (or token)", field="secret")
        if self.secret:
            self._key()

    def verify(self, hook: Hook) -> None:
        if hook.header("webhook-signature"):
            self._verify_signature(hook)
        else:
            self._verify_token(hook)

    def events(self, hook: Hook) -> list[CallEvent]:
        told = _told(hook)
        type_ = TYPES.get(fields.text(told.get("event")).lower())
        if type_ is None:
            raise Unreadable(f"event: must be one of {', '.join(TYPES)}")
        at = fields.moment(told.get("at"), "at") or hook.received_at
        talk = fields.seconds(told.get("duration"), "duration")
        answered_at = fields.moment(told.get("answered_at"), "answered_at")
        ended = type_ == "ended"
        caller, hidden = self._caller(told, type_)
        return [
            CallEvent(
                type=type_,
                call_key=fields.key(told.get("call_id"), "call_id"),
                at=at,
                direction=_direction(told),
                caller=caller,
                hidden=hidden,
                tracked=self._number(told.get("to")),
                started_at=at if type_ == "ringing" else None,
                answered_at=answered_at or (at if type_ == "answered" else None),
                ended_at=at if ended else None,
                talk_seconds=(talk or None) if ended else None,
                outcome=("answered" if talk else "missed") if ended else None,
                manager=fields.text(told.get("manager")) or None,
                recording=_recording(told, type_, talk),
            )
        ]

    def asks_route(self, hook: Hook) -> bool:
        try:
            return fields.text(_told(hook).get("event")).lower() == "ringing"
        except Unreadable:
            return False

    def answer(self, hook: Hook, route: Route) -> Answer:
        return Answer(
            content_type="application/json",
            body=msgspec.json.encode({"forward_to": route.forward_to}),
        )

    def _key(self) -> bytes:
        """The signing key; raises BadInput."""
        try:
            key = base64.b64decode(self.secret.removeprefix(PREFIX) + "==")
        except (binascii.Error, ValueError):
            key = b""
        if not key:
            raise BadInput(f"must be {PREFIX} and base64", field="secret")
        return key

    def _verify_signature(self, hook: Hook) -> None:
        if not self.secret:
            raise BadSignature("no secret is set up")
        id_, sent = hook.header("webhook-id"), hook.header("webhook-timestamp")
        if not _fresh(sent, hook.received_at):
            raise BadSignature("the timestamp is missing or not of now")
        signed = f"{id_}.{sent}.".encode() + hook.body
        expected = base64.b64encode(hmac.digest(self._key(), signed, sha256))
        for one in hook.header("webhook-signature").split()[:MOST_SIGNATURES]:
            version, _, signature = one.partition(",")
            if version == "v1" and hmac.compare_digest(expected, signature.encode()):
                return
        raise BadSignature("the signature does not fit")

    def _verify_token(self, hook: Hook) -> None:
        sent = dict(hook.params).get("token", "")
        if not self.token or not hmac.compare_digest(
            self.token.encode(), sent.encode()
        ):
            raise BadSignature("neither a signature nor the right token")

    def _caller(self, told: dict[str, Any], type_: str) -> tuple[str | None, bool]:
        """The caller and whether he hides; stages after the first may leave him out."""
        if "from" not in told and type_ != "ringing":
            return None, False
        raw = told.get("from")
        number = self._number(raw)
        return number, number is None and phones.is_hidden(fields.text(raw))

    def _number(self, raw: Any) -> str | None:
        spelled = fields.text(raw, phones.LONGEST_INPUT + 1)
        if phones.is_hidden(spelled):
            return None
        return phones.digits_to_e164(spelled) or phones.e164(
            _bare(spelled), self.country
        )


def _fresh(sent: str, received_at: datetime) -> bool:
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        return False
    return abs(int(sent) - received_at.timestamp()) <= TOLERANCE.total_seconds()


def _told(hook: Hook) -> dict[str, Any]:
    """The fields by their names; raises Unreadable."""
    body = hook.body.removeprefix(BOM).strip()
    if body[:1] in (b"{", b"["):
        return fields.decode(body, dict[str, Any])
    return dict(hook.fields)


def _direction(told: dict[str, Any]) -> str:
    said = fields.text(told.get("direction")).lower()
    return said if said in ("outbound", "internal") else "inbound"


def _recording(told: dict[str, Any], type_: str, talk: int | None) -> Recording | None:
    url = fields.link(told.get("recording_url"))
    if url:
        id_ = fields.text(told.get("recording_id")) or sha256(url.encode()).hexdigest()
        return Recording(id=id_, url=url, seconds=talk)
    if type_ == "recording":
        raise Unreadable("recording_url: must be an http or https address")
    return None


def _bare(spelled: str) -> str:
    """The number of an address like sip:+74951000001@pbx;transport=udp."""
    bare = spelled.partition("@")[0].partition(";")[0]
    scheme, colon, rest = bare.partition(":")
    return rest if colon and scheme.lower() in ("tel", "sip", "sips") else bare
