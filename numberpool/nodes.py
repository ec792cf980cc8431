"""One round trip to the Valkey servers that keep some pools: a single server, or a cluster.

All keys of a pool lie on one node. What a batch asks of several nodes is asked of all of them
at once, and a node that is away fails only what was asked of it.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Cut
from redis.exceptions import (
    NoScriptError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
)
from redis.exceptions import TimeoutError as Silent

Client = Redis | RedisCluster

PAUSE = 1.0  # seconds in which a node that did not answer is not asked again
AWAY = (Cut, Silent, OSError)
# Whatever goes wrong with Valkey; redis-py's trouble with a cluster is no RedisError.
TROUBLE = (RedisError, RedisClusterException, OSError)
WHOLE = "*"  # stands for the cluster where a node's name would


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, and the name a server knows it by once it has run it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False)
        object.__setattr__(self, "sha", digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Call:
    """What a script is run with; the keys are one pool's."""

    keys: list[str]
    arguments: list[str | int]


class Cluster(RedisCluster):
    """A Valkey Cluster of which a node may be away without harm to the others' keys.

    A node that does not answer is left alone for a moment, so that nobody waits for it
    again and again, and the cluster is asked who keeps its slots now.
    """

    def __init__(self, nodes: Sequence[tuple[str, int]], **settings: Any) -> None:
        """`settings` are redis-py's, as of a single server."""
        super().__init__(
            startup_nodes=[ClusterNode(host, port) for host, port in nodes],
            require_full_coverage=False,  # the slots of a dead node may belong to nobody
            retry=Retry(NoBackoff(), 0),  # no visitor waits for a second try
            **settings,
        )
        self._away: dict[str, float] = {}  # node → when it may be asked again
        self._looking: asyncio.Task[None] | None = None

    async def initialize(self, *args: Any, **kwargs: Any) -> "Cluster":
        """Learn who keeps what, of any node that answers; raises what redis raises."""
        if self._is_away(WHOLE):
            raise Cut("the cluster did not answer a moment ago")
        for left in reversed(range(len(self.nodes_manager.startup_nodes) + 1)):
            try:
                await super().initialize(*args, **kwargs)
            except AWAY:
                # Some node has told who keeps what, but the first it named is away, and is
                # the one redis-py asks next: let it ask another.
                if not left or not self.nodes_manager.nodes_cache:
                    self._leave(WHOLE)
                    raise
                first = self.nodes_manager.get_nodes_by_server_type("primary")[0]
                self.nodes_manager.move_node_to_end_of_cached_nodes(first.name)
            except (RedisError, RedisClusterException) as error:
                self._leave(WHOLE)
                raise Cut(f"no node of the cluster answers: {error}") from error
            else:
                break
        self.heard(WHOLE)
        return self

    async def aclose(self) -> None:
        """Close all connections."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await super().aclose()

    def admit(self, node: str) -> bool:
        """Whether a node may be asked; of one that was away, one caller tries first."""
        if node not in self._away:
            return True
        if self._is_away(node):
            return False
        self._leave(node)
        return True

    def heard(self, node: str) -> None:
        """It answered."""
        self._away.pop(node, None)

    def lost(self, node: str) -> None:
        """It did not answer; another node may keep its slots by now, or soon."""
        self._leave(node)
        self.nodes_manager.move_node_to_end_of_cached_nodes(node)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        with contextlib.suppress(*TROUBLE):
            await self.nodes_manager.initialize()

    def _is_away(self, node: str) -> bool:
        until = self._away.get(node)
        return until is not None and asyncio.get_running_loop().time() < until

    def _leave(self, node: str) -> None:
        self._away[node] = asyncio.get_running_loop().time() + PAUSE


async def run(client: Client, script: Script, calls: Sequence[Call]) -> list[Any]:
    """What the script answers to each call, all in one round trip.

    In a cluster an answer may be the error of its node; raises what redis raises when no
    server can be reached at all.
    """
    answers = await _round(client, "EVALSHA", script.sha, calls)
    unknown = [n for n, one in enumerate(answers) if isinstance(one, NoScriptError)]
    if unknown:  # a server was restarted, or is new: this teaches it
        asked = [calls[n] for n in unknown]
        again = await _round(client, "EVAL", script.text, asked)
        for n, answer in zip(unknown, again, strict=True):
            answers[n] = answer
    return answers


async def _round(
    client: Client, verb: str, script: str, calls: Sequence[Call]
) -> list[Any]:
    if not isinstance(client, RedisCluster):
        if len(calls) == 1:  # the usual case, and cheaper than a pipeline
            return [await _alone(client, verb, script, calls[0])]
        return await _pipelined(client, verb, script, calls)
    await client.initialize()
    groups: dict[str, list[int]] = {}
    for n, call in enumerate(calls):
        groups.setdefault(_keeper(client, call.keys[0]), []).append(n)
    asked = [[calls[n] for n in places] for places in groups.values()]
    told = await asyncio.gather(
        *(
            _of_node(client, node, verb, script, group)
            for node, group in zip(groups, asked, strict=True)
        )
    )
    answers: list[Any] = [None] * len(calls)
    for places, group in zip(groups.values(), told, strict=True):
        for n, answer in zip(places, group, strict=True):
            answers[n] = answer
    return answers


def _keeper(cluster: RedisCluster, key: str) -> str:
    """The name of the node that keeps the key; empty when none does."""
    with contextlib.suppress(SlotNotCoveredError):
        if (node := cluster.get_node_from_key(key)) is not None:
            return str(node.name)
    return ""


async def _of_node(
    cluster: RedisCluster, node: str, verb: str, script: str, calls: Sequence[Call]
) -> list[Any]:
    """The answers of one node; its error for each when it does not answer."""
    ours = cluster if isinstance(cluster, Cluster) else None
    if ours and not ours.admit(node):
        return [Cut("the node did not answer a moment ago")] * len(calls)
    try:
        answers = await _pipelined(cluster, verb, script, calls)
    except TROUBLE as error:
        answers = [error] * len(calls)
    if ours and any(isinstance(one, AWAY) for one in answers):
        ours.lost(node)
    elif ours:
        ours.heard(node)
    return answers


async def _alone(client: Redis, verb: str, script: str, call: Call) -> Any:
    server: Any = client  # redis-py leaves `execute_command` untyped
    try:
        return await server.execute_command(
            verb, script, len(call.keys), *call.keys, *call.arguments
        )
    except NoScriptError as error:
        return error


async def _pipelined(
    client: Client, verb: str, script: str, calls: Sequence[Call]
) -> list[Any]:
    async with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.execute_command(
                verb, script, len(call.keys), *call.keys, *call.arguments
            )
        return list(await pipeline.execute(raise_on_error=False))
