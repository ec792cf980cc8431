"""FreeSWITCH: records of legs in every encoding, the dialplan's question."""

import base64
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from itertools import permutations
from urllib.parse import quote

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.freeswitch import FreeSwitch

PBX = FreeSwitch(token="open sesame", recordings="https://pbx.example/rec")
ONE_LEG = FreeSwitch(token="t", both_legs=False)
T = 1793620800  # noon
A, B, C = (f"{letter}1b2c3d4-0000-4000-8000-000000000000" for letter in "abc")
ROUTE = Route(forward_to="+74957654321")
UNSAFE = '\r\n #%&+:;<=>?@[\\]^`{|}"'  # what FreeSWITCH percent-encodes

Values = Mapping[str, object]


def encoded(value: str) -> str:
    """A value as mod_json_cdr encodes it."""
    return "".join(f"%{ord(one):02X}" if one in UNSAFE else one for one in value)


def record(
    uuid: str,
    *profiles: Values,
    start: int = 0,
    answer: int | None = None,
    bridge: int | None = None,
    end: int = 99,
    **variables: object,
) -> dict[str, object]:
    """A leg's record; moments are seconds after noon, profiles the latest first."""
    told: Values = {
        "uuid": uuid, "start_epoch": str(T + start), "end_epoch": str(T + end),
        "answer_epoch": "0" if answer is None else str(T + answer),
        "bridge_epoch": "0" if bridge is None else str(T + bridge),
        "hangup_cause": "NORMAL_CLEARING", **variables,
    }  # fmt: skip
    return {
        "core-uuid": "c0", "switchname": "pbx", "channel_data": {"state": "CS_REPORTING"},
        "variables": {name: encoded(str(value)) for name, value in told.items()},
        "callflow": [{"profile_index": "1", "caller_profile": one} for one in profiles],
    }  # fmt: skip


CAME_IN: Values = {"caller_id_number": "79161234567", "destination_number": "74951000001", "context": "public", "aniii": None}  # fmt: skip
MOVED: Values = {**CAME_IN, "destination_number": "101", "context": "default"}


def dialled(extension: str, caller: Values = MOVED) -> dict[str, object]:
    return {
        "caller_id_number": "79161234567", "destination_number": extension, "context": "default",
        "originator": {"originator_caller_profiles": [{**caller, "uuid": A}]},
    }  # fmt: skip


def caller_leg(**rest: object) -> dict[str, object]:
    return record(A, MOVED, CAME_IN, **rest)  # type: ignore[arg-type]


def phone_leg(uuid: str, extension: str, **rest: object) -> dict[str, object]:
    rest.setdefault("originating_leg_uuid", A)
    return record(uuid, dialled(extension), **rest)  # type: ignore[arg-type]


def posted(document: object) -> Hook:
    return make.hook(tail="/cdr", query="uuid=x", json=document)


def one(hook: Hook, pbx: FreeSwitch = PBX) -> calls.CallEvent:
    (event,) = pbx.events(make.again(hook))
    return event


# Who is it? ---------------------------------------------------------------------------


def basic(pair: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_basic_authentication_and_the_tokens_address_are_believed() -> None:
    PBX.verify(make.hook(headers=basic("skvoz:open sesame")))
    PBX.verify(make.hook(query="token=open%20sesame"))
    PBX.verify(
        make.hook(query=f"token=open%20sesame?uuid={A}")
    )  # as mod_json_cdr adds it
    colon = FreeSwitch(token="a:b")
    colon.verify(make.hook(headers=basic("skvoz:a:b")))


@pytest.mark.parametrize("sent", ["Basic", "Basic ?", "Basic b3BlbiBzZXNhbWU=", "Digest x", ""])  # fmt: skip
def test_anything_else_is_refused(sent: str) -> None:
    with pytest.raises(BadSignature):
        PBX.verify(make.hook(headers={"authorization": sent}))


def test_the_token_is_not_kept_with_the_event() -> None:
    hook = make.hook(query=f"a=1&token=open?uuid={A}", headers=basic("skvoz:open sesame"))  # fmt: skip
    assert hook.to_meta()["query"] == "a=1"
    assert hook.to_meta()["headers"] == {}


# What became of the call? -------------------------------------------------------------

TALK = [
    posted(caller_leg(answer=11, bridge=11, sip_hangup_disposition="recv_bye")),
    posted(phone_leg(B, "101", start=1, answer=11, bridge=11)),
    posted(phone_leg(C, "102", start=1, end=11, hangup_cause="LOSE_RACE")),
]


def test_the_legs_of_a_call_in_any_order_are_one_call() -> None:
    expected = make.call(PBX, TALK)
    assert expected.call_key == A
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.direction, expected.started_at) == ("inbound", NOON)
    assert (expected.ring_seconds, expected.talk_seconds) == (11, 88)
    assert (expected.outcome, expected.manager) == ("answered", "101")

    for order in permutations(TALK):
        assert make.call(PBX, [*order, *order[:2]]) == expected


def test_the_notes_own_sample_is_an_answered_call() -> None:
    sample = {
        "core-uuid": "c0", "channel_data": {"direction": "inbound"},
        "variables": {
            "uuid": A, "direction": "inbound", "ct_did": "74950000001",
            "start_epoch": "1767261600", "answer_epoch": "1767261611",
            "end_epoch": "1767261699", "duration": "99", "billsec": "88",
            "hangup_cause": "NORMAL_CLEARING", "hangup_cause_q850": "16",
            "sip_hangup_disposition": "recv_bye", "originating_leg_uuid": None,
        },
        "callflow": [{"caller_profile": {"caller_id_number": "79161234567", "destination_number": "74950000001"}}],
    }  # fmt: skip
    call = make.call(PBX, [posted(sample)])
    assert (call.caller, call.tracked) == ("+79161234567", "+74950000001")
    assert (call.answered, call.ring_seconds, call.talk_seconds) == (True, 11, 88)


def test_early_media_and_a_menu_are_no_answer() -> None:
    """A leg is bridged while the dialled phone still rings, and a menu answers."""
    rang = phone_leg(B, "101", start=2, bridge=3, end=20, hangup_cause="NO_ANSWER")
    for caller in (
        caller_leg(bridge=3, end=20, hangup_cause="NO_ANSWER"),
        caller_leg(answer=1, bridge=3, end=20),
    ):
        for order in permutations([posted(caller), posted(rang)]):
            call = make.call(PBX, order)
            assert (call.missed, call.outcome, call.talk_seconds) == (True, "missed", 0)


def test_a_phone_that_lost_the_race_has_not_answered() -> None:
    lost = posted(phone_leg(C, "102", answer=11, end=12, hangup_cause="LOSE_RACE"))
    assert one(lost).type == "progress"
    assert make.call(PBX, [*TALK, lost]).manager == "101"


def test_where_only_the_callers_leg_is_posted_its_bridge_counts() -> None:
    hook = posted(caller_leg(answer=2, bridge=11))
    assert make.call(ONE_LEG, [hook]).talk_seconds == 88
    assert make.call(ONE_LEG, [posted(caller_leg(answer=2))]).missed
    assert make.call(ONE_LEG, [posted(caller_leg(bridge=2))]).missed


def test_a_transferred_call_stays_the_customers() -> None:
    twice = {**MOVED, "destination_number": "102"}
    flow = [
        posted(record(A, twice, MOVED, CAME_IN, answer=11, bridge=50)),
        posted(phone_leg(B, "101", start=1, answer=11, bridge=11, end=49)),
        posted(phone_leg(C, "102", start=49, answer=50, bridge=50)),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.tracked, call.manager) == ("+74951000001", "102")
        assert call.notes == ("answered by 101",)
        assert (call.ring_seconds, call.talk_seconds) == (11, 88)


def test_an_agent_of_a_queue_is_tied_to_the_caller_and_named() -> None:
    agent = phone_leg(B, "101", answer=20, bridge=21, cc_member_session_uuid=A, cc_agent="anna@pbx", originating_leg_uuid="")  # fmt: skip
    call = make.call(PBX, [posted(caller_leg(answer=0)), posted(agent)])
    assert (call.manager, call.ring_seconds, call.answered) == ("anna@pbx", 21, True)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"hangup_cause": "USER_BUSY"}, "busy"),
        ({"hangup_cause": "CALL_REJECTED"}, "rejected"),
        ({"hangup_cause": "NO_ANSWER"}, "missed"),
        ({"hangup_cause": "NO_USER_RESPONSE"}, "missed"),
        ({"hangup_cause": "ORIGINATOR_CANCEL", "sip_hangup_disposition": "recv_cancel"}, "cancelled"),
        ({"answer": 1, "sip_hangup_disposition": "recv_bye"}, "cancelled"),
        ({"answer": 1, "sip_hangup_disposition": "send_bye"}, "missed"),
        ({"hangup_cause": "UNALLOCATED_NUMBER"}, "failed"),
        ({"hangup_cause": ""}, "failed"),
        ({"answer": 20, "last_app": "voicemail"}, "voicemail"),
    ],
)  # fmt: skip
def test_the_cause_names_the_outcome(told: dict[str, object], outcome: str) -> None:
    call = make.call(PBX, [posted(caller_leg(**told))])
    assert (call.outcome, call.missed) == (outcome, True)


def test_calls_of_the_exchanges_own_phones_are_not_customers() -> None:
    """An extension dials out: its leg comes in, the customer's goes out."""
    mine = {"caller_id_number": "101", "destination_number": "89161234567", "context": "default"}  # fmt: skip
    theirs = dialled("89161234567", mine) | {"caller_id_number": "74950000000"}
    flow = [
        posted(record(A, mine, answer=11, bridge=11)),
        posted(record(B, theirs, answer=11, bridge=11, originating_leg_uuid=A)),
    ]
    for order in permutations(flow):
        call = make.call(PBX, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)
        assert (call.manager, call.hidden) == ("101", False)
    inside = {**mine, "destination_number": "102"}
    assert one(posted(record(A, inside))).direction == "internal"


@pytest.mark.parametrize("caller", ["", None, "anonymous", "0000000000", "Restricted"])
def test_a_hidden_caller_is_nobody(caller: object) -> None:
    event = one(posted(record(A, {**CAME_IN, "caller_id_number": caller})))
    assert (event.caller, event.hidden) == (None, True)


@pytest.mark.parametrize("did", ["84951000001", "+74951000001", "4951000001"])
def test_the_number_that_the_dialplan_remembered_is_the_dialled_one(did: str) -> None:
    leg = record(A, {**MOVED}, ct_did=did)
    assert (one(posted(leg)).direction, one(posted(leg)).tracked) == ("inbound", "+74951000001")  # fmt: skip


def test_a_recording_is_heard_where_it_is_published() -> None:
    for told, url in (
        ("/var/lib/freeswitch/recordings/pbx/a b.wav", "https://pbx.example/rec/pbx/a%20b.wav"),
        ("https://rec.example/1.mp3?x=1", "https://rec.example/1.mp3?x=1"),
    ):  # fmt: skip
        call = make.call(PBX, [posted(caller_leg(ct_recording=told)), *TALK])
        assert call.recording == url


# How is it wrapped? -------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["application/json", "application/x-www-form-urlencoded", ""])  # fmt: skip
def test_every_encoding_of_the_document_is_read(type_: str) -> None:
    plain = msgspec.json.encode(caller_leg(answer=11, bridge=11))
    wrapped = [
        plain,
        b"cdr=" + quote(plain, safe="").encode(),
        b"cdr=" + base64.b64encode(plain),
        b"cdr=" + base64.b64encode(plain).rstrip(b"="),
        b"cdr=" + quote(base64.b64encode(plain), safe="").encode(),
    ]
    for body in wrapped:
        hook = make.hook(tail="/cdr", body=body, headers={"content-type": type_})
        assert one(hook) == one(posted(msgspec.json.decode(plain)))


def test_values_that_are_not_percent_encoded_are_read_too() -> None:
    document = msgspec.json.decode(msgspec.json.encode(caller_leg()))
    document["variables"]["ct_did"] = "+74951000001"
    assert one(posted(document)).tracked == "+74951000001"


def test_two_encodings_at_once_say_how_to_mend_them() -> None:
    with pytest.raises(Unreadable, match="set encode to false in json_cdr"):
        PBX.events(make.hook(tail="/cdr", body=b'cdr={"variables":{"a":""b""}}'))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b'{"variables":{}}', b'{"variables":[]}', b"cdr=",
        b"cdr=%%%", b"cdr=\xff\xfe", b'{"variables":{"uuid":"a","end_epoch":"soon"}}',
        b'{"variables":{"uuid":"a","end_epoch":"1e99"}}',
        b'{"variables":{"uuid":"a"},"callflow":{}}',
        b'{"variables":{"uuid":"' + b"a" * 300 + b'"}}',
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        PBX.events(make.hook(tail="/cdr", body=body))
    with pytest.raises(Unreadable):
        PBX.events(make.hook(tail="", body=body))


# Where does it go? --------------------------------------------------------------------

QUESTION = {
    "hostname": "pbx", "section": "dialplan", "tag_name": "", "key_name": "", "key_value": "",
    "Unique-ID": A, "Call-Direction": "inbound", "Hunt-Context": "public",
    "Caller-Channel-Created-Time": f"{T}123456", "Hunt-Caller-ID-Number": "+79161234567",
    "Hunt-Destination-Number": "84951000001",
}  # fmt: skip


def asked(**changed: str) -> Hook:
    told = QUESTION | {name.replace("_", "-"): value for name, value in changed.items()}
    return make.hook(tail="/route", form=told)


def test_the_question_is_the_calls_beginning() -> None:
    event = one(asked())
    assert (event.type, event.call_key, event.started_at) == ("started", A, NOON)
    assert (event.caller, event.tracked) == ("+79161234567", "+74951000001")
    for order in permutations([asked(), *TALK]):
        assert make.call(PBX, order) == make.call(PBX, TALK)


def test_the_answer_bridges_the_call_and_remembers_the_number() -> None:
    answer = PBX.answer(asked(), ROUTE)
    assert (answer.status, answer.content_type) == (200, "text/xml")
    document = ET.fromstring(answer.body)
    assert document.get("type") == "freeswitch/xml"
    context = document.find("section[@name='dialplan']/context[@name='public']")
    assert context is not None
    actions = [
        (one.get("application"), one.get("data"))
        for one in context.findall("extension/condition/action")
    ]
    assert actions == [
        ("set", "ct_did=+74951000001"),
        ("set", "hangup_after_bridge=true"),
        ("bridge", "sofia/gateway/trunk/74957654321"),
    ]
    assert PBX.answer(asked(), ROUTE) == answer


@pytest.mark.parametrize(
    "changed",
    [
        {"Hunt_Context": "default"},
        {"section": "directory"},
        {"section": "configuration"},
        {"Call_Direction": "outbound"},
    ],
)
def test_what_is_no_customers_call_is_left_to_the_exchange(
    changed: dict[str, str],
) -> None:
    assert not PBX.asks_route(asked(**changed))
    assert b'<result status="not found"/>' in PBX.answer(asked(**changed), ROUTE).body
    assert PBX.events(asked(**changed)) == []


def test_a_transfer_asks_again_and_is_left_to_the_exchange() -> None:
    hook = make.hook(tail="/route", form=QUESTION | {"variable_ct_did": "+74951000001"})
    assert PBX.events(hook) == []
    assert b"not found" in PBX.answer(hook, ROUTE).body


def test_without_a_route_the_exchanges_own_dialplan_goes_on() -> None:
    own = FreeSwitch(token="t", own_routing=True)
    assert b"not found" in PBX.answer(asked(), Route(forward_to=None)).body
    assert b"not found" in own.answer(asked(), ROUTE).body
    assert not own.asks_route(asked())
    assert one(asked(), own).type == "started"
    crowded = make.hook(tail="/route", body=b"&".join([b"section=dialplan"] * 600))
    assert b"not found" in PBX.answer(crowded, ROUTE).body


def test_what_a_caller_sends_is_never_put_into_the_dialplan() -> None:
    evil = '${system(reboot)}"/><action application="system" data="reboot'
    hook = asked(Hunt_Destination_Number=evil, Hunt_Caller_ID_Number=evil)
    body = PBX.answer(hook, ROUTE).body
    assert b"reboot" not in body
    assert b'data="ct_did=none"' in body


# Set-up -------------------------------------------------------------------------------


def test_both_configurations_are_filled_in_and_are_xml() -> None:
    pbx = FreeSwitch(token='a"<&:b')
    for name, text in pbx.pastes(make.ADDRESS).items():
        configuration = ET.fromstring(text)
        assert name.startswith(configuration.get("name", "?"))
        told = {
            one.get("name"): one.get("value") for one in configuration.iter("param")
        }
        assert 'skvoz:a"<&:b' in (told.get("cred"), told.get("gateway-credentials"))
        url = told.get("url") or told.get("gateway-url")
        assert url in (f"{make.ADDRESS}/cdr", f"{make.ADDRESS}/route")
        assert "@HOOK@" not in text


def test_settings_that_cannot_work_are_refused() -> None:
    for dial in (
        "sofia/gateway/trunk",
        "sofia/gateway/trunk/{number},x",
        "${x}{number}",
    ):
        with pytest.raises(BadInput, match="dial"):
            telephony.make("freeswitch", {"token": "t", "dial": dial})
    with pytest.raises(BadInput, match="token: is required"):
        telephony.make("freeswitch", {})
