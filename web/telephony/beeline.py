"""Beeline Cloud PBX: BroadWorks Xsi events of each employee's legs, XML posted to us.

A subscription (`PUT /apis/portal/subscription`) names our address; it expires and must be
renewed, which is not done here. Nothing is signed: the address is secret, `?token=` makes
it more so. Section 9 of the telephony notes; the elements are those of BroadSoft's
"Xtended Services Interface, Interface Specification". The answer cannot route.

An event tells which employee's leg it is, seldom which number was dialled: an ACD's or a
redirection's party is that number; else `number` is, where all calls of the PBX come in on
one; else the employee's own.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from numberpool import phones
from tracker.calls import CallEvent
from tracker.errors import Unreadable
from web.telephony import fields, tokens, trunks, xml_tree
from web.telephony.base import E164, Country, Hook, MaybeToken, Provider

TYPES = {
    "CallReceivedEvent": "ringing",
    "CallOriginatingEvent": "started",
    "CallOriginatedEvent": "started",
    "CallAnsweredEvent": "answered",
    "CallPickedUpEvent": "answered",
    "CallReleasedEvent": "ended",
    "CallTransferredEvent": "progress",
    "CallForwardedEvent": "progress",
    "CallRedirectedEvent": "progress",
    "CallUpdatedEvent": "progress",
    "CallHeldEvent": "progress",
    "CallRetrievedEvent": "progress",
}
MOMENTS = {
    "ringing": "startTime",
    "started": "startTime",
    "answered": "answerTime",
    "ended": "releaseTime",
}
OWN = frozenset({"group", "enterprise"})  # callType: a colleague's leg
OUTBOUND = frozenset({"originator", "click-to-dial"})  # personality; else Terminator
# `internalReleaseCause`; all the rest is a missed call.
OUTCOMES = {"busy": "busy", "forbidden": "rejected"}
FAILURE = re.compile(r"failure|not found")
MOST_REDIRECTIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Beeline(Provider):
    """A Cloud PBX whose subscription sends us its events."""

    kind: ClassVar[str] = "beeline"

    token: MaybeToken = ""  # stands in the address as ?token=…
    number: E164 | None = None  # dialled by calls whose events do not name the number
    country: Country = "RU"  # how local spellings of phones are read

    def verify(self, hook: Hook) -> None:
        tokens.check(hook, self.token)

    def events(self, hook: Hook) -> list[CallEvent]:
        """Events of hooks, agents and subscriptions do not concern calls."""
        root = xml_tree.parse(hook.body)
        if root.name != "Event":
            raise Unreadable("XML: the root must be an xsi:Event")
        data = root.find("eventData")
        type_ = TYPES.get(_kind(data)) if data else None
        if data is None or type_ is None:
            return []
        leg = data.find("call") or data
        if leg.value("remoteParty", "callType").lower() in OWN:
            return []
        return self._told(root, leg, type_, hook.received_at)

    def _told(
        self, root: xml_tree.Element, leg: xml_tree.Element, type_: str, at: datetime
    ) -> list[CallEvent]:
        at = _moment(leg, MOMENTS.get(type_, "")) or at
        answered_at = at if type_ == "answered" else _moment(leg, "answerTime")
        outbound = leg.value("personality").lower() in OUTBOUND
        event = CallEvent(
            type=type_,
            call_key=_key(leg),
            at=at,
            leg_key=fields.text(leg.value("callId")) or None,
            seq=fields.whole(root.value("sequenceNumber"), "sequenceNumber"),
            direction="outbound" if outbound else "inbound",
            started_at=_moment(leg, "startTime"),
        )
        first_hand = (
            not outbound and type_ != "progress"
        )  # may name a transfer's parties
        if first_hand:
            event = replace(event, **self._caller(leg, type_))
        if type_ in ("answered", "ended"):
            event = replace(event, answered_at=answered_at)
        if type_ == "ended":
            event = replace(event, ended_at=at, outcome=_outcome(leg, answered_at))
        dialled = self._dialled(root, leg) if first_hand else []
        events = [replace(event, tracked=number) for number in dialled] or [event]
        if event.answered_at is None:
            return events
        # As of the answer: another may have taken over before this leg's release.
        spoke = replace(event, at=event.answered_at, manager=_who(root, leg))
        return [*events, spoke]

    def _caller(self, leg: xml_tree.Element, type_: str) -> dict[str, Any]:
        raw = leg.value("remoteParty", "address") or leg.value("remoteAddress")
        told = bool(raw) or type_ == "ringing"  # later events may leave him out
        return {
            "caller": trunks.number(raw, self.country),
            "hidden": told and phones.is_hidden(raw),
        }

    def _dialled(self, root: xml_tree.Element, leg: xml_tree.Element) -> list[str]:
        """What the customer may have dialled; which of it is ours is known elsewhere."""
        told = (trunks.number(raw, self.country) for raw in _named(leg))
        numbers = list(dict.fromkeys(one for one in told if one))
        if numbers or self.number:
            return numbers or [str(self.number)]
        own = trunks.number(root.value("targetId"), self.country)
        return [own] if own else []


def _kind(data: xml_tree.Element) -> str:
    return xml_tree.local(data.attributes.get("type", ""))


def _key(leg: xml_tree.Element) -> str:
    """The tracking id is common to the legs of a call."""
    found = leg.value("extTrackingId") or leg.value("callId")
    return fields.key(found, "extTrackingId")


def _named(leg: xml_tree.Element) -> list[str]:
    """Where an event may name the number that the customer dialled."""
    redirections = leg.find("redirections")
    passed = redirections.all("redirection") if redirections else []
    parties = [one.value("party", "address") for one in passed[:MOST_REDIRECTIONS]]
    return [leg.value("source"), leg.value("acdCallInfo", "acdNumber"), *parties]


def _moment(leg: xml_tree.Element, name: str) -> datetime | None:
    """Unix milliseconds, or ISO 8601."""
    return fields.moment(leg.value(name), name) if name else None


def _outcome(leg: xml_tree.Element, answered_at: datetime | None) -> str:
    if answered_at is not None:
        return "answered"
    cause = leg.value("releaseCause", "internalReleaseCause").lower()
    if FAILURE.search(cause):
        return "failed"
    return OUTCOMES.get(cause, "missed")


def _who(root: xml_tree.Element, leg: xml_tree.Element) -> str | None:
    """The employee whose leg it is: his extension, else his user."""
    user = root.value("targetId").partition("@")[0]
    return fields.text(leg.value("extension")) or fields.text(user) or None
