"""Asterisk: our dialplan's requests as Asterisk 22 sent them, its CDR rows."""

import base64
import re
from datetime import timedelta
from itertools import permutations
from urllib.parse import urlencode

import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.asterisk import Asterisk

PBX = Asterisk(
    token="open sesame",
    timezone="Europe/Moscow",
    recordings="https://pbx.example/monitor",
)
T = 1793620800  # noon
SECOND = timedelta(seconds=1)
ID = f"{T}.7"
ROUTE = Route(forward_to="+74957654321")


def posted(tail: str, body: str) -> Hook:
    return make.hook(tail=tail, query="token=open+sesame", body=body.encode())


def asked(**changed: object) -> Hook:
    """The question, as the dialplan sends it."""
    told = {
        "uniqueid": ID, "direction": "inbound", "did": "84951000001",
        "caller": "89161234567", "pres": "allowed", "start": T, "ts": T,
    }  # fmt: skip
    return posted("/route", urlencode(told | changed))


def answered(after: int, who: str) -> Hook:
    told = {"type": "answered", "uniqueid": ID, "direction": "inbound", "who": who, "ts": T + after}  # fmt: skip
    return posted("/event", urlencode(told))


def ended(after: int, **changed: object) -> Hook:
    told = {
        "type": "ended", "uniqueid": ID, "direction": "inbound", "did": "84951000001",
        "caller": "89161234567", "pres": "allowed", "start": T, "answered": "", "who": "",
        "dialstatus": "NOANSWER", "answeredtime": "", "voicemail": "", "cause": "16",
        "rec": "", "ts": T + after,
    }  # fmt: skip
    return posted("/event", urlencode(told | changed))


def row(line: str) -> Hook:
    return posted("/cdr", urlencode({"row": line}))


def one(hook: Hook, pbx: Asterisk = PBX) -> calls.CallEvent:
    (event,) = pbx.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def basic(pair: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_the_token_is_believed_in_the_address_and_as_a_password() -> None:
    PBX.verify(asked())
    PBX.verify(make.hook(headers=basic("skvoz:open sesame")))
    PBX.verify(make.hook(headers=basic("anyone:open sesame")))


@pytest.mark.parametrize("token", ["", "open", "open sesamf", "Open sesame", "ы"])
def test_any_other_token_is_refused(token: str) -> None:
    for hook in (
        make.hook(query=urlencode({"token": token})),
        make.hook(headers=basic(f"skvoz:{token}")),
        make.hook(headers={"authorization": f"Basic {token}"}),
        make.hook(query="token=open+sesame", headers=basic(f"skvoz:{token}")),
    ):
        with pytest.raises(BadSignature):
            PBX.verify(hook)


def test_the_token_is_required() -> None:
    with pytest.raises(BadInput, match="token: is required"):
        telephony.make("asterisk", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dial", "PJSIP/trunk"),
        ("dial", "PJSIP/{number}@trunk,60"),
        ("dial", "PJSIP/${SHELL(id)}{number}"),
        ("timezone", "Moscow"),
        ("recordings", "/var/spool"),
    ],
)
def test_settings_that_cannot_work_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        telephony.make("asterisk", {"token": "t", name: value})


# Where does it go? --------------------------------------------------------------------


def test_the_question_tells_who_calls_which_number() -> None:
    event = one(asked())
    assert (event.type, event.call_key) == ("started", ID)
    assert (event.caller, event.tracked) == ("+79161234567", "+74951000001")
    assert event.started_at == NOON


def test_the_answer_is_digits_and_nothing_else() -> None:
    answer = PBX.answer(asked(), ROUTE)
    assert (answer.status, answer.body) == (200, b"74957654321")
    assert PBX.answer(asked(), ROUTE) == answer
    assert PBX.answer(asked(), Route(forward_to=None)).body == b""


def test_only_an_incoming_calls_question_is_answered() -> None:
    own = Asterisk(token="t", own_routing=True)
    for pbx, hook in (
        (PBX, asked(direction="outbound")),
        (PBX, ended(5)),
        (PBX, answered(5, "101")),
        (own, asked()),
    ):
        assert not pbx.asks_route(hook)
        assert pbx.answer(hook, ROUTE).body == b""
    assert PBX.asks_route(asked())
    assert PBX.asks_route(posted("/route", "&".join(["a=b"] * 600)))


# What became of it? -------------------------------------------------------------------

TALK = [
    asked(),
    answered(8, "101"),
    ended(69, answered=T + 8, who="101", dialstatus="ANSWER", answeredtime=61,
          rec="/var/spool/asterisk/monitor/2026/11/a b.wav"),
]  # fmt: skip


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(PBX, TALK)
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.ring_seconds, expected.talk_seconds) == (8, 61)
    assert (expected.outcome, expected.manager) == ("answered", "101")
    assert expected.recording == "https://pbx.example/monitor/2026/11/a%20b.wav"

    for order in permutations(TALK):
        assert make.call(PBX, [*order, *order]) == expected
    for missing in TALK[:2]:
        told = [hook for hook in TALK if hook is not missing]
        assert make.call(PBX, told) == expected


def test_a_transferred_call_is_one_call_of_the_last_who_spoke() -> None:
    flow = [
        asked(),
        answered(1, "101"),
        answered(6, "102"),
        ended(9, answered=T + 1, who="102", dialstatus="ANSWER", answeredtime=8),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.manager, call.notes) == ("102", ("answered by 101",))
        assert (call.ring_seconds, call.talk_seconds) == (1, 8)


def test_a_menus_answer_is_no_talk() -> None:
    """ANSWEREDTIME counts from the menu's answer; the person's own moment is believed."""
    call = make.call(PBX, [asked(), ended(9, answered=T + 4, dialstatus="ANSWER", answeredtime=9)])  # fmt: skip
    assert (call.ring_seconds, call.talk_seconds) == (4, 5)
    assert make.call(PBX, [asked(), ended(3, answeredtime=3)]).missed


def test_a_dial_without_our_subroutine_is_answered_all_the_same() -> None:
    call = make.call(PBX, [ended(69, dialstatus="ANSWER", answeredtime="61")])
    assert (call.answered, call.ring_seconds, call.talk_seconds) == (True, 8, 61)
    assert make.call(PBX, [ended(69, dialstatus="ANSWER", answeredtime="0")]).missed


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"dialstatus": "NOANSWER"}, "missed"),
        ({"dialstatus": "BUSY", "cause": "17"}, "busy"),
        ({"dialstatus": "CANCEL", "cause": "0"}, "cancelled"),
        ({"dialstatus": "", "cause": ""}, "cancelled"),
        ({"dialstatus": "CHANUNAVAIL", "cause": "21"}, "rejected"),
        ({"dialstatus": "CHANUNAVAIL", "cause": "20"}, "failed"),
        ({"dialstatus": "CONGESTION", "cause": "34"}, "failed"),
        ({"dialstatus": "NOANSWER", "voicemail": "SUCCESS"}, "voicemail"),
    ],
)
def test_the_dials_status_names_the_outcome(
    told: dict[str, object], outcome: str
) -> None:
    rec = "/var/spool/asterisk/monitor/1.wav"
    call = make.call(PBX, [asked(), ended(20, rec=rec, **told)])
    assert call.missed
    assert (call.outcome, call.talk_seconds) == (outcome, 0)
    assert call.recordings == ()  # of a call that nobody answered


@pytest.mark.parametrize(
    "told",
    [
        {"caller": ""},
        {"caller": "anonymous"},
        {"caller": "0000000000"},
        {"pres": "prohib_passed_screen"},
        {"pres": "unavailable"},
    ],
)
def test_a_hidden_caller_is_nobody(told: dict[str, object]) -> None:
    for hook in (asked(**told), ended(5, **told)):
        event = one(hook)
        assert (event.caller, event.hidden) == (None, True)


@pytest.mark.parametrize(
    ("did", "number"),
    [
        ("84951000001", "+74951000001"),
        ("4951000001", "+74951000001"),
        ("+74951000001", "+74951000001"),
        ("88001234567", "+78001234567"),
        ("s", None),
        ("101", None),
    ],
)
def test_numbers_are_read_as_the_trunk_spells_them(
    did: str, number: str | None
) -> None:
    assert one(asked(did=did)).tracked == number


@pytest.mark.parametrize(
    ("channel", "who"),
    [
        ("101", "101"),
        ("PJSIP/101-0000001a", "101"),
        ("PJSIP/anna-maria-0000001a", "anna-maria"),
        ("Local/102@from-queue-00000002;2", "102"),
        ("Анна", "Анна"),
        ("", None),
    ],
)
def test_who_answered_is_named_by_the_channel(channel: str, who: str | None) -> None:
    assert one(answered(3, channel)).manager == who


def test_an_outgoing_call_has_no_caller_and_no_tracked_number() -> None:
    for hook in (asked(direction="outbound"), ended(5, direction="outbound")):
        event = one(hook)
        assert (event.direction, event.caller, event.tracked, event.hidden) == ("outbound", None, None, False)  # fmt: skip


def test_recordings_have_an_address_only_where_they_are_published() -> None:
    talk = {"answered": T + 1, "rec": "/srv/../../x.wav"}
    assert one(ended(9, **talk), Asterisk(token="t")).recording is None
    kept = one(ended(9, **talk)).recording
    assert kept is not None
    assert (kept.id, kept.url) == ("x.wav", "https://pbx.example/monitor/x.wav")
    linked = one(ended(9, answered=T + 1, rec="https://rec.example/1.mp3")).recording
    assert linked is not None
    assert linked.url == "https://rec.example/1.mp3"


# Rows of Master.csv, as Asterisk 22 wrote them ----------------------------------------

TRANSFERRED = [
    '"","89161234567","102","internal",""""" <89161234567>","IAX2/trunk-8574","PJSIP/101-00000001","Dial","PJSIP/101,60,tU(skvoz-answer^101)","2026-11-02 15:00:00","2026-11-02 15:00:01","2026-11-02 15:00:06",6,5,"ANSWERED","DOCUMENTATION","1793620800.7","skvoz:direction=inbound&pres=allowed&did=84951000001","","1793620800.7",10',
    '"","89161234567","102","internal",""""" <89161234567>","IAX2/trunk-8574","PJSIP/102-00000002","Dial","PJSIP/102,60,U(skvoz-answer^102)","2026-11-02 15:00:06","2026-11-02 15:00:06","2026-11-02 15:00:09",3,3,"ANSWERED","DOCUMENTATION","1793620800.7","skvoz:direction=inbound&pres=allowed&did=84951000001&answered=1793620801&who=102","","1793620800.7",13',
]  # fmt: skip
AFTER_MENU = [
    '"","89161234567","84951000001","own-ivr",""""" <89161234567>","IAX2/trunk-7071","PJSIP/101-00000003","Dial","PJSIP/101,2","2026-11-02 15:00:00","2026-11-02 15:00:00","2026-11-02 15:00:03",3,3,"NO ANSWER","DOCUMENTATION","1793620800.7","skvoz:did=84951000001","","1793620800.7",24',
    '"","89161234567","84951000001","own-ivr",""""" <89161234567>","IAX2/trunk-7071","","Hangup","","2026-11-02 15:00:03","2026-11-02 15:00:00","2026-11-02 15:00:03",0,0,"ANSWERED","DOCUMENTATION","1793620800.7","skvoz:did=84951000001&answered=&who=","","1793620800.7",26',
]  # fmt: skip


def test_rows_tell_the_same_call_as_the_live_events() -> None:
    rows = [row(line) for line in TRANSFERRED]
    live = [asked(), answered(1, "101"), answered(6, "102"), ended(9, answered=T + 1, who="102")]  # fmt: skip
    alone = make.call(PBX, rows)
    assert (alone.caller, alone.tracked) == ("+79161234567", "+74951000001")
    assert (alone.direction, alone.outcome, alone.manager) == ("inbound", "answered", "102")  # fmt: skip
    assert alone.started_at == NOON

    expected = make.call(PBX, live)
    assert (alone.answered_at, alone.talk_seconds) == (expected.answered_at, 8)
    for order in permutations([*live, *rows]):
        assert make.call(PBX, order) == make.call(PBX, [*live, *rows])


def test_a_menus_answer_in_the_rows_is_nobodys() -> None:
    for order in permutations(AFTER_MENU):
        call = make.call(PBX, [row(line) for line in order])
        assert (call.outcome, call.missed) == ("missed", True)


def test_rows_without_our_word_are_read_by_their_columns() -> None:
    told = {
        "src": "89161234567", "dst": "84951000001", "dcontext": "from-trunk",
        "dstchannel": "PJSIP/101-00000001", "start": "2026-11-02 15:00:00",
        "answer": "2026-11-02 15:00:08", "end": "2026-11-02 15:01:09",
        "disposition": "ANSWERED", "uniqueid": ID, "linkedid": ID, "userfield": "",
    }  # fmt: skip
    for hook in (make.hook(tail="/cdr", form=told), make.hook(tail="/cdr", json=told)):
        call = make.call(PBX, [hook])
        assert (call.caller, call.tracked) == ("+79161234567", "+74951000001")
        assert (call.started_at, call.talk_seconds, call.manager) == (NOON, 61, "101")

    menu = told | {"dstchannel": ""}
    assert make.call(PBX, [make.hook(tail="/cdr", form=menu)]).missed
    leg = told | {"uniqueid": f"{T}.9"}
    assert one(make.hook(tail="/cdr", form=leg)).type == "progress"
    out = told | {"src": "101", "dst": "89161234567", "dcontext": "internal"}
    assert one(make.hook(tail="/cdr", form=out)).direction == "outbound"
    inside = told | {"src": "101", "dst": "102", "dcontext": "internal"}
    assert one(make.hook(tail="/cdr", form=inside)).direction == "internal"


def test_a_withheld_number_in_a_row_stays_withheld() -> None:
    line = TRANSFERRED[0].replace("pres=allowed", "pres=prohib")
    event = one(row(line))
    assert (event.caller, event.hidden) == (None, True)


# All the rest -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hook",
    [
        posted("", "uniqueid=1"),
        posted("/route", ""),
        posted("/route", "uniqueid=" + "1" * 300),
        posted("/route", "uniqueid=1&ts=soon"),
        posted("/event", "uniqueid=1"),
        posted("/event", "uniqueid=1&type=ended&ts=1e99"),
        posted("/event", "\xff\xfe"),
        posted("/cdr", "row=a,b,c"),
        posted("/cdr", urlencode({"row": TRANSFERRED[0][:-40]})),
        posted("/cdr", urlencode({"row": '"'})),
        posted("/cdr", "uniqueid=1&start=2026-11-02 15:00:00"),
        posted("/cdr", "end=2026-11-02 15:00:00"),
        posted("/cdr", "{"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        PBX.events(hook)


def test_the_dialplan_is_filled_in_and_dials_only_digits() -> None:
    pbx = Asterisk(token="a,b)c&d", forward_to="+74950000000", dial="PJSIP/8{number}@t")
    (dialplan,) = pbx.pastes(make.ADDRESS).values()
    assert f"Set(__SKVOZ_URL={make.ADDRESS})" in dialplan
    assert "Set(__SKVOZ_TOKEN=a%2Cb%29c%26d)" in dialplan
    assert "Set(SKVOZ_FALLBACK=74950000000)" in dialplan
    assert "Dial(PJSIP/8${SKVOZ_TO}@t,60," in dialplan
    assert not re.search("@[A-Z]+@", dialplan)
    code = [line for line in dialplan.splitlines() if not line.startswith(";")]
    assert not [line for line in code if ";" in line]  # a comment would begin there
    callers = [line for line in code if "CALLERID(num)" in line]
    assert callers == [" same => n,Set(SKVOZ_CALLER=${CALLERID(num)})"]
    pbx.verify(make.hook(query="token=a%2Cb%29c%26d"))
