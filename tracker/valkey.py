"""Valkey as our own child process: in memory alone, it holds only what may be forgotten."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis.asyncio
import redis.exceptions

from tracker import embedded, orphans
from tracker.processes import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """A Valkey in memory alone."""

    sockets: Path
    user: str | None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    def program(self, environment: Mapping[str, str]) -> Program:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.sockets),
            "save": "",
            "appendonly": "no",
            "maxmemory": "512mb",
            "maxmemory-policy": "noeviction",  # to forget at random is worse than to refuse
            "daemonize": "no",
            # It warns of what matters to a server that saves; that it ended, we say.
            "loglevel": "nothing",
        }
        arguments = [
            part for key, one in settings.items() for part in (f"--{key}", one)
        ]
        return Program(
            name="valkey",
            command=(str(embedded.valkey_program()), *arguments),
            environment=environment,
            folder=self.sockets,
            user=self.user,
            steps=((signal.SIGTERM, 1.0),),
        )

    async def prepare(self) -> None:
        embedded.own_folder(self.sockets, self.user)
        embedded.let_run(embedded.valkey_program(), self.user)
        await orphans.end(orphans.in_folder(self.sockets))

    async def is_ready(self) -> bool:
        client = redis.asyncio.Redis.from_url(self.url)
        try:
            return bool(await client.ping())
        except (OSError, redis.exceptions.RedisError):
            return False
        finally:
            await client.aclose()

    @property
    def _socket(self) -> Path:
        return self.sockets / "valkey.sock"
