"""Voximplant: our own scenario asks for the route and tells what became of the call.

The platform has no webhook of its own for calls: an incoming call starts a JavaScript
scenario, and `voximplant.scenario.js` beside this file is ours (`pastes` fills it in). So the
format is ours too, protocol v1 of section 6.1 of the telephony notes: `/route` is asked and
answered, `/event` tells one stage; both are signed with a shared secret. The caller's own leg
is answered by the scenario, when and only when the dialled one was.
https://voximplant.com/docs/references/voxengine
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import digits, fields
from web.telephony.base import Answer, Hook, Provider, Route, Token

TOLERANCE = timedelta(minutes=5)  # of the signature's age
PREFIX = "sha256="
SCENARIO = Path(__file__).with_name("voximplant.scenario.js")
ROUTE = "route"  # what is asked below the address

# Section 6.2: how the dialled leg failed, by its SIP code.
BUSY = frozenset({486, 600})
REJECTED = frozenset({403, 603})
NO_ANSWER = frozenset({408, 480})
CANCELLED = frozenset({487})


class Told(msgspec.Struct, frozen=True):
    """One message of the scenario."""

    v: fields.Scalar = None
    type: fields.Scalar = None
    call_id: fields.Scalar = None
    session: fields.Scalar = None
    caller: fields.Scalar = None
    called: fields.Scalar = None
    display_name: fields.Scalar = None
    ts: fields.Scalar = None  # Unix milliseconds
    leg: fields.Scalar = None
    number: fields.Scalar = None  # dialled for this leg
    code: fields.Scalar = None
    reason: fields.Scalar = None
    by: fields.Scalar = None  # who ended: caller, person, system
    answered: fields.Scalar = None
    duration: fields.Scalar = None
    url: fields.Scalar = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voximplant(Provider):
    """An application whose incoming calls run our scenario."""

    kind: ClassVar[str] = "voximplant"
    routes: ClassVar[bool] = True

    secret: Token  # stands in the scenario and signs what it sends
    timeout: Annotated[int, msgspec.Meta(ge=5, le=60)] = 30  # seconds it may ring
    record: bool = True
    show_caller: bool = False  # to whoever is dialled; else the number that was called

    def pastes(self, address: str) -> dict[str, str]:
        """The scenario, filled in; it is pasted as it is."""
        filled = _scenario()
        for name, value in (
            ("SKVOZ_ADDRESS", address),
            ("SKVOZ_SECRET", self.secret),
            ("SKVOZ_DEFAULT_NUMBER", self.forward_to or ""),
        ):
            filled = filled.replace(f'"{name}"', msgspec.json.encode(value).decode())
        return {SCENARIO.name: filled}

    def verify(self, hook: Hook) -> None:
        sent = hook.header("x-ct-timestamp")
        is_number = sent.isascii() and sent.isdigit() and len(sent) <= 12
        age = abs(hook.received_at.timestamp() - int(sent)) if is_number else None
        if age is None or age > TOLERANCE.total_seconds():
            raise BadSignature("the timestamp is missing or not of now")
        signed = f"{sent}.".encode() + hook.body
        expected = PREFIX + hmac.digest(self.secret.encode(), signed, sha256).hex()
        given = hook.header("x-ct-signature").strip().lower()
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise BadSignature("the signature does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        told = fields.decode(hook.body, Told)
        known = {
            "call_key": fields.key(told.call_id, "call_id"),
            "at": fields.unix(told.ts, "ts") or hook.received_at,
            "leg_key": fields.text(told.leg) or None,
        }
        if hook.name == ROUTE:
            return _started(told, known)
        type_ = fields.text(told.type).lower()
        read = READERS.get(type_)
        if read is None:
            raise Unreadable(f"type: must be one of {', '.join(READERS)}")
        return read(told, known)

    def asks_route(self, hook: Hook) -> bool:
        return hook.name == ROUTE

    def answer(self, hook: Hook, route: Route) -> Answer:
        """`to` is null without a number: the scenario then dials its own default."""
        if not self.asks_route(hook):
            return Answer()
        to = route.forward_to
        told: dict[str, Any] = {
            "to": to.removeprefix("+") if to else None,
            "callerid": self._shown(hook),
            "timeout": self.timeout,
            "record": self.record,
        }
        return Answer(content_type="application/json", body=msgspec.json.encode(told))

    def _shown(self, hook: Hook) -> str | None:
        """A number of the account, or the caller's own; no other is allowed to be shown."""
        try:
            told = fields.decode(hook.body, Told)
        except Unreadable:
            return None
        caller = digits.number(told.caller) if self.show_caller else None
        number = caller or digits.number(told.called)
        return number.removeprefix("+") if number else None


@cache
def _scenario() -> str:
    return SCENARIO.read_text(encoding="utf-8")


# What the stages mean (section 6.2) ----------------------------------------------------


def _customer(told: Told) -> dict[str, Any]:
    """Every message tells both numbers of the caller's own leg."""
    caller = fields.text(told.caller)
    return {
        "caller": digits.number(caller),
        "hidden": phones.is_hidden(caller),
        "tracked": digits.number(told.called),
    }


def _started(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    start = known["at"]
    return [CallEvent(type="started", started_at=start, **known, **_customer(told))]


def _ringing(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    return [CallEvent(type="ringing", **known, **_customer(told))]


def _answered(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    """The dialled leg was answered: by a person, since there is no menu."""
    who = digits.number(told.number) or fields.text(told.number) or None
    stage = CallEvent(type="answered", manager=who, **known, **_customer(told))
    return [stage]


def _failed(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    """The scenario dials one number: when that fails, so does the call."""
    outcome = _outcome(fields.whole(told.code, "code") or 0)
    return [CallEvent(type="ended", outcome=outcome, **known, **_customer(told))]


def _ended(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    """`duration` is a whole leg's and no talk: the moments tell that."""
    gave_up = fields.text(told.by).lower() == "caller" and told.answered is not True
    outcome = "answered" if told.answered is True else "missed"
    end = CallEvent(
        type="ended",
        outcome="cancelled" if gave_up else outcome,
        **known,
        **_customer(told),
    )
    return [end]


def _outcome(code: int) -> str:
    if code in BUSY:
        return "busy"
    if code in REJECTED:
        return "rejected"
    if code in CANCELLED:
        return "cancelled"
    return "missed" if code in NO_ANSWER else "failed"


def _recording(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    """The address may be open to whoever knows it (section 6.2, secure records)."""
    url = fields.link(told.url)
    if not url:
        raise Unreadable("url: must be an http or https address")
    id_ = urlsplit(url).path.rpartition("/")[2][: fields.LONGEST_KEY]
    heard = Recording(
        id=id_ or sha256(url.encode()).hexdigest(),
        url=url,
        seconds=fields.seconds(told.duration, "duration"),
    )
    return [CallEvent(type="recording", recording=heard, **known)]


def _nothing(told: Told, known: dict[str, Any]) -> list[CallEvent]:
    """A recording that has begun cannot be heard yet."""
    return []


READERS: dict[str, Callable[[Told, dict[str, Any]], list[CallEvent]]] = {
    "started": _started,
    "ringing": _ringing,
    "answered": _answered,
    "failed": _failed,
    "ended": _ended,
    "record_started": _nothing,
    "record_stopped": _recording,
}
