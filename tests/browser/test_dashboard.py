"""The dashboard in a real browser: live rows, filters without reloading, reading for all."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from tests.browser import axe
from tests.browser.conftest import PATIENCE
from tests.web.dashboard import make
from tests.web.dashboard.conftest import app as app
from tests.web.dashboard.conftest import server as server
from tests.web.dashboard.conftest import world as world
from tracker import users
from web import snippet_build

PAGES = ("contacts", "channels", "numbers", "costs", "health")
NOW = datetime.now(UTC)


@pytest.fixture(scope="session")
def vendor() -> None:
    """The libraries that pages load."""
    snippet_build.build()


class Reader:
    """A signed-in browser; what its console complains of is a failure."""

    def __init__(self, page: Page, root: str) -> None:
        self.page = page
        self.root = root
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, line: Any) -> None:
        if line.type in ("error", "warning"):
            self.complaints.append(line.text)

    async def open(self, path: str) -> None:
        await self.page.goto(self.root + path, wait_until="load")

    async def obstacles(self) -> list[Any]:
        """What keeps somebody from using the page."""
        return await axe.obstacles(self.page)

    async def until(self, expression: str) -> None:
        """Wait until something is true; asked from outside, for pages may not `eval`."""
        async with asyncio.timeout(PATIENCE):
            while not await self.page.evaluate(f"Boolean({expression})"):
                await asyncio.sleep(0.02)


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desktop", "phone"])
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    """A colour scheme and a width in pixels."""
    look: tuple[str, int] = request.param
    return look


@pytest.fixture
async def reader(
    browser: Browser,
    server: TestServer,
    world: make.World,
    vendor: None,
    look: tuple[str, int],
) -> AsyncIterator[Reader]:
    assert world.user
    scheme, width = look
    root = str(server.make_url("")).rstrip("/")
    context = await browser.new_context(
        locale="en-GB",
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 800},
    )
    context.set_default_timeout(PATIENCE * 1000)
    token = await users.sign_in(world.db, world.user.id, at=NOW)
    await context.add_cookies([{"name": "skvoz", "value": token, "url": root}])
    reader = Reader(await context.new_page(), root)
    yield reader
    await context.close()
    assert reader.complaints == []


async def test_pages_have_no_serious_obstacle_for_anybody(
    reader: Reader, world: make.World
) -> None:
    id_ = await make.busy(world, at=NOW, contacts=12)
    await make.trouble(world, at=NOW)
    for path in (*PAGES, f"contacts/{id_}"):
        await reader.open(f"/acme/{path}")
        assert await reader.obstacles() == [], path


async def test_no_page_is_wider_than_the_screen(
    reader: Reader, world: make.World
) -> None:
    id_ = await make.busy(world, at=NOW, contacts=6)
    await make.trouble(world, at=NOW)
    for path in (*PAGES, f"contacts/{id_}"):
        await reader.open(f"/acme/{path}")
        too_wide = await reader.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path


async def test_a_new_contact_appears_on_the_open_page(
    reader: Reader, world: make.World
) -> None:
    await make.contact(world, at=NOW - timedelta(days=3), name="Earlier")
    await reader.open("/acme/contacts")
    await reader.until("!document.getElementById('live').hidden")
    first = await make.contact(
        world, at=datetime.now(UTC), name="Just now", outcome=None
    )
    await reader.until(f"document.getElementById('c-{first}')")
    second = await make.contact(
        world, at=datetime.now(UTC), kind="form", name="Later still"
    )
    await reader.until(f"document.getElementById('c-{second}')")
    order = await reader.page.eval_on_selector_all(
        "#rows > tr", "rows => rows.map(r => r.id)"
    )
    assert order[1:3] == [f"c-{second}", f"c-{first}"]
    assert order[0] == ""  # the heading of the day
    assert len(order) == 5  # two days with their headings


async def test_the_first_contact_replaces_the_empty_page(
    reader: Reader, world: make.World
) -> None:
    await reader.open("/acme/contacts")
    await reader.until("!document.getElementById('live').hidden")
    id_ = await make.contact(world, at=datetime.now(UTC))
    await reader.until(f"document.getElementById('c-{id_}')?.checkVisibility()")
    assert await reader.page.locator("main > section.empty").count() == 0


async def test_a_filter_changes_the_list_and_the_address_without_loading_the_page(
    reader: Reader, world: make.World
) -> None:
    call = await make.contact(world, at=NOW)
    letter = await make.contact(world, at=NOW, kind="email", email="a@b.example")
    await reader.open("/acme/contacts")
    await reader.page.evaluate("window.same = true")
    await reader.page.select_option("select[name=kind]", "email")
    await reader.until(f"!document.getElementById('c-{call}')")
    assert await reader.page.locator(f"#c-{letter}").is_visible()
    assert "kind=email" in reader.page.url
    await reader.page.fill("#q", "nobody")
    await reader.until(f"!document.getElementById('c-{letter}')")
    assert await reader.page.evaluate("window.same")
    # The stream follows the new filters: this one fits, the next does not.
    await reader.page.fill("#q", "")
    await reader.until(f"document.getElementById('c-{letter}')")
    other = await make.contact(
        world, at=datetime.now(UTC), kind="email", email="new@b.example"
    )
    await reader.until(f"document.getElementById('c-{other}')")


async def test_earlier_contacts_are_put_below(
    reader: Reader, world: make.World
) -> None:
    for n in range(60):
        await make.contact(world, at=NOW - timedelta(minutes=n))
    await reader.open("/acme/contacts")
    await reader.page.click("[data-more]")
    await reader.until("document.querySelectorAll('.contact').length === 60")
    assert await reader.page.locator("[data-more]").count() == 0


async def test_the_chart_is_drawn_and_formulas_open_by_keyboard(
    reader: Reader, world: make.World
) -> None:
    await make.busy(world, at=NOW, contacts=1)
    await reader.open("/acme/channels")
    await reader.until("document.querySelectorAll('#chart svg path').length > 20")
    await reader.page.focus("button[popovertarget=f-romi]")
    await reader.page.keyboard.press("Enter")
    assert await reader.page.locator("#f-romi").is_visible()
    assert "÷ Cost" in await reader.page.inner_text("#f-romi")
    await reader.page.keyboard.press("Escape")
    assert not await reader.page.locator("#f-romi").is_visible()


async def test_a_delivery_is_sent_again_by_its_button(
    reader: Reader, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    delivery = await make.delivery(world, id_, at=NOW, state="dead", error="HTTP 400")
    await reader.open(f"/acme/contacts/{id_}")
    await reader.page.click("#deliveries button")
    await reader.until("document.querySelector('.flash')")
    state = await world.db.fetchval(
        "SELECT state FROM deliveries WHERE id = $1", delivery
    )
    assert state == "owed"


async def test_a_filter_that_fails_leaves_the_list_as_it_was(
    reader: Reader, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    await reader.open("/acme/contacts")
    world.db.terminate()
    async with reader.page.expect_response(
        lambda answer: "kind=form" in answer.url
    ) as told:
        await reader.page.select_option("select[name=kind]", "form")
    assert (await told.value).status == 503
    await reader.until("!document.querySelector('.htmx-request')")
    assert await reader.page.locator(f"#c-{id_}").is_visible()
    reader.complaints.clear()  # the browser's own report of the answer
