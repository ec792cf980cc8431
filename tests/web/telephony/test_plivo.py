"""Plivo: signatures V3, Plivo XML, callbacks of legs, recordings."""

import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import permutations

import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker.errors import BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.plivo import Plivo, signature, signed_text

# The published vector of the provider's Ruby library.
TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
NONCE = "31627761595286130198"
URL = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml/?a=b&c=d"
LEG_ID = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
PARAMS = {
    "Direction": "outbound", "From": "19792014278", "ALegUUID": LEG_ID,
    "CallStatus": "in-progress", "BillRate": "0.002",
    "ParentAuthID": "MANWVLYTK4ZWU1YTY4QA",
    "To": "sip:PlivoSignature382029104058171078704104@phone-qa.voice.plivodev.com",
    "ALegRequestUUID": LEG_ID, "CallUUID": LEG_ID, "RequestUUID": LEG_ID,
    "SIP-H-To": "<sip:PlivoSignature382029104058171078704104@52.9.11.55;transport=udp>;tag=1",
    "SessionStart": "2020-04-08 11:34:33.238707", "Event": "StartApp",
}  # fmt: skip
POSTED = "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="
GOT = "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="
OTHER = "A" * 43 + "="

ACCOUNT = Plivo(auth_token=TOKEN)
FORWARD = Route(forward_to="+74957654321")


def signed(
    sign: str = POSTED,
    *,
    url: str = URL,
    form: object = PARAMS,
    nonce: str = NONCE,
    name: str = "x-plivo-signature-v3",
    **rest: object,
) -> Hook:
    headers = {name: sign, "x-plivo-signature-v3-nonce": nonce}
    query = url.partition("?")[2]
    return make.hook(url=url, query=query, form=form, headers=headers, **rest)  # type: ignore[arg-type]


def got(url: str = URL, sign: str = GOT) -> Hook:
    """The same parameters in the query."""
    return signed(
        sign, url=url + "&" + make.hook(form=PARAMS).body.decode(), form=None, method="GET"
    )  # fmt: skip


# Who is it? ---------------------------------------------------------------------------


def test_the_published_vectors_are_believed() -> None:
    ACCOUNT.verify(signed())
    ACCOUNT.verify(got())


def test_the_computed_vector_is_believed() -> None:
    form = {
        "CallUUID": "c0000000-0000-4000-8000-000000000001", "From": "12025550133",
        "To": "12025550131", "Direction": "inbound", "CallStatus": "ringing",
    }  # fmt: skip
    hook = signed("fu0EdYOeBzk/YNE3YxsqiWP3ARsR1MyLELhOmxwO38E=",
                  url="https://ct.example.org/hooks/plivo/1/answer", form=form, nonce="1234567890")  # fmt: skip
    Plivo(auth_token="demo_plivo_token").verify(hook)


@pytest.mark.parametrize(
    "sign", [f"{OTHER},{POSTED}", f"{POSTED}, {OTHER}", f"{OTHER} , {POSTED}"]
)
def test_one_right_signature_of_several_is_enough(sign: str) -> None:
    ACCOUNT.verify(signed(sign))


def test_the_main_accounts_signature_is_believed_too() -> None:
    ACCOUNT.verify(signed(name="x-plivo-signature-ma-v3"))


def test_both_tokens_are_believed_while_they_are_changed() -> None:
    Plivo(auth_token="new", auth_token_secondary=TOKEN).verify(signed())
    with pytest.raises(BadSignature):
        Plivo(auth_token="new").verify(signed())


def test_the_address_may_show_a_port() -> None:
    shown = URL.replace(".com/", ".com:443/")
    ACCOUNT.verify(signed(url=shown))
    with_port = signature(TOKEN, signed_text("POST", shown, signed(url=shown)), NONCE)
    ACCOUNT.verify(signed(with_port, url=shown))


@pytest.mark.parametrize("name", PARAMS)
def test_any_changed_parameter_is_refused(name: str) -> None:
    for form in (
        {**PARAMS, name: PARAMS[name] + " "},
        {one: value for one, value in PARAMS.items() if one != name},
        {**PARAMS, f"{name}x": ""},
    ):
        with pytest.raises(BadSignature):
            ACCOUNT.verify(signed(form=form))


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(form=PARAMS, url=URL),
        signed(""),
        signed(nonce=""),
        signed(nonce=NONCE[:-1]),
        signed(POSTED[:-1]),
        signed(POSTED.swapcase()),
        signed("я"),
        signed(url=URL + "1"),
        signed(url=URL.replace("https", "http")),
        signed(url=URL.replace("/api", "/Api")),
        signed(GOT),
        got(sign=POSTED),
        got(URL.replace("a=b", "a=c")),
        signed(",".join([OTHER] * 10 + [POSTED])),
    ],
)
def test_any_other_wrong_part_is_refused(hook: Hook) -> None:
    with pytest.raises(BadSignature):
        ACCOUNT.verify(hook)


@pytest.mark.parametrize("place", range(43))
def test_any_changed_letter_of_the_signature_is_refused(place: int) -> None:
    letter = "B" if POSTED[place] == "A" else "A"
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(POSTED[:place] + letter + POSTED[place + 1 :]))


def test_blank_and_repeated_values_are_signed_sorted() -> None:
    form = [("b", ""), ("a", "2"), ("a", "1"), ("a", "2"), ("A", "я z")]
    bare = make.ADDRESS
    by_hand = signature(TOKEN, f"{bare}?Aя za1a2a2b", "7")
    ACCOUNT.verify(signed(by_hand, url=bare, form=form, nonce="7"))
    queried = signature(TOKEN, f"{bare}?p=&q=1.Aя za1a2a2b", "7")
    ACCOUNT.verify(signed(queried, url=f"{bare}?q=1&p=", form=form, nonce="7"))


def test_a_request_without_parameters_is_signed_by_its_address() -> None:
    for method in ("GET", "POST"):
        bare = signature(TOKEN, make.ADDRESS, "7")
        ACCOUNT.verify(signed(bare, url=make.ADDRESS, form=None, nonce="7", method=method))  # fmt: skip


# Routing ------------------------------------------------------------------------------

CALL, LEG = "c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000002"  # fmt: skip
VOICE = {
    "CallUUID": CALL, "From": "12025550133", "To": "12025550131", "Direction": "inbound",
    "CallStatus": "ringing", "Event": "StartApp", "BillRate": "0.0055",
    "SessionStart": "2026-11-02 12:00:00.238707", "ParentAuthID": "MA1",
}  # fmt: skip


def voice(**rest: str) -> Hook:
    return make.hook(form={**VOICE, **rest})


def test_the_call_is_connected_recorded_and_its_stages_are_asked_for() -> None:
    answer = ACCOUNT.answer(voice(), FORWARD)
    assert (answer.status, answer.content_type) == (200, "application/xml")
    assert answer == ACCOUNT.answer(voice(), FORWARD)

    record, dial = ET.fromstring(answer.body)
    (number,) = dial
    assert (number.tag, number.text) == ("Number", "74957654321")
    assert record.attrib == {
        "startOnDialAnswer": "true",
        "redirect": "false",
        "maxLength": "14400",
        "callbackUrl": f"{make.ADDRESS}/rec",
        "callbackMethod": "POST",
    }
    assert dial.attrib == {
        "timeout": "30",
        "action": f"{make.ADDRESS}/dial",
        "method": "POST",
        "callbackUrl": f"{make.ADDRESS}/leg",
        "callbackMethod": "POST",
    }


def test_recording_can_be_switched_off() -> None:
    quiet = Plivo(auth_token=TOKEN, record=False, timeout=60)
    (dial,) = ET.fromstring(quiet.answer(voice(), FORWARD).body)
    assert (dial.tag, dial.attrib["timeout"]) == ("Dial", "60")


def test_without_a_number_or_a_question_the_call_is_hung_up() -> None:
    for hook, route in (
        (voice(), Route(forward_to=None)),
        *((one, FORWARD) for one in FLOW[1:]),
    ):
        (hang_up,) = ET.fromstring(ACCOUNT.answer(hook, route).body)
        assert hang_up.tag == "Hangup"


def test_only_the_answer_url_asks_for_a_route() -> None:
    assert ACCOUNT.asks_route(voice())
    assert ACCOUNT.asks_route(voice(CallStatus="in-progress"))
    assert ACCOUNT.asks_route(make.hook(tail="/answer", form=VOICE))
    by_query = make.hook(form=VOICE).body.decode()
    assert ACCOUNT.asks_route(make.hook(query=by_query, method="GET"))
    assert not any(ACCOUNT.asks_route(one) for one in FLOW[1:])


def test_a_webhook_that_cannot_be_read_still_gets_the_route() -> None:
    broken = make.hook(form=[("a", "1")] * 501)
    assert ACCOUNT.asks_route(broken)
    assert b"74957654321" in ACCOUNT.answer(broken, FORWARD).body


# What does it tell? -------------------------------------------------------------------


def sent(tail: str, after: float, **form: str) -> Hook:
    base = {**VOICE, "CallStatus": "in-progress"}
    return make.hook(tail=tail, form={**base, **form}, at=NOON + timedelta(seconds=after))  # fmt: skip


def leg(stage: str, after: float, **rest: str) -> Hook:
    return sent("/leg", after, Event=f"Dial{stage.capitalize()}", DialAction=stage, DialBLegStatus=stage,
                DialALegUUID=CALL, DialBLegUUID=LEG, DialBLegTo="74957654321", **rest)  # fmt: skip


def dial(status: str, after: float, **rest: str) -> Hook:
    return sent("/dial", after, DialStatus=status, DialRingStatus="true", DialALegUUID=CALL,
                DialBLegUUID=LEG, **rest)  # fmt: skip


def over(after: float, cause: str = "NORMAL_CLEARING", **rest: str) -> Hook:
    form = {"CallStatus": "completed", "Event": "Hangup", "HangupCause": cause, "Duration": str(after), "BillDuration": "120", **rest}  # fmt: skip
    return sent("", after, **form)


REC = {"RecordUrl": "https://media.plivo.com/v1/Account/MA1/Recording/r-1.mp3", "RecordingID": "r-1", "RecordingDuration": "61"}  # fmt: skip
FLOW = [
    voice(),
    leg("answer", 8),
    leg("connected", 8.2),
    leg("hangup", 69, DialBLegDuration="69", DialBLegHangupCause="NORMAL_CLEARING"),
    dial("completed", 69, DialHangupCause="NORMAL_CLEARING"),
    over(69),
    sent("/rec", 75, **REC),
]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, FLOW)
    assert (expected.call_key, expected.direction) == (CALL, "inbound")
    assert (expected.caller, expected.tracked) == ("+12025550133", "+12025550131")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.recording == REC["RecordUrl"]
    for order in permutations([*FLOW[:2], *FLOW[3:]]):
        assert make.call(ACCOUNT, [*order, order[3], FLOW[2]]) == expected


@pytest.mark.parametrize(
    ("told", "cause", "outcome"),
    [
        ("busy", "USER_BUSY", "busy"), ("no-answer", "NO_ANSWER", "missed"),
        ("timeout", "", "missed"), ("failed", "", "failed"), ("cancel", "", "cancelled"),
        ("failed", "CALL_REJECTED", "rejected"), ("no-answer", "ORIGINATOR_CANCEL", "cancelled"),
        ("something new", "", "missed"),
    ],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_though_plivo_says_completed(
    told: str, cause: str, outcome: str
) -> None:
    hooks = [FLOW[0], leg("hangup", 30), dial(told, 30, DialHangupCause=cause), over(31)]  # fmt: skip
    for order in permutations(hooks):
        call = make.call(ACCOUNT, [*order, order[0]])
        assert call.missed
        assert (call.outcome, call.talk_seconds) == (outcome, 0)


def test_a_caller_who_gives_up_while_it_rings_has_cancelled() -> None:
    for order in permutations([FLOW[0], over(12, "ORIGINATOR_CANCEL")]):
        call = make.call(ACCOUNT, order)
        assert (call.outcome, call.ring_seconds) == ("cancelled", 12)


def test_a_phone_that_hangs_up_does_not_end_the_call() -> None:
    call = make.call(ACCOUNT, FLOW[:4])
    assert call.ended_at is None and call.answered


def test_an_answer_known_from_its_end_alone_has_no_invented_length() -> None:
    call = make.call(ACCOUNT, [FLOW[0], FLOW[4], FLOW[5]])
    assert (call.outcome, call.talk_seconds) == ("answered", None)


@pytest.mark.parametrize("tail", ["/hangup", "", "/"])
def test_the_hang_up_may_come_to_either_address(tail: str) -> None:
    form = {**VOICE, "CallStatus": "completed", "HangupCause": "NORMAL_CLEARING"}
    (event,) = ACCOUNT.events(make.hook(tail=tail, form=form))
    assert (event.type, event.caller) == ("ended", "+12025550133")


def test_callbacks_at_the_bare_address_are_known_by_what_they_tell() -> None:
    for one in FLOW[1:]:
        bare = make.hook(body=one.body, at=one.received_at)
        assert ACCOUNT.events(bare) == ACCOUNT.events(one)


@pytest.mark.parametrize(
    ("form", "type_"),
    [
        ({"Event": "DialAnswer"}, "answered"), ({"DialBLegStatus": "answer"}, "answered"),
        ({"DialAction": "Connected"}, "answered"), ({"Event": "DialHangup"}, "progress"),
        ({"DialAction": "digits"}, "progress"), ({"Event": ""}, "progress"),
    ],
)  # fmt: skip
def test_a_stage_is_known_by_whichever_field_tells_it(
    form: dict[str, str], type_: str
) -> None:
    (event,) = ACCOUNT.events(sent("/leg", 8, **form))
    assert (event.type, event.call_key) == (type_, CALL)


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "+266696687", "0"])
def test_a_hidden_caller_is_nobody(caller: str) -> None:
    (event,) = ACCOUNT.events(voice(From=caller))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+12025550131")


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("+18005550131", "+18005550131"), ("18005550131", "+18005550131"), ("78001000001", "+78001000001"),
        ("sip:shop@phone.plivo.com", None), ("12345", None), ("84912345678", "+84912345678"),
    ],
)  # fmt: skip
def test_numbers_have_a_country_code_and_perhaps_a_plus(
    spelled: str, number: str | None
) -> None:
    assert ACCOUNT.events(voice(To=spelled))[0].tracked == number


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("completed", "answered"), ("busy", "busy"), ("timeout", "missed"), ("failed", "failed")],
)  # fmt: skip
def test_our_own_call_is_outgoing_and_tells_no_customer(
    status: str, outcome: str
) -> None:
    own = {"Direction": "outbound", "ALegUUID": CALL}
    for order in permutations([voice(**own), over(9, "", CallStatus=status, **own)]):
        call = make.call(ACCOUNT, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)
        assert call.outcome == outcome


def test_recordings_are_a_set() -> None:
    unnamed = {**REC, "RecordingID": "", "RecordingDuration": "-1"}
    unnamed["RecordUrl"] = "https://media.plivo.com/r-2.mp3"
    call = make.call(ACCOUNT, [sent("/rec", 75, **REC), sent("/rec", 76, **unnamed), sent("/rec", 77, **REC)])  # fmt: skip
    assert [(one.id, one.seconds) for one in call.recordings] == [("r-1", 61), ("r-2.mp3", None)]  # fmt: skip


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(),
        make.hook(form={"CallStatus": "ringing"}),
        voice(CallUUID="x" * 300),
        sent("/rec", 0, **{**REC, "RecordUrl": "javascript:1"}),
        sent("/rec", 0, **{**REC, "RecordingDuration": "long"}),
        make.hook(tail="/rec", form={"CallUUID": CALL}),
        make.hook(body=b"\xff\xfe"),
        make.hook(form=[("a", "1")] * 501),
    ],
)
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(hook)


def test_huge_values_and_another_charset_are_read_within_bounds() -> None:
    huge = "7" * 200_000
    (event,) = ACCOUNT.events(voice(From=huge, To=huge, Event=huge))
    assert (event.caller, event.hidden, event.tracked) == (None, False, None)
    (event,) = ACCOUNT.events(sent("/leg", 8, DialBLegUUID=huge, DialAction=huge))
    assert len(event.leg_key or "") <= 200
    body = voice().body + b"&CallerName=" + "Иван".encode("cp1251")
    (event,) = ACCOUNT.events(make.again(make.hook(body=body)))
    assert event.caller == "+12025550133"


@pytest.mark.parametrize("wrong", [{}, {"auth_token": ""}, {"auth_token": "x", "timeout": 2}])  # fmt: skip
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(telephony.BadInput):
        telephony.make("plivo", wrong)
