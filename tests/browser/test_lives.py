"""How pages come and go: from the browser's cache, prepared, in the background, on paper."""

import asyncio

import pytest
from playwright.async_api import BrowserContext

from tests.browser.fake_tracker import PATIENCE
from tests.browser.test_pages import (
    context,
    frameworks,
    lived,
    opened,
    shared_browser,
    shelf,
)
from tests.pages.shelf import Shelf

__all__ = ["context", "frameworks", "shared_browser", "shelf"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = '<p id="phone">+7 (495) 000-00-00</p>'
SWAPPED = "document.getElementById('phone').textContent === '+7 (495) 100-00-01'"


def visited(shelf: Shelf) -> list[str]:
    """The pages that the tracker was told of, as visits or inside one."""
    pages = [
        page
        for told in shelf.told
        for page in [told.body.get("url")]
        + [
            one["target"]
            for one in told.body.get("events", ())
            if one["type"] == "page"
        ]
        if page
    ]
    return [page.removeprefix(shelf.url("")) for page in pages]


async def test_a_page_that_comes_back_from_the_browsers_cache_has_its_number_and_is_a_visit(
    shelf: Shelf, context: BrowserContext
) -> None:
    kept = "<script>onpageshow = event => { window.kept = event.persisted }</script>"
    first = shelf.page(PHONE + kept, path="/first")
    second = shelf.page("<h1>Вторая</h1>", path="/second")
    window = await opened(context, first)
    await window.until(SWAPPED)

    await window.page.goto(second)
    await window.page.evaluate("history.back()")
    await window.until("window.kept === true")

    assert await window.page.evaluate(SWAPPED)
    await window.page.goto("about:blank")
    await shelf.until(lambda: len(visited(shelf)) == 3)
    assert visited(shelf) == ["first", "second", "first"]
    assert (window.lines(), window.errors) == ([], [])


async def test_a_prepared_page_tells_nothing_until_the_visitor_opens_it(
    shelf: Shelf, context: BrowserContext
) -> None:
    # A browser that is remote-controlled prepares no pages, so the page is told it were one.
    await context.add_init_script(
        "Object.defineProperty(document, 'prerendering', {get: () => !window.opened})"
    )
    window = await opened(context, shelf.page(PHONE, path="/prepared"))
    await window.page.evaluate(  # whatever was said before has been heard when this is
        "api => fetch(api + '/s/acme.js', {mode: 'no-cors', cache: 'reload'})",
        shelf.api,
    )
    assert await window.page.evaluate("localStorage.length") == 0
    assert shelf.told == []

    await window.page.evaluate(
        "window.opened = true; document.dispatchEvent(new Event('prerenderingchange'))"
    )

    await window.until(SWAPPED)
    assert visited(shelf) == ["prepared"]


async def test_a_page_in_the_background_is_swapped_though_it_has_no_frames(
    shelf: Shelf, context: BrowserContext
) -> None:
    await context.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});"
        "requestAnimationFrame = () => 0; requestIdleCallback = () => 0"
    )
    rows = "<p>строка +7 (495) 000-00-00</p>" * 3000  # more than one slice of work
    window = await opened(context, shelf.page(PHONE + rows, path="/background"))

    async with asyncio.timeout(PATIENCE):
        while "000-00-00" in await window.page.inner_text("body"):
            await window.page.wait_for_timeout(20)
    assert visited(shelf) == ["background"]


async def test_what_is_printed_is_what_is_shown(
    shelf: Shelf, context: BrowserContext
) -> None:
    window = await opened(context, shelf.url("print.html"))
    await window.until("document.body.textContent.includes('100-00-01')")
    await window.page.evaluate(
        "onafterprint = () => { window.sheet = document.getElementById('sheet').innerText }"
    )

    await window.page.pdf()

    assert (await window.page.evaluate("sheet")) == "Лист: 8 (495) 100-00-01"


async def test_what_is_copied_is_what_is_seen(
    shelf: Shelf, context: BrowserContext
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    window = await opened(context, shelf.url("split-numbers.html"))
    await window.until("document.body.textContent.includes('100-00-01')")

    await window.page.keyboard.press("Control+a")
    await window.page.keyboard.press("Control+c")

    copied = await window.page.evaluate("navigator.clipboard.readText()")
    seen = await window.page.inner_text("body")
    assert copied.split() == seen.split()
    assert "+7 495 100-00-01" in copied


@pytest.mark.parametrize(
    ("page", "routes"),
    [
        ("routing", "contacts, contacts?city=msk, routing.html, routing.html#!/price, about"),
        ("turbo", "turbo/second.html, turbo.html"),
    ],
)  # fmt: skip
async def test_each_route_is_a_page_of_the_visit(
    shelf: Shelf, context: BrowserContext, page: str, routes: str
) -> None:
    window = await opened(context, shelf.url(f"{page}.html"))
    await lived(window.page)
    await window.page.goto("about:blank")

    expected = [f"{page}.html", *routes.split(", ")]
    await shelf.until(lambda: len(visited(shelf)) >= len(expected))

    assert visited(shelf) == expected
