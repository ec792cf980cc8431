import asyncio
from datetime import timedelta

import aiohttp

from tests.conftest import NOON
from tests.fakes import Trouble
from tests.fakes.webhook import SECRET, Receiver
from tests.tracker.owing import DAY, HOUR, MINUTE, SECOND, House
from tracker import connection_states, deliveries
from tracker.destinations.base import A_DAY, Parcel
from tracker.destinations.webhook import Webhook
from tracker.destinations.wire import Paces, Wire
from tracker.dispatch import Dispatcher


def hook(receiver: Receiver) -> dict[str, str]:
    return {"kind": "webhook", "url": receiver.url, "secret": SECRET}


async def test_what_is_owed_twice_under_one_key_is_owed_once_a_destination(
    house: House,
):
    async with Receiver() as one, Receiver() as other:
        await house.open(one=hook(one), other=hook(other))
        made = await house.contact()
        await house.owe(made, "contact.created")
        await house.owe(made, "contact.created")
        await house.carry()

    assert len(one.messages) == len(other.messages) == 1


async def test_what_is_rolled_back_is_not_owed(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        made = await house.contact(owe=False)
        async with house.pool.acquire() as db:
            transaction = db.transaction()
            await transaction.start()
            await deliveries.owe(
                db,
                house.site,
                event="contact.created",
                key="k",
                lead_id=made.lead,
                contact_id=made.contact,
                at=NOON,
            )
            await transaction.rollback()
        await house.carry()

    assert crm.messages == []


async def test_deliveries_of_one_lead_arrive_in_order_also_after_a_failure(
    house: House,
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(Trouble(status=500))
        first = await house.contact()
        for n in range(3):
            await house.contact(like=first, at=NOON + n * SECOND)
        other = await house.contact()
        await house.carry(NOON + MINUTE)
        before = [message.data["id"] for message in crm.messages]
        await house.carry(NOON + 2 * MINUTE)

    owed = await house.pool.fetch("SELECT contact_id FROM deliveries ORDER BY seq")
    assert before == [str(other.contact)]  # another lead's does not wait
    assert [message.data["id"] for message in crm.messages[1:]] == [
        str(row["contact_id"]) for row in owed if row["contact_id"] != other.contact
    ]


async def test_one_destination_down_does_not_hold_up_another(house: House):
    async with Receiver() as up, Receiver() as down:
        down.fail(*[Trouble(status=500)] * 5)
        await house.open(down=hook(down), up=hook(up))
        first = await house.contact()
        await house.contact(like=first)
        await house.carry()

    assert len(up.messages) == 2
    assert down.messages == []


async def test_a_dead_delivery_does_not_block_the_later_ones_of_its_lead(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(Trouble(status=410))
        first = await house.contact()
        await house.contact(like=first)
        await house.carry(NOON)
        await house.carry(NOON + HOUR)

    assert await house.states() == ["dead", "delivered"]


async def test_the_dead_are_listed_and_can_be_sent_again_alone_or_all(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(*[Trouble(status=410)] * 3)
        for _ in range(3):
            await house.contact()
        for hours in range(3):
            await house.carry(NOON + hours * HOUR)
        dead = await deliveries.dead(house.pool, house.site_id)
        assert {one.last_error for one in dead} == {"HTTP 410: the endpoint is gone"}
        assert len(dead) == 3

        later = NOON + DAY
        one = dead[0].id
        assert await deliveries.replay(house.pool, house.site_id, delivery_id=one, at=later) == 1  # fmt: skip
        await house.carry(later)
        assert len(crm.messages) == 1
        assert await deliveries.replay(house.pool, house.site_id, at=later) == 2
        assert await deliveries.replay(house.pool, house.site_id, at=later) == 0
        assert await deliveries.replay(house.pool, house.site_id + 1, at=later) == 0
        await house.carry(later)

    assert await house.states() == ["delivered"] * 3
    assert await deliveries.dead(house.pool, house.site_id) == []
    tried = await deliveries.attempts_of(house.pool, house.site_id, one)
    assert [attempt.n for attempt in tried] == [2, 1]


async def test_a_replay_leaves_an_attempt_under_way_alone(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(Trouble(status=500))
        await house.contact()
        await house.carry(NOON)
        place = house.site_id, house.destination("crm")
        later = NOON + MINUTE
        [claimed] = await deliveries.claim(
            house.pool, *place, ordered=True, most=9, at=later
        )
        assert await deliveries.replay(house.pool, house.site_id, at=later) == 0
        assert await deliveries.claim(house.pool, *place, ordered=True, most=9, at=later) == []  # fmt: skip

    assert claimed.attempts == 2


async def test_a_claim_of_a_worker_that_died_comes_due_again(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        await house.contact()
        place = house.site_id, house.destination("crm")
        await deliveries.claim(house.pool, *place, ordered=True, most=9, at=NOON)
        await house.carry(NOON + deliveries.CLAIM - SECOND)
        assert crm.messages == []
        await house.carry(NOON + deliveries.CLAIM)

    assert len(crm.messages) == 1


async def test_two_workers_never_take_the_same_delivery(
    house: House, http: aiohttp.ClientSession
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        for _ in range(25):
            await house.contact()
        second = Dispatcher(house.pool, house.directory, http, paces=Paces())
        await asyncio.gather(house.carry(), second.run_due(NOON))

    assert len(crm.messages) == len(crm.taken) == 25
    assert await house.states() == ["delivered"] * 25


async def test_a_bug_in_a_destination_is_an_attempt_like_any_other(
    house: House, monkeypatch
):
    async def crash(self: Webhook, parcel: Parcel, wire: Wire) -> None:
        raise ZeroDivisionError(f"with {SECRET}")

    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        made = await house.contact()
        with monkeypatch.context() as patch:
            patch.setattr(Webhook, "send", crash)
            await house.carry(NOON)
        [shown] = await house.shown(made)
        assert (shown.state, shown.last_error) == (
            "owed",
            "ZeroDivisionError: with •••",
        )
        await house.carry(NOON + MINUTE)

    assert await house.states() == ["delivered"]


async def test_bad_settings_are_a_fault_and_what_is_owed_waits_for_good_ones(
    house: House,
):
    async with Receiver() as crm:
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": "short"})
        await house.contact()
        await house.carry()
        place = house.site_id, house.destination("crm")
        state = await connection_states.find(house.pool, *place)
        assert state.fault is not None
        assert state.fault.startswith("settings: secret: ")
        await house.change("crm", url=crm.url, secret=SECRET)
        await house.carry(NOON + SECOND)

    assert await house.states() == ["delivered"]
    assert (await connection_states.find(house.pool, *place)).fault is None


async def test_what_is_owed_to_a_removed_destination_is_given_up(house: House):
    async with Receiver() as crm, Receiver() as gone:
        await house.open(crm=hook(crm), gone=hook(gone))
        made = await house.contact()
        await house.pool.execute("DELETE FROM connections WHERE name = 'gone'")
        assert await deliveries.abandon(house.pool, at=NOON) == 1

    kept, removed = await house.shown(made)
    assert (kept.destination, kept.state) == ("crm", "owed")
    assert (removed.destination, removed.state) == (None, "dead")
    assert removed.last_error == "the destination was removed"


async def test_health_counts_what_is_owed_failing_and_dead(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(Trouble(status=410))
        await house.contact()
        await house.carry(NOON)
        crm.fail(Trouble(status=500))
        await house.contact(at=NOON + MINUTE)
        await house.carry(NOON + HOUR)
        await house.contact(at=NOON + HOUR)

    [count] = await deliveries.counts(house.pool, house.site_id)
    assert (count.owed, count.failing, count.dead, count.not_sent) == (2, 1, 1, 0)
    assert count.oldest_at == NOON + MINUTE


async def test_requests_and_answers_are_kept_bounded(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(status=500, body="x" * 200_000))
        await house.open(crm=hook(crm))
        made = await house.contact(text="y" * 50_000)
        await house.carry()
        [shown] = await house.shown(made)
        [tried] = await deliveries.attempts_of(house.pool, house.site_id, shown.id)

    assert len(tried.request) <= deliveries.KEPT
    assert len(tried.answer) <= deliveries.KEPT
    assert len(tried.error or "") <= deliveries.ERROR


async def test_a_person_that_was_erased_ends_the_delivery(house: House):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        await house.contact()
        await house.pool.execute("DELETE FROM contacts")
        await house.carry()

    assert await house.states() == ["dead"]
    assert await house.errors() == ["what it is about was erased"]


def test_waits_double_up_to_a_quarter_of_an_hour_and_end_after_a_day():
    waits = [A_DAY.wait(tries, 0.5) for tries in range(1, 12)]
    assert [wait.total_seconds() for wait in waits if wait][:4] == [5, 10, 20, 40]
    assert waits[-1] == timedelta(minutes=15)
    assert timedelta(hours=23) < sum(A_DAY.waits, timedelta()) <= timedelta(hours=24)
    assert A_DAY.wait(len(A_DAY.waits) + 1, 0.5) is None
    assert A_DAY.wait(1, 0.0) == timedelta(seconds=4)
    assert A_DAY.wait(1, 1.0) == timedelta(seconds=6)


def test_webhooks_are_tried_ten_times_within_three_days_and_a_half():
    waits = Webhook.schedule.waits
    assert len(waits) == 9
    assert sum(waits, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
