"""UIS, CoMagic, CallGear, Novofon 2.0: our templates filled in, the interactive step."""

import re
from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route, uis_templates
from web.telephony.uis import Uis

SECRET = "s3cr3t"
PBX = Uis(secret=SECRET)
T = int(NOON.timestamp())
LINK = "https://media.uiscom.ru/2900415562/17"
# Section 4.1: "call finished" after substitution, as the notes have it.
PUBLISHED = (
    '{"v":1,"secret":"s3cr3t","event":"ended","notification_mnemonic":"call_finished",'
    '"notification_name":"Завершение звонка","notification_time":"2026-01-01 13:01:39.120",'
    '"notification_timestamp":1767261699,"call_session_id":2900415562,"external_id":null,'
    '"communication_id":900112,"direction":"in","start_time":"2026-01-01 13:00:00",'
    '"contact_phone_number":"79161234567","virtual_phone_number":"74950000001",'
    '"employee_id":554433,"employee_full_name":"Иванов Иван","talk_time_duration":88,'
    '"total_time_duration":99,"wait_time_duration":11,"scenario_name":"Основной",'
    '"tag_names":null}'
)


def filled(event: str, after: int = 0, **values: object) -> Hook:
    """Our own template of this event with the variables that the platform fills in."""
    at = NOON + timedelta(seconds=after)
    local = at + timedelta(hours=3)
    variables = {
        "notification_time": local.strftime("%Y-%m-%d %H:%M:%S.120"),
        "notification_timestamp": int(at.timestamp()), "call_session_id": 2900415562,
        "direction": "in", "start_time": "2026-11-02 15:00:00",
        "contact_phone_number": "79161234567", "virtual_phone_number": "74951000001",
        **values,
    }  # fmt: skip
    body = re.sub(
        r"\{\{(\w+)\}\}",
        lambda name: msgspec.json.encode(variables.get(name[1])).decode(),
        template(event),
    )
    return make.hook(body=body.encode(), at=at + timedelta(seconds=1))


def template(event: str) -> str:
    made = uis_templates.made(SECRET)
    return next(body for title, body in made.items() if title.endswith(f"({event})"))


def told(**fields: object) -> Hook:
    return make.hook(json={"secret": SECRET, "call_session_id": 1, **fields})


# Who is it? ---------------------------------------------------------------------------


def test_the_secret_of_the_template_or_of_the_address_is_believed() -> None:
    PBX.verify(filled("inbound"))
    PBX.verify(make.hook(body=b"{", query="token=s3cr3t"))
    PBX.verify(make.hook(query="token=s3cr3t&numb=1", method="GET"))


@pytest.mark.parametrize("secret", ["", "s3cr3", "s3cr3t ", "S3CR3T", None, 5, ["s3cr3t"], "\u00e9"])  # fmt: skip
def test_any_other_secret_is_refused(secret: object) -> None:
    for hook in (make.hook(json={"secret": secret}), make.hook(query="token=wrong", json={"secret": SECRET})):  # fmt: skip
        with pytest.raises(BadSignature):
            PBX.verify(hook)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"secret": "s3cr3t"', b"\xff\xfe{", b"{" * 5000])  # fmt: skip
def test_a_body_without_the_secret_is_refused(body: bytes) -> None:
    with pytest.raises((BadSignature, Unreadable)):
        PBX.verify(make.hook(body=body))


def test_the_addresss_secret_is_not_kept_with_the_event() -> None:
    assert (
        make.hook(query="token=s3cr3t&event=ended").to_meta()["query"] == "event=ended"
    )


def test_settings_are_checked() -> None:
    with pytest.raises(BadInput, match="secret"):
        telephony.make("uis", {})
    with pytest.raises(BadInput, match="timezone"):
        telephony.make("uis", {"secret": "s", "timezone": "Moscow"})
    for timezone in ("../etc/passwd", "Europe", "\x00"):
        with pytest.raises(BadInput, match="timezone"):
            telephony.make("uis", {"secret": "s", "timezone": timezone})


# What is pasted -----------------------------------------------------------------------


def test_every_kind_of_notification_has_a_template_that_carries_the_secret() -> None:
    tricky = Uis(secret='a"b\\{{c}}я')
    pastes = tricky.pastes(make.ADDRESS)
    *templates, (where, address) = pastes.items()
    assert len(templates) == len(uis_templates.TEMPLATES)
    for _, body in templates:
        sent = msgspec.json.decode(re.sub(r"(?<=:)\{\{\w+\}\}", "null", body))
        assert sent["secret"] == tricky.secret
    assert "route" in where
    assert address == f"{make.ADDRESS}/route?token=a%22b%5C%7B%7Bc%7D%7D%D1%8F"
    tricky.verify(make.hook(query=address.partition("?")[2]))


def test_the_templates_name_only_variables_without_quotes() -> None:
    for body in uis_templates.made(SECRET).values():
        assert '"{{' not in body
        assert "{{call_session_id}}" in body and "{{notification_timestamp}}" in body


def test_a_variable_that_the_platform_left_as_it_stands_tells_nothing() -> None:
    body = template("ended").replace("{{call_session_id}}", "7").encode()
    PBX.verify(make.hook(body=body))
    (event,) = PBX.events(make.hook(body=body))
    assert (event.call_key, event.type, event.at) == ("7", "ended", NOON)


def test_a_template_without_the_calls_id_says_what_is_missing() -> None:
    with pytest.raises(Unreadable, match="call_session_id"):
        PBX.events(make.hook(body=template("ended").encode()))


# What does it tell? -------------------------------------------------------------------


def test_the_published_end_of_a_call_is_read() -> None:
    call = make.call(PBX, [make.hook(body=PUBLISHED.encode())])
    assert (call.call_key, call.direction, call.outcome) == (
        "2900415562",
        "inbound",
        "answered",
    )
    assert (call.caller, call.tracked) == ("+79161234567", "+74950000001")
    assert call.started_at.isoformat() == "2026-01-01T10:00:00+00:00"
    assert call.ended_at and call.ended_at.isoformat() == "2026-01-01T10:01:39+00:00"
    assert (call.ring_seconds, call.talk_seconds, call.manager) == (
        11,
        88,
        "Иванов Иван",
    )


FLOW = [
    filled("inbound", 0),
    filled("ringing", 2, employee_id=1, employee_full_name="Anna", leg_id=71),
    filled("answered", 11, employee_id=1, employee_full_name="Anna", leg_ids=[70, 71]),
    filled("talk_end", 99, talk_time_duration=88),
    filled("ended", 99, talk_time_duration=88, total_time_duration=99, wait_time_duration=11, employee_full_name="Anna"),
    filled("recording", 130, file_link=LINK, file_duration=88),
]  # fmt: skip


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, FLOW)
    assert (expected.started_at, expected.answered_at) == (
        NOON,
        NOON + timedelta(seconds=11),
    )
    assert (expected.outcome, expected.ring_seconds, expected.talk_seconds) == (
        "answered",
        11,
        88,
    )
    assert (expected.manager, expected.recording) == ("Anna", LINK)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")

    for order in permutations(FLOW):
        assert make.call(PBX, [*order, *order[:2]]) == expected


def test_the_end_alone_tells_nearly_everything() -> None:
    whole, end = make.call(PBX, FLOW), make.call(PBX, [FLOW[4]])
    assert (end.started_at, end.answered_at, end.talk_seconds, end.manager) == (
        whole.started_at,
        whole.answered_at,
        whole.talk_seconds,
        whole.manager,
    )


def test_a_missed_call_in_any_order_is_the_same_call() -> None:
    flow = [
        filled("inbound", 0), filled("ringing", 2, employee_full_name="Anna"),
        filled("lost", 30, wait_time_duration=30, employee_ids=[1, 2]),
        filled("ended", 30, talk_time_duration=0, total_time_duration=30, wait_time_duration=30, employee_full_name="Anna"),
    ]  # fmt: skip
    expected = make.call(PBX, flow)
    assert expected.missed and expected.manager is None
    assert (expected.outcome, expected.ring_seconds, expected.talk_seconds) == (
        "missed",
        30,
        0,
    )
    for order in permutations(flow):
        assert make.call(PBX, [*order, order[0]]) == expected


@pytest.mark.parametrize("told_at_end", ["Anna", "Boris"])
def test_after_a_transfer_the_last_one_who_took_the_call_is_its_manager(
    told_at_end: str,
) -> None:
    flow = [
        FLOW[0],
        filled("answered", 11, employee_full_name="Anna"),
        filled("talk_end", 60, talk_time_duration=49),
        filled("answered", 65, employee_full_name="Boris"),
        filled("ended", 99, talk_time_duration=83, total_time_duration=99, wait_time_duration=11, employee_full_name=told_at_end),
    ]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.manager, call.talk_seconds, call.ring_seconds) == ("Boris", 83, 11)
        assert "answered by Anna" in call.notes


def test_a_caller_who_left_a_message_was_not_answered_by_anybody() -> None:
    flow = [FLOW[0], filled("voicemail", 40, file_link=LINK), filled("ended", 40, talk_time_duration=0)]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.outcome, call.missed, call.recording) == ("voicemail", True, LINK)


def test_an_outgoing_call_tells_the_customer_and_is_outgoing() -> None:
    flow = [
        filled("outbound", 0, direction="out", employee_phone_number="101"),
        filled("ended", 60, direction="out", talk_time_duration=50, wait_time_duration=10),
    ]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.direction, call.caller, call.hidden, call.talk_seconds) == (
            "outbound",
            "+79161234567",
            False,
            50,
        )


@pytest.mark.parametrize("caller", [None, "", "anonymous", "Restricted", "266696687"])
def test_a_hidden_caller_is_nobody(caller: str | None) -> None:
    (event,) = PBX.events(filled("inbound", contact_phone_number=caller))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+74951000001")


def test_a_template_that_leaves_out_the_caller_does_not_make_him_hide() -> None:
    (event,) = PBX.events(told(event="ringing"))
    assert (event.caller, event.hidden) == (None, False)


@pytest.mark.parametrize(
    ("spelled", "country", "number"),
    [
        ("78001234567", None, "+78001234567"), ("88001234567", None, "+78001234567"),
        ("8 (800) 123-45-67", None, "+78001234567"), ("+78001234567", None, "+78001234567"),
        (74951000001, None, "+74951000001"), ("84912345678", None, "+84912345678"),
        ("84951000001", "RU", "+74951000001"), ("4951000001", "RU", "+74951000001"),
        ("380441234567", "RU", "+380441234567"), ("8801712345678", None, "+8801712345678"),
        ("101", None, None), ("sip:ivan@pbx", None, None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_account_writes_them(
    spelled: object, country: str | None, number: str | None
) -> None:
    account = Uis(secret=SECRET, local_numbers=country)
    (event,) = account.events(filled("inbound", virtual_phone_number=spelled))
    assert event.tracked == number


def test_several_links_are_several_recordings_each_told_once() -> None:
    links = [LINK, "https://media.novofon.ru/2900415562/18", LINK]
    hook = filled("recording", 130, file_link=links, file_duration=88)
    call = make.call(PBX, [*FLOW[:5], hook, FLOW[5]])
    assert [(one.id, one.seconds) for one in call.recordings] == [
        ("17", 88),
        ("18", None),
    ]


# When was it? -------------------------------------------------------------------------


def test_the_accounts_offset_is_learned_from_a_moment_told_in_both_ways() -> None:
    for offset, zone in (("17:00:00", "UTC"), ("07:30:00", "Asia/Tokyo")):
        account = Uis(secret=SECRET, timezone=zone)
        hook = filled("inbound", notification_time=f"2026-11-02 {offset}", start_time=f"2026-11-02 {offset}")  # fmt: skip
        (event,) = account.events(hook)
        assert (event.at, event.started_at) == (NOON, NOON)


def test_without_unix_seconds_the_accounts_time_zone_counts() -> None:
    hook = filled("inbound", notification_timestamp=None)
    (event,) = PBX.events(hook)
    assert event.started_at == NOON
    assert event.at == NOON + timedelta(milliseconds=120)

    (event,) = Uis(secret=SECRET, timezone="Asia/Novosibirsk").events(hook)
    moved, shift = calls.corrected(event, hook.received_at)
    assert shift == timedelta(hours=4)
    assert moved.started_at == NOON


def test_a_start_that_cannot_be_is_left_out_so_that_the_moment_of_the_event_counts() -> (
    None
):
    hook = filled("ended", 99, notification_time=None, talk_time_duration=88, start_time="2026-11-02 12:00:00")  # fmt: skip
    call = make.call(PBX, [hook])
    assert call.started_at == NOON + timedelta(seconds=11)


def test_a_call_of_two_hours_keeps_its_start() -> None:
    hook = filled("ended", 7200, talk_time_duration=7100, total_time_duration=7200, wait_time_duration=100)  # fmt: skip
    call = make.call(PBX, [hook])
    assert (call.started_at, call.talk_seconds, call.ring_seconds) == (NOON, 7100, 100)
    for event in PBX.events(hook):
        assert calls.corrected(event, hook.received_at)[1] == timedelta(0)


def test_the_hour_that_autumn_repeats_is_told_apart_by_the_moment_of_receipt() -> None:
    account = Uis(secret=SECRET, timezone="Europe/Berlin")
    for utc in ("2026-10-25T00:30:05+00:00", "2026-10-25T01:30:05+00:00"):
        at = msgspec.convert(utc, type=type(NOON))
        hook = make.hook(json={"event": "inbound", "call_session_id": 1, "start_time": "2026-10-25 02:30:00"}, at=at)  # fmt: skip
        (event,) = account.events(hook)
        assert event.started_at == at - timedelta(seconds=5)


# Other ways of sending it -------------------------------------------------------------


def test_a_notification_sent_as_get_is_read_the_same() -> None:
    query = (
        'token=s3cr3t&event=inbound&call_session_id=2900415562&direction="in"'
        '&contact_phone_number="79161234567"&virtual_phone_number=74951000001'
        f"&notification_timestamp={T}&start_time=null"
    )
    hook = make.hook(query=query, method="GET")
    PBX.verify(hook)
    (event,) = PBX.events(make.again(hook))
    assert (event.type, event.caller, event.tracked, event.at) == (
        "started",
        "+79161234567",
        "+74951000001",
        NOON,
    )


def test_an_accounts_own_template_with_objects_is_read_when_the_address_says_the_event() -> (
    None
):
    body = {
        "virtual_phone_number": "74951000001", "notification_time": "2026-11-02 15:01:39",
        "contact_info": {"contact_phone_number": "79161234567", "communication_number": 1},
        "call_info": {"talk_time_duration": "88", "call_session_id": "29"}, "direction": "in",
        "employee_info": {"employee_full_name": "Anna"},
    }  # fmt: skip
    hook = make.hook(query="event=ended&token=s3cr3t", json=body)
    PBX.verify(hook)
    call = make.call(PBX, [hook])
    assert (call.call_key, call.caller, call.talk_seconds, call.manager) == (
        "29",
        "+79161234567",
        88,
        "Anna",
    )


# Routing ------------------------------------------------------------------------------


QUESTION = {
    "numa": "79161234567", "numb": "74951000001", "cdr_id": "55", "direction": "in",
    "call_session_id": "2900415562", "start_time": "2026-11-02 15:00:00", "input_result": "",
}  # fmt: skip


def questions() -> list[Hook]:
    query = "&".join(f"{name}={value}" for name, value in QUESTION.items())
    query = query.replace(" ", "%20")
    return [
        make.hook(tail="/route", query=query + "&token=s3cr3t", method="GET"),
        make.hook(tail="/route", query="token=s3cr3t", form=QUESTION),
        make.hook(tail="/route", query="token=s3cr3t", json=QUESTION),
        make.hook(query="token=s3cr3t", json=QUESTION),
    ]


def test_the_interactive_step_is_answered_with_the_number() -> None:
    for hook in questions():
        PBX.verify(hook)
        assert PBX.asks_route(hook)
        answer = PBX.answer(hook, Route(forward_to="+74957654321"))
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert answer.body == b'{"phones":["74957654321"]}'
        assert PBX.answer(hook, Route(forward_to=None)).body == b"{}"


def test_the_interactive_step_is_the_same_call() -> None:
    for hook in questions():
        (event,) = PBX.events(make.again(hook))
        assert (event.type, event.caller, event.tracked) == (
            "started",
            "+79161234567",
            "+74951000001",
        )
        expected = make.call(PBX, FLOW)
        for order in permutations([hook, *FLOW[2:5]]):
            call = make.call(PBX, order)
            assert (call.call_key, call.started_at, call.talk_seconds) == (
                expected.call_key,
                NOON,
                88,
            )


def test_a_notification_asks_for_nothing_and_a_broken_question_still_gets_the_route() -> (
    None
):
    for hook in FLOW:
        assert not PBX.asks_route(hook)
        assert PBX.answer(hook, Route(forward_to="+74957654321")).body == b"{}"
    broken = make.hook(tail="/route", query="token=s3cr3t", body=b"{")
    assert (
        PBX.answer(broken, Route(forward_to="+74957654321")).body
        == b'{"phones":["74957654321"]}'
    )


def test_what_is_huge_is_bounded() -> None:
    hook = filled("answered", 11, employee_full_name="я" * 100_000, contact_phone_number="7" * 100_000)  # fmt: skip
    (event,) = PBX.events(hook)
    assert (event.manager, event.caller) == ("я" * 200, None)


# Nonsense -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(), make.hook(body=b"{"), make.hook(body=b"[]"), make.hook(body="{\"event\": \"ended\"".encode("utf-16")),
        told(), told(event="Завершение звонка"), told(event="ended", call_session_id=None),
        told(event="ended", call_session_id="x" * 300), told(event="ended", talk_time_duration="long"),
        told(event="ended", talk_time_duration=-1), told(event="inbound", start_time="yesterday"),
        told(event="inbound", start_time="0001-01-01 00:00:00"), told(event="inbound", notification_timestamp=1e30),
        told(event="recording"), told(event="recording", file_link="javascript:1"), told(event="recording", file_link=[]),
        make.hook(form=[("a", "1")] * 501), make.hook(tail="/route", query="numb=1"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PBX.events(hook)
