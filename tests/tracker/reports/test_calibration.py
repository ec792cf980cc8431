"""Weights against truths: which answers were right, of which pool and month."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from numberpool import calibration
from tests.make import DAY, HOUR, NOON, number, site
from tests.tracker.known import BORIS, MINUTE, SECOND, Known
from tracker import db as database
from tracker import truths
from tracker.errors import BadInput
from tracker.reports import calibration as report

TODAY = date(2026, 11, 22)
ONE, TWO = number(1), number(2)
NOVEMBER = {"since": date(2026, 11, 1), "until": date(2026, 11, 30)}


@pytest.fixture
async def known(pool: database.Pool) -> Known:
    return Known(pool, await site(pool, numbers=2))


def truth(visitor: UUID, session: UUID | None = None) -> truths.Truth:
    return truths.Truth(
        contact_id=uuid4(),
        kind="form",
        visitor_id=visitor,
        session_id=session,
        known_at=NOON,
    )


def compared(told: truths.Truth, *answer: object) -> calibration.Checked:
    fields = ("session_id", "visitor_id", "weight", "none")
    one = report.Answer(**dict(zip(fields, answer, strict=True)))
    return report.compare([told], {told.contact_id: one})[0]


def test_any_session_of_a_forms_visitor_is_right() -> None:
    anna, boris = uuid4(), uuid4()

    assert compared(truth(anna), uuid4(), anna, 0.7, 0.1) == (0.7, True, False)
    assert compared(truth(anna), uuid4(), boris, 0.7, 0.1) == (0.7, False, False)


def test_a_click_or_a_test_names_one_session() -> None:
    anna, session = uuid4(), uuid4()

    assert compared(truth(anna, session), session, anna, 0.7, 0.1) == (0.7, True, False)
    assert compared(truth(anna, session), uuid4(), anna, 0.7, 0.1) == (
        0.7,
        False,
        False,
    )


def test_none_of_them_is_an_answer_too_and_a_wrong_one() -> None:
    anna = uuid4()

    assert compared(truth(anna), uuid4(), anna, 0.3, 0.6) == (0.6, False, True)
    assert compared(truth(anna), None, None, 0.0, 1.0) == (1.0, False, True)


async def test_the_current_answers_are_checked_as_they_were_stored(
    known: Known,
) -> None:
    await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    right = await known.call(NOON + MINUTE + 5 * SECOND, ONE)
    lost = await known.visit(NOON + HOUR, TWO)
    await known.visit(NOON + HOUR + 2 * MINUTE, TWO, stay=10 * MINUTE)
    wrong = await known.call(NOON + HOUR + 4 * MINUTE, TWO, caller=BORIS)
    await known.form(NOON + 2 * HOUR, lost, phone=BORIS)
    await known.call(NOON + 3 * HOUR, ONE, caller="+79990000000")  # nobody knows whose
    sure = dict(
        await known.db.fetch("SELECT id, certainty FROM contacts WHERE kind = 'call'")
    )

    found = await report.check(known.db, known.site, **NOVEMBER)

    assert (found.calls, found.checked.calls, found.checked.right) == (3, 2, 1)
    assert found.kinds == {"test": 0, "click": 1, "form": 1}
    assert found.checked.mean_weight == pytest.approx((sure[right] + sure[wrong]) / 2)
    assert found.mean_certainty == pytest.approx(sum(sure.values()) / 3)


async def test_a_new_rules_answer_is_checked_in_place_of_the_old_one(
    known: Known,
) -> None:
    await known.visit(NOON, ONE, clicked=NOON + MINUTE)
    call = await known.call(NOON + MINUTE + 5 * SECOND, ONE)
    await known.db.execute(
        "INSERT INTO attributions (site_id, contact_id, rule, n, session_id, source_id, weight) "
        "SELECT site_id, contact_id, 'pool-posterior/9', 0, $2, source_id, 0.55 "
        "FROM attributions WHERE contact_id = $1 AND n = 0",
        call,
        uuid4(),
    )
    await known.db.execute("UPDATE contacts SET rule = 'pool-posterior/9'")

    found = await report.check(known.db, known.site, **NOVEMBER)

    assert found.checked.mean_weight == 0.55
    assert found.checked.right == 0


async def test_days_are_the_sites_and_pools_are_apart(known: Known) -> None:
    late = NOON.replace(month=10, day=31, hour=21, minute=1)  # November in Moscow
    await known.visit(late, ONE, test=True)
    await known.call(late + MINUTE, ONE)
    (pool,) = known.site.pools
    october = {"since": date(2026, 10, 1), "until": date(2026, 10, 31)}

    assert (await report.check(known.db, known.site, **NOVEMBER)).checked.calls == 1
    assert (await report.check(known.db, known.site, **october)).checked.calls == 0
    other = await report.check(known.db, known.site, **NOVEMBER, pool_id=pool.id + 1)
    assert (other.calls, other.mean_certainty, other.checked.calls) == (0, None, 0)


async def test_a_pool_with_over_two_hundred_visits_a_day_and_number_is_too_small(
    known: Known,
) -> None:
    (pool,) = known.site.pools
    for hour in range(24):
        await known.visit(NOON - DAY + hour * HOUR, ONE)
    await known.db.execute(
        "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, source_id, "
        "device, last_sign_at) SELECT site_id, $1, since + n * interval '1 ms', "
        "gen_random_uuid(), visitor_id, pool_id, source_id, device, last_sign_at "
        "FROM leases, generate_series(1, 16) AS n",
        TWO,
    )

    full = await report.crowd(known.db, known.site.id, pool, at=NOON)
    quiet = await report.crowd(known.db, known.site.id, pool, at=NOON - 2 * DAY)

    assert full.visits == pytest.approx(24 * 17 / 2)
    assert full.too_small
    assert not quiet.too_small


def test_months_go_back_a_year_from_the_running_one() -> None:
    months = report.months(TODAY)

    assert (months[0], months[1], months[-1]) == ("2026-11", "2026-10", "2025-12")
    assert report.days("2026-11", TODAY) == (date(2026, 11, 1), date(2026, 11, 30))
    assert report.days("2024-02", TODAY) == (date(2024, 2, 1), date(2024, 2, 29))
    assert report.days("year", TODAY) == (date(2025, 12, 1), TODAY)


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-11-01", "1999-01", "x"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(BadInput, match="month"):
        report.days(month, TODAY)
