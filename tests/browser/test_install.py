"""The script's page in a real browser: it hears of the first visit by itself, and copies."""

from datetime import UTC, datetime

import pytest

from tests.browser.test_dashboard import Reader
from tests.browser.test_dashboard import look as look
from tests.browser.test_dashboard import reader as reader
from tests.browser.test_dashboard import vendor as vendor
from tests.web.dashboard import make
from tests.web.dashboard.conftest import app as app
from tests.web.dashboard.conftest import server as server
from tests.web.dashboard.conftest import world as world


async def test_the_first_visit_appears_by_itself_and_nothing_is_in_anybodys_way(
    reader: Reader, world: make.World
) -> None:
    await reader.open("/acme/snippet")
    await reader.until("document.querySelector('#check .light.owed')")
    await reader.page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert await reader.obstacles() == []
    assert await reader.page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )

    await make.visit(world, at=datetime.now(UTC), pages=("/first",))

    await reader.until("document.querySelector('#check .light.delivered')")
    told = await reader.page.inner_text("#check")
    assert "https://acme.example/first" in told
    await make.visit(world, at=datetime.now(UTC), pages=("/second",))
    await reader.until("document.querySelector('#check').innerText.includes('/second')")


@pytest.mark.parametrize("look", [("light", 1280)], ids=["desktop"])
async def test_what_stands_on_several_lines_is_copied_whole(reader: Reader) -> None:
    await reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await reader.open("/acme/snippet")

    await reader.page.click("[data-copy=settings]")

    await reader.until(
        "document.querySelector('[data-copy=settings]').textContent === '✓'"
    )
    copied = await reader.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('[snippet]\naddress = ""\nconsent = "auto"\n')
