"""Lending over a Valkey Cluster of three nodes, and what one dead node costs."""

import asyncio
import time

import pytest
import redis.exceptions
from redis.asyncio.cluster import RedisCluster

from numberpool import ledger, lending, nodes
from tests import valkeys
from tests.numberpool import make

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
async def client(cluster):
    made = cluster.client()
    yield made
    await made.aclose()


def pools_of(cluster, size=2):
    """One pool on each node."""
    return [make.pool(size, id=cluster.pool_of(node)) for node in range(3)]


def want(pool, n, **changes):
    return lending.Want(
        pool=pool, session=make.session(n), visitor=make.visitor(n), **changes
    )


def numbers(loans):
    return [loan and loan.number for loan in loans]


FIRST, SECOND = make.number(0), make.number(1)


async def test_one_batch_lends_from_pools_on_all_nodes(cluster, client):
    pools = pools_of(cluster)
    with pytest.raises(lending.NotLoaded) as trouble:
        await lending.lend(client, [want(pool, 1) for pool in pools], make.at(0))
    assert set(trouble.value.pools) == set(pools)
    for pool in pools:
        assert await make.load(client, pool)

    wants = [want(pools[n], n) for n in (2, 0, 1, 0)] + [want(pools[0], 9)]
    loans = await lending.lend(client, wants, make.at(0))

    assert numbers(loans) == [FIRST, FIRST, FIRST, FIRST, SECOND]
    signs = [
        lending.Sign(pool_id=pool.id, session=make.session(n), at=make.at(5), seen=True)
        for n, pool in enumerate(pools)
    ]
    await lending.touch(client, signs)
    for n, pool in enumerate(pools):
        first, _ = await lending.snapshot(client, pool)
        assert (first.session, first.last_seen) == (make.session(n), make.at(5))


async def test_a_usual_client_of_a_cluster_will_do(cluster):
    pools = pools_of(cluster)
    async with RedisCluster("127.0.0.1", cluster.ports[0]) as usual:
        for pool in pools:
            await make.load(usual, pool)
        loans = await lending.lend(usual, [want(pool, 1) for pool in pools], make.at(0))
    assert numbers(loans) == [FIRST] * 3


async def test_a_dead_node_stops_only_its_own_pools_until_it_is_back(cluster, client):
    pools = pools_of(cluster)
    for pool in pools:
        await make.load(client, pool)
    await lending.lend(client, [want(pool, 1) for pool in pools], make.at(0))

    cluster.kill(1)
    for n in range(2, 30):
        loans = await lending.lend(
            client, [want(pool, n) for pool in pools], make.at(n * 200)
        )
        assert [loan is not None for loan in loans] == [True, False, True]
    with pytest.raises(redis.exceptions.ConnectionError):
        await lending.lend(client, [want(pools[1], 1)], make.at(0))
    with pytest.raises(redis.exceptions.RedisError):
        await lending.snapshot(client, pools[1])
    assert len(await lending.snapshot(client, pools[0])) == 2
    # Who comes only now, and asks the dead one first, is served as well.
    newcomer = cluster.client()
    loans = await lending.lend(
        newcomer, [want(pool, 1) for pool in pools], make.at(9000)
    )
    assert [loan is not None for loan in loans] == [True, False, True]
    await newcomer.aclose()

    await cluster.start_again(1)
    async with asyncio.timeout(valkeys.PATIENCE):
        while True:  # left alone for a moment, then tried again: it is back, and empty
            try:
                await lending.lend(
                    client, [want(pool, 50) for pool in pools], make.at(9500)
                )
            except lending.NotLoaded as found:
                assert found.pools == (pools[1],)
                assert [loan is not None for loan in found.loans] == [True, False, True]
                break
            await asyncio.sleep(0.05)
    assert await make.load(client, pools[1], epoch=2)
    loans = await lending.lend(
        client, [want(pool, 50) for pool in pools], make.at(9500)
    )
    assert None not in loans


async def test_a_silent_node_is_waited_for_once_and_then_left_alone(cluster):
    client = cluster.client(socket_timeout=0.5, socket_connect_timeout=0.5)
    pools = pools_of(cluster)
    for pool in pools:
        await make.load(client, pool)
    cluster.pause(2)
    try:
        asked = [want(pool, 1) for pool in pools]
        assert numbers(await lending.lend(client, asked, make.at(0))) == [
            FIRST,
            FIRST,
            None,
        ]
        began = time.monotonic()
        assert numbers(await lending.lend(client, asked, make.at(0))) == [
            FIRST,
            FIRST,
            None,
        ]
        if time.monotonic() - began < nodes.PAUSE:  # else it was tried again
            with pytest.raises(redis.exceptions.ConnectionError, match="a moment ago"):
                await lending.lend(client, [want(pools[2], 1)], make.at(0))
    finally:
        cluster.resume(2)
    async with asyncio.timeout(valkeys.PATIENCE):
        while None in await lending.lend(client, asked, make.at(1)):
            await asyncio.sleep(0.05)
    await client.aclose()


async def test_a_pool_whose_slots_moved_is_found_where_it_went(cluster, client):
    pool = make.pool(id=cluster.pool_of(0))
    await make.load(client, pool)
    slot = redis.cluster.key_slot(b"{pool:%d}:state" % pool.id)
    try:
        await cluster.give(slot, 2)
        with pytest.raises(lending.NotLoaded):
            await lending.lend(client, [want(pool, 1)], make.at(0))
        await make.load(client, pool, epoch=2)
        loans = await lending.lend(client, [want(pool, 1)], make.at(0))
        assert numbers(loans) == [FIRST]
    finally:
        await cluster.give(slot, 0)


async def test_no_cluster_at_all_raises_quickly(cluster):
    client = cluster.client()
    cluster.stop()
    for _ in range(3):
        with pytest.raises(redis.exceptions.RedisError):
            await lending.lend(client, [want(make.pool(), 1)], make.at(0))
    await client.aclose()


async def test_a_node_that_forgot_its_scripts_is_taught_again(cluster, client):
    pools = pools_of(cluster)
    for pool in pools:
        await make.load(client, pool)
    async with redis.asyncio.Redis(port=cluster.ports[1]) as node:
        await node.script_flush()
    loans = await lending.lend(client, [want(pool, 1) for pool in pools], make.at(0))
    assert numbers(loans) == [FIRST] * 3


async def test_what_a_dead_node_forgot_comes_back_from_the_ledger(
    pool, cluster, client
):
    ids = [cluster.pool_of(node) for node in range(3)]
    lent = [make.pool(2, id=id_) for id_ in ids]
    for one in lent:
        await pool.execute(
            "INSERT INTO pools (site_id, id, name, replaces) OVERRIDING SYSTEM VALUE "
            "VALUES (1, $1, $2, '{}')",
            one.id,
            f"pool{one.id}",
        )
    # Numbers are one pool's only: the second alone has them in the ledger.
    await pool.executemany(
        "INSERT INTO numbers (site_id, number, kind, pool_id, position) "
        "VALUES (1, $2, 'dynamic', $3, $1)",
        [(position, number, lent[1].id) for position, number in lent[1].numbers],
    )
    await ledger.rebuild(pool, client, lent[1], make.at(0))
    (loan,) = await lending.lend(client, [want(lent[1], 1)], make.at(0))
    grant = ledger.Grant(
        site_id=1,
        number=loan.number,
        since=make.at(0),
        session_id=make.session(1),
        visitor_id=make.visitor(1),
        pool_id=lent[1].id,
        source_id=5,
        device="mobile",
        last_sign_at=make.at(0),
        epoch=loan.epoch,
    )
    assert await ledger.grant(pool, [grant])

    cluster.kill(1)
    await cluster.start_again(1)
    async with asyncio.timeout(valkeys.PATIENCE):
        while True:
            try:
                await lending.lend(client, [want(lent[1], 2)], make.at(10))
            except lending.NotLoaded:
                break
            except redis.exceptions.RedisError:
                await asyncio.sleep(0.05)
    assert await ledger.rebuild(pool, client, lent[1], make.at(10)) == loan.epoch + 1
    loans = await lending.lend(
        client, [want(lent[1], n) for n in (2, 1, 3)], make.at(10)
    )
    assert numbers(loans) == [SECOND, FIRST, None]
