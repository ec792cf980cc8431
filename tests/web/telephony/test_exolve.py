"""MTS Exolve: the question before the call, its answer, events of either edition."""

from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.exolve import Exolve

APP = Exolve(token="open sesame")
SID = "6f2c1b0e-4d3a-4c55-9a55-0a2f6a7f7a10"
T = int(NOON.timestamp() * 1000)
QUERY = "token=open+sesame"
THERE = Route(forward_to="+74957654321")


def asked(**params: object) -> Hook:
    told = {
        "sip_id": "74950000001",
        "numberA": "79161234567",
        "call_sid": SID,
        **params,
    }
    kept = {name: value for name, value in told.items() if value is not None}
    message = {"jsonrpc": "2.0", "id": "1", "method": "getControlCallFollowMe", "params": kept}  # fmt: skip
    return make.hook(json=message, query=QUERY)


def told(
    type_: str, after: float = 0, *, tail: str = "/events", **rest: object
) -> Hook:
    at = (NOON + timedelta(seconds=after)).isoformat().replace("+00:00", "Z")
    message = {
        "type": type_, "call_sid": SID, "call_id": 1024, "date_time": at,
        "from": "79161234567", "to": "74950000001",
    }  # fmt: skip
    return make.hook(json=message | rest, tail=tail, query=QUERY)


METRICS = {
    "duration": 99000,
    "wait_time": 11000,
    "talk_time": 88000,
    "cause_code": "16",
}


def one(hook: Hook) -> calls.CallEvent:
    (event,) = APP.events(make.again(hook))
    return event


def said(hook: Hook, route: Route = THERE, app: Exolve = APP) -> dict[str, object]:
    answer = app.answer(hook, route)
    assert (answer.status, answer.content_type) == (200, "application/json")
    decoded: dict[str, object] = msgspec.json.decode(answer.body)
    return decoded


# Who is it? ---------------------------------------------------------------------------


def test_the_token_in_the_address_is_believed() -> None:
    APP.verify(asked())
    APP.verify(told("b"))


@pytest.mark.parametrize(
    "query", ["", "token=", "token=open", "token=open+sesamf", "key=open+sesame", "token=%FF", "token=x&token=open+sesamE"],
)  # fmt: skip
def test_any_other_token_is_refused(query: str) -> None:
    with pytest.raises(BadSignature):
        APP.verify(make.hook(json={}, query=query))


def test_without_a_token_the_secret_address_is_enough() -> None:
    Exolve().verify(make.hook(json={}))


def test_the_token_is_not_kept_with_the_request() -> None:
    assert "sesame" not in repr(told("b").to_meta())


def test_ringing_has_its_bounds() -> None:
    with pytest.raises(BadInput, match="timeout"):
        telephony.make("exolve", {"timeout": 1})


# Where does the call go? --------------------------------------------------------------


def test_the_answer_names_the_number_and_where_events_are_told() -> None:
    assert APP.asks_route(asked())
    assert said(asked()) == {
        "jsonrpc": "2.0",
        "id": "1",
        "sip_id": "74950000001",
        "result": {
            "redirect_type": 1,
            "event_URL": f"{make.ADDRESS}/events?token=open+sesame",
            "masking": False,
            "followme_struct": [
                1,
                [
                    {
                        "I_FOLLOW_ORDER": 1, "ACTIVE": True, "NAME": "main",
                        "REDIRECT_NUMBER": "74957654321", "PERIOD": "always",
                        "PERIOD_DESCRIPTION": "always", "TIMEOUT": 30,
                    }
                ],
            ],
        },
    }  # fmt: skip


def test_the_answer_is_the_same_when_told_again() -> None:
    assert APP.answer(asked(), THERE) == APP.answer(asked(), THERE)


def test_older_installations_get_their_own_spelling() -> None:
    result = said(asked(call_sid=None, h323_conf_id="A1 B2"))["result"]
    assert isinstance(result, dict)
    assert result["masking"] == "N"
    assert result["followme_struct"][1][0]["ACTIVE"] == "Y"


def test_settings_reach_the_answer() -> None:
    result = said(asked(), app=Exolve(timeout=12, masking=True))["result"]
    assert isinstance(result, dict)
    assert result["masking"] is True
    assert result["event_URL"] == f"{make.ADDRESS}/events"
    assert result["followme_struct"][1][0]["TIMEOUT"] == 12


def test_without_a_number_the_reserve_one_is_left_to_ring() -> None:
    answer = said(asked(), Route(forward_to=None))
    assert answer["id"] == "1" and "result" not in answer
    assert "error" in answer


@pytest.mark.parametrize("id_", ["7", 7, None])
def test_the_question_s_id_comes_back(id_: object) -> None:
    message = {"id": id_, "method": "getControlCallFollowMe", "params": {}}
    assert said(make.hook(json=message))["id"] == id_


def test_events_ask_nothing() -> None:
    for hook in (told("b"), make.hook(body=b"{"), make.hook(json=[1])):
        assert not APP.asks_route(hook)
        assert said(hook) == {}


# What does it tell? -------------------------------------------------------------------


def test_the_question_is_the_call_s_beginning() -> None:
    event = one(asked())
    assert (event.type, event.call_key, event.direction) == ("started", SID, "inbound")
    assert (event.caller, event.tracked) == ("+79161234567", "+74950000001")
    assert event.started_at == NOON


@pytest.mark.parametrize("raw", ["", "anonymous", None, "Restricted"])
def test_a_hidden_caller_is_hidden(raw: str | None) -> None:
    event = one(asked(numberA=raw))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+74950000001")


def test_toll_free_numbers_are_read_in_both_spellings() -> None:
    for raw in ("78001234567", "88001234567", 78001234567):
        assert one(asked(sip_id=raw)).tracked == "+78001234567"


ANSWERED = [
    asked(),
    told("b"),
    told("o", 2, to="74957654321"),
    told("s", 11, to="74957654321"),
    told("h", 99),
    told("e", 99),
    told("d", 99, **METRICS),
]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(APP, ANSWERED)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74950000001")
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.notes) == ("answered", ())
    assert expected.ended_at == NOON + timedelta(seconds=99)

    for order in permutations(ANSWERED):
        assert make.call(APP, [*order, order[0], order[4]]) == expected


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [(16, "missed"), ("19", "missed"), (17, "busy"), ("21", "rejected"), (1, "failed"), (38, "failed"), ("", "missed")],
)  # fmt: skip
def test_a_call_without_talk_is_missed_by_its_cause(
    cause: object, outcome: str
) -> None:
    metrics = {
        "duration": 30000,
        "wait_time": 30000,
        "talk_time": 0,
        "cause_code": cause,
    }
    flow = [asked(), told("b"), told("o", 2), told("h", 30), told("d", 30, **metrics)]
    for order in permutations(flow):
        call = make.call(APP, order)
        assert (call.outcome, call.missed) == (outcome, True)
        assert (call.ring_seconds, call.talk_seconds) == (30, 0)


def test_the_metrics_alone_tell_the_whole_call() -> None:
    call = make.call(APP, [told("d", 99, **METRICS)])
    assert (call.caller, call.tracked) == ("+79161234567", "+74950000001")
    assert (call.outcome, call.talk_seconds) == ("answered", 88)
    assert call.answered_at == NOON + timedelta(seconds=11)


def test_a_hang_up_without_metrics_ends_the_call() -> None:
    call = make.call(APP, [asked(), told("h", 20)])
    assert (call.missed, call.outcome, call.ring_seconds) == (True, "missed", 20)


@pytest.mark.parametrize("nested", [{"type": "s"}, "s"])
def test_older_events_are_read_too(nested: object) -> None:
    message = {
        "event": nested, "h323_conf_id": "A1 B2", "numberA": "79161234567",
        "sip_id": "74950000001", "date_time": T + 11000,
    }  # fmt: skip
    event = one(make.hook(json=message))
    assert (event.type, event.call_key) == ("answered", "A1 B2")
    assert event.answered_at == NOON + timedelta(seconds=11)


def test_other_names_of_the_parties_are_read() -> None:
    event = one(told("b", **{"from": None, "to": None}))
    assert (event.caller, event.hidden, event.tracked) == (None, True, None)
    message = {"type": "b", "call_sid": SID, "calling_number": "79161234567", "called_number": "74950000001"}  # fmt: skip
    event = one(make.hook(json=message))
    assert (event.caller, event.tracked) == ("+79161234567", "+74950000001")


def test_the_dialled_leg_s_numbers_are_not_the_call_s() -> None:
    for type_ in ("o", "s", "h", "e"):
        event = one(told(type_, **{"from": "74950000001", "to": "74957654321"}))
        assert (event.caller, event.tracked, event.hidden) == (None, None, False)


def test_an_employee_s_sip_account_calls_out() -> None:
    event = one(told("b", tail="", **{"from": "883140776600012", "to": "79161234567"}))
    assert (event.direction, event.caller, event.tracked) == ("outbound", None, None)


def test_a_clock_off_by_a_zone_is_brought_back() -> None:
    (event,) = APP.events(told("s", 3 * 3600 + 11))
    moved, shift = calls.corrected(event, NOON + timedelta(seconds=11))
    assert shift == timedelta(hours=-3)
    assert moved.answered_at == NOON + timedelta(seconds=11)


# Recordings and the rest --------------------------------------------------------------


def test_a_recording_is_told_by_its_path() -> None:
    path = "/call-record/v1/6f2c.mp3"
    flow = [*ANSWERED, told("crr", 120, path=path), told("crr", 130, path="https://x.example/2.mp3")]  # fmt: skip
    call = make.call(APP, flow)
    assert [one.id for one in call.recordings] == [path, "https://x.example/2.mp3"]
    assert call.recording == "https://x.example/2.mp3"
    assert call == make.call(APP, [*reversed(flow), *flow[-2:]])


def test_what_is_no_call_tells_nothing() -> None:
    for message in ({}, {"type": "sms", "call_sid": SID}, {"method": "other"}):
        assert APP.events(make.hook(json=message)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"type": "b"}', b'{"type": "b", "call_sid": ""}',
        b'{"method": "getControlCallFollowMe"}', b'{"type": "crr", "call_sid": "x"}',
        b'{"type": "b", "call_sid": "x", "date_time": "yesterday"}',
        b'{"type": "b", "call_sid": "x", "date_time": "2026-01-01T10:01:39"}',
        b'{"type": "d", "call_sid": "x", "talk_time": "long"}',
        b'{"type": "d", "call_sid": "x", "talk_time": -1}',
        b'{"type": "b", "call_sid": "' + b"x" * 201 + b'"}',
        '{"type": "b", "call_sid": "Ж'.encode("cp1251"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        APP.events(make.hook(body=body))


def test_a_huge_message_is_read_or_refused_with_a_reason() -> None:
    event = one(told("b", padding="x" * 200_000))
    assert event.call_key == SID
