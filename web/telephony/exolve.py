"""MTS Exolve (and MTT before it): a JSON-RPC question before the call, events after it.

A number that is forwarded to a URL asks `getControlCallFollowMe`; the answer says where the
call goes and, in `event_URL`, where its events are told: `/events` below the hook. Section
7 of the telephony notes;
https://docs.exolve.ru/docs/ru/instructions/call-forwarding-to-url. Nothing is signed: the
address is secret, `?token=` makes it more so. What editions do not agree on is read in each
of its forms: `call_sid` or `h323_conf_id`, a flat or a nested event, ISO time or
milliseconds, `ACTIVE` as true or "Y".
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import Unreadable
from web.telephony import digits, fields, tokens
from web.telephony.base import Answer, Hook, MaybeToken, Provider, Route

QUESTION = "getControlCallFollowMe"
EVENTS = "events"  # the name below the hook's address
OK = Answer(content_type="application/json", body=b"{}")
SIP_IDS = "8831"  # how Exolve's SIP accounts begin; they are no phones
TYPES = {
    "b": "started",
    "o": "ringing",
    "s": "answered",
    "h": "ended",
    "d": "ended",
    "e": "ended",
    "crr": "recording",
}
# `cause_code` is ITU-T Q.850's; all the rest is a missed call.
OUTCOMES = {17: "busy", 21: "rejected"}
FAILED = frozenset({1, 2, 3, 22, 27, 28, 34, 38, 41, 42, 47, 88, 111, 127})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exolve(Provider):
    """An application of MTS Exolve whose numbers ask us where their calls go."""

    kind: ClassVar[str] = "exolve"
    routes: ClassVar[bool] = True

    token: MaybeToken = ""  # stands in the address as ?token=…
    timeout: Annotated[int, msgspec.Meta(ge=5, le=120)] = 30  # seconds it may ring
    masking: bool = False  # show the rented number instead of the caller's

    def verify(self, hook: Hook) -> None:
        tokens.check(hook, self.token)

    def events(self, hook: Hook) -> list[CallEvent]:
        told = _told(hook)
        if told.get("method") == QUESTION:
            return [_of_question(_params(told), hook.received_at)]
        type_ = TYPES.get(fields.text(told.get("type")).lower())
        if type_ is None:  # of messages, of numbers
            return []
        if type_ == "recording":
            return _of_recording(told, hook.received_at)
        return [_of_event(told, type_, hook)]

    def asks_route(self, hook: Hook) -> bool:
        try:
            return _told(hook).get("method") == QUESTION
        except Unreadable:
            return False

    def answer(self, hook: Hook, route: Route) -> Answer:
        """An error where no number is set up: then Exolve dials its reserve number."""
        if not self.asks_route(hook):
            return OK
        asked = _told(hook)
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": _scalar(asked.get("id"))}
        if route.forward_to is None:
            said["error"] = {"code": -32000, "message": "no number is set up"}
        else:
            said["sip_id"] = fields.text(_params(asked).get("sip_id"))
            said["result"] = self._result(hook, route.forward_to, asked)
        return Answer(content_type="application/json", body=msgspec.json.encode(said))

    def _result(self, hook: Hook, number: str, asked: dict[str, Any]) -> dict[str, Any]:
        old = "h323_conf_id" in _params(asked)  # MTT's spelling of yes and no
        target = {
            "I_FOLLOW_ORDER": 1,
            "ACTIVE": "Y" if old else True,
            "NAME": "main",
            "REDIRECT_NUMBER": number.removeprefix("+"),
            "PERIOD": "always",
            "PERIOD_DESCRIPTION": "always",
            "TIMEOUT": self.timeout,
        }
        masking: bool | str = ("Y" if self.masking else "N") if old else self.masking
        return {
            "redirect_type": 1,
            "event_URL": tokens.address(hook, EVENTS, self.token),
            "masking": masking,
            "followme_struct": [1, [target]],
        }


def _told(hook: Hook) -> dict[str, Any]:
    """The message, its nested event laid open; raises Unreadable."""
    told = fields.decode(hook.body, dict[str, Any])
    event = told.get("event")
    if isinstance(event, dict):
        return {**told, **event}
    return {"type": event, **told} if isinstance(event, str) else told


def _params(told: dict[str, Any]) -> dict[str, Any]:
    params = told.get("params")
    return params if isinstance(params, dict) else {}


def _of_question(params: dict[str, Any], received_at: datetime) -> CallEvent:
    return CallEvent(
        type="started",
        call_key=_key(params),
        at=received_at,
        caller=_number(params.get("numberA")),
        hidden=phones.is_hidden(fields.text(params.get("numberA"))),
        tracked=_number(params.get("sip_id")),
        started_at=received_at,
    )


def _of_event(told: dict[str, Any], type_: str, hook: Hook) -> CallEvent:
    at = fields.moment(told.get("date_time"), "date_time") or hook.received_at
    caller, callee = _parties(told)
    direction = _direction(hook, caller)
    # The dialled leg's events may name its own numbers: only the call's are taken.
    first_hand = direction == "inbound" and fields.text(told.get("type")) in ("b", "d")
    return CallEvent(
        type=type_,
        call_key=_key(told),
        at=at,
        leg_key=fields.text(told.get("call_id")) or None,
        direction=direction,
        caller=_number(caller) if first_hand else None,
        hidden=first_hand and phones.is_hidden(caller),
        tracked=_number(callee) if first_hand else None,
        started_at=at if type_ == "started" else None,
        answered_at=at if type_ == "answered" else None,
        ended_at=at if type_ == "ended" else None,
        **(_metrics(told) if type_ == "ended" else {}),
    )


def _metrics(told: dict[str, Any]) -> dict[str, Any]:
    """What `d` tells in milliseconds; `h` and `e` tell only that the call is over."""
    talk, wait = _seconds(told, "talk_time"), _seconds(told, "wait_time")
    cause = fields.whole(told.get("cause_code"), "cause_code") or 0
    missed = "failed" if cause in FAILED else OUTCOMES.get(cause, "missed")
    return {
        "talk_seconds": round(talk) if talk else None,
        "ring_seconds": None if wait is None else round(wait),
        "outcome": "answered" if talk else missed,
    }


def _of_recording(told: dict[str, Any], received_at: datetime) -> list[CallEvent]:
    """A path that is no address is fetched from the API with the application's key."""
    path = fields.key(told.get("path"), "path")
    at = fields.moment(told.get("date_time"), "date_time") or received_at
    recording = Recording(id=path, url=fields.link(path))
    return [
        CallEvent(type="recording", call_key=_key(told), at=at, recording=recording)
    ]


def _parties(told: dict[str, Any]) -> tuple[str, str]:
    """Who called whom, under any of the names."""
    caller = told.get("from") or told.get("calling_number") or told.get("numberA")
    callee = told.get("to") or told.get("called_number") or told.get("sip_id")
    return fields.text(caller), fields.text(callee)


def _direction(hook: Hook, caller: str) -> str:
    """Calls that asked us are inbound; a SIP account that calls is an employee."""
    if hook.name != EVENTS and caller.startswith(SIP_IDS):
        return "outbound"
    return "inbound"


def _key(told: dict[str, Any]) -> str:
    return fields.key(told.get("call_sid") or told.get("h323_conf_id"), "call_sid")


def _number(raw: Any) -> str | None:
    sip_account = fields.text(raw).startswith(SIP_IDS)
    return None if sip_account else digits.number(raw)


def _seconds(told: dict[str, Any], name: str) -> float | None:
    milliseconds = fields.whole(told.get(name), name)
    if milliseconds is None:
        return None
    if not 0 <= milliseconds <= fields.LONGEST_CALL * 1000:
        raise Unreadable(f"{name}: must be from 0 to a day in milliseconds")
    return milliseconds / 1000


def _scalar(value: Any) -> Any:
    return value if isinstance(value, (str, int)) else None
