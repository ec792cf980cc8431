"""FreeSWITCH: mod_xml_curl asks where a call goes, mod_json_cdr tells how each leg ended.

`/route` gets the dialplan's question and answers with an extension that bridges the call,
or "not found", which leaves it to the exchange's own dialplan; `/cdr` gets one record a leg
(`freeswitch_cdr.py`). Both configurations stand beside this file (`pastes` fills them in).
Section 16 of the telephony notes; https://developer.signalwire.com/freeswitch/ (mod_xml_curl,
mod_json_cdr). What comes from a caller is never put into the dialplan as it came: FreeSWITCH
would expand `${…}` in it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar
from xml.sax.saxutils import escape, quoteattr

from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import fields, freeswitch_cdr, own_pbx, trunks
from web.telephony.base import Answer, Hook, Route

CONFIGURATIONS = ("json_cdr.conf.xml", "xml_curl.conf.xml")
GATEWAY = "sofia/gateway/trunk/{number}"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<document type="freeswitch/xml">'
NOT_FOUND = f'{HEAD}<section name="result"><result status="not found"/></section></document>\n'  # fmt: skip
OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSwitch(own_pbx.OwnPbx):
    """A FreeSWITCH with both of its modules pointed at us."""

    kind: ClassVar[str] = "freeswitch"

    dial: own_pbx.Dial = GATEWAY
    contexts: own_pbx.Names = "public"  # the dialplan's, where customers' calls come in
    both_legs: bool = True  # log-b-leg of mod_json_cdr, which is on unless switched off

    def check(self) -> None:
        own_pbx.check_dial(self.dial, GATEWAY)

    def pastes(self, address: str) -> dict[str, str]:
        """Both modules' configurations, filled in."""
        filled = {}
        for name in CONFIGURATIONS:
            text = _configuration(name).replace("@HOOK@", escape(address))
            credentials = f"{own_pbx.USER}:{self.token}"
            filled[name] = text.replace('"@CREDENTIALS@"', quoteattr(credentials))
        return filled

    def events(self, hook: Hook) -> list[CallEvent]:
        match hook.name:
            case "cdr":
                return freeswitch_cdr.events(hook, self, self._rules())
            case "route":
                return self._began(hook)
        raise Unreadable("the address must end in /route or /cdr")

    def asks_route(self, hook: Hook) -> bool:
        if self.own_routing or hook.name != "route":
            return False
        try:
            return self._is_entry(hook.fields)
        except Unreadable:  # more variables than any set-up of ours sends
            return False

    def answer(self, hook: Hook, route: Route) -> Answer:
        if hook.name != "route":
            return Answer()
        asked = self.asks_route(hook) and route.forward_to is not None
        xml = self._bridge(hook, route.forward_to or "") if asked else NOT_FOUND
        return Answer(content_type="text/xml", body=xml.encode())

    def _began(self, hook: Hook) -> list[CallEvent]:
        """The dialplan's first question on a call; on its transfers it asks again."""
        told = hook.fields
        if not self._is_entry(told):
            return []
        micros = told.get("Caller-Channel-Created-Time", "")
        at = fields.unix(micros[:-6], "Caller-Channel-Created-Time")
        caller, hidden = self.caller(_told(told, "Caller-ID-Number"))
        return [
            CallEvent(
                type="started",
                call_key=fields.key(told.get("Unique-ID"), "Unique-ID"),
                at=at or hook.received_at,
                caller=caller,
                hidden=hidden,
                tracked=self._dialled(told),
                started_at=at or hook.received_at,
            )
        ]

    def _is_entry(self, told: dict[str, str]) -> bool:
        """Whether this is a customer's call that has just come in."""
        return (
            told.get("section") == "dialplan"
            and _told(told, "Context") in own_pbx.names(self.contexts)
            and told.get("Call-Direction") != OUTBOUND
            and not told.get("variable_ct_did")  # set by the answer: a transfer
        )

    def _dialled(self, told: dict[str, str]) -> str | None:
        return trunks.number(_told(told, "Destination-Number"), self.country)

    def _bridge(self, hook: Hook, number: str) -> str:
        """The extension that remembers the dialled number and connects the call."""
        told = hook.fields
        target = self.dial.replace(own_pbx.NUMBER, number.removeprefix("+"))
        actions = (
            ("set", f"ct_did={self._dialled(told) or 'none'}"),
            ("set", "hangup_after_bridge=true"),
            ("bridge", target),
        )
        lines = "".join(
            f"<action application={quoteattr(name)} data={quoteattr(data)}/>"
            for name, data in actions
        )
        return (
            f'{HEAD}<section name="dialplan"><context name={quoteattr(_told(told, "Context"))}>'
            f'<extension name="skvoz"><condition>{lines}</condition></extension>'
            "</context></section></document>\n"
        )

    def _rules(self) -> freeswitch_cdr.Rules:
        return freeswitch_cdr.Rules(
            contexts=own_pbx.names(self.contexts), both_legs=self.both_legs
        )


@cache
def _configuration(name: str) -> str:
    path = Path(__file__).with_name(f"freeswitch.{name}")
    return path.read_text(encoding="utf-8")


def _told(told: dict[str, str], name: str) -> str:
    """Of the profile that is looked up, else of the channel's own."""
    return told.get(f"Hunt-{name}") or told.get(f"Caller-{name}") or ""
