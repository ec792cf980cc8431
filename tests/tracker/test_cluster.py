"""Visits over a Valkey Cluster: a dead node's pools wait, the others go on, nothing is lent twice."""

import asyncio
from datetime import timedelta

import pytest

from tests import make, valkeys
from tests.tracker.test_visits import ask
from tracker import connections, provision, visits

pytestmark = pytest.mark.xdist_group("cluster")
SECOND = timedelta(seconds=1)
POOLS = 8


@pytest.fixture
async def door(pool, cluster):
    client = cluster.client()
    yield visits.Visits(pool, client, mail_domain="track.example", patience=20)
    await client.aclose()


def page_number(n):
    return f"+7495000{n:04d}"


async def set_up(pool):
    """A site with many small pools, so that each node keeps some."""
    text = '[site]\nkey = "acme"\nname = "ACME"\ndomains = ["acme.example"]\n'
    for n in range(POOLS):
        numbers = ", ".join(f'"+7495{n + 1:03d}{place:04d}"' for place in range(3))
        text += (
            f'[[pool]]\nname = "pool{n}"\nreplaces = ["{page_number(n)}"]\n'
            f"numbers = [{numbers}]\n"
        )
    async with pool.acquire() as db:
        await provision.apply_text(
            db, text, make.SEAL, connections.known(), at=make.NOON
        )
    return await make.found(pool, "acme")


async def test_one_dead_node_costs_its_own_pools_their_numbers_until_it_is_back(
    pool, door, cluster
):
    site = await set_up(pool)
    pages = tuple(page_number(n) for n in range(POOLS))
    dead = cluster.node_of(site.pools[0].id)
    hit = {
        page
        for page, one in zip(pages, site.pools, strict=True)
        if cluster.node_of(one.id) == dead
    }
    assert 0 < len(hit) < POOLS

    async def arrive(seconds, **changes):
        at = make.NOON + seconds * SECOND
        return await door.arrive(ask(site, replaces=pages, at=at, **changes))

    first = await arrive(0)
    assert lent(first) == {page: number(page, 0) for page in pages}

    cluster.kill(dead)
    for n in (1, 2):
        assert lent(await arrive(n)) == {
            page: number(page, n) for page in pages if page not in hit
        }
    kept = await arrive(3, session=first.session)
    assert kept.numbers == first.numbers  # the ledger knows what is on his page

    await cluster.start_again(dead)
    async with asyncio.timeout(valkeys.PATIENCE):
        while not (found := lent(await arrive(4))):  # the others' numbers are all taken
            await asyncio.sleep(0.05)
    assert found == {page: number(page, 1) for page in hit}
    assert lent(await arrive(5)) == {page: number(page, 2) for page in hit}
    assert lent(await arrive(6)) == {}
    assert (await arrive(7, session=first.session)).numbers == first.numbers
    twice = "SELECT number FROM leases GROUP BY number HAVING count(*) > 1"
    assert await pool.fetch(twice) == []


def number(page, place):
    """A number of the pool that replaces this one."""
    return f"+7495{int(page[-4:]) + 1:03d}{place:04d}"


def lent(arrival):
    return {
        one.replaces: one.number for one in arrival.numbers if one.kind == "dynamic"
    }
