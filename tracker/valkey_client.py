"""A client of the Valkey that is set, a single server or a cluster. Its address is checked here.

redis://host:6379/0   rediss://…   unix:///run/valkey.sock
redis+cluster://[user:password@]host:port[,host:port…]   rediss+cluster://…
"""

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import redis.asyncio

from numberpool import nodes
from tracker.errors import BadInput

PLAIN = ("redis://", "rediss://", "unix://")
CLUSTER = ("redis+cluster://", "rediss+cluster://")
PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """Where some nodes of a cluster are found; they name the others."""

    nodes: tuple[tuple[str, int], ...]
    username: str | None
    password: str | None
    tls: bool


def connect(url: str, *, patience: float | None = None) -> redis.asyncio.Redis:
    """A client, which connects when it is first used; raises BadInput.

    `patience`: seconds to wait for a connection, and for an answer.
    """
    limits: dict[str, Any] = {}
    if patience is not None:
        limits = {"socket_timeout": patience, "socket_connect_timeout": patience}
    found = cluster(url)
    if found is None:
        return redis.asyncio.Redis.from_url(url, **limits)
    made = nodes.Cluster(
        found.nodes,
        username=found.username,
        password=found.password,
        ssl=found.tls,
        **limits,
    )
    # redis-py types the two apart, though they answer to the same calls.
    return cast(redis.asyncio.Redis, made)


def cluster(url: str) -> ClusterAddress | None:
    """The cluster's address; None when the URL is a single server's. Raises BadInput."""
    scheme, found, rest = url.partition("://")
    if url.startswith(PLAIN):
        return None
    if not found or not url.startswith(CLUSTER):
        raise BadInput(f"must begin with one of {', '.join((*PLAIN, *CLUSTER))}")
    place, _, database = rest.partition("?")[0].partition("/")
    if database not in ("", "0"):
        raise BadInput("must name no database: a cluster has one only")
    account, _, hosts = place.rpartition("@")
    username, _, password = account.partition(":")
    return ClusterAddress(
        nodes=tuple(_node(one) for one in hosts.split(",")),
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=scheme.startswith("rediss"),
    )


def _node(text: str) -> tuple[str, int]:
    host, colon, port = text.strip().rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text.strip(), str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()):
        raise BadInput("must name nodes as host:port, with commas between them")
    if not 1 <= int(port) <= 65535:
        raise BadInput(f"{port} is no port: it must be from 1 to 65535")
    return host, int(port)
