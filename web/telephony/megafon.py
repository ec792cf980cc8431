"""MegaFon's virtual PBX and the operators on the same platform (Kcell, Moldcell, …).

One address takes everything as a form: `cmd` names it, `crm_token` is the secret that is
set in the account. `contact` asks, as the call begins, whose customer it is; the answer may
name a PBX user, never an outside number. `event` tells of stages, `history` of the whole
call with its recording. Section 8 of the telephony notes; "REST API ВАТС" in the account.
"""

import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadSignature, Unreadable
from web.telephony import fields, trunks
from web.telephony.base import Answer, Country, Hook, Provider, Route, Token

STAGES = {
    "incoming": "ringing",
    "outgoing": "started",
    "accepted": "answered",
    "completed": "ended",
    "cancelled": "progress",  # one phone of a group; `history` tells the call's end
    "transferred": "transferred",
}
OUTCOMES = {
    "success": "answered",
    "missed": "missed",
    "cancel": "cancelled",
    "cancelled": "cancelled",
    "busy": "busy",
    "notavailable": "failed",
    "notallowed": "failed",
    "notfound": "failed",
}
DIRECTIONS = {"in": "inbound", "out": "outbound", "internal": "internal"}
COMPACT = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[T ]([0-9:]{6,8})Z?")
PROMPT = timedelta(minutes=10)  # a report that comes sooner comes at the call's end
Login = Annotated[str, msgspec.Meta(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Megafon(Provider):
    """A virtual PBX that speaks `cmd=`."""

    kind: ClassVar[str] = "megafon"

    crm_token: Token  # the key that is set in the account's CRM integration
    responsible: Login = ""  # the PBX user who gets the calls; empty: the PBX decides
    country: Country = "RU"  # how local spellings of phones are read

    def verify(self, hook: Hook) -> None:
        sent = hook.header("x-api-key")  # Kcell's way
        sent = fields.text(_told(hook).get("crm_token"), 500) or sent
        if not hmac.compare_digest(self.crm_token.encode(), sent.encode()):
            raise BadSignature("crm_token does not fit")

    def events(self, hook: Hook) -> list[CallEvent]:
        """Ratings and whatever else is told do not concern the call."""
        told = _told(hook)
        match _command(hook):
            case "contact":
                return [self._of_contact(told, hook.received_at)]
            case "event":
                return [self._of_event(told, hook.received_at)]
            case "history":
                return self._of_history(told, hook.received_at)
            case _:
                return []

    def answer(self, hook: Hook, route: Route) -> Answer:
        asked = self.responsible and _command(hook) == "contact"
        said = {"responsible": self.responsible} if asked else {}
        return Answer(content_type="application/json", body=msgspec.json.encode(said))

    def _of_contact(self, told: dict[str, Any], at: datetime) -> CallEvent:
        return CallEvent(
            type="started", at=at, started_at=at, **self._known(told, "inbound")
        )

    def _of_event(self, told: dict[str, Any], at: datetime) -> CallEvent:
        """Stages carry no moment of their own: they are told as they happen."""
        stage = fields.text(told.get("type")).lower()
        type_ = STAGES.get(stage)
        if type_ is None:
            raise Unreadable(f"type: must be one of {', '.join(STAGES).upper()}")
        by_stage = {"incoming": "inbound", "outgoing": "outbound"}.get(stage)
        said = fields.text(told.get("direction")).lower()
        direction = by_stage or DIRECTIONS.get(said)
        return CallEvent(
            type=type_,
            at=at,
            started_at=at if by_stage else None,
            answered_at=at if type_ == "answered" else None,
            ended_at=at if type_ == "ended" else None,
            outcome="answered"
            if type_ == "ended"
            else None,  # others are not completed
            manager=_who(told) if type_ == "answered" else None,
            note=_moved(told) if type_ == "transferred" else None,
            **self._known(told, direction),
        )

    def _of_history(
        self, told: dict[str, Any], received_at: datetime
    ) -> list[CallEvent]:
        status = fields.text(told.get("status")).lower()
        outcome = OUTCOMES.get(status)
        if outcome is None:
            raise Unreadable(f"status: must be one of {', '.join(OUTCOMES)}")
        started_at = _start(told.get("start"))
        duration = fields.seconds(told.get("duration"), "duration") or 0
        wait = fields.seconds(told.get("wait"), "wait")
        ended_at = _end(started_at, timedelta(seconds=duration + (wait or 0)), received_at)  # fmt: skip
        direction = DIRECTIONS.get(fields.text(told.get("type")).lower(), "inbound")
        talked = outcome == "answered"
        end = CallEvent(
            type="ended",
            at=ended_at,
            started_at=started_at,
            ended_at=ended_at,
            ring_seconds=wait,
            talk_seconds=(duration or None) if talked else None,
            outcome=outcome,
            recording=_recording(told),
            **self._known(told, direction),
        )
        who = _who(told) if talked else None
        if who is None:
            return [end]
        # Earlier than any stage: whom `event` told to have answered is known better.
        return [end, replace(end, at=started_at or ended_at, manager=who)]

    def _known(self, told: dict[str, Any], direction: str | None) -> dict[str, Any]:
        """The call and who called which number, where the direction is certain."""
        raw = fields.text(told.get("phone"), phones.LONGEST_INPUT + 1)
        client = trunks.number(raw, self.country)
        hidden = phones.is_hidden(raw)
        if direction == "inbound" and client is None and not hidden:
            direction = "internal"  # an extension calls
        inbound = direction == "inbound"
        tracked = trunks.number(told.get("diversion"), self.country)
        return {
            "call_key": fields.key(told.get("callid"), "callid"),
            "direction": direction or "inbound",
            "caller": client if inbound else None,
            "hidden": inbound and hidden,
            "tracked": tracked if inbound else None,
        }


def _told(hook: Hook) -> dict[str, Any]:
    """The fields by their names; raises Unreadable."""
    if hook.body.lstrip()[:1] == b"{":
        return fields.decode(hook.body, dict[str, Any])
    return dict(hook.fields)


def _command(hook: Hook) -> str:
    """What is told or asked; an empty string when it cannot be read."""
    try:
        return fields.text(_told(hook).get("cmd")).lower()
    except Unreadable:
        return ""


def _who(told: dict[str, Any]) -> str | None:
    """Who spoke: the PBX user, else the extension, else the group."""
    names = (told.get("user"), told.get("ext"), told.get("groupRealName"))
    return next((text for name in names if (text := fields.text(name))), None)


def _moved(told: dict[str, Any]) -> str:
    second = fields.text(told.get("second_callid"))
    return f"transferred as call {second}" if second else "transferred"


def _start(raw: Any) -> datetime | None:
    """YYYYmmddTHHMMSSZ in UTC, or with separators; None when there is none."""
    text = fields.text(raw)
    if not text:
        return None
    parts = COMPACT.fullmatch(text)
    digits = "".join(parts.groups()).replace(":", "") if parts else ""
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise Unreadable("start: must be YYYYmmddTHHMMSSZ") from None
    if not fields.EARLIEST <= moment <= fields.LATEST:
        raise Unreadable("start: out of range")
    return moment


def _end(
    started_at: datetime | None, lasted: timedelta, received_at: datetime
) -> datetime:
    """When the call was over; a missed one's length is not always told."""
    if started_at is None:
        return received_at
    late = not timedelta(0) <= received_at - started_at <= PROMPT
    return started_at + lasted if lasted or late else received_at


def _recording(told: dict[str, Any]) -> Recording | None:
    url = fields.link(told.get("link"))
    return Recording(id=url, url=url) if url else None
