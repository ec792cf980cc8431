"""The snippet in a real Chromium: what it shows, what it tells, and that it breaks nothing."""

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from aiohttp import web
from playwright.async_api import BrowserContext

from tests.browser import fake_tracker as fake
from tests.browser.conftest import Window
from tests.browser.fake_tracker import FakeTracker

Visit: TypeAlias = Callable[[str], Awaitable[Window]]

PHONE = '<p id="phone">+7 (495) 000-00-00</p>'
SWAPPED = "document.getElementById('phone').textContent === '+7 (495) 100-00-01'"
SPELLINGS = {
    "+7 (495) 000-00-00": "+7 (495) 100-00-01",
    "+74950000000": "+74951000001",
    "8 (495) 000-00-00": "8 (495) 100-00-01",
    "84950000000": "84951000001",
    "7 495 000 00 00": "7 495 100 00 01",
    "(495) 000-00-00": "(495) 100-00-01",
    "8-495-000-00-00": "8-495-100-00-01",
    "+7\u00a0495\u00a0000\u201100\u201100": "+7\u00a0495\u00a0100\u201100\u201101",
    "+7\u2009(495)\u2009000\u201300\u201300": "+7\u2009(495)\u2009100\u201300\u201301",
    "+7.495.000.00.00": "+7.495.100.00.01",
    "495\u2014000\u201400\u201400": "495\u2014100\u201400\u201401",
    "007 495 0000000": "007 495 1000001",
    "Звоните: 8(495)0000000, ждём!": "Звоните: 8(495)1000001, ждём!",
    "+7\n          (495)\n  000-00-00": "+7\n          (495)\n  100-00-01",
    "INFO@ACME.example": fake.ALIAS,
    "пишите на info@acme.example.": f"пишите на {fake.ALIAS}.",
}
NOT_OURS = (
    "+7 (495) 000-00-01",
    "174950000000",
    "8 495 000-00-001",
    "+374950000000",
    "my.info@acme.example",
    "info@acme.example.com",
    "info@acme.examples",
)


def test_what_every_page_loads_fits_into_six_kilobytes(snippet: dict[str, str]) -> None:
    served = (
        f"({snippet['core']})({json.dumps(FakeTracker(scripts={}).settings())},[]);"
    )
    assert len(gzip.compress(served.encode(), 9)) <= 6144


async def test_every_usual_spelling_is_swapped_and_kept(
    tracker: FakeTracker, visit: Visit
) -> None:
    texts = [*SPELLINGS, *NOT_OURS]
    window = await visit(tracker.page("".join(f"<pre>{text}</pre>" for text in texts)))

    await window.until("document.body.textContent.includes('100-00-01')")

    shown = await window.page.locator("pre").evaluate_all(
        "all => all.map(one => one.textContent)"
    )
    assert shown == [*SPELLINGS.values(), *NOT_OURS]
    assert (window.lines(), window.errors) == ([], [])


async def test_numbers_of_other_countries_keep_their_spelling_where_lengths_agree(
    tracker: FakeTracker, visit: Visit
) -> None:
    given = {  # own number: the number lent, and the spellings
        "+442079460000": (
            "+442079460123",
            {
                "020 7946 0000": "020 7946 0123",
                "+44 (0)20 7946 0000": "+44 (0)20 7946 0123",
            },
        ),
        "+12125550100": ("+12125550199", {"1-212-555-0100": "1-212-555-0199"}),
        "+375170000000": ("+375171234567", {"+375 17 000-00-00": "+375 17 123-45-67"}),
        "+74950000000": ("+442079460555", {"8 (495) 000-00-00": "+44 20 7946 0555"}),
    }
    tracker.config["numbers"] = list(given)
    entries = [
        fake.number(number=lent, replaces=own, display="+44 20 7946 0555")
        for own, (lent, _) in given.items()
    ]
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(*entries))
    texts = {old: new for _, pairs in given.values() for old, new in pairs.items()}

    window = await visit(tracker.page("".join(f"<p>{text}</p>" for text in texts)))

    await window.until("document.body.textContent.includes('0555')")
    paragraphs = window.page.locator("p")
    assert await paragraphs.all_inner_texts() == list(texts.values())


async def test_links_attributes_and_split_numbers_are_swapped(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(
        tracker.page(
            """
            <a id="tel" href="tel:8(495)000-00-00">call</a>
            <a id="encoded" href="tel:%2B7%20495%200000000;ext=12">call</a>
            <a id="mail" href="mailto:info@acme.example?subject=Hello%20there&amp;body=+74950000000">write</a>
            <a id="page" href="/contacts?phone=+74950000000">contacts</a>
            <i id="title" title="8 495 000-00-00" aria-label="+7 495 000-00-00"
               data-phone="84950000000"></i>
            <input id="input" placeholder="info@acme.example" value="+7 495 000-00-00">
            <div id="split">+7 <b>(495)</b> 000-<span>00-00</span></div>
            <div id="inline">Call <b>8 495</b> 000-00-00 or <i>write</i></div>
            """
        )
    )

    await window.until("split.textContent === '+7 (495) 100-00-01'")

    seen = await window.page.evaluate(
        """() => [tel, encoded, mail, page].map(a => a.getAttribute('href')).concat(
            title.title, title.getAttribute('aria-label'), title.dataset.phone,
            input.placeholder, input.value, split.innerHTML, inline.innerHTML)"""
    )
    assert seen == [
        "tel:+74951000001",
        "tel:+74951000001;ext=12",
        f"mailto:{fake.ALIAS}?subject=Hello%20there&body=+74950000000",
        "/contacts?phone=+74950000000",
        "8 495 100-00-01",
        "+7 495 100-00-01",
        "84951000001",
        fake.ALIAS,
        "+7 495 000-00-00",
        "+7 <b>(495)</b> 100-<span>00-01</span>",
        "Call <b>8 495</b> 100-00-01 or <i>write</i>",
    ]


async def test_a_split_number_of_another_length_keeps_what_stands_around_it(
    tracker: FakeTracker, visit: Visit
) -> None:
    entry = fake.number(number="+375171234567", display="+375 17 123-45-67")
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(entry))
    window = await visit(
        tracker.page(
            '<p id="alone"><b></b><i>8</i> <b>495</b> 000-00-00</p>'
            '<p id="among">Call <u>us</u>: +7 <b>495</b> 000-00-00 <i>now</i></p>'
        )
    )

    await window.until("alone.textContent === '+375 17 123-45-67'")
    await window.until("among.textContent === 'Call us: +375 17 123-45-67 now'")
    assert await window.page.inner_html("#among") == (
        "Call <u>us</u>: +375 17 123-45-67 <b></b><i>now</i>"
    )


async def test_parts_of_the_page_that_are_not_ours_stay_as_they_are(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(
        tracker.page(
            PHONE
            + """
            <div class="kept" data-skvoz="off"><p>+7 495 000-00-00</p>
              <a href="tel:+74950000000">call</a></div>
            <textarea class="kept">+7 495 000-00-00</textarea>
            <div class="kept" contenteditable><p>+7 495 000-00-00</p></div>
            <script class="kept" type="application/json">"+7 495 000-00-00"</script>
            """
        )
    )
    await window.until(SWAPPED)

    await window.page.evaluate(
        """document.querySelectorAll('.kept').forEach(one => {
            if (one.nodeName === 'DIV') one.append('8 495 000-00-00')
        }); phone.append(' 8 495 000-00-00')"""
    )
    await window.until("phone.textContent.endsWith('8 495 100-00-01')")

    kept = await window.page.locator(".kept").evaluate_all(
        "all => all.map(one => one.outerHTML).join('')"
    )
    assert "1000001" not in "".join(filter(str.isdigit, kept))
    assert 'href="tel:+74950000000"' in kept


async def test_content_that_comes_later_is_swapped(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(tracker.page(PHONE + '<a id="link" href="/">x</a>'))
    await window.until(SWAPPED)

    await window.page.evaluate(
        """() => {
            const late = document.createElement('div');
            late.innerHTML = '<p>8 800 1</p><a href="tel:84950000000">+7 495 <b>000 00 00</b></a>';
            document.body.append(late);
            phone.firstChild.nodeValue = '8 (495) 000 00 00';
            link.href = 'tel:+74950000000';
        }"""
    )

    await window.until("phone.textContent === '8 (495) 100 00 01'")
    await window.until("link.getAttribute('href') === 'tel:+74951000001'")
    await window.until(
        "document.querySelector('div a').outerHTML ==="
        """ '<a href="tel:+74951000001">+7 495 <b>100 00 01</b></a>'"""
    )


async def test_a_huge_page_is_swapped_to_its_end_in_several_frames(
    tracker: FakeTracker, visit: Visit
) -> None:
    loaded = asyncio.Event()

    async def answer(_: fake.Body) -> web.StreamResponse:
        await loaded.wait()
        return web.json_response(fake.visit_answer())

    tracker.answers["/v1/visits"] = answer
    rows = "<p>row <i title='t'>5</i> +7 (495) 000-00-00</p>" * 8_000
    window = await visit(
        tracker.page(
            f'<p id="first">84950000000</p>{rows}<p id="last">84950000000</p>'
            """<script>
            partly = 0;
            (function look() {
                partly += first.textContent !== last.textContent;
                requestAnimationFrame(look);
            })();
            </script>"""
        )
    )
    loaded.set()

    await window.until("last.textContent === '84951000001'")
    assert await window.page.evaluate("partly") > 1
    left = "document.body.textContent.includes('000-00-00')"
    assert await window.page.evaluate(left) is False


async def test_a_script_that_fights_for_the_number_does_not_hang_the_page(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(
        tracker.page(
            PHONE + "<script>fights = 0; new MutationObserver(() => {"
            " if (phone.textContent !== '+7 (495) 000-00-00') {"
            "  fights++; phone.firstChild.nodeValue = '+7 (495) 000-00-00' }"
            "}).observe(phone, {subtree: true, characterData: true})</script>"
        )
    )

    await window.until("fights === 100")
    await window.page.evaluate("new Promise(requestAnimationFrame)")
    assert await window.page.evaluate("fights") == 100


async def test_the_second_page_is_swapped_before_its_first_paint_and_without_a_request(
    tracker: FakeTracker, visit: Visit
) -> None:
    first = await visit(tracker.page(PHONE))
    await first.until(SWAPPED)
    tracker.answers["/v1/visits"] = tracker.stall

    second = await visit(
        tracker.page(
            PHONE
            + """<script>
            painted = null;
            requestAnimationFrame(() => { atFirstFrame = phone.textContent });
            new PerformanceObserver(list => { painted = list.getEntries()[0].startTime })
              .observe({type: 'paint', buffered: true});
            parsed = performance.now();
            </script>""",
            path="/second",
        )
    )

    await second.until("painted !== null")
    at_first_frame, before = await second.page.evaluate(
        "[atFirstFrame, parsed < painted]"
    )
    assert at_first_frame == "+7 (495) 100-00-01"
    assert before
    await tracker.until(lambda: len(tracker.bodies("/v1/visits")) == 2)
    told = tracker.bodies("/v1/visits")[1]
    assert (told["visitor"], told["session"]) == ("v1", "s1")


async def test_a_deferred_snippet_swaps_the_second_page_as_soon_as_it_runs(
    tracker: FakeTracker, visit: Visit
) -> None:
    first = await visit(tracker.page(PHONE))
    await first.until(SWAPPED)
    tracker.answers["/v1/visits"] = tracker.stall
    tag = f'<script defer src="{tracker.api}/s/acme.js" onload="ran = phone.textContent"></script>'

    second = await visit(tracker.page(PHONE, path="/second", head=tag))

    assert await second.page.evaluate("ran") == "+7 (495) 100-00-01"


async def test_a_memory_older_than_the_lease_is_not_shown_but_told(
    tracker: FakeTracker, visit: Visit
) -> None:
    tracker.answers["/v1/beats"] = tracker.stall  # a beat would renew the lease
    first = await visit(tracker.page(PHONE))
    await first.until(SWAPPED)
    await first.page.evaluate(
        """() => {
            const kept = JSON.parse(localStorage['skvoz.acme']);
            kept.at -= 1801e3;
            localStorage['skvoz.acme'] = JSON.stringify(kept);
        }"""
    )
    tracker.answers["/v1/visits"] = tracker.stall

    second = await visit(tracker.page(PHONE, path="/second"))

    await tracker.until(lambda: len(tracker.bodies("/v1/visits")) == 2)
    assert tracker.bodies("/v1/visits")[1]["visitor"] == "v1"
    assert await second.page.inner_text("#phone") == "+7 (495) 000-00-00"


async def test_a_number_of_ones_own_never_changes_on_an_open_page(
    tracker: FakeTracker, visit: Visit
) -> None:
    first = await visit(tracker.page(PHONE))
    await first.until(SWAPPED)
    other = fake.number(number="+74951000002")
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(other))

    second = await visit(tracker.page(PHONE, path="/second"))
    await second.until("localStorage['skvoz.acme'].includes('+74951000002')")
    third = await visit(tracker.page(PHONE, path="/third"))

    assert await second.page.inner_text("#phone") == "+7 (495) 100-00-01"
    assert await third.page.inner_text("#phone") == "+7 (495) 100-00-02"


async def test_a_visit_tells_where_it_came_from_and_who_others_say_it_is(
    tracker: FakeTracker, visit: Visit, context: BrowserContext
) -> None:
    url = tracker.page(PHONE) + "?utm_source=yandex&yclid=123#top"
    cookies = {
        "_ym_uid": "1734680388574908198",
        "_ga": "GA1.1.1234567890.1700000000",
        "_ga_ABC": "GS2.1.o1%24s1734680388$g0",
        "_fbp": "fb.1.1771990000000.1098115397",
    }
    await context.add_cookies(
        [{"name": name, "value": cookies[name], "url": url} for name in cookies]
    )

    await visit(url)

    await tracker.until(lambda: bool(tracker.told))
    told = tracker.told[0]
    assert told.content_type == "text/plain"  # or else the browser asks leave first
    assert told.body == {
        "site": "acme",
        "url": url,
        "referrer": "",
        "session": None,
        "consent": True,
        "ids": cookies | {"_ga_ABC": "GS2.1.o1$s1734680388$g0"},
        "replaces": [fake.OWN, fake.MAIL],
    }


async def test_ids_that_other_counters_set_later_come_with_a_beat(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(tracker.page(PHONE))
    await window.until(SWAPPED)

    await window.page.evaluate("document.cookie = '_ga=GA1.1.111.222'")

    await tracker.until(
        lambda: any("ids" in one for one in tracker.bodies("/v1/beats"))
    )
    beat = next(one for one in tracker.bodies("/v1/beats") if "ids" in one)
    assert beat["ids"] == {"_ga": "GA1.1.111.222"}


async def test_metrika_is_asked_for_its_id_though_its_tag_comes_later(
    tracker: FakeTracker, visit: Visit
) -> None:
    tracker.config["ym"] = 42
    tracker.parts = ["metrika"]
    window = await visit(tracker.page(PHONE))
    await window.until(SWAPPED)

    await window.page.evaluate("void (ym = (id, what, cb) => cb(id + '0123456789'))")

    await tracker.until(
        lambda: any("ids" in one for one in tracker.bodies("/v1/beats"))
    )
    beat = next(one for one in tracker.bodies("/v1/beats") if "ids" in one)
    assert beat["ids"] == {"ym_client_id": "420123456789"}


@pytest.mark.parametrize("signal", ["globalPrivacyControl: true", "doNotTrack: '1'"])
async def test_a_signal_of_the_browser_is_a_refusal_that_the_page_may_overrule(
    tracker: FakeTracker, visit: Visit, context: BrowserContext, signal: str
) -> None:
    await context.add_init_script(
        f"for (const [name, value] of Object.entries({{{signal}}}))"
        "Object.defineProperty(navigator, name, {value})"
    )
    tracker.parts = ["signals"]
    window = await visit(tracker.page(PHONE))
    await tracker.until(lambda: bool(tracker.told))
    assert [told.body["consent"] for told in tracker.told] == [False]
    assert await window.page.evaluate("localStorage.length") == 0

    await window.page.evaluate("skvoz('consent', true)")

    await tracker.until(lambda: len(tracker.told) == 2)
    assert tracker.told[1].body["consent"] is True


async def test_a_tracker_that_is_down_leaves_the_page_its_own_number(
    tracker: FakeTracker, visit: Visit
) -> None:
    with socket.socket() as closed:  # bound but not listening: refused
        closed.bind(("127.0.0.1", 0))
        tracker.config["api"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        window = await visit(tracker.page(PHONE))
        await _keeps_its_own(window)


GARBAGE = {
    "a page": ("<!doctype html><p>Welcome</p>", 200, "text/html"),
    "an error": ('{"error": "unknown site"}', 404, "application/json"),
    "a fault": ("Internal Server Error", 500, "text/plain"),
    "nothing": ("", 204, "text/plain"),
    "null": ("null", 200, "application/json"),
    "a list": ("[1, 2]", 200, "application/json"),
    "words for lists": (
        json.dumps(fake.visit_answer(numbers="none", emails="none")),
        200,
        "application/json",
    ),
    "a session that is a number": (
        json.dumps(fake.visit_answer(session=17)),
        200,
        "application/json",
    ),
    "a number that is markup": (
        json.dumps(fake.visit_answer(fake.number(number="<b>1</b>"))),
        200,
        "application/json",
    ),
    "entries that are null": (
        json.dumps(fake.visit_answer(numbers=[None], emails=[None])),
        200,
        "application/json",
    ),
}


async def test_a_tracker_that_talks_rubbish_leaves_the_page_its_own_number(
    tracker: FakeTracker, visit: Visit
) -> None:
    for name, (text, status, content_type) in GARBAGE.items():
        answer = fake.says(text, status, content_type=content_type)
        tracker.answers["/v1/visits"] = answer
        window = await visit(tracker.page(f"<h1>{name}</h1>{PHONE}"))
        await _keeps_its_own(window)


async def _keeps_its_own(window: Window) -> None:
    async with asyncio.timeout(fake.PATIENCE):
        while not window.lines():
            await window.page.evaluate("new Promise(requestAnimationFrame)")
    # What a script of the page could still provoke brings no second line.
    await window.page.evaluate(
        "skvoz('goal', 'x'); skvoz('number', null); skvoz('rubbish'); phone.click();"
        "history.pushState(null, '', '/next'); new Promise(requestAnimationFrame)"
    )
    lines = window.lines()
    assert [kind for kind, _ in lines] == ["debug"]
    assert lines[0][1].startswith("skvoz: ")
    assert window.errors == []
    assert await window.page.inner_text("#phone") == "+7 (495) 000-00-00"
    assert await window.page.evaluate("localStorage.length") == 0


async def test_an_answer_that_comes_too_late_does_not_change_a_number_being_read(
    tracker: FakeTracker, visit: Visit
) -> None:
    async def slow(_: fake.Body) -> web.StreamResponse:
        await asyncio.sleep(3.2)  # what is tested is a slow server
        return web.json_response(fake.visit_answer())

    tracker.answers["/v1/visits"] = slow
    below = '<div style="height: 3000px"></div><p id="below">info@acme.example</p>'

    window = await visit(tracker.page(PHONE + below))

    await window.until(f"below.textContent === '{fake.ALIAS}'")  # was never in view
    await tracker.until(lambda: bool(tracker.events("reveal")))
    assert [event["target"] for event in tracker.events("reveal")] == [fake.OWN]
    assert tracker.bodies("/v1/events") == []  # no second answer shall change it either
    assert await window.page.inner_text("#phone") == "+7 (495) 000-00-00"


async def test_a_number_in_view_is_told_once_and_one_out_of_view_is_not(
    tracker: FakeTracker, visit: Visit
) -> None:
    other = "+74950000009"
    tracker.config["numbers"] = [fake.OWN, other]
    entries = (fake.number(), fake.number(number="+74951000009", replaces=other))
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(*entries))
    window = await visit(
        tracker.page(
            PHONE
            + f'<a href="tel:{fake.OWN}">call</a><div style="height: 3000px"></div>'
            + f'<p id="below">{other}</p>'
        )
    )

    await tracker.until(lambda: bool(tracker.events("reveal")))
    assert [one["target"] for one in tracker.events("reveal")] == [fake.NUMBER]
    await window.page.locator("#below").scroll_into_view_if_needed()
    await tracker.until(lambda: len(tracker.events("reveal")) == 2)

    assert tracker.events("reveal")[1]["target"] == "+74951000009"
    now = await window.page.evaluate("Date.now() / 1000")
    assert all(0 <= now - one["at"] < 60 for one in tracker.events("reveal"))
    assert {told["session"] for told in tracker.bodies("/v1/beats")} == {"s1"}


async def test_pointing_at_a_number_and_clicking_it_are_told_at_once(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(
        tracker.page(
            f'{PHONE}<a id="tel" href="tel:84950000000">call</a>'
            f'<a id="mail" href="mailto:{fake.MAIL}">write</a>'
            '<a id="other" href="tel:+74999999999">another number</a>'
            "<script>onclick = event => event.preventDefault()</script>"
        )
    )
    await window.until(SWAPPED)

    await window.page.click("#other")
    await window.page.click("#tel")
    await window.page.click("#mail")

    await tracker.until(lambda: bool(tracker.events("mail_click")))
    await tracker.until(lambda: bool(tracker.events("tel_click")))
    assert [one["target"] for one in tracker.events("tel_click")] == [fake.NUMBER]
    assert [one["target"] for one in tracker.events("mail_click")] == [fake.ALIAS]
    assert [one["target"] for one in tracker.events("reveal")] == [fake.NUMBER]


async def test_beats_come_while_the_page_is_open_and_a_last_one_when_it_is_left(
    tracker: FakeTracker, visit: Visit
) -> None:
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(beat_seconds=1))
    window = await visit(tracker.page("<p>nothing to see</p>"))
    await tracker.until(lambda: len(tracker.bodies("/v1/beats")) >= 2)

    await window.page.goto("about:blank")

    def left() -> bool:
        return any(one["state"] == "left" for one in tracker.bodies("/v1/beats"))

    await tracker.until(left)
    assert tracker.bodies("/v1/beats")[0] == {
        "session": "s1",
        "state": "visible",
        "events": [],
    }


async def test_a_hidden_page_says_so_and_asks_again_when_its_lease_is_over(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(tracker.page(PHONE))
    await window.until(SWAPPED)
    turn = """hidden => {
        Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""

    def last_state() -> str | None:
        states = [one["state"] for one in tracker.bodies("/v1/beats")]
        return states[-1] if states else None

    await window.page.evaluate(turn, True)
    await tracker.until(lambda: last_state() == "hidden")
    await window.page.evaluate(turn, False)
    await tracker.until(lambda: last_state() == "visible")
    await window.page.evaluate(turn, True)
    await tracker.until(lambda: last_state() == "hidden")
    await window.page.evaluate("now = Date.now; Date.now = () => now() + 1801e3")
    await window.page.evaluate(turn, False)

    await tracker.until(lambda: len(tracker.bodies("/v1/visits")) == 2)
    assert tracker.bodies("/v1/visits")[1]["session"] == "s1"


async def test_a_page_back_from_the_browsers_cache_is_a_visit_again(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(tracker.page(PHONE))
    await window.until(SWAPPED)

    await window.page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}));"
        "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    )

    await tracker.until(lambda: len(tracker.bodies("/v1/visits")) == 2)
    assert [one["state"] for one in tracker.bodies("/v1/beats")] == ["left"]


async def test_events_that_were_not_taken_come_again_and_taken_ones_do_not(
    tracker: FakeTracker, visit: Visit
) -> None:
    entry = fake.number("own", fake.OWN)
    tracker.answers["/v1/visits"] = fake.says(fake.visit_answer(entry, beat_seconds=1))
    tracker.answers["/v1/beats"] = fake.says("", 503)
    tracker.answers["/v1/events"] = fake.says("taken, but no JSON")
    window = await visit(tracker.page(PHONE))
    await window.page.hover("#phone")
    await window.page.evaluate("skvoz('goal', 'cart')")

    await tracker.until(lambda: len(tracker.events("goal")) == 3)

    assert len(tracker.events("reveal")) == 1
    first, second, third = tracker.events("goal")
    assert first == second == third
    assert [kind for kind, _ in window.lines()] == ["debug"]


@pytest.mark.parametrize("kind", ["own", "overflow", "static"])
async def test_a_number_is_lent_late_when_the_visitor_is_about_to_read_it(
    tracker: FakeTracker, visit: Visit, kind: str
) -> None:
    common = fake.OWN if kind == "own" else "+74951000099"
    tracker.answers["/v1/visits"] = fake.says(
        fake.visit_answer(fake.number(kind, common))
    )
    tracker.answers["/v1/events"] = fake.says(
        {"numbers": [fake.number()], "emails": []}
    )
    window = await visit(
        tracker.page(PHONE + '<a id="tel" href="tel:84950000000">x</a>')
    )

    await window.page.hover("#phone")
    await window.until(SWAPPED)
    second = await visit(tracker.page(PHONE, path="/second"))

    assert [one["target"] for one in tracker.events("reveal", "/v1/events")] == [common]
    assert await window.page.get_attribute("#tel", "href") == f"tel:{fake.NUMBER}"
    assert await second.page.inner_text("#phone") == "+7 (495) 100-00-01"
    # The new number is seen in its turn; nothing more is asked for.
    await tracker.until(
        lambda: (
            fake.NUMBER
            in [one["target"] for one in tracker.events("reveal", "/v1/beats")]
        )
    )


async def test_a_click_asks_for_a_late_number_too_and_an_empty_answer_changes_nothing(
    tracker: FakeTracker, visit: Visit
) -> None:
    tracker.answers["/v1/visits"] = fake.says(
        fake.visit_answer(fake.number("own", fake.OWN))
    )
    window = await visit(
        tracker.page(
            f'<a id="phone" href="tel:{fake.OWN}">+7 (495) 000-00-00</a>'
            "<script>onclick = event => event.preventDefault()</script>"
        )
    )
    await window.until("'skvoz.acme' in localStorage")

    await window.page.evaluate("phone.click()")

    await tracker.until(lambda: bool(tracker.events("tel_click", "/v1/events")))
    assert await window.page.inner_text("#phone") == "+7 (495) 000-00-00"
    assert (window.lines(), window.errors) == ([], [])


async def test_a_route_change_is_told_with_the_next_beat_and_a_new_source_at_once(
    tracker: FakeTracker, visit: Visit
) -> None:
    url = tracker.page(PHONE)
    window = await visit(url)
    await window.until(SWAPPED)
    turn = """address => {
        history.pushState({}, '', address);
        document.body.innerHTML = '<h1 id="next">8 495 000-00-00</h1>';
    }"""

    for address in ("#below", "/catalogue"):
        await window.page.evaluate(turn, address)
        await window.until("next.textContent === '8 495 100-00-01'")
    await window.page.evaluate("skvoz('goal', 'x')")
    await tracker.until(lambda: bool(tracker.events("goal")))
    await window.page.evaluate(turn, "/sale?utm_source=vk")
    await tracker.until(lambda: len(tracker.bodies("/v1/visits")) == 2)

    assert [one["target"] for one in tracker.events("page")] == [f"{url}catalogue"]
    _, second = tracker.bodies("/v1/visits")
    assert (second["url"], second["session"]) == (f"{url}sale?utm_source=vk", "s1")
    assert second["referrer"] == f"{url}catalogue"


async def test_nothing_is_stored_or_sent_before_consent_and_all_is_forgotten_after(
    tracker: FakeTracker, visit: Visit
) -> None:
    tag = f'<script data-consent="wait" src="{tracker.api}/s/acme.js"></script>'
    window = await visit(tracker.page(PHONE, head=tag))
    await window.page.hover("#phone")
    await window.page.evaluate("skvoz('goal', 'before')")
    assert await window.page.evaluate("[localStorage.length, document.cookie]") == [
        0,
        "",
    ]
    assert [told.body["consent"] for told in tracker.told] == [False]

    await window.page.evaluate("skvoz('consent', true)")
    await window.until(SWAPPED)
    await tracker.until(lambda: bool(tracker.events("goal")))

    await window.page.evaluate("skvoz('consent', false)")
    assert await window.page.evaluate("[localStorage.length, document.cookie]") == [
        0,
        "",
    ]


async def test_the_page_can_tell_goals_and_contacts_and_ask_for_the_number(
    tracker: FakeTracker, visit: Visit
) -> None:
    tag = f"""<script>
        heard = [];
        window.skvoz = window.skvoz || function () {{ (skvoz.q = skvoz.q || []).push(arguments) }};
        skvoz('number', number => heard.push(number));
        skvoz('session', session => heard.push(session));
        skvoz('number', () => {{ throw Error('the page is wrong itself') }});
        skvoz('goal', 'cart');
        </script><script async src="{tracker.api}/s/acme.js"></script>"""
    window = await visit(tracker.page(PHONE, head=tag))
    await window.until("heard.length === 2")

    await window.page.evaluate("skvoz('contact', {name: 'Иван', phone: '89160000000'})")

    await tracker.until(lambda: bool(tracker.events("goal")))
    await tracker.until(lambda: bool(tracker.bodies("/v1/contacts")))
    assert await window.page.evaluate("heard") == [fake.NUMBER, "s1"]
    assert [one["target"] for one in tracker.events("goal")] == ["cart"]
    contact = tracker.bodies("/v1/contacts")[0]
    assert len(contact.pop("id")) > 20  # by chance never twice the same
    assert contact == {
        "site": "acme",
        "session": "s1",
        "channel": "form",
        "name": "Иван",
        "phone": "89160000000",
    }
    assert window.errors == []


async def test_a_contact_that_was_not_taken_is_told_again_under_the_same_id(
    tracker: FakeTracker, visit: Visit
) -> None:
    window = await visit(tracker.page(PHONE))
    await window.until(SWAPPED)
    tracker.answers["/v1/contacts"] = fake.says("", 503)

    await window.page.evaluate("skvoz('contact', {id: 'form-1', email: 'i@x.example'})")

    await tracker.until(lambda: len(tracker.bodies("/v1/contacts")) == 2)
    first, second = tracker.bodies("/v1/contacts")
    assert first == second
    assert first["id"] == "form-1"


async def test_a_strict_content_security_policy_is_no_hindrance(
    tracker: FakeTracker, visit: Visit
) -> None:
    policy = f"default-src 'none'; script-src {tracker.api}; connect-src {tracker.api}"
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<script src="{tracker.api}/s/acme.js"></script>'
        f'<script src="{tracker.api}/s/acme.js"></script>'
    )

    window = await visit(tracker.page(PHONE, head=head))

    await window.page.locator("#phone", has_text="+7 (495) 100-00-01").wait_for()
    assert len(tracker.bodies("/v1/visits")) == 1  # embedded twice, it works once
