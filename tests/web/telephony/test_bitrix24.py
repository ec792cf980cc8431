"""Bitrix24's own telephony: the application token, its three events, lines."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.bitrix24 import Bitrix24

TOKEN = "52610fefc120afg4b628cc82d6298cce"
PORTAL = Bitrix24(application_token=TOKEN)
ID = "5E316880469A6376.1773306964.8740011"
T = int(NOON.timestamp())


def told(event: str, after: int = 0, *, token: str = TOKEN, **data: str) -> Hook:
    form = {
        "event": event, "event_handler_id": "1057",
        **{f"data[{name}]": value for name, value in data.items()},
        "ts": str(T + after), "auth[domain]": "some-domain.bitrix24.com",
        "auth[client_endpoint]": "https://some-domain.bitrix24.com/rest/",
        "auth[member_id]": "a223c6b9410f85df73e9377d6c4f7213",
        "auth[application_token]": token,
    }  # fmt: skip
    return make.hook(form=form, at=NOON + timedelta(seconds=after + 2))


def init(**rest: str) -> Hook:
    usual = {"CALL_ID": ID, "CALL_TYPE": "2", "ACCOUNT_SEARCH_ID": "74951000001",
             "PHONE_NUMBER": "74951000001", "CALLER_ID": "+79161234567"}  # fmt: skip
    return told("ONVOXIMPLANTCALLINIT", 0, **{**usual, **rest})


def start(after: int = 8, **rest: str) -> Hook:
    return told("ONVOXIMPLANTCALLSTART", after, **{"CALL_ID": ID, "USER_ID": "1269", **rest})  # fmt: skip


def end(after: int = 69, **rest: str) -> Hook:
    usual = {
        "CALL_ID": ID, "CALL_TYPE": "2", "PHONE_NUMBER": "+79161234567", "PORTAL_NUMBER": "74951000001",
        "PORTAL_USER_ID": "1269", "CALL_DURATION": "61", "CALL_START_DATE": "2026-11-02T15:00:00+03:00",
        "COST": "0", "COST_CURRENCY": "", "CALL_FAILED_CODE": "200", "CALL_FAILED_REASON": "Success call",
        "CRM_ACTIVITY_ID": "7953",
    }  # fmt: skip
    return told("ONVOXIMPLANTCALLEND", after, **{**usual, **rest})


def one(hook: Hook, portal: Bitrix24 = PORTAL) -> calls.CallEvent:
    (event,) = portal.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def test_the_application_token_is_believed() -> None:
    for hook in (init(), start(), end()):
        PORTAL.verify(hook)


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "я"])
def test_another_token_is_refused(token: str) -> None:
    with pytest.raises(BadSignature):
        PORTAL.verify(told("ONVOXIMPLANTCALLINIT", token=token))


def test_a_token_is_no_token_in_the_address_or_under_another_name() -> None:
    for hook in (
        make.hook(),
        make.hook(method="GET", query=f"auth[application_token]={TOKEN}"),
        make.hook(form={"application_token": TOKEN}),
        make.hook(form=[("auth[application_token]", "x"), ("auth[application_token]", TOKEN)]),
        make.hook(json={"auth": {"application_token": TOKEN}}),
    ):  # fmt: skip
        with pytest.raises(BadSignature):
            PORTAL.verify(hook)


# What does it tell? -------------------------------------------------------------------

ANSWERED = [init(), start(), end()]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PORTAL, ANSWERED)
    assert (expected.call_key, expected.direction) == (ID, "inbound")
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert (expected.manager, expected.notes) == ("1269", ())
    assert expected.ended_at == NOON + timedelta(seconds=69)
    for order in permutations(ANSWERED):
        assert make.call(PORTAL, [*order, *order]) == expected


def test_the_end_alone_tells_the_whole_call() -> None:
    call = make.call(PORTAL, [end()])
    assert (call.caller, call.tracked, call.started_at) == ("+79161234567", "+74951000001", NOON)  # fmt: skip
    assert (call.outcome, call.talk_seconds, call.manager) == ("answered", 61, "1269")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("304", "missed"), ("486", "busy"), ("603", "rejected"), ("603-S", "cancelled"),
        ("603-s", "cancelled"), ("404", "failed"), ("402", "failed"), ("480", "failed"),
        ("503", "failed"), ("OTHER", "missed"), ("", "missed"),
    ],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_with_its_reason(
    code: str, outcome: str
) -> None:
    hooks = [init(), end(30, CALL_FAILED_CODE=code, CALL_DURATION="12")]
    for order in permutations(hooks):
        call = make.call(PORTAL, [*order, order[0]])
        assert call.missed
        assert (call.outcome, call.talk_seconds, call.manager) == (outcome, 0, None)


def test_whether_the_duration_counts_the_ringing_is_a_setting() -> None:
    other = Bitrix24(application_token=TOKEN, duration_is_talk=False)
    counted = [init(), start(), end(CALL_DURATION="69")]
    assert make.call(other, counted).talk_seconds == 61
    assert make.call(other, [end()]).outcome == "answered"
    assert make.call(other, [end()]).talk_seconds is None


def test_a_transferred_call_tells_who_spoke_last() -> None:
    moved = [init(), start(8), start(40, USER_ID="7"), end(PORTAL_USER_ID="7")]
    for order in permutations(moved):
        call = make.call(PORTAL, order)
        assert (call.manager, call.ring_seconds) == ("7", 8)
        assert call.notes == ("answered by 1269",)


def test_a_call_forwarded_to_a_mobile_is_the_customers_still() -> None:
    event = one(end(CALL_TYPE="3", PORTAL_USER_ID="0"))
    assert (event.direction, event.caller, event.outcome, event.manager) == (
        "inbound", "+79161234567", "answered", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "note"), [("1", None), ("4", "callback"), ("5", None), (" 4 ", "callback")]
)
def test_outgoing_calls_tell_no_customer(kind: str, note: str | None) -> None:
    hooks = [
        init(CALL_TYPE=kind, PHONE_NUMBER="+79161234567", CALLER_ID="reg150908"),
        start(),
        end(CALL_TYPE=kind),
    ]
    for order in permutations(hooks):
        call = make.call(PORTAL, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)
        assert call.notes == ((note,) if note else ())


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "скрыт"])
def test_a_hidden_caller_is_nobody(caller: str) -> None:
    first, last = one(init(CALLER_ID=caller)), one(end(PHONE_NUMBER=caller))
    for event in (first, last):
        assert (event.caller, event.hidden, event.tracked) == (None, True, "+74951000001")  # fmt: skip


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("89161234567", "+79161234567"), ("9161234567", "+79161234567"), ("8 (800) 100-00-01", "+78001000001"),
        ("78001000001", "+78001000001"), ("+78001000001", "+78001000001"), ("442079460000", "+442079460000"),
        ("+19061234567", "+19061234567"), ("101", None), ("sip12", None), ("REST_APP:3", None),
    ],
)  # fmt: skip
def test_local_toll_free_and_foreign_spellings(
    spelled: str, number: str | None
) -> None:
    assert one(init(CALLER_ID=spelled)).caller == number
    assert one(end(PORTAL_NUMBER=spelled)).tracked == number


LINES = Bitrix24(application_token=TOKEN, lines="reg150908 = +74951000002, sip12=+74951000003,")  # fmt: skip


def test_a_line_that_is_a_name_has_the_number_of_the_settings() -> None:
    by_name = init(PHONE_NUMBER="reg150908", ACCOUNT_SEARCH_ID="reg150908")
    assert one(by_name).tracked is None
    assert one(by_name, LINES).tracked == "+74951000002"
    only_line = init(PHONE_NUMBER="", ACCOUNT_SEARCH_ID="sip12")
    assert one(only_line, LINES).tracked == "+74951000003"
    assert one(end(PORTAL_NUMBER="sip12"), LINES).tracked == "+74951000003"


def test_line_and_caller_told_the_other_way_round_are_put_right() -> None:
    for portal, line in ((PORTAL, "reg7"), (LINES, "reg150908")):
        event = one(init(PHONE_NUMBER="+79161234567", CALLER_ID=line, ACCOUNT_SEARCH_ID="reg7"), portal)  # fmt: skip
        assert (event.caller, event.hidden) == ("+79161234567", False)
        assert event.tracked == (None if line == "reg7" else "+74951000002")


@pytest.mark.parametrize("lines", ["reg1", "reg1 = 74951000001", "= +74951000001", "a=b=+74951000001"])  # fmt: skip
def test_lines_that_make_no_sense_are_refused(lines: str) -> None:
    with pytest.raises(BadInput, match="lines"):
        telephony.make("bitrix24", {"application_token": "t", "lines": lines})


EXTERNAL = {"CALL_ID": "externalCall.7b0c7de811455ef32b18dc5917e4306a.1773239327"}


def test_calls_that_an_application_brought_in_count_only_where_they_are_asked_for() -> None:  # fmt: skip
    hooks = [
        told("ONVOXIMPLANTCALLINIT", **EXTERNAL, CALL_TYPE="2", CALLER_ID="+79161234567", REST_APP_ID="3"),
        start(**EXTERNAL),
        end(**EXTERNAL, PORTAL_NUMBER="REST_APP:"),
    ]  # fmt: skip
    assert all(PORTAL.events(hook) == [] for hook in hooks)
    asked = Bitrix24(application_token=TOKEN, external_calls=True)
    for order in permutations(hooks):
        call = make.call(asked, order)
        assert (call.caller, call.tracked, call.talk_seconds) == ("+79161234567", None, 61)  # fmt: skip


@pytest.mark.parametrize(
    "event", ["ONAPPINSTALL", "ONCRMDEALUPDATE", "ONEXTERNALCALLSTART", ""]
)
def test_other_events_tell_nothing(event: str) -> None:
    assert PORTAL.events(told(event, CALL_ID="x")) == []


def test_events_are_known_in_any_case_of_their_letters() -> None:
    assert one(told("OnVoximplantCallStart", CALL_ID=ID, USER_ID="0")).manager is None


def test_a_missing_moment_is_that_of_receipt() -> None:
    hook = make.hook(form={"event": "ONVOXIMPLANTCALLSTART", "data[CALL_ID]": ID})
    assert one(hook).at == NOON


@pytest.mark.parametrize(
    "hook",
    [
        told("ONVOXIMPLANTCALLINIT"),
        init(CALL_ID=""),
        init(CALL_ID="x" * 300),
        init(CALL_TYPE="incoming"),
        end(CALL_DURATION="-5"),
        end(CALL_DURATION="long"),
        end(CALL_START_DATE="2026-11-02T15:00:00"),
        make.hook(form={"event": "ONVOXIMPLANTCALLSTART", "data[CALL_ID]": ID, "ts": "now"}),
        make.hook(form=[("a", "1")] * 501),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PORTAL.events(hook)


words = st.text(max_size=20) | st.sampled_from(["1", "2", "3", "reg150908", "74951000001", "anonymous", "²", "٣"])  # fmt: skip


@given(st.sampled_from(["INIT", "START", "END"]), st.dictionaries(st.sampled_from(
    ["CALL_ID", "CALL_TYPE", "PHONE_NUMBER", "CALLER_ID", "ACCOUNT_SEARCH_ID", "PORTAL_NUMBER",
     "CALL_DURATION", "CALL_START_DATE", "CALL_FAILED_CODE", "PORTAL_USER_ID", "USER_ID"]), words))  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_any_data_is_events_or_unreadable(event: str, data: dict[str, str]) -> None:
    try:
        events = LINES.events(told(f"ONVOXIMPLANTCALL{event}", **data))
    except Unreadable:
        return
    for found in events:
        calls.join(None, found)


def test_a_huge_form_in_another_charset_is_read_within_bounds() -> None:
    body = init().body + b"&data[NAME]=" + "Иван".encode("cp1251") * 20_000
    hook = make.hook(body=body.replace(b"5E316880469A6376", b"5E31%00"))
    PORTAL.verify(hook)
    event = one(hook)
    assert event.call_key == "5E31 .1773306964.8740011"
    for huge in (init(CALLER_ID="7" * 200_000), init(PHONE_NUMBER="7" * 200_000), start(USER_ID="я" * 200_000)):  # fmt: skip
        event = one(huge)
        assert event.caller in (None, "+79161234567")
        assert len(event.manager or "") <= 201


def test_the_answer_waits_for_nothing() -> None:
    assert not PORTAL.asks_route(init())
    assert PORTAL.answer(init(), Route(forward_to="+74950000000")).status == 200
