"""Reading a site's own pages over the wire: what is read, and what is left alone."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from aiohttp import web

from tests import make
from tests.conftest import NOON
from tracker import alerts, crawl, crawl_alarm, sites
from tracker import db as database
from tracker.crawl import Crawler, PageNotRead

DAY = timedelta(days=1)
AGENT = crawl.agent("https://calls.acme.example")
LEAK = make.number(1)
LEAKY = "<p>Звоните: 8 (495) 100-00-01</p>"
CLEAN = "<p>Звоните: 8 (495) 000-00-00</p>"


class Pages:
    """A small web site that remembers who asked for what."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], web.Response]] = {}
        self.asked: list[tuple[str, str]] = []  # path, user agent
        self.url = ""
        self.stop = asyncio.Event()

    def put(self, path: str, text: str, **more: object) -> None:
        more.setdefault("content_type", "text/html")
        self.pages[path] = lambda: web.Response(text=text, **more)  # type: ignore[arg-type]

    def raw(self, path: str, body: bytes, **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = lambda: web.Response(body=body, headers=told)

    def lead(self, path: str, target: str) -> None:
        self.pages[path] = lambda: web.Response(
            status=302, headers={"Location": target}
        )

    def fail(self, path: str, status: int) -> None:
        self.pages[path] = lambda: web.Response(status=status)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("User-Agent", "")))
        if request.path == "/hangs":
            await self.stop.wait()
        make_ = self.pages.get(request.path)
        return make_() if make_ else web.Response(status=404)


@pytest.fixture
async def shop() -> AsyncIterator[Pages]:
    pages = Pages()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pages.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pages.url = f"http://localhost:{runner.addresses[0][1]}"
    yield pages
    pages.stop.set()
    await runner.cleanup()


async def read(
    shop: Pages, path: str, domains: tuple[str, ...] = ("localhost",)
) -> str:
    async with Crawler(domains=domains, agent=AGENT, pause=0) as crawler:
        return await crawler.page(shop.url + path)


async def why_not(
    shop: Pages, path: str, domains: tuple[str, ...] = ("localhost",)
) -> str:
    with pytest.raises(PageNotRead) as error:
        await read(shop, path, domains)
    return str(error.value)


async def test_a_page_is_read_under_our_own_name_and_address(shop):
    shop.put("/", LEAKY)

    assert await read(shop, "/") == LEAKY
    assert shop.paths == ["/robots.txt", "/"]
    assert {agent for _, agent in shop.asked} == {
        "Mozilla/5.0 (compatible; SkvozBot/1.0; +https://calls.acme.example)"
    }


@pytest.mark.parametrize(
    ("robots", "allowed"),
    [
        ("User-agent: *\nDisallow: /private", False),
        ("User-agent: SkvozBot\nDisallow: /", False),
        ("User-agent: SkvozBot\nAllow: /\n\nUser-agent: *\nDisallow: /", True),
        ("User-agent: otherbot\nDisallow: /", True),
        ("", True),
    ],
)
async def test_robots_txt_is_honoured(shop, robots, allowed):
    shop.put("/robots.txt", robots, content_type="text/plain")
    shop.put("/private/page", LEAKY)

    if allowed:
        assert await read(shop, "/private/page") == LEAKY
    else:
        assert "robots.txt" in await why_not(shop, "/private/page")
        assert "/private/page" not in shop.paths


async def test_a_site_that_cannot_tell_its_robots_txt_is_left_alone(shop):
    shop.fail("/robots.txt", 503)
    shop.put("/", LEAKY)

    async with Crawler(domains=["localhost"], agent=AGENT, pause=0) as crawler:
        for _ in range(2):
            with pytest.raises(PageNotRead, match=r"robots.txt: HTTP 503"):
                await crawler.page(shop.url + "/")
    assert shop.paths == ["/robots.txt"]  # asked once


async def test_redirections_are_followed_within_the_site_only(shop):
    shop.put("/new", LEAKY)
    shop.lead("/old", "/new")
    assert await read(shop, "/old") == LEAKY

    shop.lead("/away", "https://elsewhere.example/")
    assert "elsewhere.example is none of the site's" in await why_not(shop, "/away")
    shop.lead("/inside", "http://169.254.169.254/latest/meta-data/")
    assert "none of the site's domains" in await why_not(shop, "/inside")
    shop.lead("/file", "file:///etc/passwd")
    assert "leads away" in await why_not(shop, "/file")
    shop.lead("/round", "/round")
    assert await why_not(shop, "/round") == "leads on and on"


async def test_what_a_redirection_leads_to_asks_robots_txt_too(shop):
    shop.put("/robots.txt", "User-agent: *\nDisallow: /new")
    shop.put("/new", LEAKY)
    shop.lead("/old", "/new")

    assert "robots.txt" in await why_not(shop, "/old")
    assert "/new" not in shop.paths


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "169.254.169.254"])
async def test_a_domain_that_stands_in_a_private_network_is_not_read(shop, host):
    async with Crawler(domains=[host], agent=AGENT, pause=0) as crawler:
        with pytest.raises(PageNotRead, match=r"no connection"):
            await crawler.page(f"http://{host}/")
    assert shop.asked == []


async def test_this_machine_is_read_only_where_it_is_the_sites_domain(shop):
    shop.put("/", LEAKY)
    assert "is none of" in await why_not(shop, "/", ("acme.example",))
    assert shop.asked == []


async def test_a_name_that_means_this_machine_is_refused_at_the_socket(
    shop, monkeypatch
):
    """As a name server could answer for any domain."""
    monkeypatch.setattr(crawl.own_pages, "is_local", lambda host: False)
    shop.put("/", LEAKY)
    monkeypatch.setattr(crawl.own_pages, "PORTS", (int(shop.url.rpartition(":")[2]),))

    assert "private network" in await why_not(shop, "/")
    assert shop.asked == []


async def test_only_two_megabytes_of_a_page_are_read(shop):
    shop.put("/", "x" * (crawl.MOST + 1000) + LEAKY)
    assert len(await read(shop, "/")) == crawl.MOST


async def test_a_packed_page_is_unpacked_no_further_than_that(shop):
    shop.raw("/", gzip.compress(LEAKY.encode()), Content_Type="text/html", Content_Encoding="gzip")  # fmt: skip
    assert await read(shop, "/") == LEAKY

    bomb = gzip.compress(b"0" * (50 * crawl.MOST))
    shop.raw("/bomb", bomb, Content_Type="text/html", Content_Encoding="gzip")
    assert len(await read(shop, "/bomb")) == crawl.MOST

    shop.raw("/br", b"\x0b", Content_Type="text/html", Content_Encoding="br")
    assert "not asked for" in await why_not(shop, "/br")
    shop.raw("/bad", zlib.compress(b"x"), Content_Type="text/html", Content_Encoding="gzip")  # fmt: skip
    assert "cannot be unpacked" in await why_not(shop, "/bad")


async def test_pages_in_old_charsets_are_read(shop):
    body = "<meta charset='windows-1251'>Звоните".encode("cp1251")
    shop.raw("/meta", body, Content_Type="text/html")
    shop.raw("/head", "Звоните".encode("koi8-r"), Content_Type="text/html; charset=koi8-r")  # fmt: skip
    shop.raw("/odd", "Звоните".encode(), Content_Type="text/html; charset=punycode")

    assert "Звоните" in await read(shop, "/meta")
    assert await read(shop, "/head") == "Звоните"
    assert await read(shop, "/odd") == "Звоните"


async def test_what_is_no_page_is_not_read(shop):
    shop.put("/", "{}", content_type="application/json")
    assert await why_not(shop, "/") == "is no page but application/json"
    assert await why_not(shop, "/none") == "HTTP 404"


# The alarm --------------------------------------------------------------------------------


@pytest.fixture
async def site(pool: database.Pool, shop: Pages) -> sites.Site:
    shop.put("/", CLEAN)
    shop.put("/contacts", CLEAN + LEAKY)
    pages = [f"{shop.url}/", f"{shop.url}/contacts"]
    return await make.site(pool, settings={"crawl": pages})


async def watch(pool: database.Pool, site: sites.Site, days: float = 0) -> bool:
    at = NOON + days * DAY
    return await crawl_alarm.watch(pool, site, agent=AGENT, at=at, pause=0)


async def test_a_number_in_a_page_is_told_with_its_page(pool, site, shop):
    assert await watch(pool, site)

    (alert,) = await alerts.standing(pool, site.id)
    assert (alert.kind, alert.subject, alert.since) == ("leak.found", LEAK, NOON)
    assert alert.figures == {
        "pages": [f"{shop.url}/contacts"],
        "count": 1,
        "own": [make.OWN],
    }
    assert f"stands in the HTML of {shop.url}/contacts" in alert.text


async def test_pages_are_read_once_a_day_by_one_worker(pool, site, shop):
    assert sorted(await asyncio.gather(*(watch(pool, site) for _ in range(3)))) == [
        False,
        False,
        True,
    ]
    assert not await watch(pool, site, 0.9)
    assert await watch(pool, site, 1)
    assert shop.paths.count("/contacts") == 2


async def test_a_round_that_was_broken_off_is_made_again_soon(pool, site, shop):
    shop.put("/", CLEAN)
    await pool.execute(
        "UPDATE sites SET settings = $1", {"crawl": [shop.url + "/hangs"]}
    )
    hanging = asyncio.create_task(watch(pool, await make.found(pool, "acme")))
    while "/hangs" not in shop.paths:
        await asyncio.sleep(0.01)
    hanging.cancel()
    await asyncio.wait([hanging])

    shop.stop.set()
    again = await make.found(pool, "acme")
    assert not await watch(pool, again, 0.001)
    assert await watch(pool, again, 0.02)


async def test_the_alert_keeps_its_beginning_and_ends_when_the_number_is_gone(
    pool, site, shop
):
    await watch(pool, site)
    await watch(pool, site, 1)
    (alert,) = await alerts.standing(pool, site.id)
    assert (alert.since, alert.last_seen_at) == (NOON, NOON + DAY)

    shop.put("/contacts", CLEAN)
    await watch(pool, site, 2)
    assert await alerts.standing(pool, site.id) == []


async def test_a_page_that_cannot_be_read_keeps_its_alert_and_one_that_is_gone_does_not(
    pool, site, shop
):
    await watch(pool, site)
    shop.fail("/contacts", 500)
    await watch(pool, site, 1)
    assert len(await alerts.standing(pool, site.id)) == 1
    pages = await crawl_alarm.crawled(pool, site.id)
    assert [page.trouble for page in pages] == [None, "HTTP 500"]

    shop.fail("/contacts", 410)
    await watch(pool, site, 2)
    assert await alerts.standing(pool, site.id) == []


async def test_a_page_that_does_not_answer_does_not_stop_the_others(
    pool, site, shop, monkeypatch
):
    monkeypatch.setattr(crawl_alarm, "PAGE", 0.2)
    pages = [f"{shop.url}/hangs", f"{shop.url}/contacts"]
    await pool.execute("UPDATE sites SET settings = $1", {"crawl": pages})
    await watch(pool, await make.found(pool, "acme"))

    found = {page.url: page for page in await crawl_alarm.crawled(pool, site.id)}
    assert found[pages[0]].trouble == "no answer in time"
    assert found[pages[1]].numbers == [LEAK]


async def test_other_pages_are_read_at_once_and_none_forgets_what_was_found(
    pool, site, shop
):
    await watch(pool, site)
    await pool.execute("UPDATE sites SET settings = $1", {"crawl": [f"{shop.url}/"]})
    assert await watch(pool, await make.found(pool, "acme"), 0.1)
    assert await alerts.standing(pool, site.id) == []

    shop.put("/", LEAKY)
    await watch(pool, await make.found(pool, "acme"), 2)
    assert len(await alerts.standing(pool, site.id)) == 1
    await pool.execute("UPDATE sites SET settings = '{}'")
    assert not await watch(pool, await make.found(pool, "acme"), 2.1)
    assert await alerts.standing(pool, site.id) == []
    assert await crawl_alarm.crawled(pool, site.id) == []


async def test_a_site_that_lists_no_pages_is_not_asked(pool, shop):
    site = await make.site(pool)
    assert not await watch(pool, site)
    assert shop.asked == []
