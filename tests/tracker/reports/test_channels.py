from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.conftest import NOON
from tests.tracker.reports.history import (
    DIRECT,
    GOOGLE,
    YANDEX,
    YANDEX_DOORS,
    History,
)
from tracker import db as database
from tracker import sources
from tracker.errors import BadInput
from tracker.reports import channels, rollup

DAY = timedelta(days=1)
TODAY = NOON.date()
WEEK = {"since": TODAY - 6 * DAY, "until": TODAY}


async def count(history: History) -> None:
    """Make the daily rows of all that was written."""
    await rollup.rebuild(history.db, history.site.id, TODAY - 20 * DAY, TODAY)


async def report(history: History, **changes: object) -> channels.Report:
    return await channels.table(history.db, history.site, **{**WEEK, **changes})


async def test_every_figure_follows_its_formula(history: History) -> None:
    for _ in range(40):
        await history.visit(NOON, YANDEX)
    for _ in range(3):
        await history.contact(NOON, [(YANDEX, 1.0)])
    contact = await history.contact(NOON, [(YANDEX, 1.0)], kind="form")
    lead = await history.lead(contact)
    await history.lead(await history.contact(NOON, [(YANDEX, 1.0)], kind="email"))
    await history.deal(NOON, "3000", lead=lead)
    await history.cost(TODAY, YANDEX, "1000")
    await count(history)

    (row,) = (await report(history)).rows

    assert row.channel == "paid_search"
    assert row.now == channels.Figures(
        visits=40,
        calls=3,
        forms=1,
        emails=1,
        leads=2,
        deals=1,
        revenue=Decimal(3000),
        cost=Decimal(1000),
    )
    assert row.now.contacts == 5
    assert row.now.cpl == Decimal(500)
    assert row.now.cpo == Decimal(1000)
    assert row.now.cr == 0.125
    assert row.now.cr_deal == 0.5
    assert row.now.romi == 2.0
    assert row.now.roas == 3.0


def test_a_ratio_without_a_divisor_is_none() -> None:
    none = channels.Figures(revenue=Decimal(5))
    assert [none.cpl, none.cpo, none.cr, none.cr_deal, none.romi, none.roas] == [
        None
    ] * 6


def test_every_metric_has_its_formula() -> None:
    fields = {name for name in dir(channels.Figures) if not name.startswith("_")}
    assert fields == set(channels.FORMULAS)


async def test_the_period_before_is_as_long_and_ends_the_day_before(
    history: History,
) -> None:
    for days, times in ((0, 1), (6, 2), (7, 3), (13, 4), (14, 5)):
        for _ in range(times):
            await history.visit(NOON - days * DAY, YANDEX)
    await count(history)

    found = await report(history)

    assert (found.before_since, found.before_until) == (
        TODAY - 13 * DAY,
        TODAY - 7 * DAY,
    )
    assert (found.total.now.visits, found.total.before.visits) == (3, 7)
    assert (found.rows[0].now.visits, found.rows[0].before.visits) == (3, 7)


async def test_a_row_that_is_gone_now_is_still_compared(history: History) -> None:
    await history.visit(NOON - 9 * DAY, YANDEX)
    await history.visit(NOON, DIRECT)
    await count(history)

    rows = {row.key.split("\x1f")[0]: row for row in (await report(history)).rows}

    assert rows["paid_search"].now == channels.NOTHING
    assert rows["paid_search"].before.visits == 1
    assert rows["direct"].now.visits == 1


async def test_channels_open_into_sources_and_sources_into_campaigns(
    history: History,
) -> None:
    other = sources.labelled(
        source="Yandex", medium="cpc", campaign="KITCHENS", term="x"
    )
    for source in (YANDEX, YANDEX_DOORS, GOOGLE, DIRECT, other):
        await history.contact(NOON, [(source, 1.0)])
    await count(history)

    top = await report(history)
    inner = await report(history, level="source", channel="paid_search")
    leaf = await report(
        history, level="campaign", channel="paid_search", source="YANDEX"
    )

    assert [(row.channel, row.now.calls) for row in top.rows] == [
        ("paid_search", 4),
        ("direct", 1),
    ]
    assert [(row.source.lower(), row.now.calls) for row in inner.rows] == [
        ("yandex", 3),
        ("google", 1),
    ]
    assert [(row.campaign.lower(), row.now.calls) for row in leaf.rows] == [
        ("kitchens", 2),
        ("doors", 1),
    ]


async def test_what_has_no_source_is_a_row_of_its_own(history: History) -> None:
    await history.contact(NOON, [(YANDEX, 0.75)])
    await count(history)

    found = await report(history)

    assert [(row.channel, row.now.calls) for row in found.rows] == [
        ("paid_search", 0.75),
        ("unknown", 0.25),
    ]
    assert found.total.now.calls == 1
    only = await report(history, channel="unknown", level="source")
    assert [row.now.calls for row in only.rows] == [0.25]


async def test_rows_beyond_the_limit_are_one_row_and_the_total_has_them_all(
    history: History,
) -> None:
    for n in range(6):
        source = sources.labelled(source="yandex", medium="cpc", campaign=f"c{n}")
        for _ in range(n + 1):
            await history.contact(NOON, [(source, 1.0)])
    await count(history)

    found = await report(history, level="campaign", most=2)

    assert [row.campaign for row in found.rows] == ["c5", "c4"]
    assert found.rest is not None
    assert found.rest.now.calls == 1 + 2 + 3 + 4
    assert found.total.now.calls == 21


async def test_money_in_another_currency_is_told_beside_the_revenue(
    history: History,
) -> None:
    await history.deal(NOON, "10")
    await history.deal(NOON, "7", currency="USD")
    await history.deal(NOON - 30 * DAY, "8", currency="USD")
    await count(history)

    found = await report(history)

    assert found.total.now.deals == 2
    assert found.total.now.revenue == 10
    assert found.foreign == {"USD": Decimal(7)}


async def test_the_chart_has_every_day_and_adds_up_to_the_table(
    history: History,
) -> None:
    await history.visit(NOON, YANDEX)
    await history.visit(NOON - 2 * DAY, YANDEX)
    await history.visit(NOON - 2 * DAY, DIRECT)
    await count(history)

    days = await channels.by_day(history.db, history.site, **WEEK)
    paid = await channels.by_day(
        history.db, history.site, **WEEK, channel="paid_search", source="Yandex"
    )

    assert [one.figures.visits for one in days] == [0, 0, 0, 0, 2, 0, 1]
    assert [one.figures.visits for one in paid] == [0, 0, 0, 0, 1, 0, 1]
    assert days[0].day == TODAY - 6 * DAY


async def test_a_period_that_is_none_is_refused(
    db: database.Connection, history: History
) -> None:
    with pytest.raises(BadInput, match="until"):
        await channels.table(db, history.site, since=TODAY, until=TODAY - DAY)
    with pytest.raises(BadInput, match="ten years"):
        await channels.by_day(db, history.site, since=date(1, 1, 1), until=TODAY)
