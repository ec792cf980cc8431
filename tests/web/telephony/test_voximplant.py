"""Voximplant: our scenario on a stand-in of the platform, and the provider that hears it."""

import hmac
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import NOON
from tests.web.telephony import make
from tracker import calls
from tracker.errors import BadInput, BadSignature, Unreadable
from web import snippet_build, telephony
from web.telephony import Hook, Route
from web.telephony.voximplant import SCENARIO, Voximplant

SECRET = 'a "secret"\\ of €'
ACCOUNT = Voximplant(secret=SECRET, forward_to="+74950000000")
STAND = Path(__file__).with_name("voximplant_stand.js")
T = int(NOON.timestamp() * 1000)
URL = "https://storage-gw-ru-01.voximplant.com/voximplant-records/2026/11/02/r1.mp3"
CALLER = {"callerid": "79161234567", "destination": "74951000001", "displayName": "Иван 😀"}  # fmt: skip


def message(type_: str = "", after: float = 0, **values: object) -> dict[str, object]:
    told = {
        "v": 1, "call_id": "A-1", "session": "42", "caller": "79161234567", "called": "74951000001",
        "display_name": "", "ts": T + int(after * 1000), **values,
    }  # fmt: skip
    return {**told, "type": type_} if type_ else told


def signed(message: object, *, tail: str = "/event", secret: str = SECRET, at: datetime = NOON, sent: datetime | None = None) -> Hook:  # fmt: skip
    body = message if isinstance(message, bytes) else msgspec.json.encode(message)
    stamp = str(int((sent or at).timestamp()))
    sign = hmac.new(secret.encode(), f"{stamp}.".encode() + body, "sha256").hexdigest()
    headers = {"x-ct-timestamp": stamp, "x-ct-signature": f"sha256={sign}"}
    return make.hook(tail=tail, body=body, headers=headers, at=at)


def event(type_: str, after: float = 0, **values: object) -> Hook:
    return signed(message(type_, after, **values), at=NOON + timedelta(seconds=after))


# Who is it? ---------------------------------------------------------------------------


def test_a_signed_message_is_believed() -> None:
    ACCOUNT.verify(signed(message("started")))
    ACCOUNT.verify(signed(message("started"), sent=NOON - timedelta(minutes=4)))


def test_the_vector_is_believed() -> None:
    """Computed with OpenSSL: HMAC-SHA256 of `1767261600.{"v":1}` by `secret`."""
    sign = "sha256=9f21817d121c2613df3d41622bafea1d37d7a1911c0f074b7fbb79b7c5aa1873"
    at = datetime.fromtimestamp(1767261600, UTC)
    headers = {"x-ct-timestamp": "1767261600", "x-ct-signature": sign}
    hook = make.hook(tail="/event", body=b'{"v":1}', headers=headers, at=at)
    Voximplant(secret="secret").verify(hook)


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6), timedelta(days=1)])  # fmt: skip
def test_an_old_message_told_again_is_refused(age: timedelta) -> None:
    with pytest.raises(BadSignature, match="not of now"):
        ACCOUNT.verify(signed(message("ended"), sent=NOON - age))


def test_a_changed_byte_of_each_part_is_refused() -> None:
    good = signed(message("started"))
    stamp, sign = good.headers["x-ct-timestamp"], good.headers["x-ct-signature"]
    changes: list[dict[str, Any]] = [
        {"body": good.body + b" "}, {"body": good.body.replace(b"7916", b"7917")}, {"body": b""},
        {"headers": {"x-ct-timestamp": str(int(stamp) + 1), "x-ct-signature": sign}},
        {"headers": {"x-ct-timestamp": stamp, "x-ct-signature": sign[:-1] + "x"}},
        {"headers": {"x-ct-timestamp": stamp, "x-ct-signature": sign.removeprefix("sha256=")}},
        {"headers": {"x-ct-timestamp": stamp}}, {"headers": {"x-ct-signature": sign}}, {"headers": {}},
    ]  # fmt: skip
    for change in changes:
        sent = {"body": good.body, "headers": good.headers, "tail": "/event", **change}
        with pytest.raises(BadSignature):
            ACCOUNT.verify(make.hook(**sent))
    with pytest.raises(BadSignature):
        ACCOUNT.verify(signed(message("started"), secret="other"))


@pytest.mark.parametrize("stamp", ["", "soon", "1" * 400, "-5", "1e9", "²", "1793620800.5"])  # fmt: skip
def test_an_odd_timestamp_is_refused(stamp: str) -> None:
    hook = signed(message("started"))
    hook.headers["x-ct-timestamp"] = stamp
    with pytest.raises(BadSignature):
        ACCOUNT.verify(hook)


def test_settings_are_checked() -> None:
    for bad in ({}, {"secret": ""}, {"secret": "s", "timeout": 600}, {"secret": "s", "forward_to": "7495"}):  # fmt: skip
        with pytest.raises(BadInput):
            telephony.make("voximplant", bad)


# What does it tell? -------------------------------------------------------------------


FLOW = [
    signed(message(), tail="/route"),
    event("ringing", 2, leg="B-1", number="74957654321"),
    event("answered", 9, leg="B-1", number="74957654321"),
    event("record_started", 9, url=URL),
    event("ended", 70, by="person", answered=True, duration=61),
    event("record_stopped", 71, url=URL, duration=61),
]


def test_an_answered_call_in_any_order_is_the_same_call() -> None:
    expected = make.call(ACCOUNT, FLOW)
    assert (expected.call_key, expected.direction) == ("A-1", "inbound")
    assert (expected.caller, expected.tracked) == ("+79161234567", "+74951000001")
    assert (expected.started_at, expected.ring_seconds) == (NOON, 9)
    assert (expected.outcome, expected.talk_seconds) == ("answered", 61)
    assert expected.manager == "+74957654321"
    assert [(one.id, one.url, one.seconds) for one in expected.recordings] == [("r1.mp3", URL, 61)]  # fmt: skip

    for order in permutations(FLOW):
        assert make.call(ACCOUNT, [*order, *order[:2]]) == expected


def test_a_call_whose_question_did_not_reach_us_is_told_of_afterwards() -> None:
    flow = [event("started"), *FLOW[1:]]
    assert make.call(ACCOUNT, flow) == make.call(ACCOUNT, FLOW)
    assert make.call(ACCOUNT, [*flow, FLOW[0]]) == make.call(ACCOUNT, FLOW)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(486, "busy"), (600, "busy"), (603, "rejected"), (408, "missed"), (480, "missed"),
     (487, "cancelled"), (404, "failed"), (402, "failed"), (503, "failed"), (None, "failed"), ("486", "busy")],
)  # fmt: skip
def test_a_call_nobody_answered_is_missed_with_its_reason(
    code: object, outcome: str
) -> None:
    flow = [FLOW[0], FLOW[1], event("failed", 30, leg="B-1", code=code, reason="x"), event("ended", 30, by="person", answered=False)]  # fmt: skip
    for order in permutations(flow):
        call = make.call(ACCOUNT, [*order, order[0]])
        assert call.missed and call.manager is None
        assert (call.outcome, call.ring_seconds, call.talk_seconds) == (outcome, 30, 0)


def test_a_caller_who_hangs_up_while_it_rings_cancelled_the_call() -> None:
    flow = [*FLOW[:2], event("ended", 20, by="caller", answered=False)]
    for order in permutations(flow):
        call = make.call(ACCOUNT, order)
        assert (call.missed, call.outcome) == (True, "cancelled")


@pytest.mark.parametrize("caller", ["", "anonymous", "Restricted", None])
def test_a_hidden_caller_is_nobody(caller: str | None) -> None:
    (told,) = ACCOUNT.events(signed(message(caller=caller), tail="/route"))
    assert (told.caller, told.hidden, told.tracked) == (None, True, "+74951000001")


@pytest.mark.parametrize(
    ("called", "number"),
    [("74951000001", "+74951000001"), ("88001000001", "+78001000001"), ("+442071234567", "+442071234567"), ("shop", None)],
)  # fmt: skip
def test_the_dialled_number_is_read_in_its_spellings(
    called: str, number: str | None
) -> None:
    (told,) = ACCOUNT.events(event("started", called=called))
    assert told.tracked == number


def test_what_is_huge_is_bounded() -> None:
    hook = event("answered", 9, number="x" * 100_000, caller="7" * 100_000)
    (told,) = ACCOUNT.events(hook)
    assert (told.manager, told.caller) == ("x" * 200, None)


# Routing ------------------------------------------------------------------------------


def test_the_question_is_answered_with_the_number() -> None:
    assert ACCOUNT.asks_route(FLOW[0])
    answer = ACCOUNT.answer(FLOW[0], Route(forward_to="+74957654321"))
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert msgspec.json.decode(answer.body) == {"to": "74957654321", "callerid": "74951000001", "timeout": 30, "record": True}  # fmt: skip


def test_the_callers_own_number_may_be_shown_unless_he_hides_it() -> None:
    showing = Voximplant(secret=SECRET, show_caller=True, record=False, timeout=10)
    for caller, shown in (("79161234567", "79161234567"), ("anonymous", "74951000001")):
        hook = signed(message(caller=caller), tail="/route")
        answer = showing.answer(hook, Route(forward_to="+74957654321"))
        assert msgspec.json.decode(answer.body) == {"to": "74957654321", "callerid": shown, "timeout": 10, "record": False}  # fmt: skip


def test_without_a_number_the_scenario_dials_its_own_default() -> None:
    answer = ACCOUNT.answer(FLOW[0], Route(forward_to=None))
    assert msgspec.json.decode(answer.body)["to"] is None


def test_a_question_that_cannot_be_read_still_gets_the_route() -> None:
    answer = ACCOUNT.answer(make.hook(tail="/route", body=b"{"), Route(forward_to="+74957654321"))  # fmt: skip
    assert msgspec.json.decode(answer.body)["to"] == "74957654321"


def test_a_stage_asks_for_nothing() -> None:
    for hook in FLOW[1:]:
        assert not ACCOUNT.asks_route(hook)
        assert ACCOUNT.answer(hook, Route(forward_to="+74957654321")).body == b""


@pytest.mark.parametrize(
    "hook",
    [
        make.hook(tail="/event"), make.hook(tail="/event", body=b"\xff{}"), make.hook(tail="/route", body=b"[]"),
        event("", 0), event("dancing"), event("started", call_id=None), event("started", call_id="x" * 300),
        event("started", ts="soon"), event("started", ts=1e30), event("failed", code="x"),
        event("record_stopped"), event("record_stopped", url="javascript:1"),
        event("record_stopped", url=URL, duration=-1), event("started", caller={}),
        make.hook(tail="/event", body=b'{"call_id": "1", "type": "started"'),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_unreadable(hook: Hook) -> None:
    with pytest.raises(Unreadable):
        ACCOUNT.events(hook)


# The scenario -------------------------------------------------------------------------


def node(*arguments: str, given: bytes = b"") -> bytes:
    command = (*snippet_build.find_node().node, *arguments)
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=60).stdout  # fmt: skip


def scenario(account: Voximplant = ACCOUNT) -> str:
    ((_, text),) = account.pastes(make.ADDRESS).items()
    return text


class Stand:
    """What the scenario did with one call."""

    def __init__(
        self,
        *steps: list[Any],
        answers: list[Any] | None = None,
        account: Voximplant = ACCOUNT,
    ) -> None:
        route = ACCOUNT.answer(FLOW[0], Route(forward_to="+74957654321"))
        usual = [{"code": 200, "text": route.body.decode()}, {"code": 200, "text": ""}]
        plan = {"scenario": scenario(account), "now": T, "answers": answers or usual, "steps": [["alert", CALLER], *steps]}  # fmt: skip
        done = msgspec.json.decode(node(str(STAND), given=msgspec.json.encode(plan)))
        self.requests, self.asked = done["requests"], done["asked"]
        self.terminated = done["terminated"]
        self.hooks = [self.hook(one) for one in self.requests]

    @staticmethod
    def hook(request: dict[str, Any]) -> Hook:
        """The request as our door gets it, believed."""
        hook = make.hook(
            tail=request["url"].removeprefix(make.ADDRESS),
            body=request["postData"].encode(),
            headers={name.lower(): one for name, one in request["headers"].items()},
            at=datetime.fromtimestamp(request["at"] / 1000, UTC),
        )
        ACCOUNT.verify(hook)
        return hook

    @property
    def told(self) -> list[str]:
        messages = [msgspec.json.decode(one["postData"]) for one in self.requests]
        return [one.get("type", "route") for one in messages]

    def call(self) -> calls.Call:
        return make.call(ACCOUNT, self.hooks)


def test_the_scenario_is_sound_javascript_before_and_after_it_is_filled_in(
    tmp_path: Path,
) -> None:
    filled = tmp_path / "scenario.js"
    filled.write_text(scenario(), encoding="utf-8")
    for file in (SCENARIO, filled):
        node("--check", str(file))
    assert '"SKVOZ_' not in filled.read_text(encoding="utf-8")


def test_a_call_is_connected_told_of_and_its_recording_waited_for() -> None:
    stand = Stand(
        ["pass", 2], ["leg", "Ringing", {}], ["leg", "AudioStarted", {}],
        ["pass", 7], ["leg", "Connected", {}], ["leg", "RecordStarted", {"url": URL}],
        ["pass", 61], ["leg", "Disconnected", {"duration": 61}],
        ["pass", 1], ["leg", "RecordStopped", {"url": URL, "duration": 61}],
    )  # fmt: skip
    assert stand.asked == [
        ["platform", "callPSTN", "74957654321", "74951000001"],
        ["platform", "sendMediaBetween"], ["caller", "ring"], ["caller", "startEarlyMedia"],
        ["caller", "answer"], ["leg", "record", {"stereo": True}], ["caller", "hangup"],
    ]  # fmt: skip
    assert stand.told == ["route", "ringing", "answered", "record_started", "ended", "record_stopped"]  # fmt: skip
    assert stand.terminated
    call = stand.call()
    assert (call.caller, call.tracked, call.manager) == ("+79161234567", "+74951000001", "+74957654321")  # fmt: skip
    assert (call.started_at, call.ring_seconds, call.talk_seconds) == (NOON, 9, 61)
    assert call.recording == URL


TAKEN, REFUSED = {"code": 200, "text": ""}, {"code": 503, "text": ""}
ROUTED = {"code": 200, "text": '{"to": "74957654321"}'}


def test_a_caller_who_hangs_up_while_it_rings_leaves_nothing_ringing() -> None:
    stand = Stand(["pass", 2], ["leg", "Ringing", {}], ["pass", 18], ["caller", "Disconnected", {}])  # fmt: skip
    assert stand.asked[-1] == ["leg", "hangup"]
    assert stand.told == ["route", "ringing", "ended"]
    assert stand.terminated
    assert (stand.call().outcome, stand.call().ring_seconds) == ("cancelled", 20)


def test_the_other_legs_end_is_still_told_while_the_first_is_told_again() -> None:
    stand = Stand(
        ["pass", 20], ["caller", "Disconnected", {}], ["leg", "Failed", {"code": 487}], ["pass", 0.5],
        ["pass", 6], answers=[ROUTED, REFUSED, REFUSED, TAKEN, REFUSED, TAKEN],
    )  # fmt: skip
    assert stand.told == ["route", "ended", "failed", "ended", "failed", "failed"]
    assert stand.terminated
    assert (stand.call().outcome, stand.call().ring_seconds) == ("cancelled", 20)


@pytest.mark.parametrize(
    ("code", "outcome"), [(486, "busy"), (603, "rejected"), (404, "failed")]
)
def test_a_leg_that_fails_ends_the_call_with_its_reason(
    code: int, outcome: str
) -> None:
    stand = Stand(["pass", 3], ["leg", "Failed", {"code": code, "reason": "x"}], ["caller", "Disconnected", {}])  # fmt: skip
    assert stand.asked[-1] == ["caller", "reject", code]
    assert stand.told == ["route", "failed", "ended"]
    assert (stand.call().outcome, stand.terminated) == (outcome, True)


def test_a_leg_that_nobody_answers_is_given_up_in_time() -> None:
    stand = Stand(["leg", "Ringing", {}], ["pass", 31], ["leg", "Failed", {"code": 487}])  # fmt: skip
    assert ["leg", "hangup"] in stand.asked
    assert stand.asked[-1] == ["caller", "reject", 408]
    assert stand.call().outcome == "missed"


@pytest.mark.parametrize(
    "answer",
    [{"code": 503, "text": ""}, {"code": -7}, {"code": 200, "text": "<html>"}, {"code": 200, "text": '{"to": null}'}],
)  # fmt: skip
def test_without_an_answer_the_default_number_is_dialled(
    answer: dict[str, object],
) -> None:
    stand = Stand(["leg", "Connected", {}], answers=[answer, {"code": 200, "text": ""}])
    assert ["platform", "callPSTN", "74950000000", "74951000001"] in stand.asked
    assert stand.call().started_at == NOON


def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    stand = Stand(["pass", 4], ["leg", "Connected", {}], answers=[None, {"code": 200, "text": ""}])  # fmt: skip
    assert stand.asked[0] == ["platform", "callPSTN", "74950000000", "74951000001"]
    assert stand.told == ["route", "started", "answered"]


def test_without_any_number_the_call_is_refused_and_told_of() -> None:
    stand = Stand(
        answers=[{"code": 500, "text": ""}, {"code": 200, "text": ""}],
        account=Voximplant(secret=SECRET),
    )
    assert stand.asked == [["caller", "reject", 480]]
    assert stand.told == ["route", "started", "ended"]
    assert stand.call().missed and stand.terminated


def test_what_we_did_not_take_is_told_again_before_the_session_ends() -> None:
    stand = Stand(
        ["leg", "Connected", {}], ["leg", "Disconnected", {"duration": 1}], ["pass", 0.5],
        ["pass", 10], answers=[ROUTED, REFUSED, REFUSED, REFUSED, TAKEN],
    )  # fmt: skip
    assert sorted(stand.told) == ["answered", "answered", "answered", "ended", "ended", "route"]  # fmt: skip
    assert stand.terminated
