"""The leak alarm by pages: once a day, do tracking numbers stand in the site's own HTML?

Off until the owner lists pages (`crawl` in the site's file). A tracking number in the HTML is
seen by everybody, whoever it is lent to. A page that cannot be read today keeps what was
found in it the last time; one that is gone has nothing in it.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker import alerts, crawl, own_pages
from tracker import db as database
from tracker.alerts import Cause
from tracker.crawl import Crawler, PageNotRead
from tracker.sites import Site

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
CLAIM = timedelta(minutes=15)  # longer than one round takes; who dies in it is replaced
MOST_PAGES = 50
LONGEST = 300.0  # seconds for all pages of a site together
PAGE = 60.0  # seconds for one, with its robots.txt and all its redirections
MOST_SHOWN = 10  # pages named in an alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading one page."""

    url: str
    trouble: str | None = None  # why it could not be read
    gone: bool = False  # there is no such page
    numbers: tuple[str, ...] = ()  # tracking numbers in it
    own: tuple[str, ...] = ()  # numbers in it that are replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Crawled:
    """A page as people see it: what was found in it last."""

    url: str
    at: datetime
    trouble: str | None
    numbers: list[str]
    own: list[str]


async def watch(
    pool: database.Pool,
    site: Site,
    *,
    agent: str,
    at: datetime,
    pause: float = crawl.PAUSE,
) -> bool:
    """Read the site's pages if it is their day; says whether it was."""
    pages = list(dict.fromkeys(site.rules.crawl))[:MOST_PAGES]
    if not pages:
        await _forget(pool, site, at)
        return False
    if not await _claim(pool, site.id, pages, at):
        return False
    readings = await read(site, pages, agent=agent, pause=pause)
    async with pool.acquire() as db, db.transaction():
        await _keep(db, site.id, readings, at)
        await db.execute(
            "UPDATE crawls SET due_at = $2 WHERE site_id = $1", site.id, at + EVERY
        )
        found = await crawled(db, site.id)
        await alerts.settle(db, site, alerts.FOUND, _causes(found, at), at=at)
    log.info("site's pages read", extra={"site": site.id, "count": len(readings)})
    return True


async def read(
    site: Site, pages: Sequence[str], *, agent: str, pause: float
) -> list[Reading]:
    """One page after another, as far as the time suffices."""
    end = asyncio.get_running_loop().time() + LONGEST
    async with Crawler(domains=site.domains, agent=agent, pause=pause) as crawler:
        return [await _read(crawler, site, url, end) for url in pages]


async def _read(crawler: Crawler, site: Site, url: str, end: float) -> Reading:
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(min(end, now + PAGE)):
            page = await crawler.page(url)
    except PageNotRead as error:
        return Reading(url=url, trouble=str(error), gone=error.gone)
    except TimeoutError:
        return Reading(url=url, trouble="no answer in time")
    # In a thread: a page of two megabytes takes a second or two.
    tracked, own = await asyncio.to_thread(_numbers, site, page)
    return Reading(url=url, numbers=tracked, own=own)


def _numbers(site: Site, page: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tracking numbers in the page, and those that are replaced there."""
    lent = {one.number for one in site.numbers.values() if one.kind == "dynamic"}
    replaced = set(site.pool_of)
    found = own_pages.standing(page, lent | replaced, site.rules.country)
    return tuple(sorted(found & lent)), tuple(sorted(found & replaced - lent))


def _causes(found: Sequence[Crawled], at: datetime) -> list[Cause]:
    """A cause for each number, with the pages it stands in."""
    numbers = sorted({number for page in found for number in page.numbers})
    causes = []
    for number in numbers:
        pages = [page for page in found if number in page.numbers]
        figures = {
            "pages": [page.url for page in pages[:MOST_SHOWN]],
            "count": len(pages),
            "own": sorted({own for page in pages for own in page.own}),
        }
        causes.append(Cause(subject=number, since=at, figures=figures))
    return causes


# Rows -------------------------------------------------------------------------------------


async def crawled(db: database.Db, site_id: int) -> list[Crawled]:
    """The site's pages with what was found in them last."""
    rows = await db.fetch(
        "SELECT url, at, trouble, numbers, own FROM crawled_pages "
        "WHERE site_id = $1 ORDER BY url",
        site_id,
    )
    return [Crawled(**row) for row in rows]


async def _claim(db: database.Db, site_id: int, pages: list[str], at: datetime) -> bool:
    """Whether it is our turn to read them: they are due, or others are listed now."""
    row = await db.fetchrow(
        """
        INSERT INTO crawls AS known (site_id, pages, due_at)
        VALUES ($1, $2, $3::timestamptz + $4::interval)
        ON CONFLICT (site_id) DO UPDATE SET pages = excluded.pages, due_at = excluded.due_at
         WHERE known.due_at <= $3 OR known.pages <> excluded.pages
        RETURNING site_id
        """,
        site_id,
        pages,
        at,
        CLAIM,
    )
    return row is not None


async def _keep(
    db: database.Connection, site_id: int, readings: Sequence[Reading], at: datetime
) -> None:
    await db.execute(
        "DELETE FROM crawled_pages WHERE site_id = $1 AND NOT url = ANY($2::text[])",
        site_id,
        [one.url for one in readings],
    )
    await db.executemany(
        """
        INSERT INTO crawled_pages AS known (site_id, url, at, trouble, numbers, own)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (site_id, url) DO UPDATE
           SET at = excluded.at, trouble = excluded.trouble,
               numbers = CASE WHEN $7 THEN known.numbers ELSE excluded.numbers END,
               own = CASE WHEN $7 THEN known.own ELSE excluded.own END
        """,
        [
            (site_id, one.url, at, one.trouble, list(one.numbers), list(one.own),
             one.trouble is not None and not one.gone)
            for one in readings
        ],
    )  # fmt: skip


async def _forget(pool: database.Pool, site: Site, at: datetime) -> None:
    """The owner has switched it off: what was found is known no longer."""
    async with pool.acquire() as db, db.transaction():
        if await db.fetchval(
            "DELETE FROM crawls WHERE site_id = $1 RETURNING true", site.id
        ):
            await _keep(db, site.id, [], at)
            await alerts.settle(db, site, alerts.FOUND, [], at=at)
