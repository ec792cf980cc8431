"""Every page of the shelf in `tests/pages/`: what the script changes there, and nothing else."""

import time
from collections.abc import AsyncIterator
from itertools import chain

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.conftest import USER_AGENT, Window
from tests.browser.fake_tracker import PATIENCE
from tests.pages import shelf as shelf_of_pages
from tests.pages.shelf import LINES, Shelf, ShelfPage, difference

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Pages that are not as expected yet.
NOT_YET = {
    "attributes",
    "fields",
    "other-numbers",
    "shop",
    "split-addresses",
    "structured-data",
    "vanity",
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser(chromium: str) -> AsyncIterator[Browser]:
    """One connection for all pages: each has a context of its own, that is enough."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(shared_browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await shared_browser.new_context(
        user_agent=USER_AGENT, viewport={"width": 1200, "height": 800}
    )
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shelf(snippet: dict[str, str]) -> AsyncIterator[Shelf]:
    """A tracker whose site is the shelf."""
    shelf = Shelf(scripts=snippet)
    runner = web.AppRunner(shelf.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shelf.port = runner.addresses[0][1]
    yield shelf
    shelf.closing.set()
    await runner.cleanup()


async def test_every_page_of_the_shelf_has_its_expected_result() -> None:
    told = {path.stem for path in shelf_of_pages.FOLDER.glob("*.toml")}
    pages = shelf_of_pages.names()
    assert told == set(pages)
    assert set(pages) >= NOT_YET
    assert [name for name in pages if not ShelfPage(name).expected.changes()] == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True))
        if name in NOT_YET
        else name
        for name in shelf_of_pages.names()
    ],
)
async def test_a_page_of_the_shelf_changes_as_expected_and_nowhere_else(
    shelf: Shelf, context: BrowserContext, name: str
) -> None:
    expected = ShelfPage(name).expected
    shelf.lend(expected)
    url = shelf.url(f"{name}.html")
    bare = await opened(context, url, script=False)
    before = await lived(bare.page)
    tracked = await opened(context, url)
    await tracked.page.evaluate("new Promise(done => skvoz('session', done))")
    after = await lived(tracked.page)

    deadline = time.monotonic() + (2 if name in NOT_YET else PATIENCE)
    while (
        difference(before, after) != expected.changes() and time.monotonic() < deadline
    ):
        after = await lines(tracked.page)

    after = await lines(tracked.page)  # and there it ends
    assert "\n".join(difference(before, after)) == "\n".join(expected.changes())
    assert (bare.lines(), bare.errors) == ([], [])
    assert (tracked.lines(), tracked.errors) == ([], [])


async def opened(context: BrowserContext, url: str, *, script: bool = True) -> Window:
    """The page in a new tab, with the script or as if it were not there."""
    window = Window(await context.new_page())
    if not script:
        await window.page.route("**/s/acme.js", lambda route: route.fulfill(body=""))
    window.page.on("console", lambda line: window.console.append(line))
    window.page.on("pageerror", lambda error: window.errors.append(error))
    await window.page.goto(url, wait_until="load")
    return window


async def lived(page: Page) -> list[str]:
    """The page's lines after it did what it does by itself."""
    await page.evaluate(
        """async () => {
            for (const step of window.steps || []) {
                await step();
                await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            }
        }"""
    )
    return await lines(page)


async def lines(page: Page) -> list[str]:
    """The lines of the page and of all its frames, once nothing moves for two frames."""
    await page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    return list(chain(*[await frame.evaluate(LINES) for frame in page.frames]))
