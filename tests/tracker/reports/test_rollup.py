import asyncio
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.conftest import NOON
from tests.tracker.reports import history as histories
from tests.tracker.reports.history import DIRECT, GOOGLE, SEARCH, YANDEX, History
from tracker import db as database
from tracker import source_rows, stale
from tracker.errors import UnknownAddress
from tracker.reports import refreshing, rollup
from tracker.sites import Site

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TODAY = NOON.date()  # noon in UTC is the same day in Moscow


async def test_a_call_shared_by_two_sources_counts_in_parts_and_the_rest_is_unknown(
    db: database.Connection, history: History
) -> None:
    contact = await history.contact(NOON, [(YANDEX, 0.6), (GOOGLE, 0.3)])
    await history.lead(contact)

    await rollup.rebuild_day(db, history.site.id, TODAY)

    rows = await history.stored()
    assert {source: row["calls"] for (_, source), row in rows.items()} == {
        source_rows.source_id(YANDEX): 0.6,
        source_rows.source_id(GOOGLE): 0.3,
        source_rows.UNKNOWN: 0.1,
    }
    assert sum(row["leads"] for row in rows.values()) == pytest.approx(1)


async def test_what_is_excluded_or_a_test_is_in_no_figure(
    db: database.Connection, history: History
) -> None:
    spam = await history.contact(NOON, [(YANDEX, 1.0)], excluded="spam")
    await history.lead(spam)
    await history.visit(NOON, YANDEX, test=True)

    await rollup.rebuild_day(db, history.site.id, TODAY)

    assert await history.stored() == {}


async def test_a_call_is_missed_only_when_it_ended_without_an_answer(
    db: database.Connection, history: History
) -> None:
    for outcome in ("answered", "missed", "busy", None):
        await history.contact(NOON, [(YANDEX, 1.0)], outcome=outcome)

    await rollup.rebuild_day(db, history.site.id, TODAY)

    row = (await history.stored())[TODAY, source_rows.source_id(YANDEX)]
    assert (row["calls"], row["missed"]) == (4, 2)


async def test_a_deal_pays_the_source_of_its_leads_first_contact_on_the_day_it_is_won(
    db: database.Connection, history: History
) -> None:
    contact = await history.contact(NOON - 3 * DAY, [(YANDEX, 0.5), (SEARCH, 0.5)])
    lead = await history.lead(contact)
    await history.deal(NOON, "1000.01", lead=lead)
    await history.deal(NOON, "70", lead=None)
    await history.deal(NOON, "99", lead=lead, currency="USD")
    await history.deal(NOON, "5000", lead=lead, state="lost")

    await rollup.rebuild_day(db, history.site.id, TODAY)

    rows = await history.stored()
    money = {
        source: (row["deals"], row["revenue"]) for (_, source), row in rows.items()
    }
    assert money[source_rows.UNKNOWN] == (1, Decimal("70.00"))
    assert money[source_rows.source_id(YANDEX)][0] == 1  # half of two deals
    whole = await db.fetchval("SELECT sum(revenue) FROM daily")
    assert whole == Decimal("1070.01")


async def test_days_begin_at_the_sites_own_midnight(
    db: database.Connection, history: History
) -> None:
    midnight = datetime(2026, 11, 1, 21, tzinfo=UTC)  # in Moscow
    await history.visit(midnight - timedelta(milliseconds=1), YANDEX)
    await history.visit(midnight, YANDEX)

    await rollup.rebuild(db, history.site.id, date(2026, 11, 1), date(2026, 11, 2))

    assert {
        day: row["visits"] for (day, _), row in (await history.stored()).items()
    } == {
        date(2026, 11, 1): 1,
        date(2026, 11, 2): 1,
    }


async def test_a_day_with_a_change_of_clocks_loses_no_visit(
    db: database.Connection,
) -> None:
    site = await histories.make_site(db, key="berlin", timezone="Europe/Berlin")
    history = History(db, site)
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    for hour in range(25):  # 25 October 2026 has 25 hours there
        await history.visit(start + hour * HOUR, SEARCH)

    await rollup.rebuild(db, site.id, date(2026, 10, 24), date(2026, 10, 26))

    assert {
        day: row["visits"] for (day, _), row in (await history.stored()).items()
    } == {date(2026, 10, 25): 25}


async def test_an_unknown_site_has_no_days(db: database.Connection) -> None:
    with pytest.raises(UnknownAddress):
        await rollup.rebuild_day(db, 404, TODAY)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_was_kept_up_to_date_equals_what_is_counted_from_the_rows(
    pool: database.Pool, db: database.Connection, history: History, seed: int
) -> None:
    chance = random.Random(seed)
    refresher = refreshing.Refresher(pool)
    at = NOON - 4 * DAY
    while at < NOON:
        await _something(chance, history, at)
        if chance.random() < 0.15:
            await refresher.refresh(at=at)
        at += timedelta(minutes=chance.randint(1, 90))
    await refreshing.refresh(pool, at=NOON)

    kept = await history.stored()

    assert kept == history.expected()
    assert len(kept) > 15
    await db.execute("DELETE FROM daily")
    await rollup.rebuild(db, history.site.id, (NOON - 10 * DAY).date(), TODAY + DAY)
    assert await history.stored() == kept


async def _something(chance: random.Random, history: History, at: datetime) -> None:
    """One thing that may happen at a site."""
    pick = [YANDEX, GOOGLE, SEARCH, DIRECT]
    past = at - timedelta(minutes=chance.randint(0, 2000))
    what = chance.choice(["visit", "visit", "contact", "deal", "cost"])
    if what == "visit":
        await history.visit(at, chance.choice(pick), test=chance.random() < 0.1)
    elif what == "contact":
        weights = chance.choice([(), (1.0,), (0.7, 0.3), (0.25, 0.25, 0.125)])
        contact = await history.contact(
            past,
            list(zip(chance.sample(pick, len(weights)), weights, strict=True)),
            kind=chance.choice(["call", "email", "form", "message"]),
            outcome=chance.choice(["answered", "missed", None]),
            excluded=chance.choice([None, None, None, "spam"]),
        )
        if chance.random() < 0.6:
            await history.lead(contact)
    elif what == "deal":
        await history.deal(
            past,
            str(chance.randint(1, 100) * 1000),
            lead=chance.choice([None, *history.leads]),
            state=chance.choice(["won", "won", "lost", "open"]),
            currency=chance.choice(["RUB", "RUB", "EUR"]),
        )
    else:
        await history.cost(past.date(), chance.choice(pick), str(chance.randint(1, 9)))


async def test_visits_of_the_running_day_are_counted_and_the_day_is_closed_after_midnight(
    pool: database.Pool, history: History
) -> None:
    refresher = refreshing.Refresher(pool)
    await history.visit(NOON, YANDEX)
    assert await refresher.refresh(at=NOON) == 1
    assert await refresher.refresh(at=NOON) == 0  # nothing new
    late = datetime(2026, 11, 2, 20, 59, 59, tzinfo=UTC)
    await history.visit(late, YANDEX)

    assert await refresher.refresh(at=late + 2 * HOUR) == 1

    assert await history.stored() == history.expected()
    assert await pool.fetchval("SELECT count(*) FROM stale_days") == 0


async def test_a_visit_of_the_last_second_is_found_after_midnight(
    pool: database.Pool, history: History
) -> None:
    refresher = refreshing.Refresher(pool)
    late = datetime(2026, 11, 2, 20, 59, 59, tzinfo=UTC)
    await refresher.refresh(at=late)
    await history.visit(late, YANDEX)

    await refresher.refresh(at=late + timedelta(seconds=5))

    assert await history.stored() == history.expected()


async def test_days_without_a_worker_are_counted_when_one_comes_back(
    pool: database.Pool, history: History
) -> None:
    await history.visit(NOON - 6 * DAY, YANDEX)
    await refreshing.refresh(pool, at=NOON - 6 * DAY)
    for days in (5, 4, 2):
        await history.visit(NOON - days * DAY, SEARCH)
    await history.contact(NOON - 2 * DAY, [(YANDEX, 1.0)])

    await refreshing.refresh(pool, at=NOON)

    assert await history.stored() == history.expected()


async def test_a_change_that_is_written_while_the_day_is_counted_is_not_lost(
    pool: database.Pool, history: History, site: Site
) -> None:
    await stale.mark(pool, site, NOON - 3 * DAY)
    async with pool.acquire() as other:
        writing = other.transaction()
        await writing.start()
        late = History(other, site)
        await late.contact(NOON - 3 * DAY, [(YANDEX, 1.0)])

        assert await refreshing.refresh(pool, at=NOON) == 1  # nobody waits for anybody
        await writing.commit()

    assert await pool.fetchval("SELECT count(*) FROM stale_days") == 1
    assert await refreshing.refresh(pool, at=NOON) == 1
    assert await history.stored() == late.expected()


async def test_two_who_change_the_same_day_do_not_wait_for_each_other(
    pool: database.Pool, site: Site
) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        first = one.transaction()
        await first.start()
        await stale.mark(one, site, NOON)
        await asyncio.wait_for(stale.mark(other, site, NOON), 5)
        await first.rollback()


async def test_a_day_rests_after_it_was_counted(
    pool: database.Pool, history: History
) -> None:
    refresher = refreshing.Refresher(pool)
    await history.contact(NOON, [(YANDEX, 1.0)])
    assert await refresher.refresh(at=NOON) == 1
    await history.contact(NOON, [(YANDEX, 1.0)])

    assert await refresher.refresh(at=NOON) == 0
    assert await pool.fetchval("SELECT count(*) FROM stale_days") == 2  # it will be
