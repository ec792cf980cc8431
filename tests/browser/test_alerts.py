"""Notices and the health of pools in a real browser, for everybody and every screen."""

import random
from datetime import timedelta

from aiohttp.test_utils import TestServer

from tests.browser.test_dashboard import (
    NOW,
    Reader,
    app,
    look,
    reader,
    server,
    vendor,
    world,
)
from tests.web.dashboard import make
from tests.web.dashboard.test_alerts import FIGURES, settle
from web import keys

__all__ = ["app", "look", "reader", "server", "vendor", "world"]  # fixtures
HOUR = timedelta(hours=1)


async def story(world: make.World, server: TestServer) -> None:
    """Alerts of all kinds, pages that were read, and a week of a busy pool."""
    for kind, subject in zip(
        FIGURES, ("+74951000001", "+74951000002", "main"), strict=True
    ):
        await settle(world, server, kind, subject)
    await world.db.execute(
        "INSERT INTO crawled_pages (site_id, url, at, trouble, numbers, own) VALUES "
        "($1, 'https://acme.example/kontakty/ochen-dlinnyj-adres-stranicy-magazina', $2, "
        "NULL, '{+74951000002}', '{+74950000000}'), "
        "($1, 'https://acme.example/', $2, 'HTTP 503', '{}', '{}')",
        world.site_id,
        NOW - 3 * HOUR,
    )
    chance = random.Random(4)
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    rows = []
    for ago in range(7 * 24):
        busy = max(0, 12 - abs((hour - ago * HOUR).hour - 11)) * chance.random()
        issued = round(busy * 3)
        waited = max(0, issued - 18)
        called = round(busy * chance.random() / 2)
        rows.append(
            (world.site_id, world.pool_id, hour - ago * HOUR, issued, waited // 2, waited,
             waited // 3, min(6, round(busy)), min(busy, 6) * 2000.0, called, called * 0.7)
        )  # fmt: skip
    await world.db.executemany(
        "INSERT INTO pool_hours (site_id, pool_id, hour, numbers, issued, shared, waited, "
        "served, most_busy, busy_seconds, called, right_calls) "
        "VALUES ($1, $2, $3, 6, $4, $5, $6, $7, $8, $9, $10, $11)",
        rows,
    )
    await world.db.execute("UPDATE sites SET settings = '{\"accuracy_alert\": 0.75}'")
    await server.app[keys.DIRECTORY].load()


async def test_the_pages_serve_everybody_on_every_screen(
    reader: Reader, world: make.World, server: TestServer
) -> None:
    await story(world, server)
    for path in ("health", "numbers/health", "numbers/health?chart=use&period=30d"):
        await reader.open(f"/acme/{path}")
        if path != "health":
            await reader.until("document.querySelector('#chart svg')")
        too_wide = await reader.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path
        assert await reader.obstacles() == [], path


async def test_a_notice_is_dismissed_where_it_is_read(
    reader: Reader, world: make.World, server: TestServer
) -> None:
    await settle(world, server, "leak.called", "+74951000001")
    await reader.open("/acme/channels?period=7d")
    async with reader.page.expect_navigation():
        await reader.page.click(".alert button")
    assert reader.page.url.endswith("/acme/channels?period=7d")
    assert await reader.page.locator(".alert").count() == 0
    assert await reader.page.locator(".tabs .count").count() == 0


async def test_a_figure_shows_its_formula_when_it_is_pressed(
    reader: Reader, world: make.World, server: TestServer
) -> None:
    await story(world, server)
    await reader.open("/acme/numbers/health")
    await reader.page.click(".stat [popovertarget=f-accuracy]")
    formula = reader.page.locator("#f-accuracy")
    assert await formula.is_visible()
    assert "÷ Calls" in await formula.inner_text()
