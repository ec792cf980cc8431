"""What holds for every provider, whatever it is sent."""

import contextlib
import dataclasses
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.telephony import make
from tracker import calls, connections
from tracker.errors import BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Provider, Route

MADE: list[Provider] = [
    telephony.make("generic", {"token": "sesame", "secret": "whsec_c2VzYW1lIG9wZW4="}),
    telephony.make("mango", {"api_key": "k", "api_salt": "s", "recording_links": True}),
    telephony.make("twilio", {"auth_token": "t"}),
    telephony.make("uis", {"secret": "s"}),
    telephony.make("voximplant", {"secret": "s"}),
    telephony.make("zadarma", {"api_secret": "s", "extension": "100"}),
    telephony.make(
        "telnyx", {"public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
    ),
    telephony.make("plivo", {"auth_token": "t"}),
    telephony.make(
        "vonage", {"signature_secret": "s", "api_key": "k", "check_query": True}
    ),
    telephony.make(
        "bitrix24",
        {
            "application_token": "t",
            "lines": "reg1 = +74951000001",
            "external_calls": True,
        },
    ),
    telephony.make("exolve", {"token": "open sesame"}),
    telephony.make("megafon", {"crm_token": "open sesame", "responsible": "ivanov"}),
    telephony.make("beeline", {"token": "open sesame"}),
    telephony.make(
        "threecx",
        {"token": "open sesame", "cdr_fields": "historyid,time-start,time-end,from-no"},
    ),
    telephony.make("asterisk", {"token": "t", "recordings": "https://pbx.example/rec"}),
    telephony.make("freeswitch", {"token": "t", "both_legs": False}),
]
NAMES = [
    "event", "call_id", "from", "to", "at", "duration", "recording_url", "recording_id",
    "manager", "answered_at", "direction", "entry_id", "timestamp", "seq", "call_state",
    "location", "number", "extension", "line_number", "taken_from_call_id",
    "disconnect_reason", "call_direction", "create_time", "talk_time", "end_time",
    "recording_state", "completion_code", "recipient", "task_id", "callback_initiator",
    "CallSid", "ParentCallSid", "CallStatus", "DialCallStatus", "DialCallDuration", "From",
    "To", "Timestamp", "CallDuration", "RecordingUrl", "RecordingSid", "RecordingStatus",
    "RecordingDuration", "RecordingStartTime", "SequenceNumber", "Direction", "json",
    "data", "event_type", "occurred_at", "payload", "call_session_id", "call_leg_id",
    "start_time", "hangup_cause", "sip_hangup_cause", "recording_urls", "mp3", "id",
    "AnsweredTime", "EndTime", "CallUUID", "DialALegUUID", "DialBLegUUID", "DialStatus",
    "DialHangupCause", "DialAction", "DialBLegStatus", "HangupCause", "RecordUrl",
    "RecordingID", "status", "uuid", "call_uuid", "conversation_uuid", "detail",
    "conversation_uuid_from", "conversation_uuid_to", "recording_uuid", "ts",
    "data[CALL_ID]", "data[CALL_TYPE]", "data[CALLER_ID]", "data[PHONE_NUMBER]",
    "data[ACCOUNT_SEARCH_ID]", "data[PORTAL_NUMBER]", "data[CALL_DURATION]",
    "data[CALL_START_DATE]", "data[CALL_FAILED_CODE]", "data[USER_ID]",
    "notification_time", "notification_timestamp", "contact_phone_number", "numa", "numb",
    "virtual_phone_number", "talk_time_duration", "wait_time_duration", "file_link",
    "employee_full_name", "pbx_call_id", "call_start", "caller_id", "called_did",
    "destination", "internal", "disposition", "is_recorded", "call_id_with_rec", "type",
    "called", "caller", "code", "url", "by", "answered",
    "method", "params", "sip_id", "numberA", "call_sid", "call_id", "date_time", "type",
    "wait_time", "cause_code", "path", "cmd", "callid", "phone", "diversion", "user",
    "start", "wait", "link", "second_callid", "call_type", "started_at", "callerid", "did",
    "usertype", "finishtype", "transfer", "trtype", "FILES",
    "uniqueid", "linkedid", "userfield", "row", "src", "dst", "dcontext", "dstchannel", "end",
    "answer", "pres", "who", "dialstatus", "answeredtime", "rec", "cause", "section", "cdr",
    "variables", "callflow", "caller_profile", "caller_id_number", "destination_number",
    "context", "originator", "originating_leg_uuid", "ct_did", "start_epoch", "end_epoch",
    "answer_epoch", "bridge_epoch", "Unique-ID", "Hunt-Context", "Hunt-Destination-Number",
    "Hunt-Caller-ID-Number", "Caller-Channel-Created-Time",
]  # fmt: skip
WORDS = [
    "ringing", "answered", "ended", "recording", "Appeared", "Connected", "Disconnected",
    "abonent", "ivr", "Completed", "Cloud", "1000", "completed", "in-progress", "busy",
    "0", "-1", "1e400", "nan", "79161234567", "+74951000001", "anonymous", "E1", "",
    "https://x/1", "https://[", "http://", "2026-11-02T12:00:00Z", "0001-01-01T00:00:00Z",
    "call.initiated", "call.bridged", "call.hangup", "call.recording.saved", "incoming",
    "ONVOXIMPLANTCALLINIT", "ONVOXIMPLANTCALLSTART", "ONVOXIMPLANTCALLEND",
    "inbound", "lost", "voicemail", "NOTIFY_START", "NOTIFY_END", "NOTIFY_ANSWER",
    "NOTIFY_OUT_END", "NOTIFY_RECORD", "started", "failed", "record_stopped",
    "2026-11-02 15:00:00", "9999-12-31 23:59:59", "in_1", "out_1", "{{x}}",
    "9999-12-31T23:59:59-23:59", "Mon, 02 Nov 2026 12:00:00 +0000", "٣", "²", "1_0",
    "getControlCallFollowMe", "b", "d", "crr", "contact", "history", "INCOMING", "ACCEPTED",
    "Success", "20260101T100000Z", "Inbound", "hangupincoming", "OK", "1_1-1", "00:01:28",
    "ANSWERED", "ANSWER", "dialplan", "public", "skvoz:did=74951000001&answered=1", "%22%",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
messages = st.dictionaries(st.sampled_from(NAMES), values, max_size=12)


def plainly(message: dict[str, object]) -> bytes:
    return msgspec.json.encode(message)


bodies = st.one_of(
    st.binary(max_size=300),
    messages.map(plainly),
    messages.map(lambda one: b"json=" + quote(plainly(one)).encode()),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS) | st.text(max_size=20), max_size=12)
    .map(lambda one: urlencode(one, errors="replace").encode()),
)  # fmt: skip
tails = st.sampled_from(
    ["", "/", "/events/call", "/events/summary", "/events/recording", "/events/record/added",
     "/voice", "/leg", "/route", "/event", "/dial", "/rec", "/status", "/cdr", "/report", "/lookup", "/../x"]
)  # fmt: skip
hooks = st.builds(
    lambda tail, body, query, method, type_: make.hook(
        tail=tail, body=body, query=query, method=method, headers={"content-type": type_}
    ),
    tails,
    bodies,
    st.sampled_from(["", "token=x", "bodySHA256=%FF", "a=%00&&b", "event=ringing&call_id=1"])
    | st.text(st.characters(codec="ascii"), max_size=30),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["", "application/json", "application/x-www-form-urlencoded"]),
)  # fmt: skip


@pytest.mark.parametrize("provider", MADE, ids=lambda one: one.kind)
@given(hook=hooks)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_is_events_or_unreadable(provider: Provider, hook: Hook) -> None:
    kept = make.again(hook)
    try:
        events = provider.events(kept)
    except Unreadable:
        events = []
    for event in events:
        assert 0 < len(event.call_key) <= 200
        assert event.type in calls.TRUST
        assert event.outcome is None or event.outcome in calls.OUTCOMES
        moved, _ = calls.corrected(event, hook.received_at)
        stored = calls.join(calls.join(None, event), moved)
        msgspec.json.encode(stored)
        for text in (event.call_key, event.manager, event.note, event.leg_key):
            assert "\x00" not in (text or "")


@pytest.mark.parametrize("provider", MADE, ids=lambda one: one.kind)
@given(hook=hooks)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_strangers_are_refused_and_the_answer_never_fails(
    provider: Provider, hook: Hook
) -> None:
    if provider.greet(dataclasses.replace(hook)) is None:
        with pytest.raises((BadSignature, Unreadable)):
            provider.verify(hook)
    for route in (Route(forward_to=None), Route(forward_to="+74950000000")):
        assert provider.answer(hook, route).status == 200


@pytest.mark.parametrize("provider", MADE, ids=lambda one: one.kind)
def test_each_provider_is_known_by_its_kind(provider: Provider) -> None:
    assert telephony.PROVIDERS[provider.kind] is type(provider)
    assert provider.kind
    assert connections.known()["telephony"][provider.kind] is type(provider)
    assert connections.problems(type(provider), dataclasses.asdict(provider)) == []


@given(st.binary(max_size=100), st.text(max_size=50))
def test_a_request_is_read_again_as_it_was_kept(body: bytes, text: str) -> None:
    query = quote(text)
    hook = make.hook(body=body, query=query, tail="/a//b/", headers={"x-secret": "s", "content-type": "text/x"})  # fmt: skip
    kept = make.again(hook)
    assert (kept.body, kept.tail, kept.name, kept.method) == (
        body,
        "/a//b/",
        "a/b",
        "POST",
    )
    assert kept.headers == {"content-type": "text/x"}
    with contextlib.suppress(Unreadable):
        assert kept.params == hook.params
