"""Bitrix24's own telephony: an outgoing webhook (or an application) tells of its calls.

Events ONVOXIMPLANTCALLINIT, …START and …END come as forms with nested names
(`data[CALL_ID]`, `auth[application_token]`). They come through a queue, a little late, and
never twice: a call whose events were lost is only in the portal's statistics. Section 17
of the telephony notes and 4.9 of the outbound ones;
https://apidocs.bitrix24.com/api-reference/telephony/voximplant/events/. Recordings are not
told.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from numberpool import phones
from tracker.calls import CallEvent
from tracker.errors import BadInput, BadSignature
from web.telephony import fields, trunks
from web.telephony.base import Country, Hook, Provider, Token

INIT, START, END = (
    "ONVOXIMPLANTCALLINIT",
    "ONVOXIMPLANTCALLSTART",
    "ONVOXIMPLANTCALLEND",
)
DIRECTIONS = {1: "outbound", 2: "inbound", 3: "inbound", 4: "outbound", 5: "outbound"}
CALLBACK = 4
EXTERNAL = "externalCall."  # ids of calls that an application registers

OUTCOMES = {  # by CALL_FAILED_CODE; all others failed to be connected
    "200": "answered",
    "304": "missed",
    "486": "busy",
    "603": "rejected",
    "603-S": "cancelled",
    "OTHER": "missed",
    "": "missed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitrix24(Provider):
    """A Bitrix24 portal that has its own numbers or a connected PBX."""

    kind: ClassVar[str] = "bitrix24"

    application_token: Token  # of the outgoing webhook
    country: Country = "RU"  # how local spellings of phones are read
    # "reg150908 = +74951000001, sip12 = …": lines that are told by their names
    lines: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    # Calls of a PBX that an application brings in; off where that PBX tells us itself.
    external_calls: bool = False
    duration_is_talk: bool = True  # off: CALL_DURATION counts the ringing too

    def check(self) -> None:
        for name, number in self._lines().items():
            if not name or not phones.is_e164(number):
                raise BadInput(
                    "must be line = +number, separated by commas", field="lines"
                )

    def verify(self, hook: Hook) -> None:
        sent = _form(hook).get("auth[application_token]", "")
        if not hmac.compare_digest(self.application_token.encode(), sent.encode()):
            raise BadSignature("the application token does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        """Other events (of deals, of a click on a number) tell nothing of calls."""
        form = _form(hook)
        event = fields.text(form.get("event")).upper()
        if event not in (INIT, START, END):
            return []
        told = _data(form)
        key = fields.key(told.get("CALL_ID"), "CALL_ID")
        if key.startswith(EXTERNAL) and not self.external_calls:
            return []
        at = fields.unix(form.get("ts"), "ts") or hook.received_at
        if event == INIT:
            return [self._init(key, told, at)]
        return [self._end(key, told, at) if event == END else _start(key, told, at)]

    def _init(self, key: str, told: dict[str, str], at: datetime) -> CallEvent:
        """A call begins: CALLER_ID calls PHONE_NUMBER, or a line of that id."""
        client, dialled = told.get("CALLER_ID", ""), told.get("PHONE_NUMBER", "")
        line = told.get("ACCOUNT_SEARCH_ID", "")
        if client and (client == line or client in self._lines()):
            client, dialled = dialled, client  # told the other way round
        direction = _direction(told)
        inbound = direction == "inbound"
        return CallEvent(
            type="started",
            call_key=key,
            at=at,
            direction=direction,
            caller=trunks.number(client, self.country) if inbound else None,
            hidden=inbound and phones.is_hidden(client),
            tracked=(self._line(dialled) or self._line(line)) if inbound else None,
            started_at=at,
            note=_note(told),
        )

    def _end(self, key: str, told: dict[str, str], at: datetime) -> CallEvent:
        """The whole call, as the portal's history has it."""
        direction = _direction(told)
        inbound = direction == "inbound"
        client = told.get("PHONE_NUMBER", "")
        code = fields.text(told.get("CALL_FAILED_CODE")).upper()
        outcome = OUTCOMES.get(code, "failed")
        answered = outcome == "answered"
        talk = fields.seconds(told.get("CALL_DURATION"), "CALL_DURATION") or None
        return CallEvent(
            type="ended",
            call_key=key,
            at=at,
            direction=direction,
            caller=trunks.number(client, self.country) if inbound else None,
            hidden=inbound and phones.is_hidden(client),
            tracked=self._line(told.get("PORTAL_NUMBER", "")) if inbound else None,
            started_at=fields.moment(told.get("CALL_START_DATE"), "CALL_START_DATE"),
            ended_at=at,
            talk_seconds=talk if answered and self.duration_is_talk else None,
            outcome=outcome,
            manager=_user(told.get("PORTAL_USER_ID")) if answered else None,
            note=_note(told),
        )

    def _line(self, raw: str) -> str | None:
        return self._lines().get(raw) or trunks.number(raw, self.country)

    def _lines(self) -> dict[str, str]:
        pairs = [one.partition("=") for one in self.lines.split(",") if one.strip()]
        return {name.strip(): number.strip() for name, _, number in pairs}


def _form(hook: Hook) -> dict[str, str]:
    """The body's fields; never the query's, which is kept and would show the token."""
    return dict(reversed(hook.form))


def _data(form: dict[str, str]) -> dict[str, str]:
    """The fields of `data[…]` by their own names."""
    return {
        # One letter more than an id may have, so that a longer one is refused.
        name.removeprefix("data[").removesuffix("]"): fields.text(
            value, fields.LONGEST_KEY + 1
        )
        for name, value in form.items()
        if name.startswith("data[") and name.endswith("]")
    }


def _start(key: str, told: dict[str, str], at: datetime) -> CallEvent:
    """A person speaks; the direction is not told."""
    return CallEvent(
        type="answered",
        call_key=key,
        at=at,
        answered_at=at,
        manager=_user(told.get("USER_ID")),
    )


def _direction(told: dict[str, str]) -> str:
    kind = fields.whole(told.get("CALL_TYPE"), "CALL_TYPE")
    return DIRECTIONS.get(kind or 0, "inbound")


def _note(told: dict[str, str]) -> str | None:
    kind = fields.whole(told.get("CALL_TYPE"), "CALL_TYPE")
    return "callback" if kind == CALLBACK else None


def _user(raw: str | None) -> str | None:
    """The portal's user; 0 is nobody."""
    found = fields.text(raw)
    return found if found not in ("", "0") else None
