"""A row of Asterisk's call detail records, posted one by one to fill in what was lost.

Pure. Section 10.5 of the telephony notes, tried with Asterisk 22. A form or JSON of the
columns' names, or `row=` with a line of Master.csv as it is. Rows are posted once the call
is over. One call makes several (each attempt to dial, each transfer), and they are no good
witnesses: `dst` and `dcontext` become those of the last transfer, a menu's answer counts
as one. So our dialplan writes what it knows into `userfield`, and that is believed first.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import fields, own_pbx, trunks, zones
from web.telephony.base import Hook

COLUMNS = [
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
    "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
    "uniqueid", "userfield", "peeraccount", "linkedid", "sequence",
]  # fmt: skip
# With loguniqueid, with loguserfield too, with newcdrcolumns too.
COUNTS = frozenset({17, 18, 21})
OURS = re.compile(r"(?:skvoz|ct):(.*)")
CHANNEL = re.compile(r"[A-Za-z0-9]+/(?P<peer>.+?)(?:@[^@]*?)?(?:-[0-9a-f]+)?(?:;[12])?")
OUTCOMES = {"BUSY": "busy", "NO ANSWER": "missed", "ANSWERED": "missed"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this exchange's rows are read."""

    zone: ZoneInfo
    contexts: frozenset[str]  # where customers' calls come in


def event(hook: Hook, pbx: own_pbx.OwnPbx, rules: Rules) -> CallEvent:
    """What one row tells; raises Unreadable."""
    row = _row(hook)
    at = {
        name: zones.moment(row.get(name), name, rules.zone, near=hook.received_at)
        for name in ("start", "answer", "end")
    }
    if at["end"] is None:
        raise Unreadable("end: is required")
    uniqueid = fields.text(row.get("uniqueid"))
    call_key = fields.key(row.get("linkedid") or uniqueid, "uniqueid")
    ours = _ours(row)
    answered_at = _answered(row, ours, at["answer"])
    said = ours.get("who") or row.get("dstchannel")
    return CallEvent(
        # A row of another channel (a queue's, a forwarding phone's) is only a leg.
        type="ended" if uniqueid in ("", call_key) else "progress",
        call_key=call_key,
        at=at["end"],
        leg_key=uniqueid or None,
        started_at=at["start"],
        answered_at=answered_at,
        ended_at=at["end"],
        outcome="answered" if answered_at else _outcome(row),
        manager=who(said) if answered_at else None,
        **_parties(row, ours, pbx, rules),
    )


def who(raw: Any) -> str | None:
    """Who that is: the extension of a channel's name, any other name as it stands."""
    said = fields.text(raw)
    channel = CHANNEL.fullmatch(said)
    return (channel["peer"] if channel else said) or None


def _row(hook: Hook) -> Row:
    if hook.body.lstrip()[:1] == b"{":
        return fields.decode(hook.body, dict[str, Any])
    told = hook.fields
    return _of_line(told["row"]) if "row" in told else told


def _of_line(line: str) -> Row:
    try:
        values = next(csv.reader([line.strip()], strict=True), [])
    except csv.Error as error:
        raise Unreadable(f"row: {error}") from None
    if len(values) not in COUNTS:
        raise Unreadable(
            f"row: has {len(values)} columns; set loguniqueid=yes and loguserfield=yes "
            "in cdr.conf"
        )
    return dict(zip(COLUMNS, values, strict=False))


def _ours(row: Row) -> dict[str, str]:
    """What our dialplan wrote: direction, pres, did, answered, who."""
    written = OURS.fullmatch(fields.text(row.get("userfield"), 1000))
    if written is None:
        return {}
    pairs = (pair.partition("=") for pair in re.split("[&;]", written[1]))
    return {name: value for name, _, value in pairs}


def _answered(
    row: Row, ours: dict[str, str], answer: datetime | None
) -> datetime | None:
    """When a person picked up; a row without a second channel is a menu's."""
    if "answered" in ours:  # the dialplan's last word
        return fields.unix(ours["answered"], "answered")
    talked = fields.text(row.get("disposition")).upper() == "ANSWERED"
    return answer if talked and fields.text(row.get("dstchannel")) else None


def _outcome(row: Row) -> str:
    return OUTCOMES.get(fields.text(row.get("disposition")).upper(), "failed")


def _parties(
    row: Row, ours: dict[str, str], pbx: own_pbx.OwnPbx, rules: Rules
) -> dict[str, Any]:
    dialled = trunks.number(ours.get("did") or row.get("dst"), pbx.country)
    direction = ours.get("direction") or ("inbound" if "did" in ours else "")
    if direction not in ("inbound", "outbound", "internal"):
        outside = fields.text(row.get("dcontext")) in rules.contexts
        direction = "inbound" if outside else "outbound" if dialled else "internal"
    if direction != "inbound":
        return {"direction": direction}
    withheld = own_pbx.withheld(ours.get("pres", ""))
    caller, hidden = pbx.caller(row.get("src"), withheld=withheld)
    return {
        "direction": direction,
        "caller": caller,
        "hidden": hidden,
        "tracked": dialled,
    }
