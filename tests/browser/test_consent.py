"""The page's consent platform decides: until it says yes, nothing tells one visitor from another."""

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from aiohttp import web

from tests.browser import fake_tracker as fake
from tests.browser.conftest import Window
from tests.browser.fake_tracker import FakeTracker

Visit: TypeAlias = Callable[[str], Awaitable[Window]]

PHONE = '<p id="phone">+7 (495) 000-00-00</p>'
COMMON = "+74951000100"
SWAPPED = "document.getElementById('phone').textContent === '+7 (495) 100-00-01'"
WITHOUT = "document.getElementById('phone').textContent === '+7 (495) 100-01-00'"
STORED = "[localStorage.length, document.cookie]"

# What the page asked of the tracker, in order: a refusal must not even be asked about.
RECORDER = """<script>
    asked = [];
    const real = fetch;
    window.fetch = (url, init) => {
        if (url.endsWith('/v1/visits')) asked.push(JSON.parse(init.body).consent);
        return real(url, init);
    };
    </script>"""

# A consent platform as "CMP API v2" wants it: a stub with a queue, replaced when it has loaded.
PLATFORM = """<script>
    platform = {queue: [], listeners: []};
    platform.stub = () => {
        window.__tcfapi = (...args) => { platform.queue.push(args) };
    };
    platform.load = (data, fine = true) => {
        window.__tcfapi = (command, version, callback) => {
            if (command !== 'addEventListener' || version !== 2) throw Error(command);
            platform.listeners.push(callback);
            callback(platform.data, platform.fine);
        };
        platform.data = data;
        platform.fine = fine;
        platform.queue.splice(0).forEach(args => __tcfapi(...args));
    };
    platform.tell = data => {
        platform.data = data;
        platform.listeners.forEach(listener => listener(data, true));
    };
    </script>"""
GTAG = """<script>
    window.dataLayer = window.dataLayer || [];
    function gtag() { dataLayer.push(arguments) }
    </script>"""


@pytest.fixture
def site(tracker: FakeTracker) -> FakeTracker:
    """A tracker that gives a number of his own to those alone who consent."""
    named, nameless = (
        fake.visit_answer(),
        fake.visit_answer(
            fake.number("static", COMMON), visitor=None, session=None, emails=[]
        ),
    )

    async def answer(body: fake.Body) -> web.StreamResponse:
        return web.json_response(named if body["consent"] else nameless)

    tracker.answers["/v1/visits"] = answer
    tracker.parts = ["consent"]
    return tracker


def _tcf(tracker: FakeTracker, *, stub: bool = True, path: str = "/") -> str:
    tracker.config["consent"] = "tcf"
    start = "<script>platform.stub()</script>" if stub else ""
    return _page(tracker, PLATFORM + start, path)


def _google(tracker: FakeTracker, before: str, path: str = "/") -> str:
    tracker.config["consent"] = "google"
    return _page(tracker, f"{GTAG}<script>{before}</script>", path)


def _page(tracker: FakeTracker, platform: str, path: str) -> str:
    tag = f'<script src="{tracker.api}/s/acme.js"></script>'
    return tracker.page(PHONE, path=path, head=RECORDER + platform + tag)


def _chosen(*purposes: int, status: str = "useractioncomplete") -> str:
    """TCData with consent to these purposes, and a legitimate interest in all others."""
    ids = range(1, 12)
    return json.dumps(
        {
            "gdprApplies": True,
            "eventStatus": status,
            "purpose": {
                "consents": {one: one in purposes for one in ids},
                "legitimateInterests": dict.fromkeys(ids[1:], True),
            },
        }
    )


async def _refused(window: Window, words: str) -> None:
    """After these words the page is where it was: nothing was asked for, kept or shown."""
    await window.until(WITHOUT)
    before = await window.page.evaluate("asked.length")
    await window.page.evaluate(words)
    for _ in range(2):
        await window.page.evaluate("new Promise(requestAnimationFrame)")
    assert await window.page.evaluate(f"asked.slice({before})") == []
    assert await window.page.evaluate(STORED) == [0, ""]


async def _granted(window: Window, words: str = "0") -> None:
    await window.page.evaluate(words)
    await window.until(SWAPPED)
    await window.until("localStorage.length === 1")


def test_the_part_that_reads_consent_is_small(snippet: dict[str, str]) -> None:
    assert len(gzip.compress(snippet["consent"].encode(), 9)) <= 700


async def test_before_the_choice_nothing_tells_one_visitor_from_another(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_tcf(site) + "?utm_source=yandex&utm_medium=cpc&yclid=4711")
    await _refused(window, f"platform.load({_chosen(status='cmpuishown')})")

    (body,) = site.bodies("/v1/visits")
    assert body["consent"] is False
    assert not {"visitor", "session", "ids"} & {one for one in body if body[one]}
    assert "4711" not in json.dumps(body)
    assert "utm_source=yandex" in body["url"]

    await _granted(window, f"platform.tell({_chosen(1, 7)})")

    _, full = site.bodies("/v1/visits")
    assert full["consent"] is True
    assert "yclid=4711" in full["url"]
    assert (window.lines(), window.errors) == ([], [])


async def test_a_choice_made_on_an_earlier_page_counts_at_once(
    site: FakeTracker, visit: Visit
) -> None:
    first = await visit(_tcf(site))
    await _granted(first, f"platform.load({_chosen(1, 7, status='tcloaded')})")

    second = await visit(_tcf(site, path="/second"))
    await _granted(second, f"platform.load({_chosen(1, 7, status='tcloaded')})")

    # Waiting for the platform is no refusal: the visitor is known from the first page.
    assert site.bodies("/v1/visits")[-1]["visitor"] == "v1"


@pytest.mark.parametrize(
    "data",
    [
        _chosen(),
        _chosen(1),
        _chosen(7),
        _chosen(*range(2, 12)),
        _chosen(1, 8, 9),
        _chosen(1, 7, status="cmpuishown"),
        json.dumps({"gdprApplies": True, "eventStatus": "tcloaded"}),
        json.dumps({"eventStatus": "tcloaded", "purpose": {"consents": {}}}),
        "null",
    ],
)
async def test_less_than_consent_to_storing_and_measuring_is_none(
    site: FakeTracker, visit: Visit, data: str
) -> None:
    window = await visit(_tcf(site))

    await _refused(window, f"platform.load({data})")

    assert window.errors == []


async def test_a_platform_that_could_not_register_us_has_not_consented(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_tcf(site))

    await _refused(window, f"platform.load({_chosen(1, 7)}, false)")


async def test_where_the_law_does_not_apply_no_choice_is_needed(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_tcf(site))

    await _granted(window, "platform.load({gdprApplies: false, tcfPolicyVersion: 4})")


async def test_a_platform_that_comes_after_us_is_heard(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_tcf(site, stub=False))
    await _refused(window, "0")

    await _granted(window, f"platform.load({_chosen(1, 7)})")


async def test_without_any_platform_the_page_waits(
    site: FakeTracker, visit: Visit
) -> None:
    site.config["consent"] = "tcf"
    window = await visit(_page(site, "", "/"))

    await _refused(window, "0")

    assert window.errors == []


async def test_a_choice_taken_back_makes_us_forget(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_tcf(site))
    await _granted(window, f"platform.load({_chosen(1, 7)})")

    await window.page.evaluate(f"platform.tell({_chosen()})")

    assert await window.page.evaluate(STORED) == [0, ""]
    await site.until(lambda: site.bodies("/v1/visits")[-1]["consent"] is False)
    assert not site.bodies("/v1/visits")[-1].get("visitor")


# ---- Google consent mode


async def test_an_update_of_consent_mode_is_the_visitors_choice(
    site: FakeTracker, visit: Visit
) -> None:
    denied = "gtag('consent', 'default', {analytics_storage: 'denied'})"
    window = await visit(_google(site, denied))
    await _refused(window, "0")

    await _granted(
        window,
        "gtag('consent', 'update', {ad_storage: 'denied', analytics_storage: 'granted'})",
    )
    await window.page.evaluate(
        "gtag('consent', 'update', {analytics_storage: 'denied'})"
    )

    assert await window.page.evaluate(STORED) == [0, ""]
    assert (window.lines(), window.errors) == ([], [])


async def test_what_consent_mode_was_told_before_us_counts(
    site: FakeTracker, visit: Visit
) -> None:
    before = (
        "gtag('js', new Date()); gtag('consent', 'default', {analytics_storage: 'denied'});"
        "gtag('consent', 'update', {analytics_storage: 'granted'})"
    )

    await _granted(await visit(_google(site, before)))

    again = await visit(_google(site, before, "/second"))
    await _granted(again)
    assert site.bodies("/v1/visits")[-1]["visitor"] == "v1"


async def test_a_denial_by_default_does_not_forget_an_earlier_consent(
    site: FakeTracker, visit: Visit
) -> None:
    update = "gtag('consent', 'update', {analytics_storage: 'granted'})"
    await _granted(await visit(_google(site, "")), update)

    denied = "gtag('consent', 'default', {analytics_storage: 'denied'})"
    window = await visit(_google(site, denied, "/second"))
    await window.until(WITHOUT)
    await window.page.evaluate("new Promise(done => setTimeout(done))")
    await _granted(window, update)

    assert site.bodies("/v1/visits")[-1]["visitor"] == "v1"


async def test_a_default_that_grants_to_all_is_enough(
    site: FakeTracker, visit: Visit
) -> None:
    granted = "gtag('consent', 'default', {analytics_storage: 'granted'})"

    await _granted(await visit(_google(site, granted)))


@pytest.mark.parametrize(
    "words",
    [
        "gtag('consent', 'default', {analytics_storage: 'denied', region: ['DE']});"
        "gtag('consent', 'default', {analytics_storage: 'granted'})",
        "gtag('consent', 'default', {analytics_storage: 'granted', region: ['RU']});"
        "gtag('consent', 'default', {analytics_storage: 'denied'})",
        "gtag('consent', 'default', {ad_storage: 'granted'})",
        "gtag('consent', 'update', {ad_storage: 'granted'})",
        "gtag('consent', 'update', {analytics_storage: 'later'})",
        "gtag('consent', 'update')",
        "gtag('event', 'consent', {analytics_storage: 'granted'})",
        "dataLayer.push({consent: 'update', analytics_storage: 'granted'})",
        "dataLayer.push(null, 'consent', function (consent) {}, {event: 'gtm.js'})",
        "dataLayer.push({get length() { throw Error('odd') }})",
        "gtag('consent', 'default', {analytics_storage: 'granted', wait_for_update: 9e7})",
    ],
)
async def test_what_is_not_clearly_granted_is_not(
    site: FakeTracker, visit: Visit, words: str
) -> None:
    window = await visit(_google(site, ""))

    await _refused(window, words)

    assert window.errors == []


async def test_an_update_comes_before_defaults_that_wait_for_it(
    site: FakeTracker, visit: Visit
) -> None:
    default = "gtag('consent', 'default', {analytics_storage: 'granted', wait_for_update: 100})"
    window = await visit(
        _google(
            site,
            f"{default}; gtag('consent', 'update', {{analytics_storage: 'denied'}})",
        )
    )

    await _refused(window, "new Promise(done => setTimeout(done, 200))")

    patient = await visit(_google(site, default, "/second"))
    await _granted(patient)


async def test_the_pages_data_layer_works_as_if_we_were_not_there(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_google(site, "dataLayer.push({event: 'early'})"))
    told = await window.page.evaluate(
        """() => {
            const ours = dataLayer.push, heard = [];
            const length = dataLayer.push({event: 'a'}, {event: 'b'});
            dataLayer.push = function () {  // as a tag manager does
                heard.push(...arguments);
                return ours.apply(this, arguments);
            };
            gtag('consent', 'update', {analytics_storage: 'granted'});
            return [length, dataLayer.length, heard.length, dataLayer.map(one => one.event)];
        }"""
    )

    assert told == [3, 4, 1, ["early", "a", "b", None]]
    await _granted(window)


async def test_a_data_layer_that_the_page_puts_in_place_of_ours_is_heard(
    site: FakeTracker, visit: Visit
) -> None:
    window = await visit(_google(site, ""))

    await window.page.evaluate(
        "window.dataLayer = [{page: 'cart'}];"
        "gtag('consent', 'update', {analytics_storage: 'granted'})"
    )

    await _granted(window)
