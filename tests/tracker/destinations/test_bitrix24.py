import json
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import NOON
from tests.fakes import Trouble
from tests.fakes.bitrix24 import Portal, error
from tests.tracker.owing import GOOGLE, HOUR, MINUTE, SECOND, House
from tracker import connection_states, destinations
from tracker.destinations import bitrix24_rest
from tracker.destinations.wire import Answer
from tracker.errors import BadInput

FAST = {"requests_per_second": 50.0}


def crm(portal: Portal, **settings: Any) -> dict[str, Any]:
    return {"kind": "bitrix24", "url": portal.hook, **FAST, **settings}


async def test_a_call_becomes_a_lead_at_once_and_an_activity_when_it_is_over(
    house: House,
):
    async with Portal() as portal:
        await house.open(crm=crm(portal, assigned_by_id=7))
        visit = await house.visit(ym_client_id="1734680388574908198")
        made = await house.contact((visit, 0.9), kind="call")
        await house.carry(NOON)
        [lead] = portal.leads
        assert portal.activities == []

        await house.end_call(made, talked=61, at=NOON + MINUTE)
        await house.carry(NOON + MINUTE)

    assert lead["TITLE"] == "Звонок +79161234567"
    assert lead["PHONE"] == [{"VALUE": "+79161234567", "VALUE_TYPE": "WORK"}]
    assert (lead["UTM_SOURCE"], lead["UTM_MEDIUM"]) == ("yandex", "cpc")
    assert lead["UTM_CAMPAIGN"] == "winter"
    assert (lead["SOURCE_ID"], lead["ASSIGNED_BY_ID"]) == ("CALL", 7)
    assert (lead["ORIGINATOR_ID"], lead["ORIGIN_ID"]) == ("skvoz", str(made.lead))
    trace = json.loads(lead["TRACE"])
    assert trace["url"] == "https://acme.example/kitchens"
    assert trace["device"]["isMobile"] is True
    assert trace["tags"]["list"]["utm_source"] == "yandex"
    assert trace["client"]["yaId"] == "1734680388574908198"
    assert trace["pages"]["list"][0][0] == "https://acme.example/kitchens"

    [activity] = portal.activities
    assert (activity["TYPE_ID"], activity["DIRECTION"]) == (2, 1)
    assert (activity["OWNER_TYPE_ID"], activity["OWNER_ID"]) == (1, lead["ID"])
    assert activity["COMMUNICATIONS"] == [
        {"VALUE": "+79161234567", "ENTITY_ID": lead["ID"], "ENTITY_TYPE_ID": 1}
    ]
    assert activity["COMPLETED"] == "Y"
    assert "61" in activity["DESCRIPTION"]
    assert "Olga" in activity["DESCRIPTION"]


async def test_a_request_to_be_called_back_has_the_portals_own_source(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        await house.contact()
        await house.pool.execute("UPDATE contacts SET channel = 'callback'")
        await house.carry(NOON)
        [lead] = portal.leads

    assert lead["SOURCE_ID"] == "CALLBACK"


async def test_a_missed_call_stays_open_so_that_somebody_calls_back(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        made = await house.contact(kind="call", owe=False)
        await house.end_call(made, talked=None, at=NOON + MINUTE)
        await house.carry(NOON + MINUTE)

    [activity] = portal.activities
    assert activity["COMPLETED"] == "N"
    assert activity["SUBJECT"] == "Пропущенный звонок +79161234567"


async def test_a_second_contact_of_a_lead_only_adds_to_it(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        first = await house.contact(kind="form")
        await house.carry(NOON)
        await house.contact(kind="email", like=first, at=NOON + HOUR, text="Hello!")
        await house.carry(NOON + HOUR)

    assert len(portal.leads) == 1
    assert [comment["ENTITY_ID"] for comment in portal.comments] == ["1", "1"]
    assert "Hello!" in portal.comments[1]["COMMENT"]


async def test_an_open_lead_of_the_same_phone_is_taken_up_instead_of_a_second_one(
    house: House,
):
    async with Portal() as portal:
        phone = [{"VALUE": "8 (916) 123-45-67", "VALUE_TYPE": "WORK"}]
        portal.add("lead", TITLE="By hand", PHONE=phone, STATUS_SEMANTIC_ID="F")
        by_hand = portal.add("lead", TITLE="By hand", PHONE=phone, COMMENTS="VIP")
        await house.open(crm=crm(portal))
        visit = await house.visit()
        made = await house.contact((visit, 0.9))
        await house.carry()

    assert len(portal.leads) == 2
    taken = portal.objects["lead"][by_hand]
    assert (taken["TITLE"], taken["COMMENTS"]) == ("By hand", "VIP")
    assert taken["UTM_SOURCE"] == "yandex"
    assert portal.traces[0]["ENTITIES"] == [{"TYPE": "LEAD", "ID": by_hand}]
    assert [comment["ENTITY_ID"] for comment in portal.comments] == [by_hand]
    row = await house.pool.fetchrow("SELECT local_id, remote_id FROM remote_ids WHERE kind = 'lead'")  # fmt: skip
    assert row is not None
    assert (row["local_id"], row["remote_id"]) == (made.lead, by_hand)


async def test_a_source_that_a_manager_has_set_is_left_alone(house: House):
    async with Portal() as portal:
        email = [{"VALUE": "ivan@client.example", "VALUE_TYPE": "WORK"}]
        id_ = portal.add("lead", EMAIL=email, UTM_SOURCE="expo")
        await house.open(crm=crm(portal))
        visit = await house.visit()
        await house.contact((visit, 0.9), kind="email", email="ivan@client.example", phone=None)  # fmt: skip
        await house.carry()

    assert portal.objects["lead"][id_]["UTM_SOURCE"] == "expo"


async def test_a_known_customers_new_lead_belongs_to_his_card(house: House):
    async with Portal() as portal:
        phone = [{"VALUE": "+79161234567", "VALUE_TYPE": "WORK"}]
        card = portal.add("contact", NAME="Ivan", PHONE=phone)
        await house.open(crm=crm(portal))
        await house.contact()
        await house.carry()

    [lead] = portal.leads
    assert lead["CONTACT_ID"] == card
    assert len(portal.contacts) == 1


async def test_deals_are_made_with_a_card_in_the_chosen_funnel(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal, entity="deal", category_id=9))
        visit = await house.visit()
        made = await house.contact((visit, 1.0), kind="call", owe=False)
        await house.end_call(made, at=NOON + MINUTE)
        await house.carry(NOON + MINUTE)

    [card], [deal], [activity] = portal.contacts, portal.deals, portal.activities
    assert card["NAME"] == "Ivan"
    assert card["PHONE"][0]["VALUE"] == "+79161234567"
    assert (deal["CONTACT_ID"], deal["CATEGORY_ID"]) == (card["ID"], 9)
    assert deal["UTM_SOURCE"] == "yandex"
    assert "PHONE" not in deal
    assert (activity["OWNER_TYPE_ID"], activity["OWNER_ID"]) == (2, deal["ID"])


async def test_an_open_deal_of_the_customer_is_taken_up(house: House):
    async with Portal() as portal:
        phone = [{"VALUE": "+79161234567", "VALUE_TYPE": "WORK"}]
        card = portal.add("contact", PHONE=phone)
        portal.add("deal", CONTACT_ID=card, CATEGORY_ID=0, CLOSED="Y")
        deal = portal.add("deal", CONTACT_ID=card, CATEGORY_ID=0)
        await house.open(crm=crm(portal, entity="deal"))
        await house.contact()
        await house.carry()

    assert len(portal.deals) == 2
    assert [comment["ENTITY_ID"] for comment in portal.comments] == [deal]


async def test_an_uncertain_source_is_left_out_and_the_candidates_are_listed(
    house: House,
):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        one, other = await house.visit(), await house.visit(source=GOOGLE)
        await house.contact((one, 0.45), (other, 0.4))
        await house.carry()

    [lead] = portal.leads
    assert not {"UTM_SOURCE", "TRACE", "SOURCE_DESCRIPTION"} & lead.keys()
    assert "yandex / cpc / winter: 45%" in lead["COMMENTS"]
    assert "google / cpc: 40%" in lead["COMMENTS"]


async def test_two_doubtful_visits_of_one_source_make_the_source_certain(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        one, other = await house.visit(), await house.visit()
        await house.contact((one, 0.45), (other, 0.4))
        await house.carry()

    assert portal.leads[0]["UTM_SOURCE"] == "yandex"


async def test_an_add_without_an_answer_makes_no_second_lead(house: House):
    async with Portal() as portal:
        portal.fail(Trouble(done=True, drop=True), on="crm.lead.add")
        await house.open(crm=crm(portal))
        made = await house.contact()
        await house.carry(NOON)
        assert await house.states() == ["owed"]
        await house.carry(NOON + MINUTE)

    assert await house.states() == ["delivered"]
    assert len(portal.leads) == 1
    assert portal.leads[0]["ORIGIN_ID"] == str(made.lead)


@pytest.mark.parametrize("method", ["crm.activity.add", "crm.timeline.comment.add"])
async def test_what_is_told_on_a_lead_is_not_told_twice(house: House, method: str):
    async with Portal() as portal:
        portal.fail(Trouble(done=True, drop=True), on=method)
        await house.open(crm=crm(portal))
        if method == "crm.activity.add":
            made = await house.contact(kind="call", owe=False)
            await house.end_call(made, at=NOON)
        else:
            await house.contact(kind="form")
        await house.carry(NOON)
        await house.carry(NOON + MINUTE)

    assert await house.states() == ["delivered"]
    assert len(portal.leads) == 1
    assert len(portal.activities) + len(portal.comments) == 1


async def test_what_was_made_before_a_failure_is_remembered(house: House):
    async with Portal() as portal:
        portal.fail(error("INTERNAL_SERVER_ERROR", 500), on="crm.timeline.comment.add")
        await house.open(crm=crm(portal))
        await house.contact()
        await house.carry(NOON)
        portal.calls.clear()
        await house.carry(NOON + MINUTE)

    assert await house.states() == ["delivered"]
    assert "crm.duplicate.findbycomm" not in portal.methods
    assert portal.methods[0] == "crm.lead.get"


async def test_a_lead_that_was_deleted_there_is_made_anew(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        first = await house.contact()
        await house.carry(NOON)
        portal.objects["lead"].clear()
        await house.contact(like=first, at=NOON + HOUR)
        await house.carry(NOON + HOUR)

    assert len(portal.leads) == 1
    assert portal.comments[1]["ENTITY_ID"] == portal.leads[0]["ID"]


async def test_a_withheld_caller_gets_a_comment_instead_of_an_activity(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal, language="en"))
        made = await house.contact(kind="call", phone=None, owe=False)
        await house.end_call(made, at=NOON + MINUTE)
        await house.carry(NOON + MINUTE)

    assert portal.activities == []
    assert portal.comments[0]["COMMENT"].startswith("Call Ivan\nTalked, seconds: 61")


async def test_too_many_requests_wait_a_moment_and_go_on(house: House):
    async with Portal() as portal:
        portal.fail(error("QUERY_LIMIT_EXCEEDED", 503))
        await house.open(crm=crm(portal))
        await house.contact()
        await house.carry(NOON)
        assert await house.states() == ["owed"]
        await house.carry(NOON + 6 * SECOND)

    assert await house.states() == ["delivered"]


async def test_lost_rights_are_a_fault_and_everything_waits_until_they_are_mended(
    house: House,
):
    async with Portal() as portal:
        await house.open(crm={"kind": "bitrix24", "url": f"{portal.url}/rest/7/wrong/"})
        for _ in range(3):
            await house.contact()
        await house.carry(NOON)
        fault = await connection_states.find(
            house.pool, house.site_id, house.destination("crm")
        )
        assert fault.fault is not None
        assert "INVALID_CREDENTIALS" in fault.fault
        tried = await house.pool.fetchval("SELECT sum(attempts) FROM deliveries")
        assert tried == 1  # the first failure spares the others
        for hours in range(1, 80):
            await house.carry(NOON + hours * HOUR)
        assert await house.states() == ["owed"] * 3  # never given up

        await house.change("crm", url=portal.hook, **FAST)
        await house.carry(NOON + 80 * HOUR)

    assert await house.states() == ["delivered"] * 3
    mended = await connection_states.find(
        house.pool, house.site_id, house.destination("crm")
    )
    assert mended.fault is None


async def test_the_secret_stands_in_no_attempt(house: House):
    async with Portal() as portal:
        await house.open(crm=crm(portal))
        await house.contact()
        await house.carry()

    rows = await house.pool.fetch("SELECT request, answer FROM attempts")
    assert "crm.lead.add" in rows[0]["request"]
    assert all(Portal.SECRET not in row["request"] + row["answer"] for row in rows)


def answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status=status, headers={}, text=json.dumps(body))


@pytest.mark.parametrize(
    ("status", "code", "permanent", "broken"),
    [
        (503, "QUERY_LIMIT_EXCEEDED", False, False),
        (429, "OPERATION_TIME_LIMIT", False, False),
        (503, "OVERLOAD_LIMIT", False, True),
        (500, "INTERNAL_SERVER_ERROR", False, False),
        (500, "ERROR_UNEXPECTED_ANSWER", False, False),
        (401, "NO_AUTH_FOUND", False, True),
        (401, "expired_token", False, True),
        (403, "insufficient_scope", False, True),
        (403, "ACCESS_DENIED", False, True),
        (400, "INVALID_REQUEST", False, True),
        (500, "PORTAL_DELETED", False, True),
        (400, "ERROR_CORE", True, False),
        (400, "INVALID_ARG_VALUE", True, False),
        (400, "", True, False),
        (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", True, False),
        (403, "", False, True),
        (502, "", False, False),
        (200, "ERROR_CORE", True, False),
    ],
)
def test_each_error_of_the_portal_means_what_its_documentation_says(
    status: int, code: str, permanent: bool, broken: bool
):
    body = {"error": code, "error_description": "why"}
    failure = bitrix24_rest.failure("crm.lead.add", answer(status, body), body, NOON)
    assert (failure.permanent, failure.broken) == (permanent, broken)
    assert "why" in str(failure)


def test_a_blocked_method_is_tried_when_its_time_is_reset():
    reset = int((NOON + timedelta(minutes=7)).timestamp())
    body = {"error": "OPERATION_TIME_LIMIT", "time": {"operating_reset_at": reset}}
    failure = bitrix24_rest.failure("crm.lead.add", answer(429, body), body, NOON)
    assert failure.after == timedelta(minutes=7)
    absurd = body | {"time": {"operating_reset_at": 10**30}}
    failure = bitrix24_rest.failure("m", answer(429, absurd), absurd, NOON)
    assert failure.after == bitrix24_rest.BLOCKED


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "https://p.bitrix24.ru"}, "url"),
        ({"url": "https://p.bitrix24.ru/rest/1/x/?a=1"}, "url"),
        ({"url": "https://p.bitrix24.ru/rest/1/x/", "entity": "order"}, "entity"),
        (
            {"url": "https://p.bitrix24.ru/rest/1/x/", "min_certainty": 2},
            "min_certainty",
        ),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], field: str):
    with pytest.raises(BadInput) as caught:
        destinations.read("bitrix24", settings)
    assert caught.value.field == field
