import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from tests.conftest import NOON
from tests.tracker.reports.history import make_site
from tracker import db as database
from tracker import deals, ids, people, remote_ids
from tracker.deals import Deal
from tracker.errors import BadInput
from tracker.sites import Connection, Site

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = "+79161234567"


@pytest.fixture
async def site(db: database.Connection) -> Site:
    made = await make_site(db)
    crm = Connection(
        site_id=made.id,
        id=7,
        role="destination",
        name="crm",
        kind="webhook",
        key="k7",
        settings={"url": "https://crm.acme.example/hook", "secret": "whsec_c2VjcmV0"},
    )
    return replace(made, connections=(crm,))


async def open_lead(db: database.Connection, site: Site, phone: str, at=NOON) -> UUID:
    """A lead of the person with this phone."""
    contact = ids.natural(site.id, "contact", phone, str(at))
    async with db.transaction():
        person = await people.find_or_make(
            db, site.id, phones=[phone], seed=contact, at=at
        )
    await db.execute(
        "INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at, "
        "first_contact_id) VALUES ($1, $2, $3, $4, $4, $2)",
        site.id,
        contact,
        person,
        at,
    )
    return contact


async def tell(db, site, *, crm="api", at=NOON + HOUR, **told) -> deals.Upserted:
    told = {"crm_id": "17", "state": "open"} | told
    return await deals.upsert(db, site, Deal(**told), crm=crm, at=at)


async def events(db: database.Connection) -> list[str]:
    rows = await db.fetch("SELECT event FROM deliveries ORDER BY seq")
    return [row["event"] for row in rows]


async def lead_state(db: database.Connection, lead: UUID) -> str:
    return await db.fetchval("SELECT state FROM leads WHERE id = $1", lead)


async def test_a_deal_told_twice_is_one_deal_and_one_delivery(db, site) -> None:
    told = {"phones": [ANNA], "amount": Decimal("10.5"), "title": "Kitchen"}
    first = await tell(db, site, **told)
    again = await tell(db, site, **told, at=NOON + 2 * HOUR)

    assert (first.created, first.changed) == (True, True)
    assert again == deals.Upserted(id=first.id, created=False, changed=False)
    assert await db.fetchval("SELECT count(*) FROM deals") == 1
    assert await events(db) == ["deal.created"]


async def test_two_tellings_at_once_make_one_deal(pool, db, site) -> None:
    async def one() -> deals.Upserted:
        async with pool.acquire() as connection:
            return await tell(connection, site, phones=[ANNA])

    answers = await asyncio.gather(*(one() for _ in range(5)))

    assert [answer.created for answer in answers].count(True) == 1
    assert await events(db) == ["deal.created"]


async def test_a_deal_finds_its_lead_by_the_persons_phone(db, site) -> None:
    old = await open_lead(db, site, ANNA, NOON - 20 * DAY)
    lead = await open_lead(db, site, ANNA, NOON)
    await open_lead(db, site, ANNA, NOON + 5 * DAY)

    done = await tell(db, site, phones=[ANNA], opened_at=NOON + HOUR)
    earlier = await tell(db, site, crm_id="2", phones=[ANNA], opened_at=NOON - 10 * DAY)

    row = await db.fetchrow("SELECT * FROM deals WHERE id = $1", done.id)
    assert row["lead_id"] == lead
    assert row["person_id"] == await db.fetchval("SELECT person_id FROM leads LIMIT 1")
    assert (
        await db.fetchval("SELECT lead_id FROM deals WHERE id = $1", earlier.id) == old
    )


async def test_a_deal_finds_its_lead_by_what_stands_for_it_in_the_crm(db, site) -> None:
    lead = await open_lead(db, site, ANNA)
    async with db.transaction():
        await remote_ids.keep(db, site.id, 7, {("lead", lead): "501"})

    done = await tell(db, site, crm="crm", remote_lead="501")
    other = await tell(db, site, crm="elsewhere", remote_lead="501")

    row = await db.fetchrow("SELECT * FROM deals WHERE id = $1", done.id)
    assert row["lead_id"] == lead
    assert row["person_id"] is not None
    assert (
        await db.fetchval("SELECT lead_id FROM deals WHERE id = $1", other.id) is None
    )


async def test_a_lead_that_is_not_there_is_refused(db, site) -> None:
    with pytest.raises(BadInput, match="lead"):
        await tell(db, site, lead_id=UUID(int=1))
    assert await db.fetchval("SELECT count(*) FROM deals") == 0


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("state", {"state": "maybe"}),
        ("amount", {"amount": Decimal(-1)}),
        ("amount", {"amount": Decimal("NaN")}),
        ("amount", {"amount": Decimal(10) ** 15}),
    ],
)
async def test_what_cannot_be_is_refused(db, site, field, told) -> None:
    with pytest.raises(BadInput) as caught:
        await tell(db, site, **told)
    assert caught.value.field == field


async def test_a_won_deal_closes_its_lead_and_is_told_on(db, site) -> None:
    lead = await open_lead(db, site, ANNA)
    await tell(db, site, lead_id=lead)
    await tell(db, site, state="won", amount=Decimal(5), closed_at=NOON + DAY)
    await tell(db, site, state="won", amount=Decimal(5), closed_at=NOON + DAY)

    row = await db.fetchrow("SELECT state, closed_at FROM leads")
    assert tuple(row) == ("won", NOON + DAY)
    assert await events(db) == ["deal.created", "deal.won"]


async def test_a_lead_with_another_open_deal_is_not_lost_with_the_first(
    db, site
) -> None:
    lead = await open_lead(db, site, ANNA)
    await tell(db, site, lead_id=lead)
    await tell(db, site, crm_id="18", lead_id=lead)

    await tell(db, site, state="lost")
    assert await lead_state(db, lead) == "open"
    await tell(db, site, crm_id="18", state="lost")
    assert await lead_state(db, lead) == "lost"
    await tell(db, site, crm_id="18", state="open")
    assert await lead_state(db, lead) == "open"


async def test_a_deal_that_is_new_and_won_is_told_as_both(db, site) -> None:
    await tell(db, site, state="won")
    assert await events(db) == ["deal.created", "deal.won"]


async def test_a_change_back_to_what_was_before_is_told_again(db, site) -> None:
    for stage, hour in (("new", 1), ("talk", 2), ("new", 3), ("talk", 4)):
        await tell(db, site, stage=stage, updated_at=NOON + hour * HOUR)
    assert await events(db) == ["deal.created", *["deal.updated"] * 3]


async def test_older_news_is_ignored(db, site) -> None:
    await tell(db, site, state="won", updated_at=NOON + HOUR)

    late = await tell(db, site, state="open", updated_at=NOON)

    assert late.changed is False
    assert await db.fetchval("SELECT state FROM deals") == "won"


async def test_what_is_not_told_stays_as_it_was(db, site) -> None:
    await tell(
        db, site, title="Kitchen", amount=Decimal(7), manager="Olga", phones=[ANNA]
    )
    before = await db.fetchrow("SELECT * FROM deals")

    await tell(db, site, state="won", at=NOON + 3 * HOUR)

    row = await db.fetchrow("SELECT * FROM deals")
    for name in ("title", "amount", "manager", "person_id", "opened_at", "currency"):
        assert row[name] == before[name], name
    assert row["closed_at"] == NOON + 3 * HOUR


async def test_the_days_it_was_and_is_won_on_and_its_leads_are_counted_anew(
    db, site
) -> None:
    lead = await open_lead(db, site, ANNA, NOON - 9 * DAY)
    await tell(db, site, lead_id=lead, state="won", closed_at=NOON)
    await db.execute("DELETE FROM stale_days")

    await tell(db, site, state="won", closed_at=NOON - DAY)

    rows = await db.fetch("SELECT DISTINCT day FROM stale_days ORDER BY day")
    today = NOON.date()
    assert [row["day"] for row in rows] == [today - 9 * DAY, today - DAY, today]


async def test_deals_are_listed_in_the_order_they_came(db, site) -> None:
    for n in range(4):
        await tell(db, site, crm_id=str(n), state="won" if n == 2 else "open")

    first = await deals.page(db, site.id, limit=3)
    rest = await deals.page(db, site.id, after=first[-1][0])
    won = await deals.page(db, site.id, state="won")

    assert [id_ for _, id_ in first + rest] == [
        deals.deal_id(site.id, "api", str(n)) for n in range(4)
    ]
    assert [id_ for _, id_ in won] == [deals.deal_id(site.id, "api", "2")]
