"""Vonage: signed webhooks, NCCOs, events of legs, recordings."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker.calls import Recording
from tracker.errors import BadSignature, Unreadable
from web import telephony
from web.telephony import Hook, Route
from web.telephony.jwt import claims
from web.telephony.vonage import Vonage

# The published vector of the provider's Python library.
SECRET = "qwertyuiopasdfghjklzxcvbnm123456"
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM"
APP = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
ACCOUNT = Vonage(signature_secret=SECRET, api_key="a1b2c3d")
STRICT = Vonage(
    signature_secret=SECRET, api_key="a1b2c3d", application_id=APP, check_query=True
)
FORWARD = Route(forward_to="+74957654321")
BODY = b'{"from":"12025550133","to":"12025550131","uuid":"L1","conversation_uuid":"CON-1"}'  # fmt: skip


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def token(said: object, secret: str = SECRET, alg: str = "HS256") -> str:
    head = encoded(msgspec.json.encode({"typ": "JWT", "alg": alg}))
    signed = f"{head}.{encoded(msgspec.json.encode(said))}"
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), sha256))}"


def said(body: bytes = BODY, **rest: object) -> dict[str, object]:
    return {
        "iat": int(NOON.timestamp()), "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage", "payload_hash": sha256(body).hexdigest(), "api_key": "a1b2c3d",
        "application_id": APP, **rest,
    }  # fmt: skip


def signed(
    body: bytes = BODY, *, jwt: str | None = None, scheme: str = "Bearer", **rest: Any
) -> Hook:
    headers = {"authorization": f"{scheme} {jwt or token(said(body))}"}
    return make.hook(body=body, headers=headers, **rest)


# Who is it? ---------------------------------------------------------------------------


def test_the_published_vector_is_believed_with_its_secret_only() -> None:
    assert claims(TOKEN, SECRET)["iss"] == "Online JWT Builder"
    for wrong in ((TOKEN, "asdf"), ("asdf", SECRET), ("", SECRET), (TOKEN + "A", SECRET)):  # fmt: skip
        with pytest.raises(BadSignature):
            claims(*wrong)


def test_a_signed_request_is_believed() -> None:
    for hook in (signed(), signed(scheme="bearer"), signed(jwt=token(said(payload_hash=sha256(BODY).hexdigest().upper())))):  # fmt: skip
        ACCOUNT.verify(hook)
        STRICT.verify(hook)


@pytest.mark.parametrize("place", range(0, len(BODY), 7))
def test_any_changed_byte_of_the_body_is_refused(place: int) -> None:
    changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
    with pytest.raises(BadSignature, match="not the one"):
        ACCOUNT.verify(signed(changed, jwt=token(said())))


@pytest.mark.parametrize("place", range(0, len(TOKEN), 5))
def test_any_changed_letter_of_the_token_is_refused(place: int) -> None:
    # The last letter of a part may carry bits that mean nothing.
    if TOKEN[place] == "." or TOKEN[place + 1 : place + 2] in ("", "."):
        return
    letter = "A" if TOKEN[place] != "A" else "B"
    with pytest.raises(BadSignature):
        claims(TOKEN[:place] + letter + TOKEN[place + 1 :], SECRET)


def unsigned(said_: dict[str, object]) -> str:
    head, body, _ = token(said_, alg="none").split(".")
    return f"{head}.{body}."


@pytest.mark.parametrize(
    "jwt",
    [
        token(said(), secret="other"),
        token(said(), alg="none"),
        token(said(), alg="HS512"),
        token(said(), alg="RS256"),
        unsigned(said()),
        token(said(api_key="other")),
        token({name: value for name, value in said().items() if name != "api_key"}),
        token(said(payload_hash=None)),
        token({name: value for name, value in said().items() if name != "payload_hash"}),
        token(said(payload_hash=["x"])),
        token(said(payload_hash="я")),
        token(said(iat=None)),
        token(said(iat="now")),
        token(said(iat=True)),
        token({name: value for name, value in said().items() if name != "iat"}),
        token(said(exp=NOON.timestamp() - 1)),
        token("not an object"),
        token([]),
        token(said(padding="x" * 5000)),
        "a.b.c",
        "я.я.я",
        "..",
        ".",
    ],
)  # fmt: skip
def test_any_wrong_token_is_refused(jwt: str) -> None:
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(jwt=jwt))


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic YTpi", TOKEN])  # fmt: skip
def test_an_unsigned_request_is_refused(authorization: str) -> None:
    with pytest.raises(BadSignature):
        ACCOUNT.verify(make.hook(body=BODY, headers={"authorization": authorization}))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_token_of_five_minutes_ago_or_ahead_is_believed(minutes: int) -> None:
    ACCOUNT.verify(signed(at=NOON + timedelta(minutes=minutes)))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_replayed_request_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature, match="not of now"):
        ACCOUNT.verify(signed(at=NOON + timedelta(seconds=seconds)))


def test_another_applications_requests_are_refused_where_one_is_named() -> None:
    hook = signed(jwt=token(said(application_id="other")))
    ACCOUNT.verify(hook)
    with pytest.raises(BadSignature, match="another application"):
        STRICT.verify(hook)


ASKED = {"to": "12025550131", "from": "12025550133", "uuid": "L1", "conversation_uuid": "CON-1", "region_url": "https://api-us.example/я"}  # fmt: skip


def test_a_gets_parameters_are_compared_when_asked() -> None:
    """As the provider's support describes it: the hash of their JSON object."""
    fits = {"method": "GET", "query": urlencode(ASKED), "jwt": token(said(msgspec.json.encode(ASKED)))}  # fmt: skip
    STRICT.verify(signed(b"", **fits))

    for other in (urlencode({**ASKED, "to": "12025550199"}), urlencode(dict(reversed(ASKED.items())))):  # fmt: skip
        hook = signed(b"", **{**fits, "query": other})
        ACCOUNT.verify(hook)
        with pytest.raises(BadSignature):
            STRICT.verify(hook)


# Routing ------------------------------------------------------------------------------


def asked(**rest: str) -> Hook:
    return make.hook(method="GET", query=urlencode({**ASKED, **rest}))


def test_the_call_is_recorded_and_connected_and_its_stages_are_asked_for() -> None:
    answer = ACCOUNT.answer(asked(), FORWARD)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer == ACCOUNT.answer(make.hook(body=BODY), FORWARD)
    assert msgspec.json.decode(answer.body) == [
        {
            "action": "record",
            "eventUrl": [f"{make.ADDRESS}/rec"],
            "split": "conversation",
            "channels": 2,
            "format": "mp3",
        },
        {
            "action": "connect",
            "from": "12025550131",
            "timeout": 30,
            "eventUrl": [f"{make.ADDRESS}/event"],
            "endpoint": [{"type": "phone", "number": "74957654321"}],
        },
    ]


def test_recording_can_be_switched_off() -> None:
    quiet = Vonage(signature_secret=SECRET, api_key="k", record=False, timeout=60)
    (connect,) = msgspec.json.decode(quiet.answer(asked(), FORWARD).body)
    assert (connect["action"], connect["timeout"]) == ("connect", 60)


def test_without_a_number_the_call_ends() -> None:
    assert ACCOUNT.answer(asked(), Route(forward_to=None)).body == b"[]"


def test_only_the_answer_webhook_asks_for_a_route() -> None:
    fallback = make.hook(json={**ASKED, "reason": "timeout", "original_request": {"url": "x"}})  # fmt: skip
    for hook in (asked(), make.hook(body=BODY), make.hook(tail="/answer", body=BODY), fallback):  # fmt: skip
        assert ACCOUNT.asks_route(hook)
    for hook in [*FLOW[1:], make.hook(json={"reason": "Syntax error in NCCO", "conversation_uuid": "CON-1"})]:  # fmt: skip
        assert not ACCOUNT.asks_route(hook)
        assert ACCOUNT.answer(hook, FORWARD).body == b""


def test_a_webhook_that_cannot_be_read_still_gets_the_route() -> None:
    for broken in (make.hook(body=b"{"), make.hook(tail="/answer", body=b"{")):
        assert ACCOUNT.asks_route(broken)
        assert b"74957654321" in ACCOUNT.answer(broken, FORWARD).body
    assert not ACCOUNT.asks_route(make.hook(tail="/event", body=b"{"))


# What does it tell? -------------------------------------------------------------------


def iso(after: float) -> str:
    return (NOON + timedelta(seconds=after)).isoformat(timespec="milliseconds").replace("+00:00", "Z")  # fmt: skip


def told(status: str, after: float, *, leg: str = "A", tail: str = "", **rest: Any) -> Hook:  # fmt: skip
    inbound = leg == "A"
    numbers = ("12025550133", "12025550131") if inbound else ("12025550131", "74957654321")  # fmt: skip
    message = {
        "status": status, "from": numbers[0], "to": numbers[1], "uuid": leg,
        "conversation_uuid": "CON-1", "direction": "inbound" if inbound else "outbound",
        "timestamp": iso(after), **rest,
    }  # fmt: skip
    return make.hook(tail=tail, json=message, at=NOON + timedelta(seconds=after + 1))


def over(after: float, since: float, leg: str = "A") -> Hook:
    return told("completed", after, leg=leg, start_time=iso(since), end_time=iso(after),
                duration=str(round(after - since)), rate="0.0045", price="0.0066", network="US-FIXED")  # fmt: skip


REC = {
    "start_time": iso(8), "end_time": iso(69), "recording_url": "https://api.nexmo.com/v1/files/f-1",
    "recording_uuid": "r-1", "size": 12222, "conversation_uuid": "CON-1", "timestamp": iso(70),
}  # fmt: skip
FLOW = [
    make.hook(method="GET", query=urlencode({**ASKED, "uuid": "A"})),
    told("answered", 0.5, start_time="", rate="", network=None),
    told("ringing", 1, leg="B", tail="/event"),
    told("answered", 8, leg="B", tail="/event"),
    over(69, 8, leg="B"),
    over(69.2, 0.5),
    make.hook(tail="/rec", json=REC, at=NOON + timedelta(seconds=75)),
]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, FLOW)
    assert (expected.call_key, expected.direction) == ("CON-1", "inbound")
    assert (expected.caller, expected.tracked) == ("+12025550133", "+12025550131")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 8)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.recordings == (Recording(id="r-1", url=REC["recording_url"], seconds=61),)  # fmt: skip
    for order in permutations([FLOW[0], *FLOW[2:]]):
        assert make.call(ACCOUNT, [FLOW[1], *order, order[2]]) == expected


def test_the_documents_completed_event_tells_the_call() -> None:
    told = b'{"end_time":"2026-01-01T10:01:39.000Z","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","network":"US-FIXED","duration":"88","start_time":"2026-01-01T10:00:11.000Z","rate":"0.0045","price":"0.0066","from":"12025550133","to":"12025550131","conversation_uuid":"CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"completed","direction":"inbound","timestamp":"2026-01-01T10:01:39.100Z"}'
    (event,) = ACCOUNT.events(make.again(make.hook(body=told)))
    assert (event.type, event.caller, event.tracked) == ("ended", "+12025550133", "+12025550131")  # fmt: skip
    assert event.ended_at == datetime(2026, 1, 1, 10, 1, 39, tzinfo=UTC)
    assert (event.answered_at, event.talk_seconds) == (None, None)


def test_an_answer_that_was_lost_is_known_from_the_dialled_legs_end() -> None:
    whole = make.call(ACCOUNT, FLOW[:6])
    assert make.call(ACCOUNT, [FLOW[0], FLOW[4], FLOW[5]]) == whole


@pytest.mark.parametrize(
    ("status", "detail", "outcome"),
    [
        ("busy", None, "busy"), ("timeout", None, "missed"), ("unanswered", "unavailable", "failed"),
        ("unanswered", None, "missed"), ("rejected", "declined", "rejected"),
        ("unanswered", "declined", "rejected"), ("failed", "internal_error", "failed"),
        ("cancelled", None, "cancelled"),
    ],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_though_vonage_took_it(
    status: str, detail: str | None, outcome: str
) -> None:
    hooks = [FLOW[0], FLOW[1], FLOW[2], told(status, 30, leg="B", detail=detail), over(31, 0.5)]  # fmt: skip
    for order in permutations(hooks):
        call = make.call(ACCOUNT, [*order, order[1]])
        assert call.missed
        assert (call.outcome, call.talk_seconds) == (outcome, 0)


def test_a_phone_that_does_not_answer_does_not_end_the_call() -> None:
    call = make.call(ACCOUNT, [*FLOW[:3], told("timeout", 30, leg="B")])
    assert call.ended_at is None


def test_a_caller_who_gives_up_before_any_leg_is_told() -> None:
    call = make.call(ACCOUNT, [told("started", 0), told("ringing", 0), told("cancelled", 4)])  # fmt: skip
    assert (call.outcome, call.ring_seconds) == ("cancelled", 4)


def test_a_second_phone_goes_on_with_the_call() -> None:
    hooks = [FLOW[0], told("answered", 8, leg="B"), over(30, 8, leg="B"), told("answered", 33, leg="C"),
             over(80, 33, leg="C"), over(80, 0)]  # fmt: skip
    for order in permutations(hooks):
        call = make.call(ACCOUNT, order)
        assert (call.outcome, call.ring_seconds, call.talk_seconds) == ("answered", 8, 72)  # fmt: skip
        assert call.caller == "+12025550133"


def test_a_leg_that_moves_to_another_conversation_is_noted() -> None:
    moved = make.hook(json={"conversation_uuid_from": "CON-1", "conversation_uuid_to": "CON-2", "uuid": "A", "timestamp": iso(20)})  # fmt: skip
    call = make.call(ACCOUNT, [FLOW[0], moved])
    assert (call.call_key, call.notes) == ("CON-1", ("moved to CON-2",))


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", "unknown", None])
def test_a_hidden_caller_is_nobody(caller: str | None) -> None:
    (event,) = ACCOUNT.events(told("started", 0, **{"from": caller}))
    assert (event.caller, event.hidden, event.tracked) == (None, True, "+12025550131")


@pytest.mark.parametrize(
    ("spelled", "number"),
    [("18005550131", "+18005550131"), ("+442079460000", "+442079460000"), (442079460000, "+442079460000"), ("sip:x@y.example", None), ("117", None)],
)  # fmt: skip
def test_numbers_are_digits_with_a_country_code(
    spelled: object, number: str | None
) -> None:
    assert ACCOUNT.events(told("started", 0, to=spelled))[0].tracked == number


def test_our_own_call_is_outgoing_and_tells_no_customer() -> None:
    own = [told("started", 0, leg="B"), told("ringing", 1, leg="B"), told("answered", 5, leg="B"), over(65, 5, leg="B")]  # fmt: skip
    for order in permutations(own):
        call = make.call(ACCOUNT, order)
        assert (call.direction, call.caller, call.tracked) == ("outbound", None, None)
        assert (call.outcome, call.talk_seconds) == ("answered", 60)


def test_a_machine_that_answered_is_noted() -> None:
    machine = make.hook(json={"status": "machine", "call_uuid": "B", "conversation_uuid": "CON-1", "timestamp": iso(9)})  # fmt: skip
    (event,) = ACCOUNT.events(machine)
    assert (event.type, event.leg_key, event.note) == ("progress", "B", "answered by a machine")  # fmt: skip


def test_events_may_come_by_get() -> None:
    by_query = urlencode({"status": "completed", "direction": "inbound", "from": "12025550133", "to": "12025550131", "uuid": "A", "conversation_uuid": "CON-1", "timestamp": iso(3)})  # fmt: skip
    (event,) = ACCOUNT.events(make.again(make.hook(method="GET", query=by_query)))
    assert (event.type, event.at) == ("ended", NOON + timedelta(seconds=3))


@pytest.mark.parametrize(
    "message",
    [
        {"dtmf": "42", "timed_out": True, "uuid": "A", "conversation_uuid": "CON-1"},
        {"dtmf": {"digits": "42"}, "uuid": "A", "from": "1", "conversation_uuid": "CON-1"},
        {"reason": "Syntax error in NCCO", "conversation_uuid": "CON-1"},
        {},
    ],
)  # fmt: skip
def test_other_webhooks_tell_nothing(message: dict[str, object]) -> None:
    assert ACCOUNT.events(make.hook(tail="/event", json=message)) == []


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(body=b"{"),
        make.hook(body=b'{"data":' * 50_000),
        make.hook(body=b'{"status": "ended"' + b" " * 200_000),
        make.hook(body=b"[]"),
        make.hook(body=b'{"status": "\xff"}'),
        told("completed", 0, conversation_uuid=None),
        told("completed", 0, conversation_uuid="x" * 300),
        told("completed", 0, timestamp="yesterday"),
        told("completed", 0, end_time="2026-11-02T12:00:00"),
        told("completed", 0, to=["x"]),
        make.hook(json={**REC, "recording_url": "javascript:1"}),
        make.hook(query="&".join(["a=1"] * 501)),
    ],
)
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(hook)


def test_huge_values_are_read_within_bounds() -> None:
    huge = "7" * 200_000
    (event,) = ACCOUNT.events(told("started", 0, to=huge, uuid=huge, **{"from": huge}))
    assert (event.caller, event.tracked) == (None, None)
    assert len(event.leg_key or "") <= 200


@pytest.mark.parametrize("wrong", [{}, {"signature_secret": "x"}, {"api_key": "x"}, {"signature_secret": "x", "api_key": ""}])  # fmt: skip
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(telephony.BadInput):
        telephony.make("vonage", wrong)
