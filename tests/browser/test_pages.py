"""Every page of the shelf in `tests/pages/`: what the script changes there, and nothing else."""

import os
import time
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.conftest import USER_AGENT, Window
from tests.browser.fake_tracker import PATIENCE
from tests.pages import frameworks as pages_of_frameworks
from tests.pages import shelf as shelf_of_pages
from tests.pages.shelf import LINES, Expected, Shelf, difference

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAMEWORKS = pages_of_frameworks.FOLDER


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


@pytest.fixture(scope="session")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages that are built from npm's packages."""
    own = tmp_path_factory.getbasetemp()
    return pages_of_frameworks.build(
        own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    )


async def test_every_page_of_the_shelf_has_its_expected_result() -> None:
    told = shelf_of_pages.names()
    assert sorted(path.stem for path in shelf_of_pages.FOLDER.glob("*.html")) == told
    assert [name for name in told if not shelf_of_pages.expected(name).changes()] == []


@pytest.mark.parametrize("name", shelf_of_pages.names(shelf_of_pages.FOLDER))
async def test_a_page_of_the_shelf_changes_as_expected_and_nowhere_else(
    shelf: Shelf, context: BrowserContext, name: str
) -> None:
    await compare(shelf, context, name, shelf_of_pages.expected(name))


@pytest.mark.parametrize("name", shelf_of_pages.names(FRAMEWORKS))
async def test_a_framework_never_notices_that_its_numbers_are_swapped(
    shelf: Shelf, context: BrowserContext, frameworks: Path, name: str
) -> None:
    shelf.folders.append(frameworks)
    await compare(shelf, context, name, shelf_of_pages.expected(name, FRAMEWORKS))


async def compare(
    shelf: Shelf, context: BrowserContext, name: str, expected: Expected
) -> None:
    """The page as if there were no script, then a first visit, then one from memory."""
    shelf.lend(expected)
    url = shelf.url(f"{name}.html")
    bare = await opened(context, url, script=False)
    before = await lived(bare.page)
    assert (bare.lines(), bare.errors) == ([], [])
    for _ in range(2):
        window = await opened(context, url)
        await window.page.evaluate("new Promise(done => skvoz('session', done))")
        after = await lived(window.page)

        deadline = time.monotonic() + PATIENCE
        while (
            difference(before, after) != expected.changes()
            and time.monotonic() < deadline
        ):
            after = await lines(window.page)

        after = await lines(window.page)  # and there it ends
        assert "\n".join(difference(before, after)) == "\n".join(expected.changes())
        assert (window.lines(), window.errors) == ([], [])


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
