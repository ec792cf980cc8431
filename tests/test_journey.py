"""From the advertisement to the CRM and to Metrika, through the real processes and doors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import redis.asyncio

from tests import make, whole
from tests.fakes import metrika
from tests.fakes.bitrix24 import Portal
from tests.fakes.metrika import Metrika
from tests.fakes.smtp import NextHop
from tests.fakes.webhook import SECRET, Receiver
from tracker import db as database

AD = (
    "https://acme.example/kitchens?utm_source=yandex&utm_medium=cpc"
    "&utm_campaign=12345&utm_term=kuhni&yclid=590000000001"
)
CLIENT_ID = "1734680388574908198"
CALLER = "+79165554433"
SOURCE = {
    "channel": "paid_search",
    "source": "yandex",
    "medium": "cpc",
    "campaign": "12345",
    "term": "kuhni",
    "content": "",
}


class World:
    """The server and everything around it."""

    def __init__(self) -> None:
        self.crm, self.portal = Receiver(), Portal()
        self.counter, self.mailbox = Metrika(), NextHop()
        self.server: whole.Server

    async def visit(self) -> dict[str, Any]:
        return await self.server.visit(
            AD, referrer="https://yandex.ru/", ids={"ym_client_id": CLIENT_ID}
        )

    async def told(self, type_: str, count: int = 1) -> list[dict[str, Any]]:
        """What the webhook CRM was told of that type, once there are so many."""

        async def look() -> list[dict[str, Any]]:
            found = [m.data for m in self.crm.taken.values() if m.type == type_]
            return found if len(found) >= count else []

        return await whole.until(look)


@pytest.fixture
async def world(
    database_url: str,
    redis_url: str,
    valkey: redis.asyncio.Redis,
    pool: database.Pool,
    tmp_path: Path,
) -> AsyncIterator[World]:
    world = World()
    async with world.crm, world.portal, world.counter, world.mailbox:
        await whole.acme(
            pool,
            next_hop=world.mailbox.address,
            destinations=[
                ("crm", "webhook", {"url": world.crm.url, "secret": SECRET}),
                ("bitrix", "bitrix24", {"url": world.portal.hook}),
                (
                    "metrika",
                    "metrika",
                    {
                        "api": world.counter.url,
                        "counter": "10000001",
                        "token": metrika.TOKEN,
                        "interval_seconds": 10,
                    },
                ),
            ],
        )
        async with whole.server(database_url, redis_url, pool, tmp_path) as server:
            world.server = server
            yield world


async def test_an_advertisement_becomes_a_call_with_its_source_everywhere(
    world: World,
) -> None:
    shown = await world.visit()
    number = shown["numbers"][0]["number"]
    await world.server.reveal(shown["session"], number)

    route = await world.server.call(
        "acme-pbx-key", "c1", "ringing", **{"from": CALLER, "to": number}
    )
    await world.server.call("acme-pbx-key", "c1", "answered", manager="Мария")
    await world.server.call("acme-pbx-key", "c1", "ended", duration=61)

    assert route == {"forward_to": make.OWN}
    (contact,) = await world.told("contact.created")
    assert contact["kind"] == "call"
    assert contact["caller"] == CALLER
    assert contact["number"] == number
    assert contact["source"] == SOURCE
    assert contact["certainty"] > 0.95
    assert contact["candidates"][0]["session"] == shown["session"]
    assert contact["rule"] == "pool-posterior/3"
    assert (contact["model"], contact["provisional"]) == ("day-one", True)

    async def finished() -> list[Any]:
        return [
            one.data
            for one in world.crm.taken.values()
            if one.type == "contact.updated" and one.data["call"]["ended"]
        ]

    (updated, *_) = await whole.until(finished)
    assert updated["call"]["talk_seconds"] == 61
    assert updated["call"]["manager"] == "Мария"
    assert all(message.signed for message in world.crm.messages)

    async def in_bitrix() -> list[Any]:
        return world.portal.activities and world.portal.leads

    (lead,) = await whole.until(in_bitrix)
    assert (lead["UTM_SOURCE"], lead["UTM_CAMPAIGN"]) == ("yandex", "12345")

    async def in_metrika() -> list[Any]:
        return [one for one in world.counter.rows if one.get("PhoneNumber")]

    (row,) = await whole.until(in_metrika)
    assert (row["ClientId"], row["PhoneNumber"]) == (CLIENT_ID, CALLER)
    assert row["TalkDuration"] == "61"


async def test_a_letter_is_handed_on_untouched_and_becomes_a_contact(
    world: World,
) -> None:
    shown = await world.visit()
    address = shown["emails"][0]["address"]
    letter = EmailMessage()
    letter["From"] = "Иван <ivan@client.example>"
    letter["To"] = address
    letter["Subject"] = "Сколько стоит кухня?"
    letter["Date"] = "Sun, 22 Nov 2026 12:00:00 +0300"
    letter.set_content("Перезвоните: +7 916 555-44-33")
    raw = letter.as_bytes(policy=letter.policy.clone(linesep="\r\n"))

    await aiosmtplib.send(
        raw,
        sender="ivan@client.example",
        recipients=[address],
        hostname="127.0.0.1",
        port=world.server.smtp_port,
    )

    async def arrived() -> list[Any]:
        return world.mailbox.taken

    (taken,) = await whole.until(arrived)
    assert taken.content.endswith(raw)
    assert taken.recipients == [make.MAILBOX]
    assert taken.mail_from.startswith("rp-")
    (contact,) = await world.told("contact.created")
    assert contact["kind"] == "email"
    assert contact["source"] == SOURCE
    assert contact["certainty"] == 1.0
    assert contact["alias"] == address
    assert contact["mail"] == {
        "from": "ivan@client.example",
        "from_name": "Иван",
        "subject": "Сколько стоит кухня?",
    }
    assert contact["caller"] == CALLER


async def test_a_form_told_twice_is_one_contact_of_the_same_person_as_the_call(
    world: World,
) -> None:
    shown = await world.visit()
    number = shown["numbers"][0]["number"]
    await world.server.reveal(shown["session"], number)
    await world.server.call(
        "acme-pbx-key",
        "c2",
        "ringing",
        **{"from": CALLER, "to": number, "at": datetime.now(UTC).isoformat()},
    )
    await world.told("contact.created")
    form = {
        "site": "acme",
        "id": "form-1",
        "session": shown["session"],
        "name": "Иван",
        "phone": "8 (916) 555-44-33",
    }

    first = await world.server.post("/v1/contacts", form)
    again = await world.server.post("/v1/contacts", form)

    call, made = await world.told("contact.created", 2)
    assert first == again == {"contact": made["id"]}
    assert made["kind"] == "form"
    assert made["source"] == SOURCE
    assert (made["person"], made["lead"]) == (call["person"], call["lead"])
    assert len(await world.told("lead.created")) == 1
