"""Numbers that are no text, on real pages: pictures and pseudo-elements."""

from urllib.parse import unquote

import pytest

from tests.browser.fake_tracker import NUMBER, OWN, number, says, visit_answer

SPELT = "8 (495) 100-00-01"
PHOTO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="60">'
    '<rect width="240" height="60" fill="red"/></svg>'
)
BESIDE = (
    "<style nonce='n'>"
    ".skvoz-before::before { content: 'Тел. 8 (495) 000-00-00' }"
    ".skvoz-after::after { content: '+7 495 000-00-00' !important }"
    "#other::before { content: '8 (495) 000-00-00' }"
    "</style>"
)


@pytest.fixture(autouse=True)
async def with_pictures(tracker, context):
    tracker.parts.append("pictures")
    tracker.config["pictures"] = True
    await context.route(
        "**/photo.svg",
        lambda route: route.fulfill(content_type="image/svg+xml", body=PHOTO),
    )


def photo(value: str = "8 (495) 000-00-00", attributes: str = "") -> str:
    return f'<img id="photo" src="photo.svg" data-skvoz-image="{value}" {attributes}>'


async def drawn(window) -> str:
    """The picture's markup, when it stands there and can be seen."""
    await window.until("photo.currentSrc.startsWith('data:') && photo.complete")
    assert await window.page.evaluate("photo.naturalWidth > 0")
    return unquote(await window.page.evaluate("photo.currentSrc"))


async def content(window, selector: str, which: str) -> str:
    script = (
        f"getComputedStyle(document.querySelector('{selector}'), '::{which}').content"
    )
    return str(await window.page.evaluate(script))


async def test_a_picture_of_the_number_shows_the_visitors_own(tracker, visit):
    window = await visit(
        tracker.page(
            '<style>img { color: rgb(1, 2, 3); font: bold 20px "Courier New", serif }'
            "</style>" + photo(attributes='alt="Тел. 8 (495) 000-00-00"')
        )
    )

    markup = await drawn(window)

    assert f">{SPELT}</text>" in markup
    assert 'fill="rgb(1, 2, 3)"' in markup
    assert 'font-weight="700"' in markup
    assert "Courier New" in markup
    assert await window.page.evaluate("photo.alt") == f"Тел. {SPELT}"
    assert window.lines() == []
    assert window.errors == []


async def test_a_number_told_as_digits_is_drawn_as_people_read_it(tracker, visit):
    window = await visit(tracker.page(photo(OWN)))
    assert ">+7 495 100-00-01</text>" in await drawn(window)


@pytest.mark.parametrize(
    "style", ["", "width: 120px", "height: 33px; padding: 3px", "width: 50%"]
)
async def test_the_page_does_not_move(tracker, visit, style):
    """The answer comes when the old picture and what stands below have their places."""
    answer = tracker.answers["/v1/visits"]
    tracker.answers["/v1/visits"] = tracker.stall
    body = f"<style>img {{ {style} }}</style>{photo()}<p id=below>…</p>"
    first = await visit(tracker.page(body))
    boxes = (
        "[photo, below].map(element => JSON.stringify(element.getBoundingClientRect()))"
    )
    before = await first.page.evaluate(boxes)
    tracker.answers["/v1/visits"] = answer

    window = await visit(tracker.page(body))
    await drawn(window)

    assert await window.page.evaluate(boxes) == before


async def test_other_candidates_of_a_picture_do_not_bring_the_old_one_back(
    tracker, visit
):
    window = await visit(
        tracker.page(
            '<picture><source srcset="photo.svg 1x, photo.svg 2x">'
            + photo(attributes='srcset="photo.svg 1x"')
            + "</picture>"
        )
    )
    assert SPELT in await drawn(window)


async def test_a_picture_that_comes_later_is_drawn_too(tracker, visit):
    window = await visit(tracker.page('<div id="place"></div>'))
    await tracker.until(lambda: tracker.bodies("/v1/visits") != [])
    await window.page.evaluate(
        """() => {
            const image = new Image();
            image.id = 'photo';
            image.dataset.skvozImage = '8 (495) 000-00-00';
            image.src = 'photo.svg';
            place.append(image);
        }"""
    )
    assert SPELT in await drawn(window)


@pytest.mark.parametrize("mark", ["", 'srcset="photo.svg 1x"'])
async def test_where_the_policy_refuses_the_old_picture_comes_back(
    tracker, visit, mark
):
    head = (
        '<meta http-equiv="Content-Security-Policy" content="img-src http:">'
        "<script>addEventListener('securitypolicyviolation',"
        " event => { if (event.blockedURI == 'data') window.refused = true })</script>"
        f'<script src="{tracker.api}/s/acme.js"></script>'
    )
    window = await visit(tracker.page(photo(attributes=mark), head=head))

    await window.until("window.refused && photo.naturalWidth == 240")

    assert await window.page.evaluate("photo.currentSrc.endsWith('/photo.svg')")
    assert await window.page.evaluate("photo.getAttribute('srcset')") == (
        "photo.svg 1x" if mark else None
    )


async def test_pictures_of_other_numbers_stay(tracker, visit):
    window = await visit(tracker.page(photo("8 (495) 111-22-33") + "<p>" + OWN))
    await window.until(f"document.body.textContent.includes('{NUMBER}')")
    assert await window.page.evaluate("photo.getAttribute('srcset')") is None


async def test_a_picture_that_is_read_asks_for_a_number_of_the_visitors_own(
    tracker, visit
):
    tracker.answers["/v1/visits"] = says(
        visit_answer(number("overflow", "+74951000099"))
    )
    tracker.answers["/v1/events"] = says({"numbers": [number()], "emails": []})
    window = await visit(tracker.page(photo()))

    await window.until("decodeURIComponent(photo.currentSrc).includes('100-00-01')")

    assert SPELT in await drawn(window)
    assert tracker.events("reveal")[0]["target"] == "+74951000099"


async def test_what_style_sheets_write_beside_marked_elements_is_swapped(
    tracker, visit
):
    """Under a policy that allows no styles but the page's own."""
    policy = "style-src 'nonce-n'"
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<script src="{tracker.api}/s/acme.js"></script>'
    )
    window = await visit(
        tracker.page(
            BESIDE + '<p class="skvoz-before skvoz-after">·</p><p id="other">·</p>'
            "<b>8 (495) 000-00-00</b>",
            head=head,
        )
    )

    await window.until(f"document.querySelector('b').textContent == '{SPELT}'")

    assert await content(window, "p", "before") == f'"Тел. {SPELT}"'
    assert await content(window, "p", "after") == '"+7 495 100-00-01"'
    assert await content(window, "#other", "before") == '"8 (495) 000-00-00"'
    assert window.lines() == []


async def test_numbers_in_a_style_sheet_that_comes_late_are_swapped(tracker, visit):
    window = await visit(tracker.page('<p class="skvoz-before">·</p>'))
    await window.page.evaluate(
        """async () => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(".skvoz-before::before { content: '8 (495) 000-00-00' }");
            document.adoptedStyleSheets = [sheet];
            document.querySelector('p').title = 'changed';
        }"""
    )
    await window.until(
        "getComputedStyle(document.querySelector('p'), '::before').content"
        f" == '\"{SPELT}\"'"
    )


async def test_a_display_form_cannot_break_out_of_a_style_sheet(tracker, visit):
    evil = number(number="+442071234567", display="1'\"} * { display: none } '")
    tracker.answers["/v1/visits"] = says(visit_answer(evil))
    window = await visit(
        tracker.page(BESIDE + '<p class="skvoz-before">·</p><b>' + OWN)
    )
    await window.until("document.querySelector('b').textContent.includes('display')")
    assert await content(window, "p", "before") == '"Тел. 8 (495) 000-00-00"'
    assert await window.page.is_visible("p")
