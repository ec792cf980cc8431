"""What the owner is told on every page, and how a notice is taken away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import alerts
from tracker.alerts import Cause
from web import keys

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
NUMBER = "+74951000001"
FIGURES: dict[str, dict[str, Any]] = {
    alerts.CALLED: {
        "pool": "main",
        "days": 14,
        "unexplained": 9.5,
        "expected": 0.4,
        "calls": [{"contact": "b6f0", "at": "2026-11-20T10:00:00.000Z"}],
    },
    alerts.FOUND: {
        "pages": ["https://acme.example/kontakty?x=1"],
        "count": 3,
        "own": ["+74950000000"],
    },
    alerts.ACCURACY: {
        "day": "2026-11-20",
        "accuracy": 0.512,
        "calls": 24,
        "threshold": 0.6,
    },
}
PAGES = ("contacts", "channels", "numbers", "numbers/health", "costs", "health")


async def settle(
    world: make.World, server: TestServer, kind: str, *subjects: str
) -> list[alerts.Alert]:
    site = server.app[keys.DIRECTORY].site(world.key)
    assert site is not None
    causes = [Cause(subject=one, since=NOW, figures=FIGURES[kind]) for one in subjects]
    async with world.db.acquire() as db:
        return await alerts.settle(db, site, kind, causes, at=NOW)


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_of_the_site_shows_it_and_the_navigation_counts(
    reader: Client, world: make.World, server: TestServer, page: str
) -> None:
    await settle(world, server, alerts.CALLED, NUMBER)
    html = await reading.page(reader, f"/acme/{page}")
    text = reading.words(html)
    assert "Calls to +7 495 100-00-01 fit no visitor who was shown it" in text
    assert "About 10 such calls in 14 days, where 0.4 were to be expected by" in text
    assert "Numbers 1 alert" in text


async def test_another_sites_pages_do_not(
    reader: Client, world: make.World, server: TestServer
) -> None:
    other = await make.site(world.db, world.seal, key="other")
    await server.app[keys.DIRECTORY].load()
    await settle(other, server, alerts.CALLED, NUMBER)
    assert "fit no visitor" not in await reading.page(reader, "/acme/contacts")
    assert "fit no visitor" in await reading.page(reader, "/other/contacts")


async def test_each_kind_says_what_happened_and_what_to_do(
    reader: Client, world: make.World, server: TestServer
) -> None:
    await settle(world, server, alerts.CALLED, NUMBER)
    await settle(world, server, alerts.FOUND, NUMBER)
    await settle(world, server, alerts.ACCURACY, "main")
    html = await reading.page(reader, "/acme/health")
    text = reading.words(html)
    assert "Something needs your attention" in text
    assert "Search for the number in public" in text
    assert 'href="/acme/contacts/b6f0"' in html
    assert "a tracking number, stands in your own page" in text
    assert "in the HTML of acme.example/kontakty (pages with it: 3)" in text
    assert "the pages' own numbers: +7 495 000-00-00" in text
    assert "only 51% of 24 calls" in text
    assert "your threshold is 60%" in text
    assert 'href="/acme/numbers/health?pool=main"' in html


async def test_in_russian_too(
    reader: Client, world: make.World, server: TestServer
) -> None:
    for kind in FIGURES:
        await settle(world, server, kind, NUMBER)
    async with reader.get(
        "/acme/health", headers={"Accept-Language": "ru"}
    ) as response:
        text = reading.words(await response.text())
    assert "Звонки на +7 495 100-00-01 не похожи на звонки тех" in text
    assert "только 51 % из 24 звонков" in text
    assert "Номера 3 тревоги" in text


async def test_a_dismissed_notice_goes_from_the_pages_but_stays_under_health(
    reader: Client, world: make.World, server: TestServer
) -> None:
    (alert,) = await settle(world, server, alerts.CALLED, NUMBER)
    form = {"alert": str(alert.id), "back": "/acme/channels?period=7d"}
    place = await reading.send(
        reader, "/acme/alerts/dismiss", form, from_="/acme/channels"
    )
    assert place == "/acme/channels?period=7d"
    assert "fit no visitor" not in await reading.page(reader, "/acme/channels")
    text = reading.words(await reading.page(reader, "/acme/health"))
    assert "fit no visitor who was shown it since" in text
    assert "dismissed" in text
    assert "Everything works" in text


@pytest.mark.parametrize(
    "back",
    ["", "https://evil.test/", "//evil.test", "/other/health", "/acme/\\evil", "/acme/\r\nX: y"],
)  # fmt: skip
async def test_a_dismissal_leads_nowhere_else(
    reader: Client, world: make.World, server: TestServer, back: str
) -> None:
    (alert,) = await settle(world, server, alerts.CALLED, NUMBER)
    form = {"alert": str(alert.id), "back": back}
    place = await reading.send(
        reader, "/acme/alerts/dismiss", form, from_="/acme/health"
    )
    assert place == "/acme/health#alerts"


async def test_another_sites_alert_is_not_dismissed_from_here(
    reader: Client, world: make.World, server: TestServer
) -> None:
    other = await make.site(world.db, world.seal, key="other")
    await server.app[keys.DIRECTORY].load()
    (alert,) = await settle(other, server, alerts.CALLED, NUMBER)
    for id_, status in ((str(alert.id), 404), ("x", 400)):
        await reading.send(
            reader,
            "/acme/alerts/dismiss",
            {"alert": id_},
            from_="/acme/health",
            status=status,
        )
    assert "fit no visitor" in await reading.page(reader, "/other/contacts")


async def test_many_notices_are_counted_rather_than_shown(
    reader: Client, world: make.World, server: TestServer
) -> None:
    numbers = [f"+7495100000{n}" for n in range(5)]
    await settle(world, server, alerts.CALLED, *numbers)
    text = reading.words(await reading.page(reader, "/acme/channels"))
    assert text.count("fit no visitor") == 2 * 3  # with the buttons' own words
    assert "and 2 more alerts" in text
    assert "Numbers 5 alerts" in text


async def test_what_ended_lately_is_told_under_health(
    reader: Client, world: make.World, server: TestServer
) -> None:
    await settle(world, server, alerts.CALLED, NUMBER)
    await settle(world, server, alerts.CALLED)
    text = reading.words(await reading.page(reader, "/acme/health"))
    assert "fit no visitor who was shown it ended" in text
    assert "Everything works" in text


async def test_the_pages_that_were_read_are_listed_with_what_was_found(
    reader: Client, world: make.World
) -> None:
    await world.db.execute(
        "INSERT INTO crawled_pages (site_id, url, at, trouble, numbers, own) VALUES "
        "($1, 'https://acme.example/', $2, NULL, '{+74951000001}', '{+74950000000}'), "
        "($1, 'https://acme.example/b', $2, 'HTTP 503', '{}', '{}')",
        world.site_id,
        NOW - 3 * HOUR,
    )
    text = reading.words(await reading.page(reader, "/acme/health"))
    assert "https://acme.example/ 3 hours ago +7 495 000-00-00 +7 495 100-00-01" in text
    assert "https://acme.example/b could not be read: HTTP 503 3 hours ago — —" in text
