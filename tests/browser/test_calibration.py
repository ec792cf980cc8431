"""The calibration page in a real browser: for everybody, by keyboard, on a phone, in the dark."""

from datetime import UTC, datetime, timedelta

from tests.browser.test_dashboard import Reader
from tests.browser.test_dashboard import app as app
from tests.browser.test_dashboard import look as look
from tests.browser.test_dashboard import reader as reader
from tests.browser.test_dashboard import server as server
from tests.browser.test_dashboard import vendor as vendor
from tests.browser.test_dashboard import world as world
from tests.web.dashboard import make
from tests.web.dashboard.test_calibration import answered

NOW = datetime.now(UTC)
PAGE = "/acme/numbers/calibration"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def check(reader: Reader) -> None:
    """No serious obstacle, and no wider than the screen."""
    assert await reader.obstacles() == []
    assert await reader.page.evaluate(WIDER) <= 0


async def test_everybody_can_read_it_empty_and_filled(
    reader: Reader, world: make.World
) -> None:
    await reader.open(PAGE)
    await check(reader)
    await answered(world, weight=0.85, right=20, wrong=20, at=NOW - timedelta(hours=1))
    await answered(world, weight=0.45, right=2, wrong=3, at=NOW - timedelta(hours=9))
    await reader.open(f"{PAGE}?month=year")
    assert await reader.page.locator(".bin").count() == 2
    await check(reader)


async def test_a_formula_opens_by_keyboard_and_a_month_is_chosen_without_loading(
    reader: Reader, world: make.World
) -> None:
    await answered(world, weight=0.85, right=2, wrong=1, at=NOW - timedelta(hours=1))
    await reader.open(PAGE)
    await reader.page.evaluate("window.same = true")
    await reader.page.select_option("select[name=month]", "year")
    await reader.until("location.search.includes('month=year')")
    await reader.until("document.querySelectorAll('.bin').length === 1")
    await reader.page.focus("button[popovertarget=f-error]")
    await reader.page.keyboard.press("Enter")
    assert await reader.page.locator("#f-error").is_visible()
    assert "mean certainty − share right" in await reader.page.inner_text("#f-error")
    await reader.page.keyboard.press("Escape")
    assert not await reader.page.locator("#f-error").is_visible()
    assert await reader.page.evaluate("window.same")
