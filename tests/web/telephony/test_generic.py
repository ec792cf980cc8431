"""Our own contract for any PBX that can make an HTTP request."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from standardwebhooks.webhooks import Webhook

from tests.conftest import NOON
from tests.web.telephony import make
from tracker.errors import BadInput, BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.generic import Generic

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byt").decode()
PBX = Generic(secret=SECRET, token="sesame")
BODY = b'{"event": "ringing", "call_id": "c1", "from": "8 916 123-45-67", "to": "+74951000001"}'


def signed(body: bytes = BODY, *, at: datetime = NOON, key: str = SECRET) -> Hook:
    sent = str(int(at.timestamp()))
    raw = base64.b64decode(key.removeprefix("whsec_"))
    digest = hmac.digest(raw, b"msg_1." + sent.encode() + b"." + body, "sha256")
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    return make.hook(body=body, headers=headers)


def told(**fields: object) -> Hook:
    return make.hook(json={"call_id": "c1", **fields})


# Who is it? ---------------------------------------------------------------------------


def test_a_signed_request_is_believed() -> None:
    PBX.verify(signed())


def test_what_the_reference_library_signs_is_believed() -> None:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_2", now, BODY.decode()),
    }
    PBX.verify(make.hook(body=BODY, headers=headers, at=now))


def test_one_right_signature_of_several_is_enough() -> None:
    hook = signed()
    hook.headers["webhook-signature"] = (
        "v1,bm8= v1a,bm8= junk " + hook.headers["webhook-signature"]
    )
    PBX.verify(hook)


def test_a_changed_body_an_old_or_a_future_signature_is_refused() -> None:
    hook = signed()
    changed = make.hook(body=BODY + b" ", headers=hook.headers)
    for bad in (
        changed,
        signed(at=NOON - timedelta(minutes=6)),
        signed(at=NOON + timedelta(minutes=6)),
        signed(key="whsec_" + base64.b64encode(b"another key of 24 bytes.").decode()),
    ):
        with pytest.raises(BadSignature):
            PBX.verify(bad)


@pytest.mark.parametrize("sent", ["", "soon", "1" * 400, "-5", "1e9", "²"])
def test_an_odd_timestamp_is_refused(sent: str) -> None:
    hook = signed()
    hook.headers["webhook-timestamp"] = sent
    with pytest.raises(BadSignature):
        PBX.verify(hook)


def test_a_wrong_signature_is_not_saved_by_the_right_token() -> None:
    hook = make.hook(
        body=BODY, query="token=sesame", headers={"webhook-signature": "v1,bm8="}
    )
    with pytest.raises(BadSignature):
        PBX.verify(hook)


def test_the_token_in_the_address_is_believed() -> None:
    PBX.verify(make.hook(body=BODY, query="token=sesame"))
    for query in ("", "token=", "token=sesam", "token=s%C3%A9same", "TOKEN=sesame"):
        with pytest.raises(BadSignature):
            PBX.verify(make.hook(body=BODY, query=query))


def test_an_empty_token_opens_nothing() -> None:
    with pytest.raises(BadSignature):
        Generic(secret=SECRET).verify(make.hook(body=BODY, query="token="))
    with pytest.raises(BadSignature):
        Generic(token="sesame").verify(signed())


def test_the_token_is_not_kept_with_the_event() -> None:
    kept = make.hook(query="event=ringing&token=sesame&t%6Fken=x&to=1").to_meta()
    assert kept["query"] == "event=ringing&to=1"


def test_settings_without_any_secret_are_refused() -> None:
    with pytest.raises(BadInput, match="secret: is required"):
        telephony.make("generic", {})
    with pytest.raises(BadInput, match="secret: must be whsec_ and base64"):
        telephony.make("generic", {"secret": "whsec_я"})
    with pytest.raises(BadInput, match="forward_to"):
        telephony.make("generic", {"token": "x", "forward_to": "8 800"})
    with pytest.raises(BadInput, match="kind"):
        telephony.make("gneric", {})


# What does it tell? -------------------------------------------------------------------


def test_a_ringing_call_tells_both_numbers_in_any_spelling() -> None:
    for caller in ("8 916 123-45-67", "+79161234567", "sip:+79161234567@pbx", "tel:89161234567"):  # fmt: skip
        (event,) = PBX.events(
            told(event="ringing", **{"from": caller}, to="8(495)1000001")
        )
        assert (event.caller, event.tracked) == ("+79161234567", "+74951000001")
        assert (event.type, event.at, event.started_at) == ("ringing", NOON, NOON)


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", None, "+7378742833"])
def test_a_hidden_caller_is_nobody(caller: str | None) -> None:
    (event,) = PBX.events(told(event="ringing", **{"from": caller}, to="+74951000001"))
    assert (event.caller, event.hidden) == (None, True)


def test_a_sip_user_is_no_number_and_not_hidden() -> None:
    (event,) = PBX.events(told(event="ringing", **{"from": "sip:ivan@pbx"}))
    assert (event.caller, event.hidden) == (None, False)


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-02T12:00:05Z",
        "2026-11-02T15:00:05+03:00",
        1793620805,
        "1793620805",
        1793620805.4,
        1793620805000,
    ],
)
def test_moments_are_rfc_3339_or_unix_seconds(at: object) -> None:
    (event,) = PBX.events(told(event="answered", at=at))
    assert event.at.replace(microsecond=0) == NOON + timedelta(seconds=5)


STAGES = [
    told(event="ringing", **{"from": "+79161234567"}, to="+74951000001", at="2026-11-02T12:00:00Z"),
    told(event="answered", manager="Anna", at="2026-11-02T12:00:08Z"),
    told(event="ended", duration=61, at="2026-11-02T12:01:09Z"),
    told(event="recording", recording_url="https://pbx.example/r/1.mp3", at="2026-11-02T12:01:20Z"),
]  # fmt: skip


def test_all_orders_with_repeats_give_the_same_call() -> None:
    expected = make.call(PBX, STAGES)
    assert (expected.answered, expected.talk_seconds, expected.ring_seconds) == (
        True,
        61,
        8,
    )
    assert expected.recording == "https://pbx.example/r/1.mp3"
    assert expected.manager == "Anna"

    for order in permutations(STAGES):
        assert make.call(PBX, [*order, *order[:2]]) == expected


def test_an_end_with_a_duration_was_answered_without_one_missed() -> None:
    ended = make.call(PBX, [told(event="ended", duration="61.0")])
    assert ended.answered and ended.talk_seconds == 61

    for duration in (None, 0, "0", ""):
        assert make.call(PBX, [told(event="ended", duration=duration)]).missed


def test_an_answered_call_whose_end_has_no_duration_is_measured() -> None:
    for last in (told(event="ended", at=1793620869), told(event="ended", at=1793620869, duration=0)):  # fmt: skip
        call = make.call(PBX, [*STAGES[:2], last])
        assert (call.answered, call.talk_seconds) == (True, 61)


def test_the_moment_of_the_answer_may_come_with_the_end() -> None:
    call = make.call(PBX, [STAGES[0], told(event="ended", at=1793620869, duration=61, answered_at=1793620808)])  # fmt: skip
    assert call.answered_at == NOON + timedelta(seconds=8)


def test_form_fields_and_the_query_are_read_as_json_is() -> None:
    fields = {
        "event": "ringing", "call_id": "c1", "from": "+79161234567", "to": "+74951000001",
    }  # fmt: skip
    by_form = make.hook(form=fields)
    by_query = make.hook(
        method="GET",
        query="token=x&event=ringing&call_id=c1&from=%2B79161234567&to=%2B74951000001",
    )
    by_json = make.hook(body=b"\xef\xbb\xbf " + make.hook(json=fields).body)

    assert PBX.events(by_form) == PBX.events(by_query) == PBX.events(by_json)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "rang"},
        {"event": ["ringing"]},
        {},
        {"event": "ringing", "call_id": ""},
        {"event": "ringing", "call_id": "x" * 201},
        {"event": "ringing", "call_id": {"id": 1}},
        {"event": "ringing", "at": "yesterday"},
        {"event": "ringing", "at": "2026-11-02T12:00:00"},
        {"event": "ringing", "at": 1e300},
        {"event": "ringing", "at": "0001-01-01T00:00:00+23:59"},
        {"event": "ended", "duration": "long"},
        {"event": "ended", "duration": -1},
        {"event": "ended", "duration": True},
        {"event": "recording"},
        {"event": "recording", "recording_url": "javascript:alert(1)"},
        {"event": "recording", "recording_url": "https://x/" + "y" * 3000},
    ],
)
def test_what_makes_no_sense_is_unreadable(fields: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        PBX.events(make.hook(json={"call_id": "c1", **fields}))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"event", b"\xff\xfe", b"[" * 90_000]
)
def test_a_body_that_is_nothing_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        PBX.events(make.hook(body=body))


def test_texts_lose_what_a_database_cannot_hold() -> None:
    (event,) = PBX.events(told(event="answered", manager="An\x00na\n" + "x" * 500))
    assert event.manager is not None
    assert event.manager.startswith("An na x") and len(event.manager) == 200


# What is it answered? -----------------------------------------------------------------


def test_the_answer_says_where_the_call_goes() -> None:
    assert PBX.asks_route(STAGES[0])
    assert not PBX.asks_route(STAGES[2])
    assert not PBX.asks_route(make.hook(body=b"{"))

    there = PBX.answer(STAGES[0], Route(forward_to="+74950000000"))
    assert (there.status, there.content_type) == (200, "application/json")
    assert there.body == b'{"forward_to":"+74950000000"}'
    assert PBX.answer(STAGES[0], Route(forward_to=None)).body == b'{"forward_to":null}'
