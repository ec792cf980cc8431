"""Zadarma and Novofon 1.0: the signature of the hex digest, the greeting, routes."""

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
from web.telephony.zadarma import SIGNED, Zadarma, signature

SECRET = "demosecret"
PBX = Zadarma(api_secret=SECRET)
ROUTING = Zadarma(api_secret=SECRET, extension="100")
CALL = "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d"
RECORD = "1767261600.343456"
START = "2026-11-02 15:00:00"  # in Moscow
# Section 5.2, computed.
OF_CALL = "YjI0ODA5YjgwM2IyYzZmMDFjNmE0OTUxMGZjMzY4YjNmYWNkN2IwNQ=="
OF_RECORD = "OWVlN2Q0YzRjMDNiNmIzOTE5ZmQzZGI1ZGU4ZGRkOWUyZTViYzIxNQ=="
VECTOR = {"caller_id": "+79161234567", "called_did": "74950000001", "call_start": "2026-01-01 13:00:00"}  # fmt: skip
THEN = msgspec.convert("2026-01-01T10:00:01Z", type=type(NOON))


def notice(event: str, after: int = 0, *, secret: str = SECRET, **values: str) -> Hook:
    """A notification as the account sends it, received that many seconds after the start."""
    form = {"event": f"NOTIFY_{event}", "pbx_call_id": CALL, "call_start": START}
    if event in ("OUT_START", "OUT_END"):
        form |= {"pbx_call_id": "out_1", "internal": "100", "destination": "79161234567"}  # fmt: skip
    elif event == "ANSWER":
        form |= {"caller_id": "+79161234567", "destination": "100", "internal": "100"}
    elif event == "RECORD":
        form |= {"call_id_with_rec": RECORD}
        del form["call_start"]
    else:
        form |= {"caller_id": "+79161234567", "called_did": "74951000001"}
    return signed({**form, **values}, after, secret)


def signed(form: dict[str, str], after: int = 0, secret: str = SECRET) -> Hook:
    names = SIGNED.get(form["event"], SIGNED["NOTIFY_START"])
    sign = signature(secret, "".join(form.get(name, "") for name in names))
    return make.hook(form=form, headers={"signature": sign}, at=NOON + timedelta(seconds=after))  # fmt: skip


def vector(form: dict[str, str], sign: str = OF_CALL) -> Hook:
    return make.hook(form=form, headers={"signature": sign}, at=THEN)


# Who is it? ---------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["NOTIFY_START", "NOTIFY_INTERNAL", "NOTIFY_END", "NOTIFY_IVR"])  # fmt: skip
def test_the_computed_vectors_are_believed(event: str) -> None:
    PBX.verify(vector({"event": event, **VECTOR}))


def test_the_vector_of_a_recording_is_believed() -> None:
    form = {"event": "NOTIFY_RECORD", "pbx_call_id": CALL, "call_id_with_rec": "1458313316.343456"}  # fmt: skip
    PBX.verify(vector(form, OF_RECORD))
    with pytest.raises(BadSignature):
        PBX.verify(vector({**form, "pbx_call_id": CALL + "0"}, OF_RECORD))


@pytest.mark.parametrize("name", VECTOR)
def test_any_changed_byte_of_what_is_signed_is_refused(name: str) -> None:
    value = VECTOR[name]
    for changed in (value[:-1], value[:-1] + "9", value + "0", "", value[1:]):
        with pytest.raises(BadSignature):
            PBX.verify(vector({"event": "NOTIFY_START", **VECTOR, name: changed}))


@pytest.mark.parametrize(
    "sign",
    ["", OF_CALL[:-1], OF_CALL[1:], OF_CALL.lower(), OF_RECORD, "skgJuAOyxvAcaklRD8Nos/rNewU=", "\u00e9"],
)  # fmt: skip
def test_any_other_signature_is_refused_that_of_the_bytes_too(sign: str) -> None:
    with pytest.raises(BadSignature):
        PBX.verify(vector({"event": "NOTIFY_START", **VECTOR}, sign))


def test_another_secret_is_refused() -> None:
    for event in ("START", "ANSWER", "OUT_END", "RECORD", "INTERNAL_END"):
        PBX.verify(notice(event))
        with pytest.raises(BadSignature):
            PBX.verify(notice(event, secret="other"))


def test_a_bare_plus_that_became_a_space_is_still_the_callers() -> None:
    body = b"event=NOTIFY_START&caller_id=+79161234567&called_did=74950000001&call_start=2026-01-01+13:00:00&pbx_call_id=in_1"
    hook = make.hook(body=body, headers={"signature": OF_CALL}, at=THEN)
    PBX.verify(hook)
    (event,) = PBX.events(make.again(hook))
    assert (event.caller, event.at) == ("+79161234567", THEN - timedelta(seconds=1))


def test_an_old_notification_told_again_is_refused() -> None:
    for days in (-3, 3, 300):
        hook = notice("START", days * 86_400)
        with pytest.raises(BadSignature, match="days"):
            PBX.verify(hook)
    PBX.verify(notice("END", 20 * 3600))


def test_a_start_in_a_spelling_we_do_not_know_is_kept_though_it_cannot_be_read() -> (
    None
):
    hook = notice("END", call_start="02.11.2026 15:00")
    PBX.verify(hook)
    with pytest.raises(Unreadable, match="call_start"):
        PBX.events(hook)


def test_nothing_signed_at_all_opens_nothing() -> None:
    for form in ({}, {"event": "NOTIFY_RECORD"}, {"event": "SMS"}):
        with pytest.raises(BadSignature):
            PBX.verify(
                make.hook(form=form, headers={"signature": signature(SECRET, "")})
            )


def test_settings_are_checked() -> None:
    for bad in (
        {}, {"api_secret": ""}, {"api_secret": "s", "extension": "1"}, {"api_secret": "s", "timezone": "MSK+3"},
        {"api_secret": "s", "return_seconds": 2}, {"api_secret": "s", "duration_is": "ring"},
    ):  # fmt: skip
        with pytest.raises(BadInput):
            telephony.make("zadarma", bad)


# The greeting -------------------------------------------------------------------------


def test_the_ownership_check_is_answered_with_its_value() -> None:
    answer = PBX.greet(make.hook(query="zd_echo=5f3a.B-c_1", method="GET"))
    assert answer is not None
    assert (answer.status, answer.content_type, answer.body) == (200, "text/plain", b"5f3a.B-c_1")  # fmt: skip


@pytest.mark.parametrize("query", ["", "zd_echo=", "zd_echo=<script>", "zd_echo=" + "a" * 129, "zd_echo=a%0Ab", "zd_echo=%D1%8F"])  # fmt: skip
def test_no_other_value_is_repeated(query: str) -> None:
    assert PBX.greet(make.hook(query=query, method="GET")) is None


def test_a_notification_is_no_greeting_whatever_its_address_says() -> None:
    assert PBX.greet(make.hook(query="zd_echo=1", form={"event": "NOTIFY_END"})) is None


# What does it tell? -------------------------------------------------------------------


FLOW = [
    notice("START", 1),
    notice("INTERNAL", 2, internal="100"),
    notice("INTERNAL", 2, internal="101"),
    notice("ANSWER", 12),
    notice("END", 100, internal="100", duration="88", disposition="answered", status_code="16", is_recorded="1", call_id_with_rec=RECORD),
    notice("RECORD", 101),
]  # fmt: skip


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, FLOW)
    assert (expected.call_key, expected.direction) == (CALL, "inbound")
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 12)
    assert (expected.outcome, expected.talk_seconds, expected.manager) == (
        "answered",
        88,
        "100",
    )
    assert [(one.id, one.url) for one in expected.recordings] == [(RECORD, "")]

    for order in permutations(FLOW):
        assert make.call(PBX, [*order, order[3]]) == expected


def test_the_published_end_alone_is_an_answered_call() -> None:
    form = {
        "event": "NOTIFY_END", **VECTOR, "pbx_call_id": CALL, "internal": "100", "duration": "88",
        "disposition": "answered", "status_code": "16", "is_recorded": "1", "call_id_with_rec": RECORD,
    }  # fmt: skip
    hook = make.hook(form=form, headers={"signature": OF_CALL}, at=THEN + timedelta(seconds=98))  # fmt: skip
    PBX.verify(hook)
    call = make.call(PBX, [hook])
    assert (call.outcome, call.talk_seconds, call.ring_seconds, call.manager) == (
        "answered",
        88,
        11,
        "100",
    )
    assert call.started_at.isoformat() == "2026-01-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("disposition", "code", "outcome"),
    [
        ("busy", "17", "busy"), ("cancel", "16", "cancelled"), ("no answer", "19", "missed"),
        ("failed", "41", "failed"), ("no money", "", "failed"), ("unallocated number", "1", "failed"),
        ("no money, no limit", "", "failed"), ("line limit", "", "failed"), ("failed", "21", "rejected"),
        ("", "", "missed"), ("NO ANSWER", "", "missed"),
    ],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_with_its_reason(
    disposition: str, code: str, outcome: str
) -> None:
    flow = [*FLOW[:3], notice("END", 40, duration="0", disposition=disposition, status_code=code, is_recorded="0", call_id_with_rec="")]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, [*order, order[0]])
        assert call.missed and call.manager is None
        assert (call.outcome, call.talk_seconds, call.ring_seconds) == (outcome, 0, 40)
        assert call.recordings == ()


def test_a_caller_who_only_heard_the_menu_was_not_answered() -> None:
    flow = [notice("START"), notice("END", 30, duration="29", disposition="answered")]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.outcome, call.talk_seconds) == ("missed", 0)
        assert call.notes == ("answered by no extension",)


def test_an_answer_that_was_told_needs_no_extension() -> None:
    flow = [notice("START"), notice("ANSWER", 10, internal=""), notice("END", 98, duration="88", disposition="answered")]  # fmt: skip
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.outcome, call.talk_seconds) == ("answered", 88)


def test_each_phone_of_a_group_may_tell_its_own_end() -> None:
    flow = [
        notice("START"), notice("END", 20, internal="101", duration="0", disposition="no answer"),
        notice("ANSWER", 12), notice("END", 100, internal="100", duration="88", disposition="answered"),
        notice("END", 12, internal="102", duration="0", disposition="cancel"),
    ]  # fmt: skip
    expected = make.call(PBX, flow)
    assert (expected.outcome, expected.talk_seconds, expected.manager) == ("answered", 88, "100")  # fmt: skip
    assert expected.ended_at == NOON + timedelta(seconds=100)
    for order in permutations(flow):
        assert make.call(PBX, order) == expected


@pytest.mark.parametrize("told_at_end", [{"internal": "100"}, {"internal": "100", "last_internal": "105"}])  # fmt: skip
def test_after_a_transfer_the_last_one_who_took_the_call_is_its_manager(
    told_at_end: dict[str, str],
) -> None:
    flow = [
        notice("START"), notice("ANSWER", 10), notice("INTERNAL_END", 30, internal="100"),
        notice("INTERNAL", 31, internal="105"), notice("ANSWER", 35, internal="105", destination="105"),
        notice("END", 98, duration="88", disposition="answered", **told_at_end),
    ]  # fmt: skip
    expected = make.call(PBX, flow)
    assert (expected.manager, expected.talk_seconds) == ("105", 88)
    assert "answered by 100" in expected.notes
    for order in permutations(flow):
        assert make.call(PBX, order).manager == "105"


def test_where_durations_count_the_ringing_the_moments_tell_the_talk() -> None:
    total = Zadarma(api_secret=SECRET, duration_is="total")
    flow = [FLOW[0], FLOW[3], notice("END", 100, internal="100", duration="100", disposition="answered")]  # fmt: skip
    for order in permutations(flow):
        assert make.call(total, order).talk_seconds == 88


def test_an_outgoing_call_tells_the_customer_and_is_outgoing() -> None:
    flow = [
        notice("OUT_START", 1),
        notice("ANSWER", 10, pbx_call_id="out_1", caller_id="100", destination="79161234567"),
        notice("OUT_END", 98, caller_id="74951000001", duration="88", disposition="answered", is_recorded="1", call_id_with_rec="r"),
        notice("RECORD", 99, pbx_call_id="out_1", call_id_with_rec="r"),
    ]  # fmt: skip
    for hook in flow:
        PBX.verify(hook)
    expected = make.call(PBX, flow)
    assert (expected.direction, expected.caller, expected.tracked, expected.hidden) == ("outbound", "+79161234567", "+74951000001", False)  # fmt: skip
    assert (expected.outcome, expected.talk_seconds, expected.manager) == ("answered", 88, "100")  # fmt: skip
    for order in permutations(flow):
        assert make.call(PBX, [*order, order[0]]) == expected


def test_a_call_between_colleagues_is_no_customers() -> None:
    call = make.call(PBX, [notice("OUT_START", destination="101")])
    assert (call.direction, call.caller, call.tracked) == ("internal", None, None)


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "0", "+7378742833"])
def test_a_hidden_caller_is_nobody(caller: str) -> None:
    hook = notice("START", caller_id=caller)
    PBX.verify(hook)
    (event,) = PBX.events(hook)
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+74951000001")


@pytest.mark.parametrize(
    ("spelled", "country", "number"),
    [
        ("74951000001", None, "+74951000001"), ("+74951000001", None, "+74951000001"),
        ("88001000001", None, "+78001000001"), ("78001000001", None, "+78001000001"),
        ("442071234567", None, "+442071234567"), ("100", None, None), ("123456", None, None),
        ("84951000001", "RU", "+74951000001"), ("84951000001", None, "+84951000001"),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_account_writes_them(
    spelled: str, country: str | None, number: str | None
) -> None:
    account = Zadarma(api_secret=SECRET, local_numbers=country)
    (event,) = account.events(notice("START", called_did=spelled, caller_id=spelled))
    assert (event.tracked, event.caller, event.hidden) == (number, number, False)


# When was it? -------------------------------------------------------------------------


def test_the_start_is_in_the_accounts_time_zone() -> None:
    for zone, start in (("Europe/Moscow", START), ("America/New_York", "2026-11-02 07:00:00"), ("Asia/Kolkata", "2026-11-02 17:30:00")):  # fmt: skip
        account = Zadarma(api_secret=SECRET, timezone=zone)
        (event,) = account.events(notice("START", 1, call_start=start))
        assert (event.at, event.started_at) == (NOON, NOON)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Novosibirsk"])
def test_with_the_wrong_zone_calls_are_still_in_true_time_and_it_shows(
    zone: str,
) -> None:
    account = Zadarma(api_secret=SECRET, timezone=zone)
    moved = [calls.corrected(event, hook.received_at) for hook in FLOW for event in account.events(hook)]  # fmt: skip
    assert any(shift for _, shift in moved)
    made = None
    for event, _ in moved:
        made = calls.join(made, event)
    assert made is not None
    assert (made.started_at, made.talk_seconds, made.ring_seconds) == (NOON, 88, 12)


def test_a_call_of_two_hours_keeps_its_start() -> None:
    hook = notice("END", 7210, internal="100", duration="7200", disposition="answered")
    call = make.call(PBX, [hook])
    assert (call.started_at, call.ring_seconds, call.talk_seconds) == (NOON, 10, 7200)
    for event in PBX.events(hook):
        assert calls.corrected(event, hook.received_at)[1] == timedelta(0)


# Other encodings and kinds ------------------------------------------------------------


def multipart(form: dict[str, str], boundary: str = "----x") -> bytes:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form.items()]  # fmt: skip
    return ("".join(parts) + f"--{boundary}--\r\n").encode()


@pytest.mark.parametrize("type_", ["multipart/form-data; boundary=----x", 'Multipart/Form-Data; charset=utf-8; boundary="----x"'])  # fmt: skip
def test_a_form_in_parts_is_read_the_same(type_: str) -> None:
    form = {"event": "NOTIFY_START", **VECTOR, "pbx_call_id": CALL}
    headers = {"signature": OF_CALL, "content-type": type_}
    hook = make.hook(body=multipart(form), headers=headers, at=THEN)
    PBX.verify(hook)
    assert PBX.events(make.again(hook)) == PBX.events(vector(form))


def test_a_form_in_parts_that_is_cut_off_tells_less_and_nothing_else() -> None:
    form = {"event": "NOTIFY_START", **VECTOR, "pbx_call_id": CALL}
    headers = {"signature": OF_CALL, "content-type": "multipart/form-data; boundary=----x"}  # fmt: skip
    whole = multipart(form)
    for length in range(len(whole) - len("----x--\r\n") - 3):
        hook = make.hook(body=whole[:length], headers=headers, at=THEN)
        with pytest.raises((BadSignature, Unreadable)):
            PBX.verify(hook)
            PBX.events(hook)


@pytest.mark.parametrize("event", ["SMS", "NUMBER_LOOKUP", "CALL_TRACKING"])
def test_notifications_of_other_things_are_believed_and_tell_nothing(
    event: str,
) -> None:
    form = {"event": event, "result": '{"text": "hi"}'}
    hook = make.hook(form=form, headers={"signature": signature(SECRET, form["result"])})  # fmt: skip
    PBX.verify(hook)
    assert PBX.events(hook) == []
    with pytest.raises(BadSignature):
        PBX.verify(make.hook(form={**form, "result": "{}"}, headers=hook.headers))


def test_a_kind_that_the_document_does_not_know_is_progress_of_its_call() -> None:
    hook = notice("INTERNAL_END", 30, internal="100")
    PBX.verify(hook)
    (event,) = PBX.events(hook)
    assert (event.type, event.call_key, event.ended_at) == ("progress", CALL, None)


# Routing ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["START", "IVR"])
def test_a_call_is_sent_to_the_extension_whose_forwarding_is_replaced(
    event: str,
) -> None:
    hook = notice(event)
    assert ROUTING.asks_route(hook)
    answer = ROUTING.answer(hook, Route(forward_to="+74957654321"))
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert msgspec.json.decode(answer.body) == {
        "redirect": "100",
        "return_timeout": 0,
        "rewrite_forward_number": "+74957654321",
    }


def test_without_a_number_or_an_extension_the_scenario_goes_on() -> None:
    assert ROUTING.answer(notice("START"), Route(forward_to=None)).body == b""
    assert not PBX.asks_route(notice("START"))
    assert PBX.answer(notice("START"), Route(forward_to="+74957654321")).body == b""
    for hook in FLOW[1:]:
        assert not ROUTING.asks_route(hook)
        assert ROUTING.answer(hook, Route(forward_to="+74957654321")).body == b""


def test_what_is_huge_is_bounded() -> None:
    hook = notice("ANSWER", 11, internal="1" * 100_000, caller_id="7" * 100_000)
    PBX.verify(hook)
    (event,) = PBX.events(hook)
    assert (event.manager, event.caller) == ("1" * 200, None)


# Nonsense -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(form={"event": "NOTIFY_START"}), make.hook(form={"event": "NOTIFY_X"}),
        make.hook(form=[("a", "1")] * 501), notice("START", pbx_call_id="x" * 300),
        notice("START", call_start="yesterday"), notice("START", call_start="9999-12-31 23:59:59"),
        notice("END", duration="long"), notice("END", duration="-1"), notice("END", duration="1e300"),
        notice("RECORD", call_id_with_rec=""),
        make.hook(body=multipart({str(n): "" for n in range(501)}), headers={"content-type": "multipart/form-data; boundary=----x"}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PBX.events(hook)


def test_what_is_no_notification_tells_nothing() -> None:
    for hook in (make.hook(), make.hook(body=b"\xff\xfe"), make.hook(query="event=X")):
        assert PBX.events(hook) == []
