"""Telnyx: Ed25519 signatures, events of legs, TeXML, recordings."""

import base64
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.telnyx import Telnyx

# The first key of RFC 8032's tests; the vector is computed with it.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
SIGNED_AT = datetime.fromtimestamp(1767261600, UTC)
BODY = b'{"data":{"event_type":"call.initiated","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0","occurred_at":"2026-01-01T10:00:00.521992Z","payload":{"call_control_id":"v3:demo-ccid","call_leg_id":"428c31b6-7af4-4bcb-b7f5-5013ef9657c1","call_session_id":"428c31b6-abf3-3bc1-b7f4-5013ef9657c1","client_state":null,"connection_id":"7267000000000000000","direction":"incoming","from":"+12025550133","start_time":"2026-01-01T10:00:00.521992Z","state":"parked","to":"+12025550131"},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://ct.example.org/hooks/telnyx/1"}}'
SIGNATURE = "0QAvTmZIFRZFGDAeXwMYfXdUv9uFDp62ohoAxjMJDsJkx3tu0qgUyjNkVt4khF1kHw8a0GuGXUUMiS6uMRt8AQ=="
ACCOUNT = Telnyx(public_key=PUBLIC)
FORWARD = Route(forward_to="+74957654321")


def signed(
    body: bytes = BODY,
    *,
    signature: str = SIGNATURE,
    stamp: str = "1767261600",
    at: datetime = SIGNED_AT,
    method: str = "POST",
) -> Hook:
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": stamp}
    return make.hook(body=body, headers=headers, at=at, method=method)


def sign(body: bytes, stamp: str) -> str:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    return base64.b64encode(key.sign(stamp.encode() + b"|" + body)).decode()


# Who is it? ---------------------------------------------------------------------------


def test_the_computed_vector_is_believed() -> None:
    ACCOUNT.verify(signed())


def test_the_key_may_be_pasted_with_spaces_around_it() -> None:
    Telnyx(public_key=f" {PUBLIC}\n").verify(signed())


def test_a_form_is_signed_like_json() -> None:
    body = b"CallSid=v3%3A1&CallStatus=ringing"
    ACCOUNT.verify(signed(body, signature=sign(body, "1767261600")))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_signature_of_five_minutes_ago_or_ahead_is_believed(minutes: int) -> None:
    ACCOUNT.verify(signed(at=SIGNED_AT + timedelta(minutes=minutes)))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_replayed_request_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature, match="not of now"):
        ACCOUNT.verify(signed(at=SIGNED_AT + timedelta(seconds=seconds)))


@pytest.mark.parametrize("stamp", ["", "soon", "1" * 400, "-5", "1767261600.0", "²"])
def test_an_odd_timestamp_is_refused(stamp: str) -> None:
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(stamp=stamp, signature=sign(BODY, stamp)))


@pytest.mark.parametrize("place", range(0, len(BODY), 29))
def test_any_changed_byte_of_the_body_is_refused(place: int) -> None:
    changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(changed))


@pytest.mark.parametrize("place", range(64))
def test_any_changed_byte_of_the_signature_is_refused(place: int) -> None:
    raw = bytearray(base64.b64decode(SIGNATURE))
    raw[place] ^= 1
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(signature=base64.b64encode(raw).decode()))


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(body=BODY, at=SIGNED_AT),
        signed(signature=""),
        signed(signature=SIGNATURE[:-4]),
        signed(signature=SIGNATURE + "AAAA"),
        signed(signature="не подпись"),
        signed(stamp="1767261601"),
        signed(BODY[:-1]),
        signed(b""),
    ],
)
def test_a_missing_cut_or_odd_signature_is_refused(hook: Hook) -> None:
    with pytest.raises(BadSignature):
        ACCOUNT.verify(hook)


def test_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(BadSignature):
        Telnyx(public_key=base64.b64encode(other).decode()).verify(signed())


def test_a_get_is_refused_because_its_parameters_are_not_signed() -> None:
    with pytest.raises(BadSignature, match="POST"):
        ACCOUNT.verify(signed(b"", method="GET", signature=sign(b"", "1767261600")))


@pytest.mark.parametrize("key", ["", "short", PUBLIC[:-4], PUBLIC + "AAAA", "я" * 43])
def test_a_key_that_is_none_is_named_with_the_remedy(key: str) -> None:
    with pytest.raises(BadInput, match="public_key"):
        telephony.make("telnyx", {"public_key": key})


# What does it tell? -------------------------------------------------------------------

CALLER, OURS, OFFICE = "+12025550133", "+12025550131", "+74957654321"


def told(type_: str, after: float, *, leg: str = "A", **payload: Any) -> Hook:
    at = NOON + timedelta(seconds=after)
    whole = {
        "call_control_id": f"v3:{leg}", "call_leg_id": leg, "call_session_id": "S1",
        "client_state": None, "connection_id": "7267", "from": CALLER,
        "to": OURS if leg == "A" else OFFICE, **payload,
    }  # fmt: skip
    data = {
        "record_type": "event", "event_type": type_, "id": f"{type_}-{leg}",
        "occurred_at": at.isoformat(), "payload": whole,
    }  # fmt: skip
    return make.hook(json={"data": data, "meta": {"attempt": 1}}, at=at + timedelta(seconds=1))  # fmt: skip


def hangup(after: float, leg: str, cause: str, sip: str = "unspecified") -> Hook:
    return told("call.hangup", after, leg=leg, hangup_cause=cause, sip_hangup_cause=sip, hangup_source="caller")  # fmt: skip


COMES = told("call.initiated", 0, direction="incoming", state="parked", start_time=NOON.isoformat())  # fmt: skip
DIALLED = told("call.initiated", 1, leg="B", direction="outgoing", state="bridging")
LINKS = {"mp3": "https://s3.example/r.mp3?sig=1", "wav": "https://s3.example/r.wav"}
RECORDED = told(
    "call.recording.saved", 75, recording_urls=LINKS, channels="dual",
    recording_started_at="2026-11-02T12:00:08Z", recording_ended_at="2026-11-02T12:01:09Z",
)  # fmt: skip
ANSWERED = [
    COMES,
    DIALLED,
    told("call.answered", 0.5, state="answered"),
    told("call.bridged", 8),
    told("call.bridged", 8, leg="B"),
    hangup(69, "B", "normal_clearing", "200"),
    hangup(69.2, "A", "normal_clearing"),
]
MISSED = [COMES, told("call.answered", 1), DIALLED, hangup(31, "B", "no_answer", "480"), hangup(32, "A", "normal_clearing")]  # fmt: skip


def test_the_computed_vectors_payload_is_a_call_that_comes_in() -> None:
    (event,) = ACCOUNT.events(make.again(make.hook(body=BODY)))
    assert (event.type, event.direction) == ("started", "inbound")
    assert (event.caller, event.tracked) == (CALLER, OURS)
    assert event.call_key == "428c31b6-abf3-3bc1-b7f4-5013ef9657c1"
    assert event.leg_key == "428c31b6-7af4-4bcb-b7f5-5013ef9657c1"
    assert event.started_at == datetime(2026, 1, 1, 10, 0, 0, 521992, UTC)


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, ANSWERED)
    assert (expected.call_key, expected.direction) == ("S1", "inbound")
    assert (expected.caller, expected.tracked) == (CALLER, OURS)
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.notes == ()

    for order in permutations([*ANSWERED[:2], *ANSWERED[3:]]):
        assert make.call(ACCOUNT, [*order, ANSWERED[2], order[0]]) == expected


def test_a_recording_may_come_before_everything_else() -> None:
    expected = make.call(ACCOUNT, [*ANSWERED, RECORDED])
    assert expected.recording == LINKS["mp3"]
    assert expected.recordings[0].seconds == 61
    assert make.call(ACCOUNT, [RECORDED, *ANSWERED[::-1], RECORDED]) == expected


def test_an_unanswered_call_is_missed_though_the_menu_took_it() -> None:
    expected = make.call(ACCOUNT, MISSED)
    assert expected.missed
    assert (expected.outcome, expected.talk_seconds) == ("missed", 0)
    assert expected.ended_at == NOON + timedelta(seconds=32)
    for order in permutations(MISSED):
        assert make.call(ACCOUNT, [*order, order[1]]) == expected


def test_a_phone_that_is_busy_does_not_end_the_call() -> None:
    tried = [COMES, DIALLED, hangup(5, "B", "user_busy", "486")]
    assert make.call(ACCOUNT, tried).ended_at is None

    second = told("call.bridged", 9, leg="C")
    whole = [*tried, second, hangup(40, "C", "normal_clearing", "200"), hangup(40, "A", "normal_clearing")]  # fmt: skip
    for order in permutations(whole):
        call = make.call(ACCOUNT, order)
        assert (call.outcome, call.talk_seconds) == ("answered", 31)


def test_a_transferred_call_lasts_until_its_last_leg_ends() -> None:
    moved = [COMES, told("call.bridged", 5, leg="B"), hangup(20, "B", "normal_clearing", "200"),
             told("call.bridged", 22, leg="C"), hangup(50, "A", "normal_clearing")]  # fmt: skip
    for order in permutations(moved):
        call = make.call(ACCOUNT, order)
        assert (call.outcome, call.talk_seconds, call.caller) == ("answered", 45, CALLER)  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("originator_cancel", "cancelled"), ("timeout", "missed"), ("unspecified", "failed"),
        ("normal_clearing", "missed"), ("call_rejected", "rejected"), ("something_new", "missed"),
    ],
)  # fmt: skip
def test_how_the_callers_leg_ended_names_the_outcome(cause: str, outcome: str) -> None:
    call = make.call(ACCOUNT, [COMES, hangup(9, "A", cause)])
    assert call.missed and call.outcome == outcome


def test_the_dialled_legs_cause_counts_when_the_callers_says_nothing() -> None:
    hooks = [COMES, hangup(5, "B", "user_busy", "486"), hangup(6, "A", "normal_clearing")]  # fmt: skip
    for order in permutations(hooks):
        assert make.call(ACCOUNT, order).outcome == "busy"


def test_our_own_call_is_outgoing_and_tells_no_customer() -> None:
    own = [told("call.initiated", 0, leg="B", direction="outgoing"), told("call.bridged", 4, leg="B"),
           hangup(9, "B", "normal_clearing", "200")]  # fmt: skip
    for order in permutations(own):
        call = make.call(ACCOUNT, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)
        assert call.talk_seconds == 5


@pytest.mark.parametrize("caller", ["anonymous", "+anonymous", "", None, "Restricted"])
def test_a_hidden_caller_is_nobody(caller: str | None) -> None:
    (event,) = ACCOUNT.events(told("call.initiated", 0, direction="incoming", **{"from": caller}))  # fmt: skip
    assert (event.caller, event.hidden, event.tracked) == (None, True, OURS)


@pytest.mark.parametrize(
    ("to", "number"),
    [("+18005550131", "+18005550131"), ("sip:shop@x.sip.telnyx.com", None), ("sip:+12025550131@sip.telnyx.com", OURS), ("101", None)],
)  # fmt: skip
def test_lines_are_numbers_or_nothing(to: str, number: str | None) -> None:
    (event,) = ACCOUNT.events(told("call.initiated", 0, direction="incoming", to=to))
    assert event.tracked == number


def test_a_lasting_link_to_a_recording_is_preferred() -> None:
    public = told("call.recording.saved", 70, recording_urls=LINKS, public_recording_urls={"mp3": "", "wav": "https://x/p.wav"})  # fmt: skip
    (event,) = ACCOUNT.events(public)
    assert event.recording is not None
    assert (event.recording.url, event.recording.seconds) == ("https://x/p.wav", None)
    assert event.recording.id == "call.recording.saved-A"

    named = told("call.recording.saved", 70, recording_urls=LINKS, recording_id="R1", public_recording_urls=[])  # fmt: skip
    assert ACCOUNT.events(named)[0].recording == calls.Recording(id="R1", url=LINKS["mp3"])  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        {"event_type": "call.playback.ended", "payload": {}},
        {"event_type": "call.machine.detection.ended", "payload": []},
        {"event_type": "message.received", "payload": {"from": {"phone_number": "+1"}, "to": [{}]}},
        {},
    ],
)  # fmt: skip
def test_other_events_tell_nothing(data: dict[str, Any]) -> None:
    hook = make.hook(json={"data": data})
    assert ACCOUNT.events(hook) == []
    assert not ACCOUNT.asks_route(hook)
    assert ACCOUNT.answer(hook, FORWARD).body == b""


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(body=b"{"),
        make.hook(body=b'{"data":' * 50_000),
        make.hook(body=b'{"status": "ended"' + b" " * 200_000),
        make.hook(json={"data": "x"}),
        make.hook(json={"data": {"event_type": "call.hangup"}}),
        make.hook(json={"data": {"event_type": "call.hangup", "payload": None}}),
        make.hook(json={"data": {"event_type": "call.hangup", "payload": {"to": []}}}),
        make.hook(body=b'{"data": {"event_type": "\xff"}}'),
        told("call.bridged", 0, call_session_id=""),
        told("call.bridged", 0, call_session_id="x" * 300),
        told("call.recording.saved", 0, recording_urls={"mp3": "javascript:1"}),
        told("call.recording.saved", 0, recording_urls=LINKS, recording_started_at="soon", recording_ended_at="now"),
        make.hook(body=b"CallStatus=ringing"),
        make.hook(),
        make.hook(form=[("a", "1")] * 501),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(hook)


words = ["incoming", "outgoing", "2026-11-02T12:00:00Z", "486", "user_busy", CALLER, {}, []]  # fmt: skip
odd = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(words)  # fmt: skip
payloads = st.dictionaries(
    st.sampled_from(["call_session_id", "call_leg_id", "direction", "from", "to", "start_time", "hangup_cause",
                     "sip_hangup_cause", "recording_urls", "recording_started_at", "recording_ended_at"]),
    odd | st.dictionaries(st.sampled_from(["mp3", "wav"]), odd),
)  # fmt: skip


@given(
    st.sampled_from(["initiated", "answered", "bridged", "hangup", "recording.saved"]),
    payloads,
    odd,
)
@settings(deadline=None, max_examples=400)
def test_any_payload_is_events_or_unreadable(
    type_: str, payload: dict[str, Any], at: object
) -> None:
    data = {"event_type": f"call.{type_}", "occurred_at": at, "id": at, "payload": payload}  # fmt: skip
    try:
        events = ACCOUNT.events(make.hook(json={"data": data}))
    except Unreadable:
        return
    for event in events:
        msgspec.json.encode(calls.join(None, event))


# TeXML: routing -----------------------------------------------------------------------

CALL, LEG = "v3:" + "a" * 40, "v3:" + "b" * 40
VOICE = {
    "AccountSid": "61bf923e-5e4d-4595-a110-56190ea18a1b", "CallSid": CALL, "CallSidLegacy": CALL,
    "CallStatus": "ringing", "Direction": "inbound", "From": CALLER, "To": OURS,
}  # fmt: skip


def voice(**rest: str) -> Hook:
    return make.hook(form={**VOICE, **rest})


def test_the_call_is_connected_and_its_stages_are_asked_for() -> None:
    answer = ACCOUNT.answer(voice(), FORWARD)
    assert (answer.status, answer.content_type) == (200, "text/xml")
    assert answer == ACCOUNT.answer(voice(), FORWARD)

    (dial,) = ET.fromstring(answer.body)
    (number,) = dial
    assert number.text == OFFICE
    assert number.attrib == {
        "statusCallback": f"{make.ADDRESS}/leg",
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "initiated ringing answered completed",
    }
    assert dial.attrib == {
        "timeout": "30",
        "action": f"{make.ADDRESS}/dial",
        "method": "POST",
        "record": "record-from-answer-dual",
        "recordingStatusCallback": f"{make.ADDRESS}/rec",
        "recordingStatusCallbackMethod": "POST",
        "recordingStatusCallbackEvent": "completed",
    }


def test_recording_can_be_switched_off() -> None:
    quiet = Telnyx(public_key=PUBLIC, record=False, timeout=60)
    (dial,) = ET.fromstring(quiet.answer(voice(), FORWARD).body)
    assert dial.attrib == {"timeout": "60", "action": f"{make.ADDRESS}/dial", "method": "POST"}  # fmt: skip


def test_only_a_texml_call_that_begins_asks_for_a_route() -> None:
    assert ACCOUNT.asks_route(voice())
    assert ACCOUNT.asks_route(make.hook(tail="/voice", form=VOICE))
    assert not any(ACCOUNT.asks_route(one) for one in [*TEXML[1:], *ANSWERED, RECORDED])
    for hook in TEXML[1:]:
        assert list(ET.fromstring(ACCOUNT.answer(hook, FORWARD).body)) == []
    nowhere = ACCOUNT.answer(voice(), Route(forward_to=None))
    assert list(ET.fromstring(nowhere.body)) == []


def test_a_webhook_that_cannot_be_read_still_gets_the_route() -> None:
    broken = make.hook(form=[("a", "1")] * 501)
    assert ACCOUNT.asks_route(broken)
    assert OFFICE.encode() in ACCOUNT.answer(broken, FORWARD).body


# TeXML: what it tells -----------------------------------------------------------------


def leg(status: str, after: int, **rest: str) -> Hook:
    at = NOON + timedelta(seconds=after)
    form = {
        "CallSid": LEG, "CallSidLegacy": LEG, "ParentCallSid": CALL, "CallStatus": status,
        "From": CALLER, "To": OFFICE, "CallbackSource": "call-progress-events",
        "Timestamp": f"{at:%Y-%m-%d %H:%M:%S.%f}Z", **rest,
    }  # fmt: skip
    return make.hook(tail="/leg", form=form, at=at + timedelta(seconds=1))


def dial(status: str, after: int, **rest: str) -> Hook:
    form = {**VOICE, "DialCallSid": LEG, "DialCallStatus": status, **rest}
    return make.hook(tail="/dial", form=form, at=NOON + timedelta(seconds=after))


def status(word: str, after: int, **rest: str) -> Hook:
    at = NOON + timedelta(seconds=after)
    form = {**VOICE, "CallStatus": word, "Timestamp": at.isoformat(), **rest}
    return make.hook(form=form, at=at)


REC = {
    "CallSid": CALL, "RecordingSid": "r-1", "RecordingStatus": "completed",
    "RecordingUrl": "https://s3.example/x.mp3?X-Amz-Signature=1", "RecordingDuration": "61",
}  # fmt: skip
TEXML = [
    voice(),
    leg("ringing", 2, SequenceNumber="1"),
    leg("in-progress", 8, SequenceNumber="2"),
    leg("completed", 69, SequenceNumber="3", CallDuration="67"),
    dial("completed", 69),
    status("completed", 69, CallDuration="69"),
    make.hook(tail="/rec", form=REC, at=NOON + timedelta(seconds=75)),
]


def test_an_answered_texml_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, TEXML)
    assert (expected.call_key, expected.direction) == (CALL, "inbound")
    assert (expected.caller, expected.tracked) == (CALLER, OURS)
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.recording == REC["RecordingUrl"]
    for order in permutations([TEXML[0], *TEXML[2:]]):
        assert make.call(ACCOUNT, [TEXML[1], *order, order[3]]) == expected


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("busy", "busy"), ("no-answer", "missed"), ("canceled", "cancelled"), ("failed", "failed")],
)  # fmt: skip
def test_a_texml_call_nobody_answered_is_missed_with_its_reason(
    word: str, outcome: str
) -> None:
    hooks = [TEXML[0], TEXML[1], leg(word, 30), dial(word, 30), status("completed", 31)]
    for order in permutations(hooks):
        call = make.call(ACCOUNT, order)
        assert call.missed
        assert (call.outcome, call.talk_seconds) == (outcome, 0)


def test_the_legs_end_tells_when_it_was_answered() -> None:
    ended = leg("completed", 70, AnsweredTime="2026-11-02T12:00:08Z", EndTime="2026-11-02T12:01:09Z")  # fmt: skip
    call = make.call(ACCOUNT, [TEXML[0], ended])
    assert (call.outcome, call.talk_seconds, call.ring_seconds) == ("answered", 61, 8)


def test_a_call_without_any_dialled_leg_is_missed() -> None:
    call = make.call(ACCOUNT, [voice(), status("completed", 20)])
    assert (call.missed, call.caller, call.ended_at) == (True, CALLER, NOON + timedelta(seconds=20))  # fmt: skip


def test_our_own_texml_call_is_outgoing() -> None:
    own = [voice(Direction="outbound-api"), status("completed", 9, Direction="outbound-api")]  # fmt: skip
    call = make.call(ACCOUNT, own)
    assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)


@pytest.mark.parametrize("state", ["in-progress", "absent", "failed"])
def test_only_a_completed_recording_is_told(state: str) -> None:
    form = {**REC, "RecordingStatus": state, "RecordingUrl": ""}
    assert ACCOUNT.events(make.hook(form=form)) == []


def test_a_recording_told_by_dial_and_by_its_callback_is_one() -> None:
    by_dial = dial("completed", 69, RecordingUrl=REC["RecordingUrl"], RecordingSid="r-1")  # fmt: skip
    call = make.call(ACCOUNT, [by_dial, TEXML[6]])
    assert [(one.id, one.seconds) for one in call.recordings] == [("r-1", 61)]


def test_a_recording_without_an_id_is_named_by_its_address() -> None:
    both = [make.hook(form={"CallSid": CALL, "RecordingStatus": "completed", "RecordingUrl": f"https://x/1.mp3?{n}"}) for n in "ab"]  # fmt: skip
    assert len(make.call(ACCOUNT, both).recordings) == 1


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2026-11-02T12:00:08Z", 8), ("Mon, 02 Nov 2026 12:00:08 +0000", 8),
        ("", 9), ("soon", 9), ("1899-11-02T12:00:08Z", 9), ("Mon, 99 Nov 2026 12:00:00 +0000", 9),
    ],
)  # fmt: skip
def test_a_moment_in_either_spelling_or_else_of_receipt(text: str, after: int) -> None:
    (event,) = ACCOUNT.events(leg("in-progress", 8, Timestamp=text))
    assert event.at == NOON + timedelta(seconds=after)


@pytest.mark.parametrize(
    "form",
    [
        {"RecordingStatus": "completed", "CallSid": CALL},
        {**REC, "RecordingUrl": "ftp://x"},
        {**REC, "RecordingDuration": "long"},
        {**VOICE, "CallSid": "x" * 300},
        {**VOICE, "SequenceNumber": "x"},
    ],
)
def test_texml_that_makes_no_sense_is_unreadable(form: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(make.hook(form=form))
