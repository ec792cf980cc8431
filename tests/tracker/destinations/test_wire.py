from datetime import timedelta

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import Trouble
from tests.fakes.webhook import Receiver
from tracker.destinations import wire
from tracker.destinations.base import Unanswered
from tracker.destinations.wire import Answer, Pace, Paces, Wire
from tracker.errors import DeliveryFailed


def test_a_burst_goes_at_once_and_the_rest_at_the_allowed_rate():
    pace = Pace(rate=2.0, burst=10)
    assert [pace.take(100.0) for _ in range(10)] == [0.0] * 10
    assert [pace.take(100.0) for _ in range(3)] == [0.5, 1.0, 1.5]
    assert pace.take(102.0) == 0.0  # those three have gone, and the fourth turn is here
    assert pace.take(200.0) == 0.0


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_second_ever_sees_more_than_burst_and_rate(gaps: list[float]):
    pace = Pace(rate=2.0, burst=5)
    now, went = 50.0, []
    for gap in gaps:
        now += gap
        went.append(now + pace.take(now))
    for start in went:
        within = [moment for moment in went if start <= moment < start + 1.0]
        assert len(within) <= 5 + 2 + 1


def test_connections_of_one_host_share_one_pace():
    paces = Paces()
    one = paces.of("p.bitrix24.ru", rate=2.0, burst=10)
    assert paces.of("p.bitrix24.ru", rate=2.0, burst=10) is one
    assert paces.of("q.bitrix24.ru", rate=2.0, burst=10) is not one


def answer(**headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=429, headers=names, text="")


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (answer(Retry_After="120"), timedelta(seconds=120)),
        (answer(Retry_After="99999999999999999999"), timedelta(hours=24)),
        (answer(Retry_After="-1"), None),
        (answer(Retry_After="soon"), None),
        (answer(), None),
        (
            answer(
                Retry_After="Mon, 02 Nov 2026 12:05:00 GMT",
                Date="Mon, 02 Nov 2026 12:00:00 GMT",
            ),
            timedelta(minutes=5),
        ),
        (answer(Retry_After="Mon, 02 Nov 2026 12:05:00 GMT"), None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(given: Answer, after: timedelta | None):
    assert given.after == after


async def test_an_endless_answer_is_read_no_further_than_needed(
    http: aiohttp.ClientSession,
):
    async with Receiver() as peer:
        peer.fail(Trouble(status=200, body="x" * 1_000_000))
        got = await Wire(http, Paces()).call("GET", peer.url)
    assert len(got.text) == wire.MOST


async def test_no_connection_and_no_answer_are_told_apart(http: aiohttp.ClientSession):
    async with Receiver() as peer:
        peer.fail(Trouble(hang=True))
        with pytest.raises(Unanswered, match="no answer in time"):
            await Wire(http, Paces()).call("GET", peer.url, longest=0.05)
        address = peer.url
    with pytest.raises(DeliveryFailed, match="no connection") as caught:
        await Wire(http, Paces()).call("GET", address)
    assert not isinstance(caught.value, Unanswered)


async def test_an_address_that_is_none_is_the_connections_fault(
    http: aiohttp.ClientSession,
):
    with pytest.raises(DeliveryFailed) as caught:
        await Wire(http, Paces()).call("GET", "http://[::1")
    assert caught.value.broken


def test_secrets_are_taken_out_of_everything_kept(http=None):
    line = Wire(http, Paces(), wire.secrets_of(["s3cr3t-word", "", "ab"]))
    assert line.clean("a s3cr3t-word b\0") == "a ••• b"
