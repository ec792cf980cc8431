"""Zadarma and Novofon API 1.0: signed notifications of a PBX; two of them may be answered.

One address for all of an account's PBX calls, checked once by `?zd_echo=…`. A form comes, as
`application/x-www-form-urlencoded` or as `multipart/form-data`. Section 5 of the telephony
notes; https://zadarma.com/en/support/api/ and the classes of
https://github.com/zadarma/user-api-v1 (https://github.com/novofon/user-api-v1 has the same).

Only `call_start` is told, in the account's own time; every other moment is that of receipt.
"""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadInput, BadSignature, Unreadable
from web.telephony import digits, fields, multipart, zones
from web.telephony.base import Answer, Country, Hook, MaybeToken, Provider, Route, Token

ECHO = re.compile(r"[A-Za-z0-9._-]{1,128}")  # nothing that a browser would run
STALE = timedelta(days=2)  # since the signed start: a long call in the farthest zone
SHORTEST_NUMBER = 7  # digits; less is an extension

# Section 5.2: what is signed, joined without separators.
OF_CALL = ("caller_id", "called_did", "call_start")
OF_ANSWER = ("caller_id", "destination", "call_start")
OF_OUTGOING = ("internal", "destination", "call_start")
OF_RECORD = ("pbx_call_id", "call_id_with_rec")
SIGNED = {
    "NOTIFY_START": OF_CALL,
    "NOTIFY_INTERNAL": OF_CALL,
    "NOTIFY_END": OF_CALL,
    "NOTIFY_IVR": OF_CALL,
    "NOTIFY_ANSWER": OF_ANSWER,
    "NOTIFY_OUT_START": OF_OUTGOING,
    "NOTIFY_OUT_END": OF_OUTGOING,
    "NOTIFY_RECORD": OF_RECORD,
}
# Kinds that the document does not know (NOTIFY_INTERNAL_END is seen) are signed by one of
# these, as those of the second address (`sms`, `number_lookup`…) are by `result`.
ANY = (OF_CALL, OF_ANSWER, OF_OUTGOING, OF_RECORD, ("result",))
ASKING = frozenset({"NOTIFY_START", "NOTIFY_IVR"})

OUTCOMES = {"busy": "busy", "cancel": "cancelled", "no answer": "missed"}
REJECTED = 21  # Q.931

Told = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zadarma(Provider):
    """An account whose PBX tells of its calls."""

    kind: ClassVar[str] = "zadarma"
    routes: ClassVar[bool] = True

    api_secret: Token
    api_key: MaybeToken = ""  # with the secret, for recordings and the call history
    timezone: zones.Zone = "Europe/Moscow"  # of the account
    # The extension that calls are sent to; its forwarding number is replaced for the call.
    extension: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{3})?$")] = ""
    return_seconds: Annotated[int, msgspec.Meta(ge=0, le=600)] = (
        0  # 0: never to the menu
    )
    duration_is: Literal["talk", "total"] = "talk"  # what `duration` of an end counts
    # Set where numbers are written as they are dialled there: 8 495…, 495….
    local_numbers: Country | None = None

    def check(self) -> None:
        zones.check(self.timezone, "timezone")
        if self.return_seconds in (1, 2):
            raise BadInput("must be 0 or at least 3", field="return_seconds")

    def greet(self, hook: Hook) -> Answer | None:
        """Section 5.1: whoever owns the address repeats the value."""
        echo = dict(hook.params).get("zd_echo", "")
        is_check = not hook.body and ECHO.fullmatch(echo)
        return Answer(body=echo.encode()) if is_check else None

    def verify(self, hook: Hook) -> None:
        told, sent = _told(hook), hook.header("signature").encode()
        known = SIGNED.get(told.get("event", ""))
        for names in (known,) if known else ANY:
            for signed in _spellings("".join(told.get(name, "") for name in names)):
                expected = signature(self.api_secret, signed).encode()
                if signed and hmac.compare_digest(expected, sent):
                    self._check_age(told, hook.received_at)
                    return
        raise BadSignature("the signature does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        """Kinds that tell nothing of calls give nothing."""
        told = _told(hook)
        name = told.get("event", "")
        if read := READERS.get(name):
            return read(self, told, self._begin(told, hook.received_at))
        if name.startswith("NOTIFY_"):
            return [self._begin(told, hook.received_at)]
        return []

    def asks_route(self, hook: Hook) -> bool:
        """Only where an extension is set up; else the PBX's own scenario goes on."""
        try:
            return bool(self.extension) and _told(hook).get("event") in ASKING
        except Unreadable:
            return False

    def answer(self, hook: Hook, route: Route) -> Answer:
        """Section 5.4: an empty answer leaves the scenario as it is."""
        if route.forward_to is None or not self.asks_route(hook):
            return Answer()
        told = {
            "redirect": self.extension,
            "return_timeout": self.return_seconds,
            "rewrite_forward_number": route.forward_to,
        }
        return Answer(content_type="application/json", body=msgspec.json.encode(told))

    def _check_age(self, told: Told, received_at: datetime) -> None:
        """The start is signed: what is days away from it is told again by a stranger."""
        try:
            start = self._start(told, received_at)
        except Unreadable:
            return  # it is theirs, and is kept until we can read it
        if start is not None and abs(received_at - start) > STALE:
            raise BadSignature("the call is not of these days")

    def _start(self, told: Told, near: datetime) -> datetime | None:
        zone = ZoneInfo(self.timezone)
        return zones.moment(told.get("call_start"), "call_start", zone, near=near)

    def _begin(self, told: Told, received_at: datetime) -> CallEvent:
        """What all notifications tell; `type` is still to be said."""
        call_key = fields.key(told.get("pbx_call_id"), "pbx_call_id")
        # Long calls are told of long after their start, by its end's duration.
        lasted = fields.seconds(told.get("duration"), "duration")
        start = zones.begun(self._start(told, received_at), received_at, lasted)
        outbound = call_key.startswith("out_") or "_OUT_" in told.get("event", "")
        return CallEvent(
            type="progress",
            call_key=call_key,
            at=received_at,
            leg_key=fields.text(told.get("internal")) or None,
            direction="outbound" if outbound else "inbound",
            started_at=start,
        )

    def _number(self, raw: Any) -> str | None:
        return digits.number(raw, self.local_numbers)

    def _customer(self, told: Told) -> dict[str, Any]:
        """An incoming call's two numbers; an extension's own call has no caller."""
        caller = told.get("caller_id", "")
        return {
            "caller": self._number(caller),
            "hidden": phones.is_hidden(caller),
            "tracked": self._number(told.get("called_did")),
        }

    def _started(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        """Told at once: its moment is the start, so that a wrong zone shows itself."""
        start = self._start(told, begin.at) or begin.at
        started = replace(begin, type="started", at=start, started_at=start)
        return [replace(started, **self._customer(told))]

    def _ringing(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        return [replace(begin, type="ringing", **self._customer(told))]

    def _answered(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        """By a person: a menu's answer is not told. `destination` may be his own number."""
        return [
            replace(
                begin, type="answered", answered_at=begin.at, manager=begin.leg_key
            )
        ]  # fmt: skip

    def _ended(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        """A menu's answer counts as "answered" here, but has no extension."""
        return self._end(told, replace(begin, **self._customer(told)))

    def _out_started(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        start = self._start(told, begin.at) or begin.at
        outgoing = self._outgoing(told, begin)
        return [replace(outgoing, type="started", at=start, started_at=start)]

    def _out_ended(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        return self._end(told, self._outgoing(told, begin))

    def _outgoing(self, told: Told, begin: CallEvent) -> CallEvent:
        """The customer is the one who is called; short numbers are colleagues."""
        destination = fields.text(told.get("destination"))
        if len(re.sub(r"\D", "", destination)) < SHORTEST_NUMBER:
            return replace(begin, direction="internal")
        caller, line = self._number(destination), self._number(told.get("caller_id"))
        return replace(begin, caller=caller, tracked=line)

    def _end(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        said = fields.text(told.get("disposition")).lower()
        who = fields.text(told.get("last_internal")) or begin.leg_key
        lasted = fields.seconds(told.get("duration"), "duration")
        spoke = said == "answered" and who is not None and lasted != 0
        talk = lasted if spoke and self.duration_is == "talk" else None
        end = replace(
            begin,
            type="ended",
            ended_at=begin.at,
            talk_seconds=talk,
            outcome="answered" if spoke else _outcome(said, told),
            note="answered by no extension"
            if said == "answered" and not spoke
            else None,
        )
        # Whoever took the call after a transfer was told of later than its first answer.
        taken = begin.at - timedelta(seconds=lasted or 0)
        answered = [replace(end, at=taken, manager=who)] if spoke else []
        return [end, *answered, *_recording(told, begin)]

    def _recorded(self, told: Told, begin: CallEvent) -> list[CallEvent]:
        if not (events := _recording({**told, "is_recorded": "1"}, begin)):
            raise Unreadable("call_id_with_rec: is missing")
        return events


def signature(secret: str, signed: str) -> str:
    """Section 5.2: base64 of the digest in hexadecimal, not of its bytes."""
    digest = hmac.new(secret.encode(), signed.encode("utf-8", "replace"), sha1)
    return base64.b64encode(digest.hexdigest().encode()).decode()


def _spellings(signed: str) -> tuple[str, ...]:
    """As received; and with the plus that a form's decoding makes a space."""
    return (signed, f"+{signed[1:]}") if signed.startswith(" ") else (signed,)


def _told(hook: Hook) -> Told:
    """The form's fields, however they were encoded; raises Unreadable."""
    if boundary := multipart.boundary(hook.header("content-type")):
        return multipart.fields(hook.body, boundary)
    return hook.fields


def _outcome(said: str, told: Told) -> str:
    """Section 5.3: dispositions that are not listed are refusals of the network."""
    if said in ("", "answered"):
        return "missed"
    code = fields.text(told.get("status_code"))
    return "rejected" if code == str(REJECTED) else OUTCOMES.get(said, "failed")


def _recording(told: Told, begin: CallEvent) -> list[CallEvent]:
    """It is given out only by the API, 40 seconds after the notification."""
    id_ = fields.text(told.get("call_id_with_rec"), fields.LONGEST_KEY)
    if not id_ or told.get("is_recorded", "1").lower() not in ("1", "true"):
        return []
    heard = Recording(id=id_, url="")
    return [
        CallEvent(
            type="recording", call_key=begin.call_key, at=begin.at, recording=heard
        )
    ]  # fmt: skip


READERS: dict[str, Callable[[Zadarma, Told, CallEvent], list[CallEvent]]] = {
    "NOTIFY_START": Zadarma._started,
    "NOTIFY_IVR": Zadarma._started,
    "NOTIFY_INTERNAL": Zadarma._ringing,
    "NOTIFY_ANSWER": Zadarma._answered,
    "NOTIFY_END": Zadarma._ended,
    "NOTIFY_OUT_START": Zadarma._out_started,
    "NOTIFY_OUT_END": Zadarma._out_ended,
    "NOTIFY_RECORD": Zadarma._recorded,
}
