"""TeXML, Telnyx's markup: what a TeXML application asks, tells and is answered.

It follows Twilio's TwiML in names and order, with its own moments (ISO 8601 where Twilio
has RFC 2822) and recording links (whole, and signed in their query). What the answer asks
to be told of comes back below the hook's address: `/dial` (the end of the dialling), `/leg`
(stages of the dialled leg), `/rec` (recordings). A person has answered when the dialled leg
has: the caller's own leg is answered by Telnyx. Durations are not used: whether they count
the ringing is not documented.
https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/dial and
https://developers.telnyx.com/api-reference/callbacks/texml-call-completed.
"""

import contextlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from numberpool import phones
from tracker.calls import CallEvent, Recording
from tracker.errors import Unreadable
from web.telephony import fields
from web.telephony.base import Answer, Hook
from web.telephony.twilio import HEAD, NOTHING, OUTCOMES, OVER, TALKED

BELOW = frozenset({"dial", "leg", "rec", "status"})


def events(hook: Hook) -> list[CallEvent]:
    """What the request tells; raises Unreadable."""
    told = hook.fields
    at = _moment(told.get("Timestamp")) or hook.received_at
    match _what(hook, told):
        case "rec":
            return _of_recording(told, hook.received_at)
        case "dial":
            return _of_dial(told, at)
        case "leg":
            return [_of_leg(told, at)]
        case "status":
            return [_of_status(told, at)]
    return [_of_voice(told, at)]


def asks_route(hook: Hook) -> bool:
    """Whether a call waits for this answer."""
    try:
        return _what(hook, hook.fields) == "voice"
    except Unreadable:
        return True  # better a route too many than a call that rings nowhere


def answer(address: str, number: str | None, *, timeout: int, record: bool) -> Answer:
    """Connect the call to this number; without one it ends."""
    markup = NOTHING if number is None else _dial(address, number, timeout, record)
    return Answer(content_type="text/xml", body=markup.encode())


def _dial(address: str, number: str, timeout: int, record: bool) -> str:
    dial = {"timeout": str(timeout), "action": f"{address}/dial", "method": "POST"}
    if record:
        dial["record"] = "record-from-answer-dual"
        dial["recordingStatusCallback"] = f"{address}/rec"
        dial["recordingStatusCallbackMethod"] = "POST"
        dial["recordingStatusCallbackEvent"] = "completed"
    leg = {
        "statusCallback": f"{address}/leg",
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "initiated ringing answered completed",
    }
    tag = f"<Number{_attributes(leg)}>{escape(number)}</Number>"
    return f"{HEAD}<Response><Dial{_attributes(dial)}>{tag}</Dial></Response>"


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _what(hook: Hook, told: dict[str, str]) -> str:
    """Which of the requests it is: by its address, at the bare one by what it tells."""
    if hook.name in BELOW:
        return hook.name
    if "RecordingStatus" in told:
        return "rec"
    if told.get("ParentCallSid"):
        return "leg"
    if "DialCallStatus" in told:
        return "dial"
    return "status" if told.get("CallStatus") in OVER else "voice"


def _of_voice(told: dict[str, str], at: datetime) -> CallEvent:
    return _event(told, "started", at, started_at=at, **_parties(told))


def _of_leg(told: dict[str, str], at: datetime) -> CallEvent:
    """A stage of the dialled leg; `From` and `To` are not the caller's there."""
    status = told.get("CallStatus", "")
    if status in OVER:  # the answer dials one number only: its leg's end is the call's
        answered_at = _moment(told.get("AnsweredTime"))
        return _end(told, status, _moment(told.get("EndTime")) or at, answered_at)
    if status == "in-progress":
        return _event(told, "answered", at, answered_at=at)
    return _event(told, "ringing", at)


def _of_dial(told: dict[str, str], at: datetime) -> list[CallEvent]:
    """The dialling is over; the answer to it hangs up."""
    end = _end(told, told.get("DialCallStatus", ""), at)
    if not fields.link(told.get("RecordingUrl")):
        return [end]
    return [end, *_of_recording(told, at)]


def _of_status(told: dict[str, str], at: datetime) -> CallEvent:
    """The caller's leg is over. Its "completed" says nothing of an answer by a person."""
    outcome = OUTCOMES.get(told.get("CallStatus", ""), "missed")
    return _event(told, "ended", at, ended_at=at, outcome=outcome, **_parties(told))


def _of_recording(told: dict[str, str], at: datetime) -> list[CallEvent]:
    if told.get("RecordingStatus", "completed") != "completed":
        return []
    url = fields.link(told.get("RecordingUrl"))
    if not url:
        raise Unreadable("RecordingUrl: must be an http or https address")
    # The link's query is signed anew each time: what stands before it names the recording.
    id_ = fields.text(told.get("RecordingSid")) or fields.text(url.partition("?")[0])
    length = fields.seconds(told.get("RecordingDuration"), "RecordingDuration")
    recording = Recording(id=id_, url=url, seconds=length)
    return [_event(told, "recording", at, recording=recording)]


def _end(
    told: dict[str, str], status: str, at: datetime, answered_at: datetime | None = None
) -> CallEvent:
    """The end of a dialled leg, by its own status."""
    outcome = "answered" if status in TALKED else OUTCOMES.get(status, "missed")
    return _event(
        told, "ended", at, ended_at=at, outcome=outcome, answered_at=answered_at
    )


def _parties(told: dict[str, str]) -> dict[str, Any]:
    """Direction and numbers, as the caller's own leg tells them."""
    if told.get("Direction", "").startswith("outbound"):
        return {"direction": "outbound"}
    raw = told.get("From", "")
    return {
        "caller": phones.digits_to_e164(raw),
        "hidden": phones.is_hidden(raw),
        "tracked": phones.digits_to_e164(told.get("To", "")),
    }


def _event(told: dict[str, str], type_: str, at: datetime, **rest: Any) -> CallEvent:
    """The caller's leg names the call."""
    sid = told.get("ParentCallSid") or told.get("CallSid")
    return CallEvent(
        type=type_,
        call_key=fields.key(sid, "CallSid"),
        at=at,
        leg_key=fields.text(told.get("CallSid")) or None,
        seq=fields.whole(told.get("SequenceNumber"), "SequenceNumber"),
        **rest,
    )


def _moment(text: str | None) -> datetime | None:
    """ISO 8601, as the samples have it, or RFC 2822, as the text says; None: neither."""
    with contextlib.suppress(Unreadable):
        return fields.moment(text, "Timestamp")
    try:
        moment = parsedate_to_datetime((text or "")[:60])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment if fields.EARLIEST <= moment <= fields.LATEST else None
