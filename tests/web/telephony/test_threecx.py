"""3CX: call detail records, the CRM template's journal, add-ons' webhooks."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route, threecx_cdr, threecx_template, xml_tree
from web.telephony.threecx import ThreeCX

TOKEN = "open sesame"
PBX = ThreeCX(token=TOKEN)
SECOND = timedelta(seconds=1)


def one(hook: Hook, pbx: ThreeCX = PBX) -> calls.CallEvent:
    (event,) = pbx.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def test_the_token_is_believed_in_the_address_and_as_a_bearer() -> None:
    PBX.verify(make.hook(query="token=open+sesame"))
    PBX.verify(make.hook(headers={"authorization": "Bearer open sesame"}))
    PBX.verify(make.hook(headers={"authorization": "bearer open sesame "}))


@pytest.mark.parametrize("token", ["", "open", "open sesamf", "OPEN SESAME", "ы"])
def test_any_other_token_is_refused(token: str) -> None:
    for hook in (
        make.hook(query=f"token={token}"),
        make.hook(headers={"authorization": f"Bearer {token}"}),
        make.hook(headers={"authorization": f"Basic {TOKEN}"}),
    ):
        with pytest.raises(BadSignature):
            PBX.verify(hook)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "token"),
        ({"timezone": "Moscow"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"cdr_fields": "historyid,time-start,time-end,from-no,secret"}, "cdr_fields"),
        ({"cdr_fields": "historyid,time-start,from-no"}, "cdr_fields"),
        ({"cdr_fields": f"{threecx_cdr.ORDER},chain"}, "cdr_fields"),
        ({"did_field": "bill-code"}, "did_field"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, str], field: str
) -> None:
    given = {"token": TOKEN, **settings} if settings else {}
    with pytest.raises(BadInput) as refused:
        telephony.make("threecx", given)
    assert refused.value.field == field


def test_nobody_is_known_to_the_lookup() -> None:
    hook = make.hook(tail="/lookup", json={"number": "+79161234567"})
    answer = PBX.answer(hook, Route(forward_to=None))
    assert (answer.content_type, answer.body) == ("application/json", b"{}")
    assert PBX.events(hook) == []


# Call detail records ------------------------------------------------------------------


def record(
    after: float = 0, picked: float | None = 11, end: float = 99, **rest: str
) -> str:
    """A line in the order of the setting; times in seconds after noon, UTC."""
    told = dict.fromkeys(threecx_cdr.ORDER.split(","), "") | {
        "historyid": "Call 612504", "callid": "00000C21DE5C2470_6531", "duration": "00:01:28",
        "time-start": stamp(after), "time-answered": "" if picked is None else stamp(picked),
        "time-end": stamp(end), "reason-terminated": "TerminatedBySrc",
        "from-no": "+79161234567", "to-no": "Ext.101", "from-dn": "10021", "to-dn": "101",
        "dial-no": "74951000001", "chain": "Chain: +79161234567;Ext.101;",
        "from-type": "Line", "to-type": "Extension", "from-dispname": "DID Sales 74951000002",
        "to-dispname": "Иванов",
    }  # fmt: skip
    return ",".join((told | {key.replace("_", "-"): value for key, value in rest.items()}).values())  # fmt: skip


def stamp(after: float) -> str:
    return (NOON + timedelta(seconds=after)).strftime("%Y/%m/%d %H:%M:%S")


def cdr(*lines: str) -> Hook:
    body = "\r\n".join(lines).encode()
    return make.hook(tail="/cdr", body=body, at=NOON + 120 * SECOND)


def test_a_record_tells_the_whole_call() -> None:
    call = make.call(PBX, [cdr(record())])
    assert (call.call_key, call.caller, call.tracked) == ("612504", "+79161234567", "+74951000001")  # fmt: skip
    assert (call.ring_seconds, call.talk_seconds) == (11, 88)
    assert (call.outcome, call.manager, call.direction) == ("answered", "Иванов", "inbound")  # fmt: skip


SAVED = "Call 612504,00000C21DE5C2470_6531,00:05:36,2023/09/19 13:33:54,2023/09/19 13:33:54,2023/09/19 13:39:31,TerminatedBySrc,+353861777149,Ext.960,10021,960,960,QFwdToDNA,Ext.504,504,,,,,Chain: +353861777149'Ext.960;Ext.963;Ext.509;Ext.504;"


def test_an_exchange_that_writes_fewer_fields_says_so_in_its_settings() -> None:
    order = ",".join(threecx_cdr.ORDER.split(",")[:20])
    pbx = telephony.make("threecx", {"token": TOKEN, "cdr_fields": order, "country": "IE", "timezone": "Europe/Dublin", "number": "+35315550100"})  # fmt: skip
    call = make.call(pbx, [make.hook(tail="/cdr", body=SAVED.encode())])
    assert call.started_at.isoformat() == "2023-09-19T12:33:54+00:00"
    assert (call.caller, call.tracked) == ("+353861777149", "+35315550100")
    assert (call.outcome, call.manager) == ("answered", "504")


def test_a_line_with_another_count_of_fields_is_refused_with_the_remedy() -> None:
    for line in (SAVED, record() + ",", record().partition(",")[2]):
        with pytest.raises(Unreadable, match="cdr_fields"):
            PBX.events(cdr(line))


def test_commas_in_quoted_names_are_no_separators() -> None:
    assert one(cdr(record(to_dispname='"Иванов, И."'))).manager == "Иванов, И."


LEGS = [
    record(to_no="Ext.800", to_type="IVR", final_type="", picked=0, end=5, to_dispname="Menu"),
    record(after=5, picked=11, end=40),
    record(after=38, picked=40, end=99, to_no="Ext.102", to_dispname="Петров", reason_changed="ReplacedDst"),
]  # fmt: skip


def test_the_legs_of_a_transferred_call_in_any_order_are_one_call() -> None:
    expected = make.call(PBX, [cdr(*LEGS)])
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.manager) == ("answered", "Петров")
    assert expected.notes == ("answered by Иванов",)
    for order in permutations([cdr(one) for one in LEGS]):
        assert make.call(PBX, [*order, order[0]]) == expected


def test_a_menu_or_a_queue_that_answers_is_no_person() -> None:
    for kind in ("Ivr", "ivr", "Queue", "RingGroup", "Ring_Group"):
        call = make.call(PBX, [cdr(record(picked=0, to_type=kind))])
        assert (call.answered, call.outcome) == (False, "cancelled")


def test_behind_a_queue_a_person_answered_but_nobody_says_when() -> None:
    behind = record(picked=0, to_type="Queue", final_type="Extension", final_number="Ext.101", final_dispname="Иванов")  # fmt: skip
    call = make.call(PBX, [cdr(behind)])
    assert (call.outcome, call.manager) == ("answered", "Иванов")
    assert (call.answered_at, call.talk_seconds) == (None, None)


@pytest.mark.parametrize(
    ("reason", "final", "outcome"),
    [
        ("TerminatedBySrc", "", "cancelled"), ("src_participant_terminated", "", "cancelled"),
        ("TerminatedByDst", "", "missed"), ("NoAnswer", "", "missed"), ("", "", "missed"),
        ("Busy", "", "busy"), ("FailedCode", "", "failed"), ("TerminatedBySrc", "VoiceMail", "voicemail"),
    ],
)  # fmt: skip
def test_an_unanswered_call_has_its_outcome(
    reason: str, final: str, outcome: str
) -> None:
    line = record(picked=None, end=30, reason_terminated=reason, final_type=final)
    call = make.call(PBX, [cdr(line)])
    assert (call.outcome, call.missed, call.manager) == (outcome, True, None)
    assert (call.ring_seconds, call.talk_seconds) == (30, 0)


@pytest.mark.parametrize(
    ("rest", "direction"),
    [
        ({"from_no": "Ext.101", "from_type": "Extension", "to_no": "79161234567", "dial_no": "79161234567"}, "outbound"),
        ({"from_no": "Ext.101", "from_type": "", "to_no": "Ext.79161234567", "dial_no": ""}, "outbound"),
        ({"from_no": "Ext.101", "from_type": "Extension", "to_no": "Ext.102", "dial_no": "102"}, "internal"),
    ],
)  # fmt: skip
def test_employees_calls_are_not_customers_calls(
    rest: dict[str, str], direction: str
) -> None:
    event = one(cdr(record(**rest)))
    assert (event.direction, event.caller, event.tracked) == (direction, None, None)


def test_the_dialled_number_is_where_the_trunk_puts_it() -> None:
    by_name = ThreeCX(token=TOKEN, did_field="from-dispname")
    assert one(cdr(record()), by_name).tracked == "+74951000002"
    assert one(cdr(record(dial_no="960"))).tracked is None
    fixed = ThreeCX(token=TOKEN, number="+74951000009")
    assert one(cdr(record(dial_no="960")), fixed).tracked == "+74951000009"
    assert one(cdr(record()), fixed).tracked == "+74951000001"


def test_a_hidden_caller_is_hidden() -> None:
    event = one(cdr(record(from_no="anonymous")))
    assert (event.caller, event.hidden) == (None, True)


def test_times_are_the_server_s_also_in_the_hour_that_comes_twice() -> None:
    pbx = ThreeCX(token=TOKEN, timezone="Europe/Berlin")
    line = record().replace("2026/11/02", "2026/10/25").replace("12:", "02:")
    for hour in (0, 1):
        at = NOON.replace(month=10, day=25, hour=hour, minute=2)
        event = one(make.hook(tail="/cdr", body=line.encode(), at=at), pbx)
        assert event.started_at == at.replace(minute=0)


# The CRM template's journal -----------------------------------------------------------


def report(**rest: object) -> Hook:
    told = {
        "call_type": "Inbound", "number": "+79161234567", "agent": "101",
        "duration": "00:01:28", "started_at": "2026-11-02T12:00:00Z",
        "ended_at": "2026-11-02T12:01:39Z", "recording_url": "https://pbx.example/r/1.mp3",
    }  # fmt: skip
    return make.hook(tail="/report", json=told | rest)


def test_the_journal_tells_the_whole_call_but_not_what_was_dialled() -> None:
    call = make.call(ThreeCX(token=TOKEN, number="+74951000001"), [report(), report()])
    assert (call.caller, call.tracked) == ("+79161234567", "+74951000001")
    assert (call.ring_seconds, call.talk_seconds) == (11, 88)
    assert (call.outcome, call.manager) == ("answered", "101")
    assert call.recording == "https://pbx.example/r/1.mp3"
    assert one(report()).tracked is None
    assert one(report(did="8 800 123-45-67")).tracked == "+78001234567"


@pytest.mark.parametrize(
    ("type_", "direction", "outcome"),
    [("Missed", "inbound", "missed"), ("Outbound", "outbound", "answered"), ("Notanswered", "outbound", "missed")],
)  # fmt: skip
def test_the_journal_s_types_of_calls(type_: str, direction: str, outcome: str) -> None:
    event = one(report(call_type=type_, duration="00:00:00"))
    assert (event.direction, event.outcome) == (direction, outcome)
    assert (event.caller is None) == (direction == "outbound")


def test_variables_that_3cx_left_as_they_were_are_empty() -> None:
    event = one(report(agent="[Agent]", recording_url="[RecordingUrl]", ended_at="[X]"))
    assert (event.manager, event.recording) == (None, None)
    assert event.ended_at == NOON + 88 * SECOND


def test_hidden_callers_of_one_second_are_told_apart_by_who_answered() -> None:
    keys = {one(report(number="", agent=agent)).call_key for agent in ("101", "102")}
    assert len(keys) == 2
    assert one(report(number="")).hidden


def test_the_template_carries_address_token_and_fields() -> None:
    address, token = f"{make.ADDRESS}?a&b", 'to<k>en"&'
    text = threecx_template.template(address, token)
    root = xml_tree.parse(text.encode())
    assert [one.attributes["Id"] for one in root.children[-1].children] == ["", "ReportCall"]  # fmt: skip
    request = root.children[-1].children[1].find("Request")
    assert request is not None
    assert request.attributes["Url"] == f"{address}/report"
    assert request.value("Headers", "Value") == f"Bearer {token}"
    values = request.find("PostValues", "Object")
    assert values is not None
    assert [one.attributes["Key"] for one in values.children] == list(threecx_template.FIELDS)  # fmt: skip


# Add-ons' webhooks --------------------------------------------------------------------


def addon(event: str, after: float = 0, **rest: object) -> Hook:
    told = {
        "event": event, "callerid": "79161234567", "did": "DID-74951000001",
        "id": "230115121143_9-1", **rest,
    }  # fmt: skip
    return make.hook(json=told, at=NOON + after * SECOND)


def test_the_saved_webhook_is_read() -> None:
    """Section 11 of the telephony notes, as it stands there."""
    body = b'{"event":"ringing","callerid":"420774852629","user":"102","usertype":"ext","did":"DID-420222000320","id":"230115121143_9-1"}'
    event = one(make.hook(body=body), ThreeCX(token=TOKEN, country="CZ"))
    assert (event.type, event.call_key, event.leg_key) == ("ringing", "230115121143_9", "230115121143_9-1")  # fmt: skip
    assert (event.caller, event.tracked) == ("+420774852629", "+420222000320")


FLOW = [
    addon("ringing", user="800", usertype="other", id="230115121143_9-0"),
    addon("ringing", 2, user="820", usertype="queue", id="230115121143_9-0"),
    addon("ringing", 3, user="102", usertype="ext"),
    addon("hangupincoming", 11, user="102", trtype="NotDef"),
    addon("incoming", 99, user="102", finishtype="OK", transfer="False"),
    addon("incoming", 130, user="102", finishtype="OK", FILES=["https://pbx.example:5001/webapi/recording/230115121143_9-1-1.mp3"]),
]  # fmt: skip


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, FLOW)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.manager, expected.notes) == ("answered", "102", ())  # fmt: skip
    assert [one.id for one in expected.recordings] == ["230115121143_9-1-1.mp3"]
    for order in permutations(FLOW):
        assert make.call(PBX, [*order, order[0], order[3]]) == expected


def test_names_may_be_capital_and_of_newer_versions() -> None:
    told = {"Event": "incomingcall_started", "Callerid": "79161234567", "User": "204", "Trtype": "NotDef", "Did": "", "Id": "230307114903_10-1"}  # fmt: skip
    event = one(make.hook(json=told))
    assert (event.type, event.manager, event.call_key) == ("answered", "204", "230307114903_10")  # fmt: skip
    newer = one(addon("pickupincoming", did="DID Serbia", inbound_did="74951000001"))
    assert (newer.type, newer.tracked) == ("answered", "+74951000001")
    files = {"Event": "recording", "FileUrls": ["https://pbx.example/1.mp3", 7, "x"], "Id": "1_1-1"}  # fmt: skip
    recording = one(make.hook(json=files)).recording
    assert recording is not None and recording.url == "https://pbx.example/1.mp3"


@pytest.mark.parametrize(
    ("finish", "outcome"), [("Missed", "missed"), ("Busy", "busy"), ("", "missed")]
)
def test_a_missed_call_in_any_order_is_the_same_call(finish: str, outcome: str) -> None:
    flow = [*FLOW[:3], addon("incoming", 30, user="820", finishtype=finish)]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.missed, call.outcome, call.ring_seconds) == (True, outcome, 30)


def test_an_end_without_its_kind_leaves_an_answered_call_answered() -> None:
    flow = [FLOW[3], addon("incoming", 99, user="102")]
    assert make.call(PBX, flow).outcome == "answered"


def test_a_transfer_ends_a_leg_not_the_call() -> None:
    flow = [
        *FLOW[2:4],
        addon("incoming", 40, user="102", finishtype="OK", transfer="True"),
        addon("hangupincoming", 45, user="204", trtype="Blind", id="230115121143_9-2"),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.ended_at, call.manager) == (None, "204")
        assert call.notes == ("answered by 102",)
        assert make.call(PBX, [*order, FLOW[4]]).talk_seconds == 88


def test_outgoing_calls_are_not_customers_calls() -> None:
    for event in ("hangupoutgoing", "pickupoutgoing", "outgoingcall_started", "outgoing"):  # fmt: skip
        told = one(addon(event, user="102"))
        assert (told.direction, told.caller, told.tracked) == ("outbound", None, None)


# All the rest -------------------------------------------------------------------------


def test_other_webhooks_tell_nothing() -> None:
    for body in (b"{}", b"", b'{"event": "chat"}'):
        assert PBX.events(make.hook(body=body)) == []
    assert PBX.events(cdr("", "  ")) == []


@pytest.mark.parametrize(
    "hook",
    [
        addon("ringing", id=""), addon("ringing", id=None), addon("ringing", id="x" * 201),
        make.hook(body=b"{"), make.hook(json={"call_type": "Chat"}),
        report(started_at=""), report(started_at="02.11.2026 12:00"), report(duration="long"),
        cdr(record(time_end="")), cdr(record(time_end="yesterday")),
        cdr(record(time_start="0001/01/01 00:00:00")), cdr(record(historyid="")),
        cdr(*[record()] * 1001), cdr('"' + "x" * 200_000), cdr(record(chain='"')),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PBX.events(hook)


def test_another_charset_keeps_the_numbers() -> None:
    hook = make.hook(tail="/cdr", body=record().encode("cp1251", "replace"))
    assert one(hook).caller == "+79161234567"


cells = st.sampled_from(
    ["", "612504", "2026/11/02 12:00:00", "2026/11/02 25:00:00", "0000/00/00 00:00:00", "Ext.101",
     "+79161234567", "anonymous", "Line", "ivr", "VoiceMail", '"', '""', "1e9", "20261102", "Ж"]
) | st.text(st.characters(codec="utf-8", exclude_characters=",\n"), max_size=12)  # fmt: skip
lines = st.lists(
    st.lists(cells, min_size=27, max_size=27) | st.lists(cells, max_size=3), max_size=3
)


@given(lines)
def test_whatever_lines_come_are_events_or_unreadable(table: list[list[str]]) -> None:
    try:
        events = PBX.events(cdr(*(",".join(row) for row in table)))
    except Unreadable:
        return
    for event in events:
        assert event.call_key and event.type == "ended"
        assert calls.join(None, event).ended_at is not None
