"""The whole server as it runs: web, mail relay and worker as processes on the test's stores."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from tests import make
from tracker import db as database
from tracker import sites

DOMAIN = "track.acme.example"
PARTS = ("web", "mailrelay", "tracker")
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36"
)
PATIENCE = 30.0  # seconds for something that must come

Found = TypeVar("Found")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def until(look: Callable[[], Awaitable[Found]]) -> Found:
    """What `look` finds, once it finds something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await look()):
            await asyncio.sleep(0.05)
    return found


@dataclass(slots=True)
class Server:
    """Three processes, started again when they die, as the supervisor does."""

    pool: database.Pool
    http: aiohttp.ClientSession
    environment: dict[str, str]
    http_port: int
    smtp_port: int
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def start(self, part: str) -> None:
        self.processes[part] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", part, env=self.environment
        )

    async def kill(self, part: str) -> None:
        """SIGKILL, and the start that follows."""
        process = self.processes[part]
        process.kill()
        await process.wait()
        await self.start(part)

    async def answers(self) -> bool:
        try:
            async with self.http.get(f"{self.address}/healthz") as answer:
                web = answer.status == 200
            _, writer = await asyncio.open_connection("127.0.0.1", self.smtp_port)
            writer.close()
        except (OSError, aiohttp.ClientError):
            return False
        return web

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """A JSON body to a door; its JSON answer."""
        headers = {"User-Agent": BROWSER, "Origin": "https://acme.example"}
        async with self.http.post(
            self.address + path, json=body, headers=headers
        ) as answer:
            assert answer.status in (200, 202, 204), await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def visit(self, url: str, **more: Any) -> dict[str, Any]:
        """A first visit from an advertisement."""
        body = {"site": "acme", "url": url, "replaces": [make.OWN, make.MAILBOX]}
        found: dict[str, Any] = await self.post("/v1/visits", body | more)
        return found

    async def reveal(self, session: str, number: str) -> None:
        """The visitor sees the number; written when this returns."""
        event = {"type": "reveal", "target": number}
        await self.post(
            "/v1/beats", {"session": session, "state": "visible", "events": [event]}
        )
        seen = "SELECT seen_at FROM leases WHERE session_id = $1::uuid"
        await until(lambda: self.pool.fetchval(seen, session))

    async def call(self, key: str, call_id: str, event: str, **more: Any) -> Any:
        """What the site's PBX tells."""
        path = f"/hooks/generic/{key}?token=secret-of-the-pbx"
        return await self.post(path, {"event": event, "call_id": call_id, **more})


@asynccontextmanager
async def server(
    database_url: str, redis_url: str, pool: database.Pool, folder: Path
) -> AsyncIterator[Server]:
    """Started when entered; stopped, and seen to end by itself, when left."""
    http_port, smtp_port = free_port(), free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SKVOZ_DATA": str(folder),
        "SKVOZ_SECRET_KEY": "only for tests",
        "SKVOZ_PUBLIC_URL": f"http://127.0.0.1:{http_port}",
        "SKVOZ_MAIL_DOMAIN": DOMAIN,
        "SKVOZ_HTTP_HOST": "127.0.0.1",
        "SKVOZ_HTTP_PORT": str(http_port),
        "SKVOZ_SMTP_HOST": "127.0.0.1",
        "SKVOZ_SMTP_PORT": str(smtp_port),
        "SKVOZ_TRUSTED_NETWORKS": "127.0.0.0/8",
        "SKVOZ_LOG_LEVEL": "WARNING",
        "SKVOZ_VISIT_PATIENCE_MS": "20000",  # the machine may be busy with other tests
    }
    async with aiohttp.ClientSession() as http:
        one = Server(pool, http, environment, http_port, smtp_port)
        for part in PARTS:
            await one.start(part)
        try:
            await until(one.answers)
            yield one
            for process in one.processes.values():
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                codes = [await process.wait() for process in one.processes.values()]
            assert codes == [0, 0, 0]
        finally:
            for process in one.processes.values():
                if process.returncode is None:
                    process.kill()
                    await process.wait()


async def acme(
    pool: database.Pool, *, next_hop: str, destinations: Any = (), numbers: int = 5
) -> sites.Site:
    """The usual site with a PBX, a mailbox and these destinations."""
    return await make.site(
        pool,
        numbers=numbers,
        next_hop=next_hop,
        telephony=[("pbx", "generic", {"token": "secret-of-the-pbx"})],
        destinations=destinations,
    )
