"""The whole web process over a Valkey Cluster: every door that asks Valkey something."""

import json

import pytest
from aiohttp import test_utils

from tests import make
from tracker import config, valkey_client
from tracker.errors import TooMany
from web import app, keys, limits

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
async def client(cluster, database_url, pool, tmp_path):
    settings = config.read(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": cluster.url,
            "SKVOZ_DATA": str(tmp_path),
            "SKVOZ_SECRET_KEY": "only for tests",
            "SKVOZ_VISIT_PATIENCE_MS": "20000",
        }
    )
    valkey = valkey_client.connect(settings.redis_url, patience=5)
    built = app.build(settings, pool, valkey)
    async with test_utils.TestClient(test_utils.TestServer(built)) as client:
        yield client
    await valkey.aclose()


async def visit(client):
    body = {"site": "acme", "url": "https://acme.example/", "replaces": [make.OWN]}
    answer = await client.post("/v1/visits", data=json.dumps(body))
    told = await answer.json()
    return told["numbers"][0]["kind"]


async def test_visits_limits_and_health_work_on_a_cluster(pool, client):
    await make.site(pool, numbers=2)

    assert await visit(client) == "dynamic"
    answer = await client.get("/readyz")
    assert await answer.json() == {"postgres": True, "valkey": True}
    for who in range(20):  # keys on every node
        await limits.hit(client.app[keys.REDIS], f"door:{who}", most=1, seconds=3600)
        with pytest.raises(TooMany):
            await limits.hit(
                client.app[keys.REDIS], f"door:{who}", most=1, seconds=3600
            )


async def test_limits_and_readiness_survive_a_dead_node(pool, client, cluster):
    site = await make.site(pool, numbers=1)
    valkey = client.app[keys.REDIS]
    assert await visit(client) == "dynamic"

    cluster.kill(cluster.node_of(site.pools[0].id))

    for who in range(20):
        await limits.hit(valkey, f"other:{who}", most=1, seconds=3600)
        with pytest.raises(TooMany):
            await limits.hit(valkey, f"other:{who}", most=1, seconds=3600)
    assert await visit(client) == "own"
    answer = await client.get("/readyz")
    assert (await answer.json())["postgres"] is True
