"""Asterisk: our dialplan asks where a call goes and tells what became of it.

`asterisk.extensions.conf` beside this file is the dialplan (`pastes` fills it in), so the
format is ours; section 10.1 of the telephony notes, tried with Asterisk 22:

- `/route`: a call came in; answered with digits alone, which the dialplan dials, or nothing;
- `/event`: somebody `answered`, or the call `ended` (told by a hangup handler, so always);
- `/cdr`: a row of Asterisk's own records, to fill in what was lost (`asterisk_cdr.py`).

A call is named by the entry channel's UNIQUEID. `ANSWEREDTIME` is no talk: it counts from
the moment the exchange itself picked up, a menu included; the dialplan tells the moment
when a person did. https://docs.asterisk.org/Configuration/Dialplan/
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import asterisk_cdr, fields, own_pbx, trunks, zones
from web.telephony.base import Answer, Hook, Route

DIALPLAN = Path(__file__).with_name("asterisk.extensions.conf")
TRUNK = "PJSIP/{number}@trunk"
REJECTED = 21  # Q.850's "call rejected", which DIALSTATUS takes for CHANUNAVAIL
OUTCOMES = {
    "": "cancelled",  # gone before any phone rang
    "CANCEL": "cancelled",
    "BUSY": "busy",
    "NOANSWER": "missed",
    "ANSWER": "missed",  # and yet nobody was on the line
    "DONTCALL": "rejected",
    "TORTURE": "rejected",
}
DIRECTIONS = frozenset({"inbound", "outbound", "internal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asterisk(own_pbx.OwnPbx):
    """An Asterisk with our dialplan."""

    kind: ClassVar[str] = "asterisk"

    dial: own_pbx.Dial = TRUNK
    contexts: own_pbx.Names = "skvoz-in,from-trunk"  # calls come in there; of rows only
    timezone: zones.Zone = "UTC"  # of rows only; UTC is usegmtime=yes in cdr.conf

    def check(self) -> None:
        zones.check(self.timezone, "timezone")
        own_pbx.check_dial(self.dial, TRUNK)

    def pastes(self, address: str) -> dict[str, str]:
        """The dialplan, filled in."""
        filled = _dialplan()
        for name, value in (
            ("@HOOK@", address),
            ("@TOKEN@", quote(self.token, safe="")),
            ("@FALLBACK@", (self.forward_to or "").removeprefix("+")),
            ("@DIAL@", self.dial.replace(own_pbx.NUMBER, "${SKVOZ_TO}")),
        ):
            filled = filled.replace(name, value)
        return {"skvoz.conf": filled}

    def events(self, hook: Hook) -> list[CallEvent]:
        match hook.name:
            case "route":
                return [self._began(hook.fields, hook.received_at)]
            case "event":
                return self._told(hook.fields, hook.received_at)
            case "cdr":
                return [asterisk_cdr.event(hook, self, self._rules())]
        raise Unreadable("the address must end in /route, /event or /cdr")

    def asks_route(self, hook: Hook) -> bool:
        if hook.name != "route" or self.own_routing:
            return False
        try:
            return _direction(hook.fields) == "inbound"
        except Unreadable:
            return True  # better a route too many than a call that rings nowhere

    def answer(self, hook: Hook, route: Route) -> Answer:
        """Digits and nothing else: the dialplan dials nothing that is not."""
        if not (self.asks_route(hook) and route.forward_to):
            return Answer()
        return Answer(body=route.forward_to.removeprefix("+").encode())

    def _began(self, told: dict[str, str], received_at: datetime) -> CallEvent:
        at = fields.unix(told.get("ts"), "ts") or received_at
        return CallEvent(
            type="started",
            at=at,
            started_at=fields.unix(told.get("start"), "start") or at,
            **self._known(told),
        )

    def _told(self, told: dict[str, str], received_at: datetime) -> list[CallEvent]:
        at = fields.unix(told.get("ts"), "ts") or received_at
        match told.get("type"):
            case "answered":
                who = asterisk_cdr.who(told.get("who"))
                return [CallEvent(type="answered", at=at, answered_at=at, manager=who, **self._known(told))]  # fmt: skip
            case "ended":
                return [self._ended(told, at)]
        raise Unreadable("type: must be answered or ended")

    def _ended(self, told: dict[str, str], at: datetime) -> CallEvent:
        answered_at = _answered(told, at)
        return CallEvent(
            type="ended",
            at=at,
            started_at=fields.unix(told.get("start"), "start"),
            answered_at=answered_at,
            ended_at=at,
            outcome="answered" if answered_at else _outcome(told),
            manager=asterisk_cdr.who(told.get("who")) if answered_at else None,
            recording=self.recording(told.get("rec")) if answered_at else None,
            **self._known(told),
        )

    def _known(self, told: dict[str, str]) -> dict[str, Any]:
        """The call, and who called which number as far as this stage tells."""
        direction = _direction(told)
        known: dict[str, Any] = {
            "call_key": fields.key(told.get("uniqueid"), "uniqueid"),
            "direction": direction,
        }
        if direction != "inbound":
            return known
        if "caller" in told:
            withheld = own_pbx.withheld(told.get("pres", ""))
            known["caller"], known["hidden"] = self.caller(told["caller"], withheld=withheld)  # fmt: skip
        known["tracked"] = trunks.number(told.get("did"), self.country)
        return known

    def _rules(self) -> asterisk_cdr.Rules:
        return asterisk_cdr.Rules(
            zone=ZoneInfo(self.timezone), contexts=own_pbx.names(self.contexts)
        )


@cache
def _dialplan() -> str:
    return DIALPLAN.read_text(encoding="utf-8")


def _direction(told: dict[str, str]) -> str:
    said = told.get("direction", "")
    return said if said in DIRECTIONS else "inbound"


def _answered(told: dict[str, str], ended_at: datetime) -> datetime | None:
    """When a person picked up.

    Where the dialplan does not know (a Dial without our subroutine), the last Dial's own
    word has to do, and the talk may be longer by a menu.
    """
    if moment := fields.unix(told.get("answered"), "answered"):
        return moment
    if told.get("dialstatus") != "ANSWER":
        return None
    lasted = fields.seconds(told.get("answeredtime"), "answeredtime")
    return ended_at - timedelta(seconds=lasted) if lasted else None


def _outcome(told: dict[str, str]) -> str:
    """Why nobody answered."""
    if told.get("voicemail") == "SUCCESS":
        return "voicemail"
    if fields.whole(told.get("cause"), "cause") == REJECTED:
        return "rejected"
    return OUTCOMES.get(told.get("dialstatus", "").upper(), "failed")
