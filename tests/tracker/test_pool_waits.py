"""Who is counted as waiting for a number, from the door to the row."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
import redis.asyncio

from tests import make
from tracker import db as database
from tracker import pool_waits, sites, visits

MINUTE = timedelta(minutes=1)


@pytest.fixture
def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> visits.Visits:
    return visits.Visits(pool, valkey, mail_domain="track.example", patience=20)


async def come(
    door: visits.Visits,
    site: sites.Site,
    *,
    at: datetime = make.NOON,
    session: UUID | None = None,
    reading: bool = False,
) -> UUID:
    arrival = await door.arrive(
        visits.Visit(
            site=site,
            at=at,
            url="https://acme.example/",
            replaces=(make.OWN,),
            session=session,
            reading=reading,
            page=not reading,
        )
    )
    assert arrival.session
    return arrival.session


async def counted(door: visits.Visits, pool: database.Pool) -> list[tuple[int, int]]:
    await door.waits.flush()
    rows = await pool.fetch("SELECT * FROM pool_waits ORDER BY quarter")
    return [(row["waited"], row["served"]) for row in rows]


async def test_a_visitor_who_gets_a_number_waits_for_nothing(pool, door):
    site = await make.site(pool)
    session = await come(door, site)
    await come(door, site, session=session)
    await come(door, site, session=session, reading=True)
    assert await counted(door, pool) == []


async def test_who_finds_no_idle_number_is_counted_once(pool, door):
    site = await make.site(pool, numbers=1)
    await come(door, site)
    late = await come(door, site)
    await come(door, site, session=late)  # the next page
    assert await counted(door, pool) == [(1, 0)]


async def test_who_is_lent_one_at_the_reveal_was_served(pool, door):
    site = await make.site(pool, numbers=1)
    await come(door, site)
    late = await come(door, site)
    await come(door, site, session=late, reading=True)  # a shared one
    await come(door, site, session=late, reading=True)
    assert await counted(door, pool) == [(1, 1)]


async def test_who_is_served_later_counts_where_he_waited(pool, door):
    site = await make.site(pool, numbers=1)
    await come(door, site)
    late = await come(door, site)
    at = make.NOON + 16 * MINUTE
    await come(door, site, session=late, reading=True, at=at)
    assert await counted(door, pool) == [(1, 1)]


async def test_where_nothing_is_shared_the_reveal_serves_nobody(pool, door):
    site = await make.site(pool, numbers=1, share=False)
    await come(door, site)
    late = await come(door, site)
    await come(door, site, session=late, reading=True)
    assert await counted(door, pool) == [(1, 0)]


async def test_where_all_wait_for_the_reveal_only_the_reveal_counts(pool, door):
    site = await make.site(pool, numbers=1, late="always", share=False)
    first, second = await come(door, site), await come(door, site)
    await come(door, site, session=first, reading=True)
    assert await counted(door, pool) == []
    await come(door, site, session=second, reading=True)
    assert await counted(door, pool) == [(1, 0)]


async def test_a_pool_without_numbers_keeps_nobody_waiting(pool, door):
    site = await make.site(pool, numbers=0)
    await come(door, site)
    assert await counted(door, pool) == []


async def test_quarters_of_an_hour_and_processes_add_up(pool, valkey, door):
    other = visits.Visits(pool, valkey, mail_domain="track.example", patience=20)
    site = await make.site(pool, numbers=1)
    await come(door, site)
    for one in (door, door, other):
        await come(one, site, at=make.NOON + MINUTE)
    await come(door, site, at=make.NOON + 2 * MINUTE)
    await counted(other, pool)
    assert await counted(door, pool) == [(4, 0)]
    assert await pool.fetchval("SELECT quarter FROM pool_waits") == make.NOON


async def test_counts_outlive_an_outage_of_postgresql(pool, database_url, valkey):
    site = await make.site(pool, numbers=1)
    away = await database.connect(database_url)
    waits = pool_waits.Waits(away)
    door = visits.Visits(pool, valkey, mail_domain="track.example", patience=20)
    door.waits = waits
    await come(door, site)
    await come(door, site)
    away.terminate()
    await waits.flush()
    assert await pool.fetchval("SELECT count(*) FROM pool_waits") == 0

    waits._pool = pool
    await come(door, site)
    assert await counted(door, pool) == [(2, 0)]
