"""The plan page in a real browser: it arrives while one waits, and anybody can read it."""

from datetime import UTC, datetime

import pytest

from tests.browser.test_dashboard import Reader
from tests.browser.test_dashboard import look as look
from tests.browser.test_dashboard import reader as reader
from tests.browser.test_dashboard import vendor as vendor
from tests.make import plan as made_plan
from tests.web.dashboard import make
from tests.web.dashboard.conftest import app as app
from tests.web.dashboard.conftest import server as server
from tests.web.dashboard.conftest import world as world
from tracker import plan_rows


async def answer(world: make.World) -> None:
    """What the worker does."""
    at = datetime.now(UTC)
    asked = await plan_rows.claim(world.db, at=at)
    assert asked is not None
    made = made_plan(current=6, question=asked.question)
    await plan_rows.record(world.db, asked, made, trouble=None, at=at)


async def test_a_plan_appears_once_it_is_made_and_has_no_serious_obstacle(
    reader: Reader, world: make.World
) -> None:
    await reader.open("/acme/numbers/plan")
    await reader.until("document.querySelector('#plan progress')")
    await answer(world)
    await reader.until("document.querySelector('#plan .curve')")

    assert await reader.obstacles() == []
    assert await reader.page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("look", [("light", 1280)], ids=["desktop"])
async def test_what_if_is_asked_without_loading_the_page_and_formulas_open_by_keyboard(
    reader: Reader, world: make.World
) -> None:
    await reader.open("/acme/numbers/plan")
    await answer(world)
    await reader.until("document.querySelector('#plan .curve')")
    await reader.page.evaluate("window.same = true")

    await reader.page.fill("input[name=goal]", "70")
    await reader.page.press("input[name=goal]", "Enter")
    await reader.until("document.querySelector('#plan progress')")
    await answer(world)
    await reader.until("document.querySelector('#plan .curve')")
    assert await reader.page.evaluate(
        "window.same && location.search.includes('goal=70')"
    )

    await reader.page.focus("button[popovertarget=f-erlang]")
    await reader.page.keyboard.press("Enter")
    assert await reader.page.is_visible("#f-erlang")
