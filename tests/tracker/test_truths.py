"""Who really called, where it is known: tests, taps on a lonely number, forms."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.make import DAY, HOUR, NOON, number, site
from tests.tracker.known import ANNA, BORIS, MINUTE, SECOND, Known
from tracker import db as database
from tracker import truths
from tracker.truths import Found, Truth

ONE, TWO = number(1), number(2)


@pytest.fixture
async def known(pool: database.Pool) -> Known:
    return Known(pool, await site(pool, numbers=2))


async def found(known: Known, pool_id: int | None = None) -> Found:
    return await truths.of_calls(
        known.db,
        known.site.id,
        since=NOON - 10 * DAY,
        until=NOON + 10 * DAY,
        pool_id=pool_id,
    )


async def told(known: Known) -> list[tuple[UUID, str, UUID | None]]:
    return [(t.contact_id, t.kind, t.session_id) for t in (await found(known)).truths]


# Clicks -------------------------------------------------------------------------------


async def test_a_tap_seconds_before_the_call_on_a_lonely_number_names_its_session(
    known: Known,
) -> None:
    session = await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    call = await known.call(NOON + MINUTE + 15 * SECOND, ONE)

    assert await told(known) == [(call, "click", session)]


async def test_a_tap_too_long_ago_or_after_the_call_says_nothing(known: Known) -> None:
    await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    await known.call(NOON + MINUTE + 16 * SECOND, ONE)
    await known.call(NOON + MINUTE - SECOND, ONE, caller=BORIS)

    assert await told(known) == []


@pytest.mark.parametrize(
    ("ago", "stay", "believed"),
    [
        (timedelta(days=13), HOUR, False),
        (timedelta(days=16), timedelta(days=3), False),
        (timedelta(days=15), HOUR, True),
    ],
)
async def test_a_tap_counts_only_if_nobody_else_held_the_number_for_two_weeks(
    known: Known, ago: timedelta, stay: timedelta, believed: bool
) -> None:
    await known.visit(NOON - ago, ONE, stay=stay)
    await known.visit(NOON - HOUR, TWO)  # somebody else's number
    await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    await known.call(NOON + MINUTE + 5 * SECOND, ONE)

    assert len(await told(known)) == believed


async def test_the_visitors_own_earlier_visit_does_not_spoil_his_tap(
    known: Known,
) -> None:
    visitor = uuid4()
    await known.visit(NOON - DAY, ONE, visitor=visitor)
    session = await known.visit(NOON, ONE, visitor=visitor, clicked=NOON + MINUTE)
    call = await known.call(NOON + MINUTE + 5 * SECOND, ONE)

    assert await told(known) == [(call, "click", session)]


async def test_a_later_tap_does_not_hide_the_one_before_the_call(known: Known) -> None:
    session = await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    call = await known.call(NOON + MINUTE + 5 * SECOND, ONE)
    await known.db.execute("UPDATE leases SET clicked_at = $1", NOON + HOUR)

    assert await told(known) == [(call, "click", session)]


# Forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [HOUR, -HOUR, 29 * DAY], ids=str)
async def test_a_form_with_the_callers_phone_names_the_visitor(
    known: Known, later: timedelta
) -> None:
    session = await known.visit(NOON - 2 * HOUR, ONE)
    call = await known.call(NOON, ONE)
    await known.form(NOON + later, session)

    (truth,) = (await found(known)).truths
    assert truth == Truth(
        contact_id=call,
        kind="form",
        visitor_id=await known.visitor_of(session),
        session_id=None,
        known_at=max(NOON, NOON + later),
    )


async def test_a_form_says_nothing_of_a_number_its_visitor_never_saw(
    known: Known,
) -> None:
    elsewhere = await known.visit(NOON - HOUR, TWO)
    afterwards = await known.visit(NOON + HOUR, ONE)
    await known.call(NOON, ONE)
    await known.form(NOON + MINUTE, elsewhere)
    await known.form(NOON + HOUR + MINUTE, afterwards)

    assert await found(known) == Found(truths=(), contradicted=0)


async def test_another_phone_a_withheld_one_and_an_old_form_say_nothing(
    known: Known,
) -> None:
    session = await known.visit(NOON - HOUR, ONE)
    await known.call(NOON, ONE, caller=BORIS)
    await known.call(NOON + MINUTE, ONE, caller=None)
    await known.form(NOON + HOUR, session, phone=ANNA)
    await known.call(NOON + 2 * HOUR, ONE, caller="+79990000000")
    await known.form(NOON + 33 * DAY, session, phone="+79990000000")

    assert await told(known) == []


async def test_a_form_without_a_session_or_with_no_phone_says_nothing(
    known: Known,
) -> None:
    session = await known.visit(NOON - MINUTE, ONE)
    await known.call(NOON, ONE)
    await known.form(NOON + MINUTE, None)
    await known.form(NOON + MINUTE, session, phone=None)

    assert await told(known) == []


async def test_forms_of_two_visitors_with_one_phone_contradict_each_other(
    known: Known,
) -> None:
    first = await known.visit(NOON - 2 * HOUR, ONE)
    second = await known.visit(NOON - HOUR, ONE)
    await known.call(NOON, ONE)
    await known.form(NOON + HOUR, first)
    await known.form(NOON + 2 * HOUR, second)

    assert await found(known) == Found(truths=(), contradicted=1)


# Tests --------------------------------------------------------------------------------


async def test_a_planned_test_call_names_its_session_whoever_held_the_number(
    known: Known,
) -> None:
    await known.visit(NOON - MINUTE, ONE)
    session = await known.visit(NOON, ONE, test=True)
    call = await known.call(NOON + 3 * MINUTE, ONE)

    assert await told(known) == [(call, "test", session)]


async def test_a_call_long_after_the_test_or_to_another_number_is_not_the_testers(
    known: Known,
) -> None:
    await known.visit(NOON, ONE, test=True)
    await known.call(NOON + 10 * MINUTE, ONE)
    await known.call(NOON + MINUTE, TWO)
    await known.call(NOON - MINUTE, ONE)

    assert await told(known) == []


async def test_two_phones_in_one_test_are_both_left_out(known: Known) -> None:
    await known.visit(NOON, ONE, test=True)
    await known.call(NOON + MINUTE, ONE, caller=ANNA)
    await known.call(NOON + 2 * MINUTE, ONE, caller=BORIS)

    assert await found(known) == Found(truths=(), contradicted=2)


async def test_a_tester_may_redial(known: Known) -> None:
    session = await known.visit(NOON, ONE, test=True)
    calls = {await known.call(NOON + n * MINUTE, ONE) for n in (1, 3)}

    assert set(await told(known)) == {(call, "test", session) for call in calls}


# All of them ---------------------------------------------------------------------------


async def test_kinds_that_agree_are_one_truth_of_the_strongest_kind(
    known: Known,
) -> None:
    session = await known.visit(NOON, ONE, clicked=NOON + MINUTE, test=True)
    call = await known.call(NOON + MINUTE + 5 * SECOND, ONE)
    await known.form(NOON + HOUR, session)

    assert await told(known) == [(call, "test", session)]
    assert (await found(known)).truths[0].known_at == NOON + MINUTE + 5 * SECOND


async def test_a_form_and_a_test_that_disagree_are_left_out(known: Known) -> None:
    other = await known.visit(NOON - HOUR, ONE)
    await known.visit(NOON, ONE, test=True)
    await known.call(NOON + MINUTE, ONE)
    await known.form(NOON + HOUR, other)

    assert await found(known) == Found(truths=(), contradicted=1)


async def test_spam_is_left_out_and_so_are_other_pools_and_periods(
    known: Known,
) -> None:
    await known.visit(NOON, ONE, test=True)
    call = await known.call(NOON + MINUTE, ONE)
    (pool,) = known.site.pools

    assert len((await found(known, pool.id)).truths) == 1
    assert (await found(known, pool.id + 1)).truths == ()
    before = await truths.of_calls(
        known.db, known.site.id, since=NOON - DAY, until=NOON + MINUTE
    )
    assert before.truths == ()
    await known.db.execute("UPDATE contacts SET excluded = 'spam' WHERE id = $1", call)
    assert (await found(known)).truths == ()
