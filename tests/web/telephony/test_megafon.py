"""MegaFon's virtual PBX and its platform: contact, event, history."""

import contextlib
from datetime import datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.megafon import Megafon

TOKEN = "8c5f6f6e-0000-4000-8000-000000000000"
PBX = Megafon(crm_token=TOKEN)
SECOND = timedelta(seconds=1)


def posted(cmd: str, after: float = 0, **rest: str) -> Hook:
    form = {
        "cmd": cmd, "callid": "43294397431", "phone": "79161234567",
        "diversion": "74950000001", "crm_token": TOKEN, **rest,
    }  # fmt: skip
    return make.hook(form=form, at=NOON + timedelta(seconds=after))


def event(type_: str, after: float = 0, **rest: str) -> Hook:
    return posted("event", after, **{"type": type_, "direction": "in", **rest})


def history(status: str = "Success", after: float = 100, **rest: str) -> Hook:
    start = NOON.strftime("%Y%m%dT%H%M%SZ")
    told = {
        "type": "in", "user": "ivanov", "ext": "510", "groupRealName": "Sales",
        "telnum": "79230000000", "start": start, "duration": "88", "status": status,
    }  # fmt: skip
    return posted("history", after, **told | rest)


def one(hook: Hook, pbx: Megafon = PBX) -> calls.CallEvent:
    (event,) = pbx.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def test_the_account_s_token_is_believed() -> None:
    PBX.verify(posted("contact"))
    PBX.verify(make.hook(headers={"x-api-key": TOKEN}))
    PBX.verify(make.hook(json={"cmd": "event", "crm_token": TOKEN}))


@pytest.mark.parametrize(
    "token", ["", TOKEN[:-1], TOKEN[:-1] + "1", TOKEN.upper(), "ы"]
)
def test_any_other_token_is_refused(token: str) -> None:
    for hook in (posted("event", crm_token=token), make.hook(headers={"x-api-key": token})):  # fmt: skip
        with pytest.raises(BadSignature):
            PBX.verify(hook)


def test_the_token_is_required() -> None:
    with pytest.raises(BadInput, match="crm_token: is required"):
        telephony.make("megafon", {})


# What is it answered? -----------------------------------------------------------------


def test_a_call_goes_to_the_responsible_user_and_else_where_the_pbx_decides() -> None:
    route = Route(forward_to="+74957654321")
    led = Megafon(crm_token=TOKEN, responsible="ivanov")
    answer = led.answer(posted("contact"), route)
    assert msgspec.json.decode(answer.body) == {"responsible": "ivanov"}
    assert answer.content_type == "application/json"
    for pbx, hook in ((PBX, posted("contact")), (led, history()), (led, make.hook(body=b"{"))):  # fmt: skip
        assert pbx.answer(hook, route).body == b"{}"


# What does it tell? -------------------------------------------------------------------


def test_the_question_about_the_contact_begins_the_call() -> None:
    told = one(posted("contact"))
    assert (told.type, told.call_key) == ("started", "43294397431")
    assert (told.caller, told.tracked) == ("+79161234567", "+74950000001")
    assert (told.direction, told.started_at) == ("inbound", NOON)


def test_the_saved_history_is_read_whole() -> None:
    """Section 8.4 of the telephony notes, as it stands there."""
    body = (
        b"cmd=history&type=in&user=ivanov&ext=510&groupRealName=Sales&telnum=79230000000"
        b"&phone=79161234567&diversion=74950000001&start=20260101T100000Z&duration=88"
        b"&callid=43294397431&link=https%3A%2F%2Frecords.example%2F1.mp3&status=Success"
        b"&crm_token=x"
    )
    received_at = datetime.fromisoformat("2026-01-01T10:01:45+00:00")
    call = make.call(PBX, [make.hook(body=body, at=received_at)])
    assert call.started_at == datetime.fromisoformat("2026-01-01T10:00:00+00:00")
    assert (call.caller, call.tracked) == ("+79161234567", "+74950000001")
    assert (call.outcome, call.talk_seconds, call.manager) == ("answered", 88, "ivanov")
    assert call.recording == "https://records.example/1.mp3"


ANSWERED = [
    posted("contact"),
    event("INCOMING", 1, user="petrov"),
    event("INCOMING", 1, user="ivanov", ext="510"),
    event("ACCEPTED", 11, user="ivanov", ext="510"),
    event("CANCELLED", 12, user="petrov"),
    event("COMPLETED", 99, user="ivanov"),
    history(wait="11", link="https://records.example/1.mp3"),
]


def test_a_group_s_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, ANSWERED)
    assert (expected.outcome, expected.manager) == ("answered", "ivanov")
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.started_at, expected.ended_at) == (NOON, NOON + 99 * SECOND)
    assert expected.recording == "https://records.example/1.mp3"
    assert expected.notes == ()

    for order in permutations(ANSWERED):
        assert make.call(PBX, [*order, order[0], order[5]]) == expected


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("missed", "missed"), ("Missed", "missed"), ("Cancel", "cancelled"),
        ("Busy", "busy"), ("NotAvailable", "failed"), ("NotAllowed", "failed"),
        ("notfound", "failed"),
    ],
)  # fmt: skip
def test_a_missed_call_in_any_order_is_the_same_call(status: str, outcome: str) -> None:
    flow = [
        posted("contact"),
        event("INCOMING", 1, user="ivanov"),
        event("CANCELLED", 30, user="ivanov"),
        history(status, 31, duration="30", link=""),
    ]
    for order in permutations(flow):
        call = make.call(PBX, [*order, order[0]])
        assert (call.outcome, call.missed, call.manager) == (outcome, True, None)
        assert (call.ring_seconds, call.talk_seconds) == (30, 0)


def test_a_missed_call_of_untold_length_ends_when_it_is_told() -> None:
    assert make.call(PBX, [history("missed", 31, duration="0")]).ring_seconds == 31
    late = history("missed", 86_400, duration="0")
    assert make.call(PBX, [late]).ring_seconds == 0


def test_a_phone_of_a_group_that_gave_up_does_not_end_the_call() -> None:
    call = make.call(PBX, ANSWERED[:5])
    assert call.ended_at is None and call.answered and not call.missed


def test_a_history_of_a_long_call_does_not_look_like_a_wrong_clock() -> None:
    long = history(after=3700, duration="3600")
    for told in PBX.events(long):
        assert calls.corrected(told, long.received_at)[1] == timedelta(0)


def test_a_transfer_tells_who_spoke_last_and_the_other_call_s_id() -> None:
    flow = [
        event("INCOMING", 1, user="ivanov"),
        event("ACCEPTED", 11, user="ivanov"),
        event("TRANSFERRED", 40, user="ivanov", second_callid="43294397999"),
        event("ACCEPTED", 45, user="petrov"),
        history(after=100, duration="88", wait="11"),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.manager, call.outcome) == ("petrov", "answered")
        assert call.notes == ("answered by ivanov", "transferred as call 43294397999")


def test_outgoing_calls_are_not_customers_calls() -> None:
    flow = [
        event("OUTGOING", 0, user="ivanov", direction="out"),
        event("ACCEPTED", 9, user="ivanov", direction="out"),
        history(type="out"),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)


def test_a_stage_of_unknown_direction_makes_no_contact() -> None:
    told = one(event("ACCEPTED", direction=""))
    assert (told.caller, told.tracked, told.hidden) == (None, None, False)


def test_an_extension_that_calls_is_a_colleague() -> None:
    for hook in (event("INCOMING", phone="101"), event("INCOMING", direction="internal", phone="101")):  # fmt: skip
        told = one(hook)
        assert (told.direction, told.caller) == ("internal", None)


@pytest.mark.parametrize("phone", ["", "anonymous", "Restricted", "7378742833"])
def test_a_hidden_caller_is_hidden(phone: str) -> None:
    told = one(event("INCOMING", phone=phone))
    assert (told.caller, told.hidden, told.direction) == (None, True, "inbound")


@pytest.mark.parametrize(
    ("raw", "country", "number"),
    [
        ("74950000001", "RU", "+74950000001"),
        ("84950000001", "RU", "+74950000001"),
        ("4950000001", "RU", "+74950000001"),
        ("+7 (495) 000-00-01", "RU", "+74950000001"),
        ("88001234567", "RU", "+78001234567"),
        ("78001234567", "RU", "+78001234567"),
        ("77012345678", "KZ", "+77012345678"),
        ("7012345678", "KZ", "+77012345678"),
        ("810375291234567", "RU", "+375291234567"),
        ("375291234567", "RU", "+375291234567"),
        ("8613800138000", "RU", "+8613800138000"),
        ("788001234567", "RU", "+78001234567"),
        ("7749512345678", "RU", None),
        ("37369123456", "MD", "+37369123456"),
        ("069123456", "MD", "+37369123456"),
        ("79161234567", "MD", "+79161234567"),
        ("1234567", "RU", None),
        ("12345", "DE", None),
        ("sip:ivanov@vpbx", "RU", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_trunks_spell_them(
    raw: str, country: str, number: str | None
) -> None:
    pbx = Megafon(crm_token=TOKEN, country=country)
    assert one(event("INCOMING", diversion=raw), pbx).tracked == number


@pytest.mark.parametrize(
    "start", ["20261102T120000Z", "2026-11-02 12:00:00", "2026-11-02T12:00:00Z", "20261102T12:00:00"],
)  # fmt: skip
def test_the_start_is_utc_in_each_spelling(start: str) -> None:
    hook = history(start=start)
    assert PBX.events(hook)[0].started_at == datetime.fromisoformat(
        "2026-11-02T12:00:00+00:00"
    )


def test_json_and_the_query_are_read_like_a_form() -> None:
    form = {"cmd": "event", "type": "incoming", "callid": 7, "phone": 79161234567}
    assert one(make.hook(json=form)).caller == "+79161234567"
    query = "cmd=event&type=INCOMING&callid=7&phone=79161234567"
    assert one(make.hook(method="GET", query=query)).caller == "+79161234567"


def test_names_in_cyrillic_and_in_another_charset_are_kept_readable() -> None:
    hook = event("ACCEPTED", groupRealName="Продажи")
    assert one(hook).manager == "Продажи"
    body = hook.body.replace("Продажи".encode(), "Продажи".encode("cp1251"))
    assert one(make.hook(body=body)).call_key == "43294397431"


def test_ratings_and_unknown_commands_tell_nothing() -> None:
    for cmd in ("rating", "", "sms"):
        assert PBX.events(posted(cmd, rating="5")) == []


@pytest.mark.parametrize(
    "hook",
    [
        event("INCOMING", callid=""), event("INCOMING", callid="x" * 201),
        event("HELD"), history("Unheard"), history(duration="long"),
        history(start="yesterday"), history(start="20261399T120000Z"),
        history(start="00010101T000000Z"), history(duration="99999999"),
        make.hook(body=b"{"), make.hook(body=b"&".join([b"a=1"] * 600)),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PBX.events(hook)


def test_a_huge_field_is_bounded() -> None:
    told = one(event("ACCEPTED", user="я" * 60_000, note="x" * 60_000))
    assert told.manager == "я" * 200


def test_a_truncated_form_is_read_or_unreadable() -> None:
    body = history(link="https://records.example/1.mp3").body
    for end in range(0, len(body), 7):
        with contextlib.suppress(Unreadable):
            assert len(PBX.events(make.hook(body=body[:end]))) <= 2
