from uuid import UUID

import pytest

from tests.conftest import NOON
from tests.fakes import Trouble
from tests.fakes.webhook import SECRET, Receiver
from tests.tracker.owing import HOUR, MINUTE, SECOND, YANDEX, House
from tracker import connection_states, deliveries, destinations
from tracker.destinations import webhook, wire
from tracker.destinations.wire import Paces, Wire
from tracker.errors import BadInput, DeliveryFailed


def test_a_message_is_signed_as_in_the_standards_worked_example():
    body = b'{"type":"lead.created","timestamp":"2026-03-01T09:00:00Z","data":{"lead_id":"ld_100"}}'
    signed = webhook.signature(SECRET, "msg_0001", 1772355600, body)
    assert signed == "v1,XEOkPtFGeX6DKVS++UJLjJrPfmgneDxpQrBMzvKnoOc="


async def test_a_contact_arrives_signed_with_the_record_of_the_api(house: House):
    async with Receiver() as crm:
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        visit = await house.visit()
        made = await house.contact((visit, 0.9))
        await house.carry()

    [message] = crm.messages
    assert message.signed
    assert message.type == "contact.created"
    assert message.timestamp == "2026-11-02T12:00:00Z"
    assert message.data["id"] == str(made.contact)
    assert message.data["source"]["source"] == YANDEX.source
    assert message.data["certainty"] == 0.9
    assert "deliveries" not in message.data
    assert await house.states() == ["delivered"]


async def test_a_retry_carries_the_same_id_and_only_later_succeeds(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(status=500, body="oops"))
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        made = await house.contact()
        await house.carry(NOON)
        [before] = await house.shown(made)
        await house.carry(
            NOON + 4 * SECOND
        )  # too early: the schedule says five seconds
        assert crm.messages == []
        await house.carry(NOON + 10 * SECOND)

    assert (before.state, before.attempts) == ("owed", 1)
    assert before.last_error == "HTTP 500: oops"
    [after] = await house.shown(made)
    assert (after.state, after.attempts, after.last_error) == ("delivered", 2, None)
    assert crm.messages[0].id == webhook.message_id(after.id)
    second, first = await deliveries.attempts_of(house.pool, house.site_id, after.id)
    assert (first.code, first.error, second.code, second.error) == (
        500,
        "HTTP 500: oops",
        200,
        None,
    )
    assert str(made.contact) in first.request
    assert first.answer == "500\noops"


async def test_an_answer_that_came_too_late_means_the_same_message_again(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(done=True, drop=True))
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        await house.contact()
        await house.carry(NOON)
        await house.carry(NOON + 10 * SECOND)

    assert len(crm.messages) == 2
    assert len(crm.taken) == 1


async def test_retry_after_is_honoured_for_the_whole_destination(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(status=429, headers={"Retry-After": "120"}))
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        await house.contact()
        await house.carry(NOON)
        await house.contact()  # another lead's, owed meanwhile
        await house.carry(NOON + MINUTE)
        assert crm.messages == []
        await house.carry(NOON + 2 * MINUTE + SECOND)

    assert len(crm.messages) == 2
    assert await house.states() == ["delivered", "delivered"]


async def test_an_endpoint_that_is_gone_is_a_fault_of_the_connection(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(status=410))
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        await house.contact()
        await house.carry()

    assert await house.states() == ["dead"]
    state = await connection_states.find(
        house.pool, house.site_id, house.destination("crm")
    )
    assert state.fault == "HTTP 410: the endpoint is gone"
    assert state.fault_at is not None


async def test_a_redirect_is_a_failure_and_not_followed(house: House):
    async with Receiver() as crm:
        crm.fail(Trouble(status=307, headers={"Location": f"{crm.url}/other"}))
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        await house.contact()
        await house.carry()

    assert crm.messages == []
    assert await house.errors() == ["HTTP 307: redirects are not followed"]


async def test_ten_vain_attempts_within_four_days_end_in_a_dead_letter(house: House):
    async with Receiver() as crm:
        crm.fail(*[Trouble(status=500)] * 10)
        await house.open(crm={"kind": "webhook", "url": crm.url, "secret": SECRET})
        made = await house.contact()
        for hours in range(100):
            await house.carry(NOON + hours * HOUR)
        [given_up] = await house.shown(made)
        assert (given_up.state, given_up.attempts) == ("dead", 10)
        assert given_up.last_error == "given up: HTTP 500"
        assert crm.messages == []

        later = NOON + 200 * HOUR
        assert await deliveries.replay(house.pool, house.site_id, at=later) == 1
        await house.carry(later)

    assert await house.states() == ["delivered"]


async def test_a_second_secret_signs_too_while_receivers_change_over(house: House):
    new = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
    async with Receiver(SECRET) as old, Receiver(new) as fresh:
        for name, url in (("old", old.url), ("fresh", fresh.url)):
            settings = {"url": url, "secret": new, "old_secret": SECRET}
            if house.site_id == 0:
                await house.open(**{name: {"kind": "webhook", **settings}})
            else:
                await house.connect(name, kind="webhook", **settings)
        await house.directory.load()
        await house.contact()
        await house.carry()

    assert old.messages[0].signed
    assert fresh.messages[0].signed


async def test_only_the_events_asked_for_are_owed(house: House):
    async with Receiver() as crm:
        await house.open(
            crm={
                "kind": "webhook",
                "url": crm.url,
                "secret": SECRET,
                "only": ["lead.created"],
            }
        )
        made = await house.contact()
        await house.owe(made, "lead.created")
        await house.carry()

    assert crm.types == ["lead.created"]
    assert crm.messages[0].data["id"] == str(made.lead)
    assert crm.messages[0].data["contact"]["id"] == str(made.contact)


async def test_private_hosts_are_refused_where_the_server_says_so(house: House):
    async with Receiver() as crm, wire.session(private_hosts=False) as http:
        for host in (crm.url, crm.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(DeliveryFailed, match="private network") as caught:
                await Wire(http, Paces()).call("POST", host, body=b"{}")
            assert caught.value.broken
    assert crm.messages == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2a00:1450:4010:c05::65", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool):
    assert wire.is_public(address) is public


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "ftp://crm.example", "secret": SECRET}, "url"),
        ({"url": "https://crm.example", "secret": "whsec_c2hvcnQ="}, "secret"),
        ({"url": "https://crm.example", "secret": "hunter2"}, "secret"),
        ({"url": "https://crm.example", "secret": SECRET, "only": ["x"]}, "only"),
        ({"url": "https://crm.example", "secret": SECRET, "colour": "red"}, "colour"),
        ({"url": "https://crm.example"}, ""),
    ],
)
def test_bad_settings_are_refused_with_the_fields_name(
    settings: dict[str, object], field: str
):
    with pytest.raises(BadInput) as caught:
        destinations.read("webhook", settings)
    assert caught.value.field == field


def test_a_message_id_is_a_word_without_dots():
    id_ = webhook.message_id(UUID(int=7))
    assert id_.removeprefix("msg_").isalnum()
    assert "." not in id_
