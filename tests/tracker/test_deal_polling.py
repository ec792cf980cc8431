from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp

from tests.conftest import NOON
from tests.fakes.bitrix24 import Portal, error
from tests.tracker.owing import HOUR, MINUTE, House
from tracker import connection_states, deal_polling
from tracker.destinations.wire import Paces


def crm(portal: Portal, **settings: Any) -> dict[str, Any]:
    return {
        "kind": "bitrix24",
        "url": portal.hook,
        "requests_per_second": 50.0,
        **settings,
    }


def item(id_: int, **fields: Any) -> dict[str, Any]:
    """A deal as `crm.item.list` gives it."""
    return {
        "id": id_,
        "title": f"Kitchen {id_}",
        "stageId": "C9:NEW",
        "stageSemanticId": "P",
        "opportunity": 15900.5,
        "currencyId": "RUB",
        "assignedById": 7,
        "contactId": 0,
        "leadId": None,
        "originatorId": None,
        "originId": None,
        "createdTime": "2026-11-01T15:00:00+03:00",
        "updatedTime": "2026-11-02T14:00:00+03:00",
        "movedTime": "2026-11-02T14:00:00+03:00",
        **fields,
    }


async def poll(house: House, http: aiohttp.ClientSession, at: Any = NOON) -> None:
    await deal_polling.poll_due(house.pool, house.directory, http, Paces(), at=at)


async def test_a_won_deal_comes_back_to_the_lead_it_grew_from(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal, entity="deal"))
        made = await house.contact()
        await house.carry(NOON)
        portal.users["7"] = {"ID": "7", "NAME": "Olga", "LAST_NAME": "Petrova"}
        portal.items.append(
            item(
                int(portal.deals[0]["ID"]),
                stageId="C9:WON",
                stageSemanticId="S",
                movedTime="2026-11-02T14:30:00+03:00",
            )
        )
        await poll(house, http)

    row = await house.pool.fetchrow("SELECT * FROM deals")
    assert row is not None
    assert (row["crm"], row["state"], row["stage"]) == ("crm", "won", "C9:WON")
    assert (row["amount"], row["currency"]) == (Decimal("15900.50"), "RUB")
    assert (row["lead_id"], row["person_id"]) == (made.lead, made.person)
    assert row["manager"] == "Olga Petrova"
    assert row["closed_at"] == NOON - timedelta(minutes=30)
    assert row["opened_at"] == NOON - 24 * HOUR


async def test_a_deal_made_from_our_lead_there_is_known_by_that_lead(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        made = await house.contact()
        await house.carry(NOON)
        portal.items.append(item(501, leadId=int(portal.leads[0]["ID"])))
        await poll(house, http)

    assert await house.pool.fetchval("SELECT lead_id FROM deals") == made.lead


async def test_our_mark_on_a_deal_names_the_lead_unless_it_is_none_of_ours(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        made = await house.contact(owe=False)
        ours = {"originatorId": "skvoz", "originId": str(made.lead)}
        strange = {"originatorId": "skvoz", "originId": str(made.person)}
        broken = {"originatorId": "skvoz", "originId": "?"}
        portal.items += [item(1, **ours), item(2, **strange), item(3, **broken)]
        await poll(house, http)

    rows = await house.pool.fetch("SELECT lead_id FROM deals ORDER BY crm_id")
    assert [row["lead_id"] for row in rows] == [made.lead, None, None]


async def test_a_deal_of_a_known_phone_belongs_to_that_person(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        made = await house.contact(owe=False, at=NOON - 48 * HOUR)
        phone = [{"VALUE": "8 (916) 123-45-67", "VALUE_TYPE": "WORK"}]
        card = portal.add("contact", PHONE=phone)
        portal.items.append(item(1, contactId=int(card)))
        await poll(house, http)

    row = await house.pool.fetchrow("SELECT person_id, lead_id FROM deals")
    assert row is not None
    assert (row["person_id"], row["lead_id"]) == (made.person, made.lead)


async def test_all_pages_are_read_and_later_only_what_changed(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        portal.items += [item(n) for n in range(1, 121)]
        await poll(house, http)
        assert await house.pool.fetchval("SELECT count(*) FROM deals") == 120
        assert portal.methods.count("crm.item.list") == 3

        portal.calls.clear()
        await poll(house, http, NOON + 5 * MINUTE)  # not yet its turn
        assert portal.calls == []
        await poll(house, http, NOON + 10 * MINUTE)

    [(_, asked)] = portal.calls
    since = asked["filter"][">=updatedTime"]
    assert since == (NOON - 10 * MINUTE).isoformat()
    assert asked["start"] == -1


async def test_a_failed_poll_is_repeated_over_the_same_period(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        portal.items.append(item(1))
        portal.fail(error("QUERY_LIMIT_EXCEEDED", 503))
        await poll(house, http)
        assert await house.pool.fetchval("SELECT count(*) FROM deals") == 0
        await poll(house, http, NOON + 10 * MINUTE)

    assert await house.pool.fetchval("SELECT count(*) FROM deals") == 1


async def test_missing_rights_to_read_deals_are_a_fault_until_they_are_given(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        portal.fail(error("insufficient_scope", 403))
        await poll(house, http)
        place = house.site_id, house.destination("crm")
        state = await connection_states.find(house.pool, *place)
        assert state.fault == (
            "deals cannot be read: crm.item.list: INSUFFICIENT_SCOPE: insufficient_scope"
        )
        await poll(house, http, NOON + 10 * MINUTE)

    assert (await connection_states.find(house.pool, *place)).fault is None


async def test_odd_rows_neither_stop_the_rest_nor_bring_odd_values(
    house: House, http: aiohttp.ClientSession
):
    odd = {"opportunity": "NaN", "currencyId": "roubles", "createdTime": "soon"}
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        portal.items += [
            item(1, **odd, stageSemanticId=None, stageId="C2:LOSE"),
            item(2, opportunity="-5"),
        ]
        await poll(house, http)

    rows = await house.pool.fetch("SELECT * FROM deals ORDER BY crm_id")
    assert [row["amount"] for row in rows] == [0, 0]
    assert [row["currency"] for row in rows] == ["RUB", "RUB"]
    assert rows[0]["state"] == "lost"


async def test_a_portal_whose_deals_are_not_wanted_is_not_asked(
    house: House, http: aiohttp.ClientSession
):
    async with Portal() as portal:
        await house.open(crm=crm(portal, poll_deals=False))
        await poll(house, http)

    assert portal.calls == []
