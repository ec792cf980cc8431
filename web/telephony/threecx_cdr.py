"""3CX's call detail records: one line a leg of a call, told when it is over.

Pure. Section 11 of the telephony notes; https://www.3cx.com/docs/cdr-call-data-records/.
3CX writes the fields that are ticked on its CDR page, in that page's order, without names:
the order is a setting here, and a line with another count is refused rather than guessed
at. Times are the server's, without a zone.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from numberpool import phones
from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import fields, trunks, zones

# All fields in the order of 3CX's own page.
ORDER = (
    "historyid,callid,duration,time-start,time-answered,time-end,reason-terminated,"
    "from-no,to-no,from-dn,to-dn,dial-no,reason-changed,final-number,final-dn,"
    "bill-code,bill-rate,bill-cost,bill-name,chain,from-type,to-type,final-type,"
    "from-dispname,to-dispname,final-dispname,missed-queue-calls"
)
KNOWN = frozenset(ORDER.split(","))
NEEDED = frozenset({"historyid", "time-start", "time-end", "from-no"})
MOST_LINES = 1000  # of one request
LINE_END = re.compile(r"\r\n|\n|\r")
FIRST_WORD = re.compile(r"^\s*Call\s+")  # of a line, before the history id
EXTENSION = re.compile(r"Ext\.\s*", re.IGNORECASE)
# Who takes a call without being a person, by the beginning of its type.
MACHINES = ("ivr", "queue", "ringgroup", "script", "park", "fax", "conf")
VOICEMAIL = "voicemail"

Record = Mapping[str, str]


def records(text: str, order: str) -> list[Record]:
    """The lines with their fields' names; raises Unreadable."""
    told = LINE_END.split(text)  # no `splitlines`: names may hold stranger ends
    lines = [FIRST_WORD.sub("", line) for line in told if line.strip()]
    if len(lines) > MOST_LINES:
        raise Unreadable(f"CDR: at most {MOST_LINES} lines")
    try:
        return [_record(row, order.split(",")) for row in csv.reader(lines)]
    except csv.Error as error:
        raise Unreadable(f"CDR: {error}") from None


def _record(row: list[str], names: list[str]) -> Record:
    if len(row) != len(names):
        raise Unreadable(
            f"CDR: a line has {len(row)} fields, cdr_fields names {len(names)}; "
            "set it to the order on 3CX's CDR page"
        )
    return {name: value.strip() for name, value in zip(names, row, strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this exchange's records are read."""

    zone: ZoneInfo
    country: str  # whose spellings its trunks use
    did: str  # the field that holds the dialled number
    number: str | None  # what was dialled where that field holds none


def event(told: Record, rules: Rules, received_at: datetime) -> CallEvent:
    """What one leg tells; the call's end is the last of its legs'."""
    at = {
        name: zones.moment(
            told.get(name, "").replace("/", "-"), name, rules.zone, near=received_at
        )
        for name in ("time-start", "time-answered", "time-end")
    }
    ended_at, picked_at = at["time-end"], at["time-answered"]
    if ended_at is None:
        raise Unreadable("time-end: is required")
    last = _kind(told, "final") or _kind(told, "to")
    person = picked_at is not None and not last.startswith((*MACHINES, VOICEMAIL))
    # A menu or a queue that came before the person answered at that moment.
    direct = person and not _kind(told, "to").startswith(MACHINES)
    return CallEvent(
        type="ended",
        call_key=fields.key(told["historyid"], "historyid"),
        at=(picked_at if direct else None) or ended_at,  # who spoke last, spoke later
        leg_key=fields.text(told.get("callid")) or None,
        started_at=at["time-start"],
        answered_at=picked_at if direct else None,
        ended_at=ended_at,
        outcome="answered" if person else _outcome(told, last, picked_at),
        manager=_who(told) if person else None,
        **_parties(told, rules),
    )


def _parties(told: Record, rules: Rules) -> dict[str, Any]:
    direction, raw = _direction(told, rules.country), told["from-no"]
    if direction != "inbound":
        return {"direction": direction}
    return {
        "direction": direction,
        "caller": trunks.number(raw, rules.country),
        "hidden": phones.is_hidden(raw),
        "tracked": trunks.within(told.get(rules.did), rules.country) or rules.number,
    }


def _kind(told: Record, end: str) -> str:
    """The type of one end, in one spelling: versions write Ivr, ivr and IVR."""
    return told.get(f"{end}-type", "").lower().replace("_", "").replace(" ", "")


def _direction(told: Record, country: str) -> str:
    """By whether an extension calls, and whom."""
    if not _is_own(told["from-no"], _kind(told, "from")):
        return "inbound"
    last = told.get("final-number") or told.get("to-no", "")
    # `Ext.` stands before a trunk's number too, when it is dialled from inside.
    outside = trunks.number(EXTENSION.sub("", last), country)
    outside = outside or trunks.number(told.get("dial-no"), country)
    return "outbound" if outside else "internal"


def _is_own(number: str, kind: str) -> bool:
    return kind == "extension" or EXTENSION.match(number) is not None


def _outcome(told: Record, last: str, picked_at: datetime | None) -> str:
    reason = told.get("reason-terminated", "").lower()
    if last.startswith(VOICEMAIL):
        return "voicemail"
    if "busy" in reason:
        return "busy"
    if "fail" in reason and picked_at is None:
        return "failed"
    by_caller = "bysrc" in reason or "srcparticipant" in reason.replace("_", "")
    return "cancelled" if by_caller else "missed"


def _who(told: Record) -> str | None:
    """The last who spoke: his name, else his extension."""
    for end in ("final", "to"):
        number = told.get("final-number" if end == "final" else "to-no", "")
        name = told.get(f"{end}-dispname", "") or EXTENSION.sub("", number)
        if who := fields.text(name):
            return who
    return None
