"""The leak alarm by calls: what is a leak, and what is only noise."""

import random
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import make
from tests.conftest import NOON
from tracker import alerts, leaks, sites
from tracker import db as database

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def sums(*values: float) -> dict[str, float]:
    return {make.number(n): value for n, value in enumerate(values, 1)}


def leaking(*values: float, known: tuple[str, ...] = ()) -> set:
    found = leaks.leaking(sums(*values), tests=len(values), known=known)
    return {one.number for one in found}


def test_a_number_that_stands_out_leaks_and_its_likes_do_not():
    assert leaking(12, 1, 0.4, 2, 1.2, 0.8, 1.5, 0.7) == {make.number(1)}


def test_much_noise_that_comes_to_all_alike_is_no_leak():
    assert leaking(14, 11, 9, 15, 12, 10, 13, 8) == set()


def test_few_calls_are_no_leak_however_quiet_the_others_are():
    assert leaking(2.9, 0, 0, 0, 0, 0, 0, 0) == set()


def test_one_great_leak_does_not_hide_a_lesser_one():
    quiet = [0.5] * 10
    assert leaking(400, 15, *quiet) == {make.number(1), make.number(2)}


def test_a_number_without_others_and_a_pool_that_leaks_as_a_whole_do_not_stand_out():
    assert leaking(300) == set()
    assert leaking(300, 290, 310, 305) == set()


def test_of_two_numbers_one_can_stand_out():
    assert leaking(30, 2) == {make.number(1)}


def test_an_alarm_that_stands_ends_later_than_it_begins():
    values = (7, 1, 0.4, 2, 1.2, 0.8, 1.5, 0.7)
    assert leaking(*values) == set()
    assert leaking(*values, known=(make.number(1),)) == {make.number(1)}


@given(
    st.floats(0, 1e4),
    st.floats(1e-3, 1e4),
    st.floats(0.5, 10),
)
def test_the_bound_is_a_probability_and_falls_with_the_sum(sum_, mean, shape):
    here, beyond = leaks.tail(sum_, mean, shape), leaks.tail(sum_ * 1.1, mean, shape)
    assert 0 <= beyond <= here * (1 + 1e-9) <= 1 + 1e-8


def test_the_bound_is_no_less_than_the_frequency_of_such_sums():
    chance = random.Random(5)
    mean, shape, n = 2.0, 3.0, 4000
    drawn = []
    for _ in range(n):
        rate = (
            chance.gammavariate(shape, mean / shape) * 2
        )  # weights are 1/2 on average
        count, at = 0, chance.expovariate(1)
        while at < rate:
            count, at = count + 1, at + chance.expovariate(1)
        drawn.append(sum(chance.random() for _ in range(count)))
    for sum_ in (3, 4, 5, 6, 8):
        share = sum(one >= sum_ for one in drawn) / n
        assert share <= leaks.tail(sum_, mean, shape)


def test_false_alarms_are_rarer_than_promised():
    chance = random.Random(11)
    alarms = 0
    for _ in range(2000):
        values = [
            sum(chance.random() for _ in range(chance.choice((0, 1, 1, 2, 3, 4))))
            for _ in range(12)
        ]
        alarms += len(leaking(*values))
    assert alarms <= 20


def test_one_caller_counts_once_and_the_withheld_of_a_day_are_one():
    def call(caller: str | None, at: datetime, doubt: float) -> leaks.Call:
        return leaks.Call(
            id=uuid4(), pool_id=1, number="+7", caller=caller, at=at, doubt=doubt
        )

    calls = [
        call("+79160000001", NOON, 0.4),
        call("+79160000001", NOON + HOUR, 0.9),
        call(None, NOON, 0.5),
        call(None, NOON + HOUR, 0.5),
        call(None, NOON + DAY, 0.5),
    ]
    (callers,) = leaks.unexplained(calls).values()
    assert sorted(callers.values()) == [0.5, 0.5, 0.9]


# On the real tables -----------------------------------------------------------------------


@pytest.fixture
async def site(pool: database.Pool) -> sites.Site:
    return await make.site(pool, numbers=8)


async def called(
    db: database.Pool,
    site: sites.Site,
    number: str,
    *,
    at: datetime,
    certainty: float = 0.1,
    caller: str = "",
    excluded: str | None = None,
) -> UUID:
    """A call; who calls with the same number is the same person."""
    id_ = uuid4()
    caller = caller or f"+7916{id_.int % 10**7:07d}"
    await db.execute(
        "INSERT INTO contacts (site_id, id, channel, kind, at, person_id, caller, number, "
        "rule, certainty, excluded, updated_at) "
        "VALUES ($1, $2, 'phone', 'call', $3, $4, $5, $6, 'x/1', $7, $8, $3)",
        site.id, id_, at, uuid5(NAMESPACE_URL, caller), caller, number, certainty, excluded,
    )  # fmt: skip
    return id_


async def subjects(pool: database.Pool, site: sites.Site) -> list[str]:
    standing = await alerts.standing(pool, site.id, alerts.CALLED)
    return [one.subject for one in standing]


async def test_a_leak_is_told_with_its_number_its_beginning_and_its_calls(pool, site):
    number = make.number(3)
    made = [
        await called(pool, site, number, at=NOON - 10 * DAY + n * HOUR)
        for n in range(12)
    ]
    await called(pool, site, make.number(1), at=NOON - DAY)

    await leaks.watch(pool, site, at=NOON)

    (alert,) = await alerts.standing(pool, site.id)
    assert (alert.kind, alert.subject) == ("leak.called", number)
    assert alert.since == NOON - 10 * DAY
    calls = alert.figures["calls"]
    assert [call["contact"] for call in calls] == [str(id_) for id_ in made]
    assert calls[0]["at"] == "2026-10-23T12:00:00.000Z"
    assert alert.figures["unexplained"] == 10.8
    assert alert.figures["pool"] == "main"


async def test_calls_that_visitors_made_raise_no_alarm(pool, site):
    for n in range(40):
        await called(
            pool, site, make.number(2), at=NOON - DAY - n * HOUR, certainty=0.99
        )

    await leaks.watch(pool, site, at=NOON)
    assert await subjects(pool, site) == []


async def test_one_insistent_caller_is_no_leak(pool, site):
    for n in range(40):
        await called(
            pool, site, make.number(2), at=NOON - n * HOUR, caller="+79160000001"
        )

    await leaks.watch(pool, site, at=NOON)
    assert await subjects(pool, site) == []


async def test_former_visitors_who_saved_the_number_and_spam_do_not_count(pool, site):
    number = make.number(2)
    for n in range(12):
        caller = f"+7916000{n:04d}"
        at = NOON - DAY - n * HOUR
        await called(pool, site, number, at=at - 30 * DAY, certainty=0.9, caller=caller)
        await called(pool, site, number, at=at, caller=caller)
        await called(pool, site, number, at=at, excluded="spam")

    await leaks.watch(pool, site, at=NOON)
    assert await subjects(pool, site) == []


async def test_the_alarm_ends_when_the_calls_have_stopped(pool, site):
    for n in range(12):
        await called(pool, site, make.number(3), at=NOON - n * HOUR)
    await leaks.watch(pool, site, at=NOON)
    assert await subjects(pool, site) == [make.number(3)]

    await leaks.watch(pool, site, at=NOON + leaks.PERIOD)
    assert await subjects(pool, site) == []


async def test_another_sites_calls_are_its_own_affair(pool, site):
    other = await make.site(pool, key="other", numbers=8)
    for n in range(12):
        await called(pool, other, make.number(3), at=NOON - n * HOUR)

    await leaks.watch(pool, site, at=NOON)
    assert await subjects(pool, site) == []
