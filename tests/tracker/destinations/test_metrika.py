from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.conftest import NOON
from tests.fakes import Trouble
from tests.fakes.metrika import TOKEN, Metrika, error
from tests.tracker.owing import DAY, HOUR, MINUTE, SECOND, House
from tracker import connection_states, deliveries, destinations
from tracker.destinations import metrika
from tracker.errors import BadInput

CLIENT_ID = "1734680388574908198"
LATER = NOON + 3 * MINUTE  # the usual interval has ended


def counter(fake: Metrika, **settings: Any) -> dict[str, Any]:
    return {
        "kind": "metrika",
        "counter": "123",
        "token": TOKEN,
        "api": fake.url,
        **settings,
    }


async def test_a_call_is_uploaded_with_its_facts_once_it_is_over(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID, yclid="77")
        made = await house.contact((visit, 0.95), kind="call")
        await house.carry(LATER)
        assert fake.uploads == []
        [waiting] = await house.shown(made)
        assert (waiting.state, waiting.attempts) == ("owed", 0)

        await house.end_call(made, talked=64, at=LATER)
        await house.carry(LATER + 3 * MINUTE)

    [upload] = fake.uploads
    assert upload.type == "calls"
    assert upload.rows == [
        {
            "ClientId": CLIENT_ID,
            "DateTime": str(int(NOON.timestamp())),
            "StaticCall": "0",
            "PhoneNumber": "+79161234567",
            "TalkDuration": "64",
            "HoldDuration": "9",
            "CallMissed": "0",
            "FirstTimeCaller": "1",
            "URL": "https://acme.example/kitchens",
        }
    ]
    [done] = await house.shown(made)
    assert (done.state, done.attempts, done.remote_id) == ("delivered", 1, "4001")


async def test_a_call_whose_end_nobody_tells_is_uploaded_after_two_hours(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 0.95), kind="call")
        await house.carry(NOON + 119 * MINUTE)
        assert fake.rows == []
        await house.carry(NOON + 123 * MINUTE)

    assert [row["CallMissed"] for row in fake.rows] == ["1"]


async def test_conversions_of_an_interval_go_in_one_file_each_with_its_goal(
    house: House,
):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        made = await house.contact((visit, 1.0), kind="form")
        await house.owe(made, "lead.created")
        await house.contact((visit, 1.0), kind="email", at=NOON + MINUTE)
        await house.contact((visit, 1.0), kind="message", at=NOON + MINUTE)
        await house.carry(NOON + 2 * MINUTE)
        assert fake.uploads == []
        await house.carry(LATER)

    [upload] = fake.uploads
    assert upload.type == "conversions"
    assert [row["Target"] for row in upload.rows] == [
        "form",
        "lead",
        "email",
        "message",
    ]
    assert {row["ClientId"] for row in upload.rows} == {CLIENT_ID}


async def test_a_won_deal_is_told_with_its_price_one_file_a_currency(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake, form_goal=""))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        made = await house.contact((visit, 1.0))
        await house.win(made, amount=15900, at=NOON + MINUTE)
        await house.win(made, amount=200, currency="EUR", at=NOON + MINUTE)
        await house.carry(LATER)

    assert [[row["Price"], row["Currency"]] for row in fake.rows] == [
        ["15900.00", "RUB"],
        ["200.00", "EUR"],
    ]
    assert len(fake.uploads) == 2
    assert fake.rows[0]["DateTime"] == str(int((NOON + MINUTE).timestamp()))


async def test_without_a_client_id_the_click_names_the_visit_in_a_file_of_its_own(
    house: House,
):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        await house.contact((await house.visit(ym_client_id=CLIENT_ID), 1.0))
        await house.contact((await house.visit(yclid="7744"), 1.0))
        await house.carry(LATER)

    assert [sorted(upload.rows[0])[0] for upload in fake.uploads] == ["ClientId", "DateTime"]  # fmt: skip
    assert fake.uploads[1].rows[0]["Yclid"] == "7744"


async def test_an_earlier_visit_of_the_same_browser_lends_its_client_id(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        browser = uuid4()
        one = await house.visit(visitor=browser)
        other = await house.visit(visitor=browser, ym_client_id=CLIENT_ID)
        await house.contact((one, 0.5), (other, 0.4))
        await house.carry(LATER)

    assert [row["ClientId"] for row in fake.rows] == [CLIENT_ID]


@pytest.mark.parametrize(
    ("ids", "weight", "seen", "at", "reason"),
    [
        ({}, 1.0, NOON - HOUR, NOON, "neither a Metrika ClientID nor a yclid"),
        ({"ym_client_id": "abc"}, 1.0, NOON - HOUR, NOON, "neither a Metrika ClientID"),
        (
            {"ym_client_id": CLIENT_ID},
            0.7,
            NOON - HOUR,
            NOON,
            "certainty 0.70 is below",
        ),
        ({"ym_client_id": CLIENT_ID}, 1.0, NOON - 22 * DAY, NOON, "21 days"),
        ({"ym_client_id": CLIENT_ID}, 1.0, NOON, NOON + 2 * HOUR, "in the future"),
    ],
)
async def test_what_metrika_would_not_link_is_not_sent_and_says_why(
    house: House, ids: dict[str, str], weight: float, seen: Any, at: Any, reason: str
):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(at=seen, **ids)
        await house.contact((visit, weight), at=at)
        await house.pool.execute("UPDATE deliveries SET due_at = $1", NOON)
        await house.carry(LATER)

    assert fake.uploads == []
    assert await house.states() == ["dead"]
    [text] = await house.errors()
    assert text is not None
    assert text.startswith("not sent: ")
    assert reason in text
    [count] = await deliveries.counts(house.pool, house.site_id)
    assert (count.dead, count.not_sent) == (0, 1)


async def test_what_was_found_to_be_spam_meanwhile_is_not_told(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        await house.contact((await house.visit(ym_client_id=CLIENT_ID), 1.0))
        await house.pool.execute("UPDATE contacts SET excluded = 'spam'")
        await house.carry(LATER)

    assert fake.uploads == []
    assert await house.errors() == ["not sent: the contact is left out as spam"]


async def test_another_clocks_near_future_is_waited_for(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0), at=NOON + 5 * MINUTE)
        await house.pool.execute("UPDATE deliveries SET due_at = $1", NOON)
        await house.carry(NOON)
        assert await house.states() == ["owed"]
        await house.carry(NOON + 5 * MINUTE + 2 * SECOND)

    assert len(fake.rows) == 1


async def test_an_upload_without_an_answer_is_looked_up_and_not_sent_again(
    house: House,
):
    async with Metrika() as fake:
        fake.fail(Trouble(done=True, drop=True), on="upload")
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        made = await house.contact((visit, 1.0))
        await house.carry(LATER)
        [before] = await house.shown(made)
        batch = await house.pool.fetchval("SELECT batch FROM deliveries")
        await house.contact((visit, 1.0), at=LATER)
        await house.carry(LATER + 5 * MINUTE)

    assert before.state == "owed"
    assert fake.uploads[0].comment == metrika.comment(batch)
    assert [len(upload.rows) for upload in fake.uploads] == [1, 1]
    assert await house.states() == ["delivered", "delivered"]
    [after] = await house.shown(made)
    assert after.remote_id == "4001"


async def test_an_upload_that_did_not_arrive_is_sent_again_after_a_look(house: House):
    async with Metrika() as fake:
        fake.fail(Trouble(status=504), on="upload")
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0))
        await house.carry(LATER)
        assert await house.pool.fetchval("SELECT batch IS NOT NULL FROM deliveries")
        await house.carry(LATER + 2 * MINUTE)

    assert [len(upload.rows) for upload in fake.uploads] == [1]
    assert await house.states() == ["delivered"]


async def test_a_worker_killed_right_after_the_upload_does_not_double_it(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0))
        await house.carry(LATER)
        # As if it had died before writing the outcome down.
        await house.pool.execute(
            "UPDATE deliveries SET state = 'owed', done_at = NULL, due_at = $1, batch = $2",
            LATER,
            UUID(fake.uploads[0].comment.removeprefix("skvoz ")),
        )
        await house.carry(LATER + 11 * MINUTE)

    assert len(fake.uploads) == 1
    assert await house.states() == ["delivered"]


async def test_rows_whose_claim_ran_out_are_left_to_the_worker_that_has_them_now(
    house: House,
):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0))
        place = house.site_id, house.destination("metrika")
        claimed = await deliveries.claim(house.pool, *place, ordered=False, most=9, at=LATER)  # fmt: skip
        again = LATER + deliveries.CLAIM
        await house.carry(again)
        late = await deliveries.begin_upload(house.pool, claimed, uuid4(), at=again)

    assert late == set()
    assert len(fake.rows) == 1


async def test_while_the_list_of_uploads_is_away_nothing_doubtful_is_sent(house: House):
    async with Metrika() as fake:
        fake.fail(Trouble(done=True, drop=True), on="upload")
        fake.fail(Trouble(status=503), on="calls_uploadings")
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0))
        await house.carry(LATER)
        await house.carry(LATER + 2 * MINUTE)
        assert await house.states() == ["owed"]
        assert len(fake.uploads) == 1
        await house.carry(LATER + 10 * MINUTE)

    assert await house.states() == ["delivered"]
    assert len(fake.uploads) == 1


async def test_a_daily_quota_waits_until_midnight_gmt(house: House):
    async with Metrika() as fake:
        clock = {"Date": "Mon, 02 Nov 2026 12:03:00 GMT"}
        fake.fail(error(429, "quota_requests_by_uid", **clock), on="upload")
        await house.open(metrika=counter(fake))
        visit = await house.visit(ym_client_id=CLIENT_ID)
        made = await house.contact((visit, 1.0))
        await house.carry(LATER)
        [owed] = await house.shown(made)
        assert abs(owed.due_at - (NOON + 12 * HOUR + MINUTE)) < 10 * SECOND
        await house.carry(NOON + 12 * HOUR + 2 * MINUTE)

    assert await house.states() == ["delivered"]


async def test_a_dead_token_is_a_fault_of_the_connection(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake) | {"token": "y0_revoked_one"})
        visit = await house.visit(ym_client_id=CLIENT_ID)
        await house.contact((visit, 1.0))
        await house.carry(LATER)
        state = await connection_states.find(
            house.pool, house.site_id, house.destination("metrika")
        )
        assert state.fault == "HTTP 401 unauthorized: unauthorized"
        assert await house.states() == ["owed"]
        await house.change("metrika", **counter(fake) | {"kind": "x"})
        with pytest.raises(BadInput):
            destinations.read("metrika", {"kind": "x"})

    text = "".join(
        row["request"] for row in await house.pool.fetch("SELECT request FROM attempts")
    )
    assert "upload" in text
    assert "y0_revoked_one" not in text


async def test_each_attempt_shows_its_own_line_only(house: House):
    async with Metrika() as fake:
        await house.open(metrika=counter(fake))
        one = await house.contact((await house.visit(ym_client_id=CLIENT_ID), 1.0))
        await house.contact((await house.visit(ym_client_id="1" * 12), 1.0))
        await house.carry(LATER)
        [shown] = await house.shown(one)
        [attempt] = await deliveries.attempts_of(house.pool, house.site_id, shown.id)

    assert CLIENT_ID in attempt.request
    assert "1" * 12 not in attempt.request
    assert attempt.code == 200


def test_an_interval_ends_at_the_same_moment_for_all_that_falls_into_it():
    counter = destinations.read("metrika", {"counter": "1", "token": "t"})
    ends = {counter.first_due(NOON + timedelta(seconds=n)) for n in (0, 1, 90, 179)}
    assert ends == {NOON + 3 * MINUTE}
    assert counter.first_due(NOON + 3 * MINUTE) == NOON + 6 * MINUTE


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"counter": "12a", "token": "t"}, "counter"),
        ({"counter": "12", "token": ""}, "token"),
        ({"counter": "12", "token": "t", "interval_seconds": 5}, "interval_seconds"),
        ({"counter": "12", "token": "t", "won_goal": "a,b"}, "won_goal"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], field: str):
    with pytest.raises(BadInput) as caught:
        destinations.read("metrika", settings)
    assert caught.value.field == field
