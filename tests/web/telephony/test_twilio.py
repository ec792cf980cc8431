"""Twilio: signatures, TwiML, callbacks of legs, recordings."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from email.utils import format_datetime
from itertools import permutations

import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker.errors import BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.twilio import Twilio, signature

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = {
    "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234",
    "From": "+14158675309", "To": "+18005551212",
}  # fmt: skip
PUBLISHED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
ACCOUNT = Twilio(auth_token="demo_auth_token")
CALL, LEG = "CA" + "1" * 32, "CA" + "2" * 32


def signed(sign: str, *, url: str = URL, form: object = PARAMS, **rest: object) -> Hook:
    query = url.partition("?")[2]
    headers = {"x-twilio-signature": sign}
    if "body" in rest:
        headers["content-type"] = "application/json"
        form = None
    return make.hook(url=url, query=query, form=form, headers=headers, **rest)  # type: ignore[arg-type]


# Who is it? ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sign"),
    [
        (URL, PUBLISHED),
        ("https://mycompany.com:1234/myapp.php?foo=1&bar=2", PUBLISHED),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
    ],
)  # fmt: skip
def test_the_published_vectors_are_believed(url: str, sign: str) -> None:
    Twilio(auth_token=TOKEN).verify(signed(sign, url=url))


JSON = b'{"property": "value", "boolean": true}'
DIGEST = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
JSON_SIGN = "a9nBmqA0ju/hNViExpshrM61xv4="


def test_the_published_vector_of_a_json_body_is_believed() -> None:
    hook = signed(JSON_SIGN, url=f"{URL}&bodySHA256={DIGEST}", body=JSON)
    Twilio(auth_token=TOKEN).verify(hook)


def test_a_changed_json_body_is_refused() -> None:
    hook = signed(JSON_SIGN, url=f"{URL}&bodySHA256={DIGEST}", body=JSON + b" ")
    with pytest.raises(BadSignature):
        Twilio(auth_token=TOKEN).verify(hook)


VOICE = {
    "AccountSid": "AC00000000000000000000000000000001", "ApiVersion": "2010-04-01",
    "CallSid": "CA00000000000000000000000000000001", "CallStatus": "ringing",
    "Called": "+12025550131", "Caller": "+12025550133", "Direction": "inbound",
    "From": "+12025550133", "To": "+12025550131",
}  # fmt: skip


def test_the_computed_vector_is_believed() -> None:
    url = "https://ct.example.org/hooks/twilio/1/voice"
    ACCOUNT.verify(signed("hdsQGFrkoefA44sMyUqR1YeVO/4=", url=url, form=VOICE))


def test_both_tokens_are_believed_while_they_are_rotated() -> None:
    both = Twilio(auth_token="new", auth_token_secondary=TOKEN)
    both.verify(signed(PUBLISHED))
    with pytest.raises(BadSignature):
        Twilio(auth_token="new").verify(signed(PUBLISHED))


@pytest.mark.parametrize(
    "form",
    [
        {**PARAMS, "Digits": "1235"},
        {**PARAMS, "Extra": ""},
        {name: value for name, value in PARAMS.items() if name != "Digits"},
    ],
)
def test_any_changed_parameter_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        Twilio(auth_token=TOKEN).verify(signed(PUBLISHED, form=form))


def test_no_signature_and_another_address_are_refused() -> None:
    for hook in (make.hook(form=PARAMS, url=URL), signed(PUBLISHED, url=URL + "3")):
        with pytest.raises(BadSignature):
            Twilio(auth_token=TOKEN).verify(hook)


def test_a_get_is_signed_by_its_address_alone() -> None:
    url = f"{make.ADDRESS}?CallSid={CALL}"
    hook = signed(signature(TOKEN, url, []), url=url, form=None, method="GET")
    Twilio(auth_token=TOKEN).verify(hook)


def test_blank_and_repeated_values_are_signed_as_twilio_does() -> None:
    form = [("B", ""), ("A", "2"), ("A", "1"), ("A", "2"), ("a", " x ")]
    by_hand = signature(TOKEN, URL + "A1A2Ba x ", [])
    Twilio(auth_token=TOKEN).verify(signed(by_hand, form=form))


# Routing ------------------------------------------------------------------------------


def voice(**rest: str) -> Hook:
    return make.hook(form={**VOICE, "CallSid": CALL, **rest})


def test_the_call_is_connected_and_its_stages_are_asked_for() -> None:
    answer = ACCOUNT.answer(voice(), Route(forward_to="+74957654321"))
    assert (answer.status, answer.content_type) == (200, "text/xml")

    (dial,) = ET.fromstring(answer.body)
    (number,) = dial
    assert number.text == "+74957654321"
    assert number.attrib == {
        "statusCallback": f"{make.ADDRESS}/leg",
        "statusCallbackEvent": "initiated ringing answered completed",
    }
    assert dial.attrib == {
        "timeout": "30",
        "answerOnBridge": "true",
        "action": f"{make.ADDRESS}/dial",
        "method": "POST",
        "record": "record-from-answer-dual",
        "recordingStatusCallback": f"{make.ADDRESS}/rec",
        "recordingStatusCallbackEvent": "completed absent",
    }


def test_recording_can_be_switched_off() -> None:
    quiet = Twilio(auth_token=TOKEN, record=False, timeout=60)
    (dial,) = ET.fromstring(
        quiet.answer(voice(), Route(forward_to="+74957654321")).body
    )
    assert "record" not in dial.attrib and "recordingStatusCallback" not in dial.attrib
    assert dial.attrib["timeout"] == "60"


def test_addresses_are_escaped() -> None:
    hook = make.hook(form=VOICE)
    object.__setattr__(hook, "address", 'https://x/"<&')
    (dial,) = ET.fromstring(ACCOUNT.answer(hook, Route(forward_to="+74957654321")).body)
    assert dial.attrib["action"] == 'https://x/"<&/dial'


def test_without_a_number_or_a_question_nothing_is_dialled() -> None:
    for hook, route in (
        (voice(), Route(forward_to=None)),
        (FLOW[3], Route(forward_to="+74957654321")),
        (FLOW[4], Route(forward_to="+74957654321")),
    ):
        assert list(ET.fromstring(ACCOUNT.answer(hook, route).body)) == []


def test_only_the_voice_webhook_asks_for_a_route() -> None:
    assert ACCOUNT.asks_route(voice())
    assert ACCOUNT.asks_route(make.hook(tail="/voice", form=VOICE))
    assert ACCOUNT.asks_route(make.hook(form={**VOICE, "ErrorCode": "11205"}))
    assert not any(ACCOUNT.asks_route(one) for one in FLOW[1:])


def test_a_webhook_that_cannot_be_read_still_gets_the_route() -> None:
    broken = make.hook(body=b"{")
    assert ACCOUNT.asks_route(broken)
    assert (
        b"+74957654321" in ACCOUNT.answer(broken, Route(forward_to="+74957654321")).body
    )


# What does it tell? -------------------------------------------------------------------


def leg(status: str, after: int, **rest: str) -> Hook:
    at = NOON + timedelta(seconds=after)
    form = {
        "CallSid": LEG, "ParentCallSid": CALL, "CallStatus": status,
        "Direction": "outbound-dial", "From": "+12025550133", "To": "+74957654321",
        "CallbackSource": "call-progress-events", "Timestamp": format_datetime(at), **rest,
    }  # fmt: skip
    return make.hook(tail="/leg", form=form, at=at + timedelta(seconds=1))


def dial(status: str, after: int, **rest: str) -> Hook:
    form = {**VOICE, "CallSid": CALL, "CallStatus": "in-progress", "DialCallSid": LEG, "DialCallStatus": status, **rest}  # fmt: skip
    return make.hook(tail="/dial", form=form, at=NOON + timedelta(seconds=after))


def status(status: str, after: int, *, tail: str = "", **rest: str) -> Hook:
    at = NOON + timedelta(seconds=after)
    form = {**VOICE, "CallSid": CALL, "CallStatus": status, "Timestamp": format_datetime(at), **rest}  # fmt: skip
    return make.hook(tail=tail, form=form, at=at)


RECORDING = {
    "AccountSid": "AC1", "CallSid": CALL, "RecordingSid": "RE1",
    "RecordingUrl": "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
    "RecordingStatus": "completed", "RecordingDuration": "61",
    "RecordingStartTime": format_datetime(NOON + timedelta(seconds=9)),
}  # fmt: skip
FLOW = [
    voice(),
    leg("ringing", 2, SequenceNumber="1"),
    leg("in-progress", 8, SequenceNumber="2"),
    dial("completed", 69, DialCallDuration="61"),
    status("completed", 69, CallDuration="69"),
    make.hook(tail="/rec", form=RECORDING, at=NOON + timedelta(seconds=75)),
]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, FLOW)
    assert (expected.call_key, expected.direction) == (CALL, "inbound")
    assert (expected.caller, expected.tracked) == ("+12025550133", "+12025550131")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.recording == RECORDING["RecordingUrl"] + ".mp3"

    for order in permutations(FLOW):
        assert make.call(ACCOUNT, [*order, order[1]]) == expected


def test_the_legs_end_alone_ends_the_call() -> None:
    call = make.call(ACCOUNT, [FLOW[0], leg("completed", 69, CallDuration="61")])
    assert (call.outcome, call.talk_seconds) == ("answered", 61)
    assert call.answered_at == NOON + timedelta(seconds=8)


def test_a_completed_leg_without_a_duration_was_answered() -> None:
    call = make.call(ACCOUNT, [*FLOW[:3], leg("completed", 69)])
    assert (call.outcome, call.talk_seconds) == ("answered", 61)
    assert make.call(ACCOUNT, [FLOW[0], leg("completed", 69, CallDuration="0")]).missed


@pytest.mark.parametrize(
    ("told", "outcome"),
    [("busy", "busy"), ("no-answer", "missed"), ("canceled", "cancelled"), ("failed", "failed")],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_with_its_reason(
    told: str, outcome: str
) -> None:
    hooks = [FLOW[0], leg(told, 30), dial(told, 30), status("completed", 31, CallDuration="31")]  # fmt: skip
    for order in permutations(hooks):
        call = make.call(ACCOUNT, order)
        assert call.missed
        assert (call.outcome, call.talk_seconds) == (outcome, 0)


def test_a_call_without_any_dialled_leg_is_missed_though_twilio_took_it() -> None:
    call = make.call(ACCOUNT, [FLOW[0], status("completed", 20, CallDuration="20")])
    assert call.missed


def test_the_status_callback_may_come_to_either_address() -> None:
    assert ACCOUNT.events(FLOW[4]) == ACCOUNT.events(
        status("completed", 69, tail="/status", CallDuration="69")
    )


@pytest.mark.parametrize("caller", ["", "anonymous", "+266696687", "+7378742833"])
def test_a_hidden_caller_is_nobody(caller: str) -> None:
    (event,) = ACCOUNT.events(voice(From=caller))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+12025550131")


def test_a_sip_caller_is_no_number() -> None:
    (event,) = ACCOUNT.events(voice(From="sip:ivan@x.sip.twilio.com", To="client:shop"))
    assert (event.caller, event.hidden, event.tracked) == (None, False, None)


def test_our_own_outgoing_call_tells_no_customer() -> None:
    (event,) = ACCOUNT.events(voice(Direction="outbound-api"))
    assert (event.direction, event.caller, event.tracked) == ("outbound", None, None)


def test_only_a_completed_recording_is_told() -> None:
    for state in ("in-progress", "absent", "failed"):
        form = {**RECORDING, "RecordingStatus": state, "RecordingUrl": ""}
        assert ACCOUNT.events(make.hook(tail="/rec", form=form)) == []


def test_a_recording_told_by_dial_and_by_its_callback_is_one() -> None:
    with_url = dial("completed", 69, DialCallDuration="61", RecordingUrl=RECORDING["RecordingUrl"])  # fmt: skip
    call = make.call(ACCOUNT, [with_url, FLOW[5]])
    assert [(one.id, one.seconds) for one in call.recordings] == [("RE1", 61)]


@pytest.mark.parametrize("moment", ["", "soon", "Mon, 99 Nov 2026 12:00:00 +0000", "Mon, 02 Nov 1899 12:00:00 +0000"])  # fmt: skip
def test_an_odd_timestamp_is_the_moment_of_receipt(moment: str) -> None:
    (event,) = ACCOUNT.events(leg("in-progress", 8, Timestamp=moment))
    assert event.at == NOON + timedelta(seconds=9)


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(),
        make.hook(form={"CallStatus": "ringing"}),
        make.hook(form={**VOICE, "CallSid": "x" * 300}),
        make.hook(tail="/rec", form={**RECORDING, "RecordingUrl": "javascript:1"}),
        make.hook(tail="/rec", form={**RECORDING, "RecordingDuration": "long"}),
        make.hook(tail="/leg", form={"CallSid": LEG, "SequenceNumber": "x"}),
        make.hook(body=b"{"),
        make.hook(form=[("a", "1")] * 501),
    ],
)
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(hook)


def test_settings_are_checked() -> None:
    for settings in ({}, {"auth_token": ""}, {"auth_token": "x", "timeout": 2}):
        with pytest.raises(telephony.BadInput):
            telephony.make("twilio", settings)
