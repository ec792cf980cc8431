"""The debugging panel: an owner looks at his own page and sees who, why, what and where."""

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from playwright.async_api import Locator

from tests.browser import fake_tracker as fake
from tests.browser.axe import obstacles
from tests.browser.conftest import Window
from tests.browser.fake_tracker import FakeTracker
from tests.browser.test_real_server import shop

__all__ = ["shop"]  # a fixture

Visit: TypeAlias = Callable[[str], Awaitable[Window]]

ASKED = "?skvoz_debug=1"
SOURCE = {
    "channel": "paid_search",
    "source": "yandex",
    "medium": "cpc",
    "campaign": "spring",
    "content": "",
    "term": "windows",
}
WHY = {
    "why": "visitor",
    "source": SOURCE,
    "rule": "direct",
    "landing": SOURCE | {"channel": "direct", "source": "(direct)", "medium": "(none)"},
    "click_ids": {"yclid": "4711"},
    "labels": {},
    "flags": [],
    "device": "mobile",
    "region": "Тверь",
    "test": True,
    "numbers": [
        {"replaces": fake.OWN, "kind": "dynamic", "pool": "main", "why": "shared"}
    ],
}
PAGE = f"""<h1>ACME</h1>
    <p>Call <a id="tel" class="phone" href="tel:{fake.OWN}">8 (495) 000-00-00</a></p>
    <p id="split">+7 <b>495</b> 000-<i>00</i>-00</p>
    <p id="off" data-skvoz="off">Fax: +7 495 000-00-00</p>
    <p id="hidden" style="display: none">{fake.OWN}</p>
    <div style="height: 3000px"></div>
    <footer id="foot">{fake.OWN}, {fake.MAIL}</footer>"""


@pytest.fixture
def site(tracker: FakeTracker) -> FakeTracker:
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(debug=WHY))
    return tracker


def _panel(window: Window, name: str = "Skvoz debugging") -> Locator:
    return window.page.get_by_role("region", name=name)


async def _section(window: Window, title: str) -> Locator:
    """One section of the panel, once the tracker's answer is in it."""
    await _panel(window).get_by_text("yandex / cpc").first.wait_for()
    heading = window.page.get_by_role("heading", name=title)
    return window.page.locator("details.top > div > details").filter(has=heading)


async def _rows(section: Locator) -> dict[str, str]:
    told: dict[str, str] = await section.locator("dl > div").evaluate_all(
        """rows => Object.fromEntries(rows.map(row => [
            row.firstChild.textContent, row.lastChild.textContent.trim()]))"""
    )
    return told


def test_the_panel_is_small(snippet: dict[str, str]) -> None:
    assert len(gzip.compress(snippet["debug"].encode(), 9)) <= 5.5 * 1024


async def test_nobody_sees_a_panel_who_did_not_ask(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE))
    await window.until("split.textContent === '+7 495 100-00-01'")

    assert await _panel(window).count() == 0
    assert not site.bodies("/v1/visits")[0].get("debug")
    scripts = await window.page.locator("script").evaluate_all(
        "all => all.map(one => one.src)"
    )
    assert not any("debug" in one for one in scripts)
    assert await window.page.evaluate("window.name") == ""


async def test_the_panel_tells_who_the_visitor_is_and_why(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE) + ASKED)

    source = await _rows(await _section(window, "Source"))
    who = await _rows(await _section(window, "Visit"))

    assert source == {
        "source": "yandex / cpc",
        "channel": "paid_search",
        "campaign": "spring",
        "keyword": "windows",
        "why": "the visitor’s earlier source",
        "this landing": "(direct) / (none) direct",
        "tags": "yclid = 4711",
    }
    assert who["site"] == "acme"
    assert who["consent"] == "given or not needed auto"
    assert (who["session"], who["visitor"]) == ("s1", "v1")
    assert (who["device"], who["region"]) == ("mobile", "Тверь")
    assert who["test"] == "skvoz_test=1"
    assert site.bodies("/v1/visits")[0]["debug"] is True
    assert (window.lines(), window.errors) == ([], [])


async def test_every_place_of_a_number_is_listed_with_what_ails_it(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE) + ASKED)
    section = await _section(window, "Numbers")
    await section.get_by_text("places here: 6").wait_for()

    number, mail = await section.locator("dl > div").all()

    assert await number.locator("dt").inner_text() == f"{fake.OWN} → +7 495 100-00-01"
    assert await number.locator("small").inner_text() == (
        "the visitor’s own · pool main · shared with another visitor · places here: 6"
    )
    assert [one.strip() for one in await number.locator("li").all_inner_texts()] == [
        "a#tel.phone 8 (495) 100-00-01",
        "a#tel.phone +74951000001",
        "p#split +7 495 100-00-01",
        "p#off Fax: +7 495 000-00-00 excluded by settings",
        "p#hidden +74951000001 hidden",
        f"footer#foot +74951000001, {fake.ALIAS}",
    ]
    assert await mail.locator("dt").inner_text() == f"{fake.MAIL} → {fake.ALIAS}"
    assert await mail.locator("li").count() == 1


async def test_a_click_shows_the_place_and_changes_nothing_of_the_page(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE) + ASKED)
    section = await _section(window, "Numbers")
    await window.until("foot.textContent.startsWith('+74951000001')")
    before = await window.page.evaluate("document.body.outerHTML")

    await section.get_by_role("button", name="footer").first.click()

    await window.until(
        "foot.getBoundingClientRect().bottom <= innerHeight && foot.getAnimations().length === 1"
    )
    assert await window.page.evaluate("document.body.outerHTML") == before


async def test_numbers_that_the_owner_forgot_are_listed_and_other_figures_are_not(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(
        site.page(
            """<p>Tver: <b class="branch">8 (4822) 33-44-55</b>, sales@acme.example</p>
            <p>and again 8-4822-33-44-55</p><p>+375 <i>17</i> 222-33-44</p>
            <a href="tel:88005553535">call</a><p>(812) 111-22-33 · 8 495 000 00 00</p>
            <p>12.05.2026, 1 000 000 ₽, ИНН 7701234567, 10:00-18:00, 2019-2026, № 8 120</p>"""
        )
        + ASKED
    )

    section = await _section(window, "Not tracked")

    assert await section.locator("dt").all_inner_texts() == [
        "8 (4822) 33-44-55",
        "sales@acme.example",
        "+375 17 222-33-44",
        "88005553535",
        "(812) 111-22-33",
    ]
    first = section.locator("dl > div").first.locator("li")
    assert [one.strip() for one in await first.all_inner_texts()] == [
        "b.branch 8 (4822) 33-44-55",
        "p 8-4822-33-44-55",
    ]


async def test_the_panel_is_neither_searched_nor_swapped(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(f"<p>{fake.OWN} and +7 812 111-22-33</p>") + ASKED)
    section = await _section(window, "Numbers")
    await section.get_by_text("places here: 1").first.wait_for()

    await window.page.evaluate("skvoz.S.again(); new Promise(requestAnimationFrame)")

    assert fake.OWN in await section.inner_text()
    strangers = await _section(window, "Not tracked")
    assert await strangers.locator("li").count() == 1


async def test_a_page_that_changes_is_looked_at_again(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page("<p>empty</p>") + ASKED)
    section = await _section(window, "Numbers")
    await section.get_by_text("places here: 0").first.wait_for()

    await window.page.evaluate(
        f"document.body.append(document.createElement('address'));"
        f"document.querySelector('address').textContent = '{fake.OWN}'"
    )

    await section.get_by_text("address +74951000001").wait_for()


async def test_what_was_said_to_the_tracker_can_be_read(
    site: FakeTracker, visit: Visit
) -> None:
    site.answers["/v1/contacts"] = fake.says({"error": {"field": "phone"}}, 400)
    window = await visit(site.page(PAGE) + ASKED)
    section = await _section(window, "Told to the tracker")
    await section.locator("summary").first.click()
    await window.page.evaluate("skvoz('contact', {phone: '12'})")
    refused = section.locator("details", has_text="/v1/contacts 400")
    await refused.wait_for()

    said, answered = await refused.locator("pre").all_inner_texts()
    visits = section.locator("details", has_text="/v1/visits 200")
    await visits.locator("summary").click()
    asked, told = await visits.locator("pre").all_inner_texts()

    assert json.loads(said)["phone"] == "12"
    assert json.loads(answered) == {"error": {"field": "phone"}}
    assert json.loads(asked)["site"] == "acme"
    assert json.loads(told)["session"] == "s1"
    trouble = await _section(window, "Trouble")
    assert "/v1/contacts 400" in await trouble.inner_text()


async def test_the_copied_text_holds_all_but_what_people_wrote(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE) + ASKED)
    await _section(window, "Source")
    await window.page.evaluate(
        "skvoz('contact', {name: 'Anna', phone: '89161234567', email: 'a@b.example',"
        " text: 'secret', fields: {city: 'Tver'}})"
    )
    log = await _section(window, "Told to the tracker")
    await log.get_by_text("/v1/contacts").wait_for(state="attached")

    await _panel(window).get_by_role("button", name="Copy").click()

    await _panel(window).get_by_text("Copied without data of forms").wait_for()
    text = await _panel(window).locator("textarea").input_value()
    assert json.loads(text)
    assert all(word in text for word in ("s1", "yandex / cpc", "p#split", '"***"'))
    written = ("Anna", "89161234567", "a@b.example", "secret", "Tver")
    assert not any(word in text for word in written)


async def test_debugging_lasts_for_the_tab_until_it_is_ended(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page(PAGE) + ASKED)
    await _section(window, "Source")
    second = site.page('<a id="tel" href="/third">third</a>', path="/second")
    site.page("<p>third</p>", path="/third")

    await window.page.goto(second)
    await _section(window, "Source")
    assert site.bodies("/v1/visits")[-1]["url"] == second
    other = await visit(second)
    await _panel(window).get_by_role("button", name="End debugging").click()
    await _panel(window).wait_for(state="detached")
    await window.page.click("#tel")
    await window.page.wait_for_url("**/third")
    await window.until("window.skvoz && skvoz.S.session() === 's1'")

    assert await _panel(other).count() == 0  # another tab
    assert await _panel(window).count() == 0


async def test_a_name_that_the_page_gave_its_window_is_left_alone(
    site: FakeTracker, visit: Visit
) -> None:
    head = (
        "<script>window.name = 'shop'</script>"
        f'<script src="{site.api}/s/acme.js"></script>'
    )
    window = await visit(site.page(PAGE, head=head) + ASKED)
    await _section(window, "Source")

    assert await window.page.evaluate("window.name") == "shop"
    await _panel(window).get_by_role("button", name="End debugging").click()
    assert await window.page.evaluate("window.name") == "shop"


async def test_without_consent_the_panel_says_so(
    site: FakeTracker, visit: Visit
) -> None:
    site.config["consent"] = "wait"
    nobody = {"visitor": None, "session": None, "numbers": [], "emails": []}
    why = WHY | {"why": "no_consent", "source": None, "landing": SOURCE, "numbers": []}
    site.answers["/v1/visits"] = fake.says(fake.visit_answer(debug=why, **nobody))
    window = await visit(site.page(PAGE) + ASKED)

    waiting = await _rows(await _section(window, "Visit"))
    source = await _rows(await _section(window, "Source"))
    await window.page.evaluate("skvoz('consent', false)")
    await _panel(window).get_by_text("refused: nothing is kept").wait_for()

    assert waiting["consent"] == "not yet: nothing is kept wait"
    assert (waiting["session"], waiting["visitor"]) == ("—", "—")
    assert source["why"] == "this landing, without consent"


async def test_a_tracker_that_does_not_answer_is_seen_as_trouble(
    site: FakeTracker, visit: Visit
) -> None:
    site.answers["/v1/visits"] = fake.says("Internal Server Error", 500)
    window = await visit(site.page(PAGE) + ASKED)

    trouble = _panel(window).locator("dl", has_text="/v1/visits 500")
    await trouble.wait_for()
    await _panel(window).get_by_role("heading", name="Trouble").wait_for()

    assert await window.page.inner_text("#tel") == "8 (495) 000-00-00"
    assert window.errors == []


async def test_the_panel_speaks_the_pages_language(
    site: FakeTracker, visit: Visit
) -> None:
    url = site.page(PAGE)
    site.pages["/"] = site.pages["/"].replace("<html>", '<html lang="ru">')
    window = await visit(url + ASKED)

    panel = _panel(window, "Отладка Skvoz")

    await panel.get_by_text("прежний источник посетителя").wait_for()
    assert await panel.get_attribute("lang") == "ru"


async def test_the_panel_is_used_with_the_keyboard_alone(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(site.page("<p>empty</p>") + ASKED)
    await _section(window, "Source")
    press = window.page.keyboard.press
    copy = _panel(window).get_by_role("button", name="Copy")

    await press("Tab")  # to the heading that folds
    await press("Enter")
    await copy.wait_for(state="hidden")
    await press("Enter")
    await copy.wait_for()
    await press("Tab")
    await press("Tab")
    await press("Enter")

    await _panel(window).wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out_of_the_panel(
    site: FakeTracker, visit: Visit, context: Any, scheme: Any
) -> None:
    site.answers["/v1/contacts"] = fake.says("", 400)
    url = site.page(f"<main>{PAGE}<p>+7 812 111-22-33</p></main>")
    site.pages["/"] = site.pages["/"].replace("<html>", '<html lang="en">')
    window = await visit(url + ASKED)
    await window.page.emulate_media(color_scheme=scheme)
    await window.page.set_viewport_size({"width": 320, "height": 640})
    await window.page.evaluate("skvoz('contact', {phone: '12'})")
    log = await _section(window, "Told to the tracker")
    await log.locator("summary").first.click()
    await log.get_by_text("/v1/contacts 400").wait_for()

    assert await obstacles(window.page) == []
    assert await window.page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    )


async def test_a_strict_policy_and_trusted_types_are_no_hindrance(
    site: FakeTracker, visit: Visit
) -> None:
    policy = (
        f"default-src 'none'; script-src {site.api}; connect-src {site.api}; "
        "require-trusted-types-for 'script'; trusted-types skvoz"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<script src="{site.api}/s/acme.js"></script>'
    )
    window = await visit(site.page("<p>empty</p>", head=head) + ASKED)

    await (await _section(window, "Source")).wait_for()

    panel = _panel(window).locator("details").first
    assert await panel.evaluate("one => getComputedStyle(one).position") == "fixed"
    assert window.errors == []
    lines = [text for _, text in window.lines() if "data:," not in text]  # its icon
    assert lines == []


async def test_the_real_server_gives_the_reasons(
    shop: str, visit: Visit, snippet: dict[str, str]
) -> None:
    assert snippet["debug"]  # built
    window = await visit(shop + ASKED + "&utm_source=yandex&utm_medium=cpc&yclid=59")

    source = await _rows(await _section(window, "Source"))
    numbers = await _section(window, "Numbers")
    await numbers.get_by_text("pool main · just lent · places here: 2").wait_for()

    assert source["this landing"] == "yandex / cpc utm"
    assert (source["why"], source["tags"]) == ("this landing", "yclid = 59")
    assert window.errors == []
