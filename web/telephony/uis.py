"""UIS, CoMagic, CallGear and Novofon API 2.0: notifications whose body is our template.

One platform under several names. The account's owner makes a notification for each kind of
event and pastes our template (`pastes`) into it; the platform fills in `{{variables}}`. There
is no signature: the template carries a secret, or the address does (`?token=…`), which also
serves a notification that is sent as GET or keeps the account's own template (`?event=ended`).
A scenario's step "interactive call processing" asks `/route` where to go. Section 4 of the
telephony notes; https://uiscom.ru/academiya/spravochnyj-centr/uvedomleniya/uvedomleniya-o-sobytiyakh
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import digits, fields, uis_templates, zones
from web.telephony.base import Answer, Country, Hook, Provider, Route, Token

BOM = b"\xef\xbb\xbf"
# A variable that this kind of notification does not know stays as it stands in the template.
UNFILLED = re.compile(rb'\{\{[^{}"]*\}\}')
QUARTER = timedelta(minutes=15)  # zones differ by multiples of it
MOST_RECORDINGS = 20  # of one notification

Told = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uis(Provider):
    """An account of that platform."""

    kind: ClassVar[str] = "uis"
    routes: ClassVar[bool] = True

    secret: Token  # stands in our templates and in the address of the interactive step
    timezone: zones.Zone = "Europe/Moscow"  # of the account, where a moment has none
    # Set where numbers are written as they are dialled there: 8 495…, 495….
    local_numbers: Country | None = None

    def check(self) -> None:
        zones.check(self.timezone, "timezone")

    def pastes(self, address: str) -> dict[str, str]:
        """What is pasted at the platform, by where it goes."""
        asked = f"{address}/route?token={quote(self.secret, safe='')}"
        return {**uis_templates.made(self.secret), uis_templates.INTERACTIVE: asked}

    def verify(self, hook: Hook) -> None:
        sent = dict(hook.params).get("token") or _told(hook).get("secret")
        given = sent if isinstance(sent, str) else ""
        if not hmac.compare_digest(self.secret.encode(), given.encode("utf-8", "replace")):  # fmt: skip
            raise BadSignature("the secret of the template or the address does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        told = _told(hook)
        if self._is_question(hook, told):
            return [self._of_question(told, hook.received_at)]
        read = READERS.get(fields.text(told.get("event")).lower())
        if read is None:
            raise Unreadable(f"event: must be one of {', '.join(READERS)}")
        return read(told, self._begin(told, hook.received_at))

    def asks_route(self, hook: Hook) -> bool:
        try:
            return self._is_question(hook, _told(hook))
        except Unreadable:
            return hook.name == "route"

    def answer(self, hook: Hook, route: Route) -> Answer:
        """Without a number the scenario goes on as it is drawn (section 4.2)."""
        asked = self.asks_route(hook) and route.forward_to is not None
        told = {"phones": [(route.forward_to or "").removeprefix("+")]} if asked else {}
        return Answer(content_type="application/json", body=msgspec.json.encode(told))

    @staticmethod
    def _is_question(hook: Hook, told: Told) -> bool:
        return hook.name == "route" or ("numb" in told and "event" not in told)

    def _of_question(self, told: Told, received_at: datetime) -> CallEvent:
        """Section 4.2: the caller waits in the scenario."""
        start = zones.moment(told.get("start_time"), "start_time", ZoneInfo(self.timezone), near=received_at)  # fmt: skip
        caller = fields.text(told.get("numa"))
        return CallEvent(
            type="started",
            call_key=fields.key(
                told.get("call_session_id") or told.get("cdr_id"), "call_session_id"
            ),
            at=received_at,
            direction=_direction(told),
            caller=self._number(caller),
            hidden="numa" in told and phones.is_hidden(caller),
            tracked=self._number(told.get("numb")),
            started_at=zones.begun(start, received_at, None),
        )

    def _begin(self, told: Told, received_at: datetime) -> CallEvent:
        """What all notifications tell; `type` is still to be said."""
        zone = _offset(told) or ZoneInfo(self.timezone)
        at = (
            fields.unix(told.get("notification_timestamp"), "notification_timestamp")
            or zones.moment(told.get("notification_time"), "notification_time", zone, near=received_at)
            or received_at
        )  # fmt: skip
        start = zones.moment(told.get("start_time"), "start_time", zone, near=at)
        direction, customer = _direction(told), _customer(told)
        lasted = fields.seconds(told.get("total_time_duration"), "total_time_duration")
        return CallEvent(
            type="progress",
            call_key=fields.key(told.get("call_session_id"), "call_session_id"),
            at=at,
            leg_key=fields.text(told.get("leg_id")) or None,
            direction=direction,
            caller=self._number(customer),
            hidden=direction == "inbound"
            and "contact_phone_number" in told
            and phones.is_hidden(customer),
            tracked=self._number(told.get("virtual_phone_number")),
            started_at=zones.begun(start, at, lasted),
        )

    def _number(self, raw: Any) -> str | None:
        return digits.number(raw, self.local_numbers)


# What was told ------------------------------------------------------------------------


def _told(hook: Hook) -> Told:
    """The variables by name, those of objects in the body too; raises Unreadable."""
    body = hook.body.removeprefix(BOM).strip()
    told: Told = {name: _bare(value) for name, value in reversed(hook.params)}
    if body[:1] != b"{":
        return told | {name: _bare(value) for name, value in reversed(hook.form)}
    own = fields.decode(UNFILLED.sub(b"null", body), Told)
    for value in own.values():
        if isinstance(value, dict):
            told |= value
    return told | {name: one for name, one in own.items() if not isinstance(one, dict)}


def _bare(value: str) -> str:
    """A form's value: strings may come in the quotes that JSON would want."""
    bare = value.strip().removeprefix('"').removesuffix('"')
    return "" if bare == "null" else bare


def _customer(told: Told) -> str:
    """The customer's number; a leg's caller only where the call is new and is his."""
    known = fields.text(told.get("contact_phone_number"))
    is_new = fields.text(told.get("event")).lower() == "inbound"
    return known or (fields.text(told.get("calling_phone_number")) if is_new else "")


def _direction(told: Told) -> str:
    outbound = fields.text(told.get("event")).lower() == "outbound"
    said = fields.text(told.get("direction")).lower()
    return "outbound" if outbound or said.startswith("out") else "inbound"


def _offset(told: Told) -> tzinfo | None:
    """The account's offset, by the same moment told in both ways."""
    local, true = told.get("notification_time"), told.get("notification_timestamp")
    known = fields.unix(true, "notification_timestamp")
    read = zones.moment(local, "notification_time", UTC, near=known) if known else None
    if known is None or read is None:
        return None
    ahead = read - known
    offset = round(ahead / QUARTER) * QUARTER
    exact = abs(ahead - offset) < timedelta(minutes=2) and abs(offset) < timedelta(hours=15)  # fmt: skip
    return timezone(offset) if exact else None


def _employee(told: Told) -> str | None:
    names = ("employee_full_name", "extension_phone_number", "employee_id")
    return next((who for name in names if (who := fields.text(told.get(name)))), None)


# What it means ------------------------------------------------------------------------


def _started(told: Told, begin: CallEvent) -> list[CallEvent]:
    started_at = begin.started_at or begin.at
    return [replace(begin, type="started", started_at=started_at)]


def _ringing(told: Told, begin: CallEvent) -> list[CallEvent]:
    return [replace(begin, type="ringing")]


def _answered(told: Told, begin: CallEvent) -> list[CallEvent]:
    """An employee took the call; after a transfer, another one."""
    return [
        replace(
            begin, type="answered", answered_at=begin.at, manager=_employee(told)
        )
    ]  # fmt: skip


def _talk_end(told: Told, begin: CallEvent) -> list[CallEvent]:
    """One employee's talk is over; the call may go on with another."""
    return [begin]


def _ended(told: Told, begin: CallEvent) -> list[CallEvent]:
    talk = fields.seconds(told.get("talk_time_duration"), "talk_time_duration")
    wait = fields.seconds(told.get("wait_time_duration"), "wait_time_duration")
    end = replace(
        begin,
        type="ended",
        ended_at=begin.at,
        ring_seconds=wait,
        talk_seconds=talk or None,
        outcome="answered" if talk else "missed",
    )
    who = _employee(told) if talk else None
    if who is None:
        return [end]
    # Who answered first: whoever took the call after a transfer was told of later.
    taken = (begin.started_at or begin.at) + timedelta(seconds=wait or 0)
    return [end, replace(end, at=min(taken, begin.at), manager=who)]


def _lost(told: Told, begin: CallEvent) -> list[CallEvent]:
    wait = fields.seconds(told.get("wait_time_duration"), "wait_time_duration")
    return [
        replace(
            begin,
            type="ended",
            ended_at=begin.at,
            ring_seconds=wait,
            outcome="missed",
        )
    ]


def _recorded(told: Told, begin: CallEvent) -> list[CallEvent]:
    if not (events := _recordings(told, begin)):
        raise Unreadable("file_link: must be an http or https address")
    return events


def _voicemail(told: Told, begin: CallEvent) -> list[CallEvent]:
    """The caller left a message: nobody answered, and it is worth more than a miss."""
    return [replace(begin, outcome="voicemail"), *_recordings(told, begin)]


def _recordings(told: Told, begin: CallEvent) -> list[CallEvent]:
    """`file_link` is an address or a list of them (section 4.1)."""
    given = told.get("file_link")
    several = given if isinstance(given, list) else [given]
    found = dict.fromkeys(fields.link(one) for one in several)
    links = [one for one in found if one][:MOST_RECORDINGS]
    length = fields.seconds(told.get("file_duration"), "file_duration")
    return [
        CallEvent(
            type="recording",
            call_key=begin.call_key,
            at=begin.at,
            recording=Recording(
                id=_recording_id(link),
                url=link,
                seconds=length if len(links) == 1 else None,
            ),
        )
        for link in links
    ]


def _recording_id(link: str) -> str:
    """The address ends with it (…/call_session_id/record_id)."""
    last = urlsplit(link).path.rstrip("/").rpartition("/")[2]
    return last[: fields.LONGEST_KEY] or sha256(link.encode()).hexdigest()


READERS: dict[str, Callable[[Told, CallEvent], list[CallEvent]]] = {
    "inbound": _started,
    "outbound": _started,
    "ringing": _ringing,
    "answered": _answered,
    "talk_end": _talk_end,
    "ended": _ended,
    "lost": _lost,
    "recording": _recorded,
    "voicemail": _voicemail,
}
