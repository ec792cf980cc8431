"""Links to messengers on real pages carry the session, and nothing else of them changes."""

import pytest

from tests import make
from tests.browser.fake_tracker import says, visit_answer
from tracker import ids

SESSION = ids.mint(7, make.NOON)
CODE = ids.code(SESSION)
NEXT = ids.mint(7, make.NOON + make.HOUR)
BOT = "https://t.me/acme_bot"


@pytest.fixture(autouse=True)
def with_messengers(tracker):
    tracker.parts.append("messengers")
    tracker.config["messengers"] = True
    tracker.answers["/v1/visits"] = says(visit_answer(session=str(SESSION)))


async def test_links_carry_the_session_wherever_and_whenever_they_appear(
    tracker, visit
):
    window = await visit(
        tracker.page(
            f'<a id="bot" href="{BOT}">Telegram</a>'
            '<a id="person" href="https://wa.me/79161234567">WhatsApp</a>'
            '<a id="other" href="/prices">Prices</a>'
        )
    )
    await window.until(f"bot.href.endsWith('start={CODE}')")
    await window.page.evaluate(
        """() => {
            const host = document.createElement('div');
            const root = host.attachShadow({mode: 'open'});
            for (const parent of [document.body, root]) {
                const link = document.createElement('a');
                link.href = 'https://vk.me/acme';
                parent.append(link);
            }
            const copy = bot.cloneNode();
            copy.id = '';
            document.body.append(copy, host);
            window.shadowed = root.firstChild;
        }"""
    )
    await window.until(f"shadowed.href.endsWith('ref={CODE}')")

    links = await window.page.evaluate("[...document.links].map(link => link.href)")

    assert links[:3] == [
        f"{BOT}?start={CODE}",
        "https://wa.me/79161234567?text=%D0%9D%D0%BE%D0%BC%D0%B5%D1%80%20%D0%BE%D0%B1%D1%80"
        f"%D0%B0%D1%89%D0%B5%D0%BD%D0%B8%D1%8F%3A%20{CODE}%0A%0A",
        f"http://localhost:{tracker.port}/prices",
    ]
    assert links[3:] == [f"https://vk.me/acme?ref={CODE}", f"{BOT}?start={CODE}"]
    assert window.lines() == []


async def test_the_next_session_takes_the_place_of_the_last_also_in_copies(
    tracker, visit
):
    window = await visit(tracker.page(f'<a id="bot" href="{BOT}">Telegram</a>'))
    await window.until(f"bot.href.endsWith('{CODE}')")
    await window.page.evaluate(
        """() => {
            const copy = bot.cloneNode();
            copy.id = '';
            document.body.append(copy);
        }"""
    )
    tracker.answers["/v1/visits"] = says(visit_answer(session=str(NEXT)))

    await window.page.evaluate(
        """() => {
            history.pushState(0, '', '/next?utm_source=mail');
            document.title = 'Next';
            document.body.append('The next page');
        }"""
    )
    await window.until(f"bot.href.endsWith('{ids.code(NEXT)}')")

    links = await window.page.evaluate("[...document.links].map(link => link.href)")
    assert links == [f"{BOT}?start={ids.code(NEXT)}"] * 2


async def test_a_link_that_the_site_changes_later_is_written_anew(tracker, visit):
    window = await visit(tracker.page(f'<a id="bot" href="{BOT}">Telegram</a>'))
    await window.until(f"bot.href.endsWith('{CODE}')")

    await window.page.evaluate("bot.href = 'https://t.me/other_bot'")

    await window.until(f"bot.href == 'https://t.me/other_bot?start={CODE}'")


async def test_without_consent_links_stay_and_they_are_put_back_when_it_ends(
    tracker, visit
):
    tracker.config["consent"] = "wait"
    window = await visit(tracker.page(f'<a id="bot" href="{BOT}">Telegram</a>'))
    await tracker.until(lambda: bool(tracker.bodies("/v1/visits")))
    before = await window.page.evaluate("bot.href")

    await window.page.evaluate("skvoz('consent', true)")
    await window.until(f"bot.href.endsWith('{CODE}')")
    await window.page.evaluate("skvoz('consent', false)")
    await window.until(f"bot.href == '{BOT}'")

    assert before == BOT


async def test_what_the_page_keeps_to_itself_stays(tracker, visit):
    window = await visit(
        tracker.page(
            f'<p data-skvoz="off"><a id="kept" href="{BOT}">Jobs</a></p>'
            f'<a id="bot" href="{BOT}">Telegram</a>'
        )
    )
    await window.until(f"bot.href.endsWith('{CODE}')")

    assert await window.page.evaluate("kept.href") == BOT


async def test_a_click_on_a_messenger_is_told(tracker, visit):
    window = await visit(
        tracker.page(f'<a id="bot" href="{BOT}" target="_blank">Telegram</a>')
    )
    await window.until(f"bot.href.endsWith('{CODE}')")
    await window.page.evaluate(
        "document.addEventListener('click', (event) => event.preventDefault())"
    )

    await window.page.click("#bot")

    await tracker.until(lambda: bool(tracker.events("messenger_click")))
    assert len(tracker.events("messenger_click")) == 1
