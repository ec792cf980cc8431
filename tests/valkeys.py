"""A Valkey Cluster of three nodes, as real as the single server: nodes die and come back."""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis.asyncio
import redis.exceptions

from numberpool import nodes
from tracker import embedded

SLOTS = (0, 5461, 10923, 16384)  # where each node's begin, and the end
PATIENCE = 60.0  # seconds for something that must come; the machine may be busy


@dataclass(slots=True)
class Cluster:
    """Three nodes, each keeping a third of the slots."""

    folder: Path
    ports: list[int]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        places = (f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+cluster://{','.join(places)}"

    def client(self, **settings: float) -> nodes.Cluster:
        limits = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0} | settings
        return nodes.Cluster([("127.0.0.1", port) for port in self.ports], **limits)

    def pool_of(self, node: int) -> int:
        """The id of a pool that the node keeps."""
        return next(id_ for id_ in itertools.count(1) if self.node_of(id_) == node)

    def node_of(self, pool_id: int) -> int:
        """The node that keeps the pool."""
        slot = redis.cluster.key_slot(b"{pool:%d}:state" % pool_id)
        return next(node for node in range(3) if slot < SLOTS[node + 1])

    def run(self, node: int) -> subprocess.Popen[bytes]:
        folder = self.folder / str(node)
        folder.mkdir(exist_ok=True)
        settings = {
            "port": self.ports[node],
            "bind": "127.0.0.1",
            "dir": folder,
            "save": "",
            "loglevel": "nothing",
            "cluster-enabled": "yes",
            "cluster-node-timeout": 2000,
            # A dead node's slots are nobody's; the others' go on.
            "cluster-require-full-coverage": "no",
        }
        arguments = [
            part for key, one in settings.items() for part in (f"--{key}", str(one))
        ]
        return subprocess.Popen([embedded.valkey_program(), *arguments])

    def kill(self, node: int) -> None:
        self.processes[node].kill()
        self.processes[node].wait()

    def pause(self, node: int) -> None:
        """It accepts connections, and says nothing."""
        os.kill(self.processes[node].pid, signal.SIGSTOP)

    def resume(self, node: int) -> None:
        os.kill(self.processes[node].pid, signal.SIGCONT)

    async def start_again(self, node: int) -> None:
        """Empty, with the slots it had."""
        self.processes[node] = self.run(node)
        await self.whole()

    async def give(self, slot: int, node: int) -> None:
        """Another node keeps the slot from now on, with nothing in it."""
        async with redis.asyncio.Redis(port=self.ports[node]) as target:
            id_ = (await target.execute_command("CLUSTER MYID")).decode()
        for port in self.ports:
            await _ask(port, "FLUSHALL")
            await _ask(port, "CLUSTER", "SETSLOT", slot, "NODE", id_)

    async def emptied(self) -> None:
        """Every node alive, and without a memory of earlier tests."""
        for node, process in enumerate(self.processes):
            if process.poll() is not None:
                self.processes[node] = self.run(node)
        for port in self.ports:
            await _ask(port, "FLUSHALL")
        await self.whole()

    async def whole(self) -> None:
        """Wait until all nodes know that all slots are kept."""
        async with asyncio.timeout(PATIENCE):
            for port in self.ports:
                while not await _is_whole(port):
                    await asyncio.sleep(0.05)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


async def _is_whole(port: int) -> bool:
    async with redis.asyncio.Redis(port=port) as client:
        try:
            told = await client.execute_command("CLUSTER INFO")
        except (OSError, redis.exceptions.RedisError):
            return False
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", "3")


async def _ask(port: int, *command: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with redis.asyncio.Redis(port=port) as client:
                    await client.execute_command(*command)
                return
            except (OSError, redis.exceptions.ConnectionError):
                await asyncio.sleep(0.02)


def _free_port() -> int:
    """A port that leaves room for the nodes' own bus, which is 10 000 above it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port: int = taken.getsockname()[1]
        if port > 55_000:
            continue
        try:
            with socket.create_server(("127.0.0.1", port + 10_000)):
                return port
        except OSError:
            continue


@contextmanager
def standing() -> Iterator[Cluster]:
    """Three nodes on free ports, formed into a cluster; for a fixture of many tests."""
    folder = Path(tempfile.mkdtemp(prefix="skvoz-kvs-"))
    made = Cluster(folder, [_free_port() for _ in range(3)])
    made.processes = [made.run(node) for node in range(3)]
    try:
        asyncio.run(_form(made))
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _form(made: Cluster) -> None:
    for node, port in enumerate(made.ports):
        await _ask(port, "CLUSTER", "ADDSLOTSRANGE", SLOTS[node], SLOTS[node + 1] - 1)
        await _ask(port, "CLUSTER", "SET-CONFIG-EPOCH", node + 1)
    for port in made.ports[1:]:
        await _ask(made.ports[0], "CLUSTER", "MEET", "127.0.0.1", port)
    await made.whole()
