"""Further pages of a visit, told by signs of life."""

from datetime import timedelta
from uuid import UUID

import pytest
import redis.asyncio

from tests import make
from tracker import beats, ids, visits
from tracker import db as database
from tracker.sites import Site

SECOND = timedelta(seconds=1)
PAGE = "https://acme.example/"


@pytest.fixture
def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> visits.Visits:
    # The machine may be busy with other tests.
    return visits.Visits(pool, valkey, mail_domain="track.example", patience=20)


async def arrive(door: visits.Visits, site: Site) -> UUID:
    visit = visits.Visit(site=site, at=make.NOON, url=PAGE, replaces=(make.OWN,))
    session = (await door.arrive(visit)).session
    assert session is not None
    return session


def beat(session: UUID, *pages: str, after: int = 10) -> beats.Beat:
    at = make.NOON + after * SECOND
    turned = tuple(
        beats.Happening(type="page", at=at + n * SECOND, target=url)
        for n, url in enumerate(pages)
    )
    return beats.Beat(session=session, at=at, state="visible", events=turned)


async def test_pages_told_by_a_beat_stand_with_those_of_visits(pool, door):
    session = await arrive(door, await make.site(pool))

    await beats.write(pool, [beat(session, f"{PAGE}a", f"{PAGE}b?utm_term=c")])

    rows = await pool.fetch("SELECT url, at FROM pages ORDER BY at")
    assert [tuple(row) for row in rows] == [
        (f"{PAGE}a", make.NOON + 10 * SECOND),
        (f"{PAGE}b?utm_term=c", make.NOON + 11 * SECOND),
    ]
    assert await pool.fetchval("SELECT count(*) FROM events") == 0


async def test_a_page_is_a_sign_of_life_of_its_number(pool, door):
    session = await arrive(door, await make.site(pool))

    await beats.write(pool, [beat(session, f"{PAGE}a")])

    assert await pool.fetchval(
        "SELECT last_sign_at FROM leases"
    ) == make.NOON + 10 * SECOND  # fmt: skip


async def test_a_page_told_by_a_beat_marks_the_session_as_a_test_and_takes_it_back(
    pool, door
):
    session = await arrive(door, await make.site(pool))
    marks = []

    for pages in (
        [f"{PAGE}?skvoz_test=1"],
        [f"{PAGE}a"],
        [f"{PAGE}?skvoz_test=1", f"{PAGE}?skvoz_test=0"],
    ):
        await beats.write(pool, [beat(session, *pages)])
        marks.append(await pool.fetchval("SELECT test FROM sessions"))

    assert marks == [True, True, False]


async def test_a_page_of_no_session_is_nobodys(pool, door):
    site = await make.site(pool)

    await beats.write(pool, [beat(ids.mint(site.id, make.NOON), f"{PAGE}a")])

    assert await pool.fetchval("SELECT count(*) FROM pages") == 0
