from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.conftest import NOON
from tests.tracker.reports.history import make_site
from tracker import costs, source_rows, sources
from tracker.costs import Cost
from tracker.errors import BadInput

DAY = timedelta(days=1)
TODAY = NOON.date()
YANDEX = sources.labelled(source="yandex", medium="cpc", campaign="kitchens")
GOOGLE = sources.labelled(source="google", medium="cpc")


@pytest.fixture
async def site(db):
    return await make_site(db)


def cost(amount: str, source=YANDEX, *, days: int = 0, **more) -> Cost:
    return Cost(day=TODAY - days * DAY, source=source, amount=Decimal(amount), **more)


async def kept(db) -> dict[tuple[date, str, str], Decimal]:
    rows = await db.fetch(
        "SELECT c.day, c.origin, s.source, s.campaign, c.amount FROM costs c "
        "JOIN sources s USING (site_id) WHERE s.id = c.source_id ORDER BY c.day"
    )
    return {
        ((TODAY - row["day"]).days, row["origin"], row["source"]): row["amount"]
        for row in rows
    }


async def test_an_import_repeated_changes_nothing(db, site) -> None:
    rows = [cost("10.5"), cost("2", GOOGLE), cost("3", days=1)]
    first = await costs.replace_days(db, site, rows)
    before = await kept(db)

    again = await costs.replace_days(db, site, rows)

    assert first == again
    assert (first.rows, first.days, first.amount) == (3, 2, Decimal("15.5"))
    assert (first.since, first.until) == (TODAY - DAY, TODAY)
    assert await kept(db) == before


async def test_an_import_replaces_its_own_days_and_no_others(db, site) -> None:
    await costs.replace_days(
        db, site, [cost("1"), cost("2", GOOGLE), cost("3", days=1)]
    )
    await costs.replace_days(db, site, [cost("70")], origin="direct")

    await costs.replace_days(db, site, [cost("9")])

    assert await kept(db) == {
        (0, "csv", "yandex"): Decimal(9),
        (1, "csv", "yandex"): Decimal(3),
        (0, "direct", "yandex"): Decimal(70),
    }


async def test_the_days_of_an_import_are_counted_anew(db, site) -> None:
    await costs.replace_days(db, site, [cost("1"), cost("1", days=4)])
    rows = await db.fetch("SELECT DISTINCT day FROM stale_days ORDER BY day")
    assert [row["day"] for row in rows] == [TODAY - 4 * DAY, TODAY]


async def test_a_foreign_currency_is_refused_with_a_remedy(db, site) -> None:
    with pytest.raises(BadInput, match="counts in RUB, not in USD: convert"):
        await costs.replace_days(db, site, [cost("1", currency="USD")])
    assert await kept(db) == {}


async def test_a_campaign_is_kept_under_the_label_that_the_links_carry(
    db, site
) -> None:
    by_id = sources.labelled(source="yandex", medium="cpc", campaign="12345")
    await source_rows.keep(db, site.id, [by_id])

    await costs.replace_days(
        db,
        site,
        [cost("1", campaign_id="12345"), cost("2", campaign_id="777", days=1)],
    )

    rows = await db.fetch("SELECT source_id FROM costs ORDER BY amount")
    assert [row["source_id"] for row in rows] == [
        source_rows.source_id(by_id),
        source_rows.source_id(YANDEX),
    ]


async def enter(db, site, amount: str = "1", **changes) -> None:
    told = {"source": "radio", "medium": "offline", "since": TODAY - 2 * DAY}
    told |= {"until": TODAY, "amount": Decimal(amount)} | changes
    await costs.spread(db, site, **told)


async def test_a_sum_for_a_period_is_spread_by_day_to_the_cent(db, site) -> None:
    await enter(db, site, "100")

    found = await kept(db)

    assert sorted(found.values()) == [Decimal(n) for n in ("33.33", "33.33", "33.34")]
    assert sum(found.values()) == 100


async def test_the_same_period_entered_again_is_a_correction(db, site) -> None:
    await enter(db, site, "100")
    await enter(db, site, "60")
    await enter(db, site, "7", since=TODAY)
    await enter(db, site, "5", source="tv")

    entries = {
        (one.source.source, one.since): one.amount
        for one in await costs.entries(db, site.id)
    }
    assert entries == {
        ("radio", TODAY - 2 * DAY): 60,
        ("radio", TODAY): 7,
        ("tv", TODAY - 2 * DAY): 5,
    }


async def test_nothing_for_a_period_takes_it_back(db, site) -> None:
    await enter(db, site, "100")
    await enter(db, site, "0")
    assert await kept(db) == {}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("amount", {"amount": "-1"}),
        ("amount", {"amount": "Infinity"}),
        ("until", {"until": TODAY - 9 * DAY}),
        ("since", {"since": date(1999, 1, 1)}),
        ("source", {"source": " "}),
        ("medium", {"medium": ""}),
    ],
)
async def test_what_cannot_be_entered_is_refused(db, site, field, change) -> None:
    with pytest.raises(BadInput) as caught:
        await enter(db, site, **change)
    assert caught.value.field == field
