"""The address of a Valkey: a single one, or a cluster."""

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from numberpool import nodes
from tracker import config, valkey_client
from tracker.errors import BadInput


def test_a_clusters_address_names_nodes_and_may_hold_an_account():
    found = valkey_client.cluster(
        "rediss+cluster://me:p%40ss@one:7000,two,[::1]:7002/0"
    )
    assert found == valkey_client.ClusterAddress(
        nodes=(("one", 7000), ("two", 6379), ("::1", 7002)),
        username="me",
        password="p@ss",
        tls=True,
    )


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h", "unix:///run/s"])
def test_a_single_server_is_no_cluster(url):
    assert valkey_client.cluster(url) is None
    assert type(valkey_client.connect(url)) is redis.asyncio.Redis


async def test_a_cluster_is_connected_to_when_it_is_used():
    made = valkey_client.connect("redis+cluster://:secret@nowhere:1", patience=0.1)
    assert isinstance(made, nodes.Cluster)
    assert made.connection_kwargs["password"] == "secret"
    assert made.connection_kwargs["socket_timeout"] == 0.1
    await made.aclose()


@pytest.mark.parametrize(
    "url",
    ["", "localhost:6379", "http://h", "redis+cluster://", "redis+cluster://h:x",
     "redis+cluster://h:99999", "redis+cluster://a:1,,b:2", "redis+cluster://a/1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url):
    with pytest.raises(BadInput):
        valkey_client.cluster(url)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        found = valkey_client.cluster("redis+cluster://" + text)
    except BadInput:
        return
    assert found is not None and all(1 <= port <= 65535 for _, port in found.nodes)


def test_a_bad_address_is_told_with_the_other_settings():
    with pytest.raises(BadInput, match="REDIS_URL: must begin with one of redis://"):
        config.read({"REDIS_URL": "localhost:6379"})
    url = "redis+cluster://one:7000"
    assert config.read({"REDIS_URL": url}).redis_url == url
