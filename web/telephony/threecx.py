"""3CX: whatever of it can reach us by HTTP; the answer cannot route.

- `/cdr`: lines of call detail records, posted by what reads 3CX's file or socket
  (`threecx_cdr.py`);
- `/report`: the journal of 3CX's CRM integration, by our template
  (`threecx_template.py`): the whole call, but no id and no dialled number;
- the bare address: webhooks of the add-ons that watch the exchange
  (https://creomate.com/3cx-webhook-documentation/, https://webhooks.k2msoftware.com/).

Section 11 of the telephony notes. Their ids have nothing in common: one of the three per
exchange, or each call is counted more than once. Nothing is signed: a token is required, in
the address as `?token=` or as a bearer.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import BadInput, Unreadable
from web.telephony import fields, threecx_cdr, tokens, trunks, zones
from web.telephony.base import E164, Answer, Country, Hook, Provider, Route, Token

BEARER = "bearer "
LOOKUP = Answer(content_type="application/json", body=b"{}")  # nobody is known
ID = re.compile(r"(.+)-[0-9]{1,4}")  # of the add-on's call; behind the dash the leg
CLOCK = re.compile(r"(?:([0-9]{1,2}):)?([0-9]{1,3}):([0-9]{2})(?:\.[0-9]+)?")
UNFILLED = re.compile(r"\[.*\]")  # a template's variable that 3CX left as it was
MOST_FILES = 20  # recordings of one call
STAGES = {
    "ringing": "ringing",
    "hangupincoming": "answered",
    "pickupincoming": "answered",
    "incomingcall_started": "answered",
    "hangupoutgoing": "answered",
    "pickupoutgoing": "answered",
    "outgoingcall_started": "answered",
    "incoming": "ended",
    "outgoing": "ended",
    "recording": "recording",
}
REPORTS = {  # CallType: direction, outcome
    "inbound": ("inbound", "answered"),
    "missed": ("inbound", "missed"),
    "outbound": ("outbound", "answered"),
    "notanswered": ("outbound", "missed"),
}
DidField = Literal["dial-no", "from-dispname", "to-no", "to-dispname", "chain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeCX(Provider):
    """An exchange of 3CX."""

    kind: ClassVar[str] = "threecx"

    token: Token  # stands in the address as ?token=…, or is sent as a bearer
    number: E164 | None = None  # dialled by calls whose report does not name the number
    country: Country = "RU"  # how local spellings of phones are read
    timezone: zones.Zone = "UTC"  # of the records
    cdr_fields: Annotated[str, msgspec.Meta(max_length=1000)] = threecx_cdr.ORDER
    did_field: DidField = "dial-no"  # where the trunk puts the dialled number

    def check(self) -> None:
        zones.check(self.timezone, "timezone")
        names = self.cdr_fields.split(",")
        if unknown := [name for name in names if name not in threecx_cdr.KNOWN]:
            raise BadInput(f"has no field {unknown[0]!r}", field="cdr_fields")
        if missing := sorted(threecx_cdr.NEEDED - set(names)):
            raise BadInput(f"must name {', '.join(missing)}", field="cdr_fields")
        if len(set(names)) != len(names):
            raise BadInput("names a field twice", field="cdr_fields")

    def verify(self, hook: Hook) -> None:
        sent = hook.header("authorization")
        if sent.lower().startswith(BEARER):
            tokens.compare(sent[len(BEARER) :].strip(), self.token)
        else:
            tokens.check(hook, self.token)

    def events(self, hook: Hook) -> list[CallEvent]:
        if hook.name == "cdr":
            return self._of_records(hook)
        if hook.name == "lookup":  # who calls? It names no call
            return []
        told = _told(hook)
        if hook.name == "report" or "call_type" in told:
            return [self._of_report(told)]
        return self._of_addon(told, hook.received_at)

    def answer(self, hook: Hook, route: Route) -> Answer:
        return LOOKUP

    def _of_records(self, hook: Hook) -> list[CallEvent]:
        text = hook.body.decode("utf-8", "replace")
        rules = threecx_cdr.Rules(
            zone=ZoneInfo(self.timezone),
            country=self.country,
            did=self.did_field,
            number=self.number,
        )
        return [
            threecx_cdr.event(record, rules, hook.received_at)
            for record in threecx_cdr.records(text, self.cdr_fields)
        ]

    def _of_report(self, told: dict[str, Any]) -> CallEvent:
        """The journal's line; a call is known by its beginning and its caller."""
        type_ = fields.text(told.get("call_type")).lower()
        if type_ not in REPORTS:
            raise Unreadable(f"call_type: must be one of {', '.join(REPORTS)}")
        direction, outcome = REPORTS[type_]
        raw, agent = fields.text(told.get("number")), fields.text(told.get("agent"))
        started_at = fields.moment(told.get("started_at"), "started_at")
        if started_at is None:
            raise Unreadable("started_at: is required")
        talk = _duration(told.get("duration")) if outcome == "answered" else None
        at_least = started_at + timedelta(seconds=talk or 0)
        ended_at = fields.moment(told.get("ended_at"), "ended_at") or at_least
        hidden = phones.is_hidden(raw)
        who = agent if hidden else raw  # hidden callers of one second differ by agent
        return CallEvent(
            type="ended",
            call_key=fields.key(f"{started_at.isoformat()} {who}", "number"),
            at=ended_at,
            direction=direction,
            started_at=started_at,
            ended_at=ended_at,
            talk_seconds=talk,
            outcome=outcome,
            manager=(agent or None) if outcome == "answered" else None,
            recording=_recording(told.get("recording_url")),
            **self._parties(raw, told.get("did"), direction),
        )

    def _of_addon(self, told: dict[str, Any], at: datetime) -> list[CallEvent]:
        """Stages carry no moment of their own: they are told as they happen."""
        name = fields.text(told.get("event")).lower()
        if name not in STAGES:
            return []
        files = _files(told)
        # The recording is told by the end's name again, some time after the end.
        type_ = "recording" if files else STAGES[name]
        id_ = fields.key(told.get("id"), "id")
        legs = ID.fullmatch(id_)
        known: dict[str, Any] = {"call_key": legs[1] if legs else id_, "at": at}
        if type_ == "recording":
            return [CallEvent(type=type_, recording=one, **known) for one in files]
        return [CallEvent(leg_key=id_, **known, **self._stage(told, name, at))]

    def _stage(self, told: dict[str, Any], name: str, at: datetime) -> dict[str, Any]:
        type_, outbound = STAGES[name], "outgoing" in name
        at_person = fields.text(told.get("usertype")).lower() not in ("queue", "other")
        if type_ == "ringing" and not at_person:
            type_ = "started"  # in a menu or a queue
        if type_ == "answered" and _moved(told):
            type_ = "transferred"
        if type_ == "ended" and fields.text(told.get("transfer")).lower() == "true":
            type_ = "progress"  # this leg's end; the call goes on elsewhere
        spoke = type_ in ("answered", "transferred")
        direction = "outbound" if outbound else "inbound"
        did = told.get("inbound_did") or told.get("did")
        return {
            "type": type_,
            "direction": direction,
            "started_at": at if type_ in ("started", "ringing") else None,
            "answered_at": at if spoke else None,
            "ended_at": at if type_ == "ended" else None,
            "outcome": _finish(told) if type_ == "ended" else None,
            "manager": (fields.text(told.get("user")) or None) if spoke else None,
            **self._parties(fields.text(told.get("callerid")), did, direction),
        }

    def _parties(self, raw: str, did: Any, direction: str) -> dict[str, Any]:
        if direction != "inbound":
            return {}
        return {
            "caller": trunks.number(raw, self.country),
            "hidden": phones.is_hidden(raw),
            "tracked": trunks.within(did, self.country) or self.number,
        }


def _told(hook: Hook) -> dict[str, Any]:
    """The fields by their names in lower case, without unfilled variables."""
    body = hook.body.strip()
    sent: dict[str, Any] = (
        fields.decode(body, dict[str, Any]) if body[:1] == b"{" else {**hook.fields}
    )
    return {
        name.lower(): "" if _is_unfilled(value) else value
        for name, value in sent.items()
    }


def _is_unfilled(value: Any) -> bool:
    return isinstance(value, str) and UNFILLED.fullmatch(value.strip()) is not None


def _finish(told: dict[str, Any]) -> str:
    """Some versions leave `finishtype` out: then the stages before decide."""
    said = fields.text(told.get("finishtype")).lower()
    return {"ok": "answered", "busy": "busy", "failed": "failed"}.get(said, "missed")


def _moved(told: dict[str, Any]) -> bool:
    return fields.text(told.get("trtype")).lower() in ("blind", "accomp")


def _files(told: dict[str, Any]) -> list[Recording]:
    """Recordings, by their file's name: the address may move with the server."""
    told_files = told.get("files") or told.get("fileurls") or []
    if isinstance(told_files, str):
        told_files = re.split(r"[,;\s]+", told_files)
    if not isinstance(told_files, list):
        return []
    found = (_recording(one) for one in told_files[:MOST_FILES])
    return [one for one in found if one]


def _recording(raw: Any) -> Recording | None:
    url = fields.link(raw)
    return Recording(id=url.rpartition("/")[2] or url, url=url) if url else None


def _duration(raw: Any) -> int | None:
    """HH:MM:SS, MM:SS or seconds; None when there is none; raises Unreadable."""
    text = fields.text(raw)
    if parts := CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in parts.groups())
        text = str(hours * 3600 + minutes * 60 + seconds)
    return fields.seconds(text, "duration") or None
