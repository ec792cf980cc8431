"""Mango Office: signatures, stages, summaries, recordings."""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from itertools import permutations

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.mango import Mango

KEY, SALT = "5f4dcc3b5aa765d61d8327deb882cf99", "demo-salt-0001"
VECTOR = '{"entry_id":"MTIzNDU2Nzg5","call_id":"100:500:256","timestamp":1767261600,"seq":1,"call_state":"Appeared","location":"ivr","from":{"number":"79161234567"},"to":{"number":"74950000001","line_number":"74950000001"}}'
VECTOR_SIGN = "58edb41935a12c5b757550398241fc047c495caa9efada80672b37cc22b18678"
PBX = Mango(api_key=KEY, api_salt=SALT)
T = int(NOON.timestamp())


def posted(tail: str, json: object, **rest: str) -> Hook:
    text = json if isinstance(json, str) else msgspec.json.encode(json).decode()
    sign = sha256((KEY + text + SALT).encode()).hexdigest()
    return make.hook(
        tail=tail, form={"vpbx_api_key": KEY, "sign": sign, "json": text, **rest}
    )


def leg(state: str, location: str, after: float = 0, **rest: object) -> Hook:
    told: dict[str, object] = {
        "entry_id": "E1", "call_id": "L1", "timestamp": T + after, "seq": 1,
        "call_state": state, "location": location,
        "from": {"number": "79161234567"},
        "to": {"number": "74951000001", "line_number": "74951000001"},
    }  # fmt: skip
    return posted("/events/call", told | rest)


def summary(**rest: object) -> Hook:
    told: dict[str, object] = {
        "entry_id": "E1", "call_direction": 1, "from": {"number": "79161234567"},
        "to": {"extension": "123", "number": "sip:ivanov@vpbx400.mangosip.ru"},
        "line_number": "74951000001", "create_time": T, "forward_time": T + 3,
        "talk_time": T + 11, "end_time": T + 99, "entry_result": 1,
        "disconnect_reason": 1110,
    }  # fmt: skip
    return posted("/events/summary", told | rest)


def one(hook: Hook) -> calls.CallEvent:
    (event,) = PBX.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def test_the_computed_vector_is_believed_in_either_case() -> None:
    for sign in (VECTOR_SIGN, VECTOR_SIGN.upper()):
        PBX.verify(make.hook(form={"vpbx_api_key": KEY, "sign": sign, "json": VECTOR}))


def test_cyrillic_is_signed_as_utf_8() -> None:
    PBX.verify(posted("/events/call", '{"name":"Иван"}'))


@pytest.mark.parametrize(
    "wrong",
    [{"vpbx_api_key": "other"}, {"sign": "0" * 64}, {"sign": ""}, {"json": "{}"}, {"sign": "я"}],
)  # fmt: skip
def test_any_wrong_part_is_refused(wrong: Mapping[str, str]) -> None:
    form = {"vpbx_api_key": KEY, "sign": VECTOR_SIGN, "json": VECTOR, **wrong}
    with pytest.raises(BadSignature):
        PBX.verify(make.hook(form=form))


def test_the_connection_check_is_greeted_and_nothing_else_is() -> None:
    for check in (
        make.hook(),
        make.hook(method="GET"),
        make.hook(form={"vpbx_api_key": KEY}),
        make.hook(form={"json": ""}),
    ):
        greeting = PBX.greet(check)
        assert greeting is not None
        assert (greeting.status, greeting.body) == (200, b"{}")
    assert PBX.greet(leg("Appeared", "ivr")) is None


def test_key_and_salt_are_required() -> None:
    with pytest.raises(BadInput, match="api_salt: is required"):
        telephony.make("mango", {"api_key": KEY})


# What does it tell? -------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["/events/call", "//events/call", "/events/call/"])
def test_the_first_stage_tells_caller_and_line(tail: str) -> None:
    event = one(posted(tail, VECTOR))
    assert (event.type, event.call_key, event.leg_key) == ("started", "MTIzNDU2Nzg5", "100:500:256")  # fmt: skip
    assert (event.caller, event.tracked) == ("+79161234567", "+74950000001")
    assert (event.seq, event.direction) == (1, "inbound")


@pytest.mark.parametrize(
    ("state", "location", "type_"),
    [
        ("Appeared", "ivr", "started"),
        ("Appeared", "queue", "started"),
        ("Appeared", "abonent", "ringing"),
        ("Connected", "ivr", "progress"),
        ("Connected", "queue", "progress"),
        ("Connected", "abonent", "answered"),
        ("OnHold", "abonent", "progress"),
        ("Disconnected", "abonent", "progress"),
    ],
)
def test_a_person_has_answered_only_when_a_subscriber_is_connected(
    state: str, location: str, type_: str
) -> None:
    event = one(leg(state, location))
    assert event.type == type_
    assert (event.answered_at is not None) == (type_ == "answered")


PERSON = {"extension": "123", "number": "sip:ivanov@vpbx400.mangosip.ru", "line_number": "74951000001"}  # fmt: skip
FLOW = [
    leg("Appeared", "ivr"),
    leg("Disconnected", "ivr", 3, seq=2, disconnect_reason=1100),
    leg("Appeared", "abonent", 3, call_id="L2", to=PERSON),
    leg("Connected", "abonent", 11, call_id="L2", seq=2, to=PERSON),
    leg("Disconnected", "abonent", 99, call_id="L2", seq=3, to=PERSON, disconnect_reason="1110"),
    summary(),
]  # fmt: skip


def test_a_routed_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, FLOW)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.manager) == ("answered", "123")
    assert expected.started_at == NOON
    assert expected.notes == ()

    for order in permutations(FLOW):
        assert make.call(PBX, [*order, order[0], order[3]]) == expected


def test_the_summary_alone_tells_the_whole_call() -> None:
    alone = make.call(PBX, [summary()])
    whole = make.call(PBX, FLOW)
    assert alone == whole


def test_a_long_talk_is_no_wrong_clock() -> None:
    told = summary(create_time=T - 1010, talk_time=T - 1000, end_time=T - 1)
    for event in PBX.events(make.again(told)):
        moved, shift = calls.corrected(event, told.received_at)
        assert (moved, shift) == (event, timedelta(0))


def test_a_late_older_stage_changes_nothing() -> None:
    before = make.call(PBX, FLOW[2:4])
    after = make.call(PBX, [*FLOW[2:4], FLOW[2]])
    assert after == before and after.answered


def test_a_talk_that_never_began_is_a_missed_call_whatever_the_result_says() -> None:
    call = make.call(PBX, [summary(talk_time="0", entry_result="1", to={})])
    assert call.missed
    assert (call.outcome, call.talk_seconds, call.ring_seconds) == ("cancelled", 0, 99)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (1100, "missed"), (1180, "missed"), (1110, "cancelled"), (1111, "missed"),
        (1163, "missed"), ("1121", "busy"), (1122, "rejected"), (1152, "rejected"),
        (1130, "failed"), (1134, "failed"), (1191, "failed"), (3200, "failed"),
        (4200, "failed"), (2100, "failed"), (5000, "failed"), (1182, "missed"),
        (None, "missed"), ("", "missed"),
    ],
)  # fmt: skip
def test_the_disconnect_reason_names_the_outcome(reason: object, outcome: str) -> None:
    call = make.call(PBX, [summary(talk_time=0, disconnect_reason=reason)])
    assert call.outcome == outcome


def test_a_leg_taken_over_by_another_operator_does_not_end_the_call() -> None:
    for reason in (1182, "1183", 1100):
        call = make.call(PBX, [*FLOW[:4], leg("Disconnected", "abonent", 50, disconnect_reason=reason)])  # fmt: skip
        assert call.ended_at is None and call.answered and not call.missed


def test_a_transfer_leaves_the_customer_and_tells_who_spoke_last() -> None:
    moved = leg(
        "Connected", "abonent", 40, call_id="L3",
        **{"from": {"number": "74957654321", "extension": "123", "taken_from_call_id": "L2"}},
        to={"extension": "777", "line_number": "74951000001"},
    )  # fmt: skip
    for order in permutations([FLOW[0], FLOW[3], moved, FLOW[5]]):
        call = make.call(PBX, order)
        assert (call.caller, call.direction) == ("+79161234567", "inbound")
        assert call.manager == "777"
        assert call.notes == ("answered by 123",)
        assert call.answered_at == NOON + timedelta(seconds=11)


@pytest.mark.parametrize("nobody", [{}, [], None])
def test_empty_parties_and_absent_numbers_are_hidden_callers(nobody: object) -> None:
    event = one(leg("Appeared", "ivr", **{"from": nobody}))
    assert (event.caller, event.hidden) == (None, True)
    last = one(summary(**{"from": nobody}, to=nobody, talk_time=0))
    assert (last.caller, last.hidden) == (None, True)


def test_numbers_may_come_as_text_and_text_as_numbers() -> None:
    event = one(leg("Appeared", "ivr", timestamp=str(T), seq="7", **{"from": {"number": 79161234567}}))  # fmt: skip
    assert (event.at, event.seq, event.caller) == (NOON, 7, "+79161234567")


def test_a_line_that_is_a_sip_name_is_no_number() -> None:
    assert (
        one(leg("Appeared", "abonent", to={"line_number": "sip:trunk1@x"})).tracked
        is None
    )
    by_number = leg("Appeared", "ivr", to={"number": "74951000001", "line_number": ""})
    assert one(by_number).tracked == "+74951000001"


@pytest.mark.parametrize(
    ("rest", "direction"),
    [
        ({"from": {"extension": "12"}, "to": {"number": "79160000000"}}, "outbound"),
        ({"from": {"extension": "12"}, "to": {"extension": "13"}}, "internal"),
        ({"callback_initiator": "СС"}, "outbound"),
        ({"task_id": 5}, "outbound"),
        ({"command_id": "ct-1"}, "inbound"),
    ],
)
def test_only_customers_calls_are_inbound(
    rest: dict[str, object], direction: str
) -> None:
    event = one(leg("Appeared", "abonent", **rest))
    assert event.direction == direction
    if direction != "inbound":
        assert (event.caller, event.tracked, event.hidden) == (None, None, False)


def test_the_initiator_of_a_callback_is_noted_in_latin_letters() -> None:
    note = one(leg("Appeared", "abonent", callback_initiator="СС")).note
    assert note == "callback by CC"
    assert note.isascii()


def test_the_summarys_direction_is_the_calls() -> None:
    for code, direction in ((0, "internal"), ("1", "inbound"), (2, "outbound")):
        assert (
            make.call(PBX, [FLOW[0], summary(call_direction=code)]).direction
            == direction
        )


def test_moments_three_hours_ahead_are_brought_back() -> None:
    """The provider's editions disagree: UTC, or UTC+3."""
    end = T + 3 * 3600
    report = summary(create_time=end - 99, talk_time=end - 88, end_time=end)
    for hook in (leg("Appeared", "ivr", 3 * 3600 + 2), report):
        for event in PBX.events(hook):
            moved, shift = calls.corrected(event, NOON)
            assert shift == timedelta(hours=-3)
            assert abs(moved.at - NOON) < timedelta(minutes=2)


# Recordings ---------------------------------------------------------------------------

DONE = {
    "entry_id": "E1", "call_id": "L2", "recording_id": "MToxMDAxOjA=", "extension": "123",
    "recording_state": "Completed", "completion_code": "1000", "recipient": "CloudAndMail",
    "timestamp": T, "seq": 3,
}  # fmt: skip


def test_only_a_recording_that_is_stored_is_told() -> None:
    recording = one(posted("/events/recording", DONE)).recording
    assert recording is not None
    assert (recording.id, recording.url) == ("MToxMDAxOjA=", "")

    for unfit in (
        {"recording_state": "Started"},
        {"completion_code": 4002},
        {"completion_code": None},
        {"recipient": "Mail"},
    ):
        assert PBX.events(posted("/events/recording", DONE | unfit)) == []


def test_an_added_record_is_told_and_several_of_a_call_are_kept() -> None:
    added = {"entry_id": "E1", "product_id": 4, "user_id": -1, "timestamp": T}
    hooks = [
        posted("/events/record/added", added | {"recording_id": id_}) for id_ in "ab"
    ]
    call = make.call(PBX, [*FLOW, *hooks, posted("/events/recording", DONE | {"recording_id": "a"})])  # fmt: skip
    assert [one.id for one in call.recordings] == ["a", "b"]
    assert call.recording is None


def test_an_account_that_allows_links_gets_a_signed_one() -> None:
    linking = Mango(api_key=KEY, api_salt=SALT, recording_links=True)
    (event,) = linking.events(posted("/events/recording", DONE))
    assert event.recording is not None
    expires = T + 365 * 86400
    sign = sha256(f"{KEY}{expires}MToxMDAxOjA={SALT}".encode()).hexdigest()
    assert event.recording.url == (
        "https://app.mango-office.ru/vpbx/queries/recording/link/MToxMDAxOjA%3D/play/"
        f"{KEY}/{expires}/{sign}"
    )


# All the rest -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        "/events/dtmf",
        "/events/sms",
        "/events/record/tagged",
        "/result/route",
        "/ping",
        "",
    ],
)
def test_other_notifications_tell_nothing(tail: str) -> None:
    assert PBX.events(posted(tail, {"command_id": "ct-1", "result": 1000})) == []
    assert PBX.events(posted(tail, "{")) == []


@pytest.mark.parametrize(
    "json",
    [
        "{", "[]", "null", "{}", '{"entry_id": ""}', '{"entry_id": "E1", "seq": "x"}',
        '{"entry_id": "E1", "from": "x"}', '{"entry_id": "E1", "timestamp": 1e30}',
        '{"entry_id": "E1", "timestamp": {}}', '{"entry_id": "' + "x" * 300 + '"}',
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(json: str) -> None:
    with pytest.raises(Unreadable):
        PBX.events(posted("/events/call", json))


def test_the_answer_is_always_the_same() -> None:
    answer = PBX.answer(FLOW[0], Route(forward_to="+74950000000"))
    assert (answer.status, answer.content_type, answer.body) == (
        200,
        "application/json",
        b"{}",
    )
    assert not PBX.asks_route(FLOW[0])
