"""FreeSWITCH's records of legs, as mod_json_cdr posts them: one when a leg has ended.

Pure. Section 16.1 of the telephony notes; read along with the source of mod_json_cdr and
switch_channel.c. The caller's leg (A) tells who called whom and ends the call; a leg that
was dialled for it (B) tells which person answered. A leg is bridged as soon as the dialled
phone rings with early media, and it is answered by a menu too: only a B leg that is both
was answered by a person.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import fields, own_pbx, trunks
from web.telephony.base import Hook

FIELD = b"cdr="  # before the document, unless `encode` is false
EXTENSION = re.compile(r"[0-9]{2,6}")
# What names the caller's leg, on a leg that was dialled for it (by a bridge, by a queue).
PARENTS = ("originating_leg_uuid", "cc_member_session_uuid", "originator")
CALLER_HUNG_UP = frozenset({"recv_bye", "recv_cancel"})
OUTCOMES = {
    "USER_BUSY": "busy",
    "CALL_REJECTED": "rejected",
    "ORIGINATOR_CANCEL": "cancelled",
    "NO_ANSWER": "missed",
    "NO_USER_RESPONSE": "missed",
    "ALLOTTED_TIMEOUT": "missed",
    "PROGRESS_TIMEOUT": "missed",
    "NORMAL_CLEARING": "missed",
}
VOICEMAIL = "voicemail"
Scalar = fields.Scalar


class Profile(msgspec.Struct, frozen=True):
    """One stay of a leg in the dialplan."""

    caller_id_number: Scalar = None
    destination_number: Scalar = None
    context: Scalar = None
    originator: "Originator | None" = None


class Originator(msgspec.Struct, frozen=True):
    """The leg that this one was dialled for."""

    originator_caller_profiles: list[Profile] = []


class Flow(msgspec.Struct, frozen=True):
    caller_profile: Profile = Profile()


class Record(msgspec.Struct, frozen=True):
    variables: dict[str, Any]
    callflow: list[Flow] = []

    @property
    def entry(self) -> Profile:
        """How the leg began: transfers are put before it."""
        return self.callflow[-1].caller_profile if self.callflow else Profile()

    def value(self, name: str) -> str:
        """A variable; its value is percent-encoded unless `encode-values` is false."""
        told = fields.text(self.variables.get(name), fields.LONGEST_LINK)
        return fields.text(unquote(told), fields.LONGEST_LINK) if "%" in told else told

    def moment(self, name: str) -> datetime | None:
        return fields.unix(self.value(f"{name}_epoch"), f"{name}_epoch")

    @property
    def talked_from(self) -> datetime | None:
        """When this leg was connected with another and answered."""
        answer = self.moment("answer")
        if "bridge_epoch" not in self.variables:  # a record that knows of no bridges
            return answer
        bridge = self.moment("bridge")
        return max(answer, bridge) if answer and bridge else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this exchange's records are read."""

    contexts: frozenset[str]  # where customers' calls come in
    both_legs: bool


def events(hook: Hook, pbx: own_pbx.OwnPbx, rules: Rules) -> list[CallEvent]:
    """What one record tells; raises Unreadable."""
    record = _record(hook)
    leg = fields.key(record.value("uuid") or dict(hook.params).get("uuid"), "uuid")
    ended_at = record.moment("end") or hook.received_at
    parent = next((key for name in PARENTS if (key := record.value(name))), leg)
    if parent != leg:
        return [_of_dialled(record, fields.key(parent, PARENTS[0]), leg, pbx, ended_at)]
    return [_of_caller(record, leg, pbx, rules, ended_at)]


def _of_caller(
    record: Record, leg: str, pbx: own_pbx.OwnPbx, rules: Rules, ended_at: datetime
) -> CallEvent:
    """The A leg: the call's beginning, its numbers and its end."""
    answered_at = record.talked_from
    if rules.both_legs and "bridge_epoch" in record.variables:
        answered_at = None  # the B leg knows better
    recording = pbx.recording(record.value("ct_recording"))
    return CallEvent(
        type="ended",
        call_key=leg,
        at=ended_at,
        leg_key=leg,
        started_at=record.moment("start"),
        answered_at=answered_at,
        ended_at=ended_at,
        outcome="answered" if answered_at else _outcome(record),
        recording=recording,
        **_parties(record, pbx, rules),
    )


def _of_dialled(
    record: Record, parent: str, leg: str, pbx: own_pbx.OwnPbx, ended_at: datetime
) -> CallEvent:
    """A B leg: whether and when this one answered."""
    answered_at = record.talked_from
    return CallEvent(
        type="answered" if answered_at else "progress",
        call_key=parent,
        at=answered_at or ended_at,
        leg_key=leg,
        # The A leg knows, and is trusted more; until it tells, this is nobody's call.
        direction="internal",
        answered_at=answered_at,
        manager=_who(record, pbx) if answered_at else None,
    )


def _parties(record: Record, pbx: own_pbx.OwnPbx, rules: Rules) -> dict[str, Any]:
    """Who called which number, as it was when the call came in."""
    raw, context = record.entry.caller_id_number, fields.text(record.entry.context)
    dialled = trunks.number(record.entry.destination_number, pbx.country)
    did = record.value("ct_did")
    outside = context in rules.contexts or not (context or _is_extension(raw))
    if not (did or outside):
        return {"direction": "outbound" if dialled else "internal"}
    caller, hidden = pbx.caller(raw)
    return {
        "direction": "inbound",
        "caller": caller,
        "hidden": hidden,
        "tracked": trunks.number(did, pbx.country) or dialled,
    }


def _outcome(record: Record) -> str:
    """Why nobody answered; a B leg that was answered is trusted more."""
    if record.value("last_app") == VOICEMAIL:
        return VOICEMAIL
    cause = record.value("hangup_cause")
    gone = record.value("sip_hangup_disposition") in CALLER_HUNG_UP
    if gone and cause == "NORMAL_CLEARING":
        return "cancelled"  # left the menu or the queue
    return OUTCOMES.get(cause, "failed")


def _who(record: Record, pbx: own_pbx.OwnPbx) -> str | None:
    """Who of the company spoke: whoever was dialled, unless he was the customer."""
    if agent := record.value("cc_agent"):
        return fields.text(agent)
    dialled = record.value("dialed_user") or fields.text(record.entry.destination_number)  # fmt: skip
    origin = record.entry.originator
    for profile in origin.originator_caller_profiles[:1] if origin else ():
        if _is_extension(profile.caller_id_number) and trunks.number(dialled, pbx.country):  # fmt: skip
            return fields.text(profile.caller_id_number)
    return fields.text(dialled.partition("@")[0]) or None


def _is_extension(raw: Scalar) -> bool:
    return EXTENSION.fullmatch(fields.text(raw)) is not None


def _record(hook: Hook) -> Record:
    """The document, however `encode` wraps it; the content type may be any."""
    body = hook.body.strip()
    if not body.startswith(FIELD):
        return fields.decode(body, Record)
    inner = body[len(FIELD) :]
    plain = unquote(inner.decode("utf-8", "replace"))
    try:
        return fields.decode(plain if plain.startswith("{") else _base64(inner), Record)
    except Unreadable as error:
        # Both encodings at once cannot be told apart again: quotes inside of values.
        raise Unreadable(f"{error}; set encode to false in json_cdr.conf.xml") from None


def _base64(inner: bytes) -> bytes:
    try:
        return base64.b64decode(unquote(inner.decode("ascii")) + "==")
    except (binascii.Error, ValueError):
        raise Unreadable("cdr: neither JSON nor base64") from None
