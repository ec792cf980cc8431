"""A form on a page with the real snippet and the real server: a contact with its source."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import redis.asyncio
from aiohttp import web

from tests import make, whole
from tests.browser.conftest import Window
from tests.browser.shop import Shop
from tracker import db as database

FORM = """<form name="order" action="/send" method="post">
    <input name="name"><input type="tel" name="phone"><input name="your-city">
    <input type="password" name="secret"><button>Отправить</button></form>"""


async def test_a_form_becomes_a_contact_of_the_advertisement_that_brought_the_visitor(
    database_url: str,
    redis_url: str,
    valkey: redis.asyncio.Redis,
    pool: database.Pool,
    tmp_path: Path,
    visit: Callable[[str], Awaitable[Window]],
) -> None:
    rules = {"forms": True, "fields": {"your-city": "city"}}
    await make.site(pool, settings={"snippet": rules})
    async with whole.server(database_url, redis_url, pool, tmp_path) as server:
        shop = Shop(tracker=server.address)
        runner = web.AppRunner(shop.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        shop.port = runner.addresses[0][1]
        window = await visit(shop.page(FORM) + "?utm_source=yandex&utm_medium=cpc")
        await window.until("document.documentElement.dataset.skvozSession")
        session = await window.page.evaluate(
            "document.documentElement.dataset.skvozSession"
        )
        values = {"name": "Иван", "phone": "8 (916) 123-45-67", "your-city": "Тверь"}
        for name, value in values.items():
            await window.page.fill(f"[name='{name}']", value)
        await window.page.fill("[name=secret]", "hunter2")

        await window.page.click("button")
        await window.page.wait_for_url("**/send")

        contact = await whole.until(
            lambda: pool.fetchrow(
                """
                SELECT c.channel, c.caller, c.name, c.fields, s.source, s.medium, a.session_id
                  FROM contacts c
                  JOIN attributions a ON a.contact_id = c.id
                  JOIN sources s ON s.site_id = a.site_id AND s.id = a.source_id
                """
            )
        )
        assert contact and tuple(contact) == (
            "form",
            "+79161234567",
            "Иван",
            {"form": "order", "city": "Тверь"},
            "yandex",
            "cpc",
            UUID(session),
        )
        (posted,) = await shop.posted()
        assert posted.fields["skvoz_session"] == session
        assert window.errors == []
        await runner.cleanup()
