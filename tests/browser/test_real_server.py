"""A page with the real snippet on the real server: what the visitor sees is in the ledger."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import redis.asyncio
from aiohttp import web

from tests import make, whole
from tests.browser.conftest import Window
from tests.fakes.smtp import NextHop
from tracker import db as database

PAGE = """<!doctype html><meta charset="utf-8"><title>ACME</title>
<script src="{server}/s/acme.js"></script>
<h1>ACME</h1>
<p>Call <a id="phone" href="tel:+74950000000">8 (495) 000-00-00</a>
or write to <a id="mail" href="mailto:info@acme.example">info@acme.example</a>.</p>"""


@pytest.fixture
async def shop(
    database_url: str,
    redis_url: str,
    valkey: redis.asyncio.Redis,
    pool: database.Pool,
    tmp_path: Path,
) -> AsyncIterator[str]:
    """The address of a page of a site that the server tracks."""
    async with NextHop() as hop:
        await whole.acme(pool, next_hop=hop.address)
        async with whole.server(database_url, redis_url, pool, tmp_path) as server:

            async def page(request: web.Request) -> web.Response:
                text = PAGE.format(server=server.address)
                return web.Response(text=text, content_type="text/html")

            app = web.Application()
            app.router.add_get("/", page)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://localhost:{runner.addresses[0][1]}/"
            await runner.cleanup()


async def test_the_visitor_sees_his_own_number_and_address_on_every_page(
    shop: str, pool: database.Pool, visit: Callable[[str], Awaitable[Window]]
) -> None:
    window = await visit(shop + "?utm_source=yandex&utm_medium=cpc&yclid=59")
    swapped = "document.getElementById('phone').textContent !== '8 (495) 000-00-00'"
    await window.until(swapped)
    number, address = await window.page.evaluate(
        "[document.getElementById('phone').textContent,"
        " document.getElementById('mail').textContent]"
    )

    assert number == "8 (495) 100-00-01"  # in the page's own spelling
    assert address.endswith(f"@{whole.DOMAIN}")
    lease = await pool.fetchrow(
        "SELECT l.number, s.rule FROM leases l JOIN sessions s ON s.id = l.session_id"
    )
    assert tuple(lease) == (make.number(1), "utm")

    again = await visit(shop)
    await again.until(swapped)
    assert await again.page.text_content("#phone") == number
    assert await again.page.get_attribute("#phone", "href") == f"tel:{make.number(1)}"
    assert await again.page.text_content("#mail") == address
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1

    seen = "SELECT seen_at FROM leases"
    assert await whole.until(lambda: pool.fetchval(seen))
    assert window.errors + again.errors == []
