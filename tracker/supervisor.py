"""`skvoz run`: the engines, then the parts, all kept running until we are told to stop.

Where `DATABASE_URL` or `REDIS_URL` is set that server is used and none is started for it.
Everything is stopped within ten seconds; killed in the midst of anything, it starts again.
"""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tracker import claim, config, engines, first_sight, orphans, reach, seal
from tracker.errors import TrackerError
from tracker.processes import Crew, Keeper, Program

Say = Callable[[str], None]

LOOK_AGAIN = 0.05  # seconds between looks at something that is starting
WEB_PATIENCE = 60.0  # seconds until we say that the web part does not answer
PORT_PATIENCE = 3.0  # seconds in which a port that an earlier run held may come free
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class PortTaken(TrackerError):
    """A port that we are to listen on cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of our own processes."""

    name: str
    command: tuple[str, ...]


def usual_parts(settings: config.Settings) -> list[Part]:
    """Web processes that share a port, the mail relay and the worker."""
    run = (sys.executable, "-m")
    webs = [
        Part(name=f"web {number}", command=(*run, "web"))
        for number in range(1, settings.web_processes + 1)
    ]
    relay = Part(name="mailrelay", command=(*run, "mailrelay"))
    return [*webs, relay, Part(name="tracker", command=(*run, "tracker"))]


async def run(settings: config.Settings, parts: Sequence[Part], say: Say) -> None:
    """Everything, until SIGTERM, SIGINT or SIGHUP; raises claim.Taken, PortTaken …"""
    told = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    settings = replace(settings, data=settings.data.resolve())
    with claim.of(settings.data, "run"):
        supervisor = Supervisor(settings, say)
        try:
            await _until(told, supervisor.start(parts))
            await _until(told, supervisor.watch())
            say("Stopping.")
        finally:
            await supervisor.stop()


async def _until(told: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, or leave it when we are told to stop."""
    working = asyncio.create_task(work)
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


class Supervisor:
    """The processes of one run."""

    def __init__(self, settings: config.Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._engines = Crew()
        self._parts = Crew()

    async def start(self, parts: Sequence[Part]) -> None:
        """Bring everything up, in order, and say how it is reached."""
        settings = self._settings
        claim.withdraw(settings.data)
        await orphans.end(orphans.marked(settings.data))
        await _expect_free(settings.http_host, settings.http_port, "SKVOZ_HTTP_PORT")
        await _expect_free(settings.smtp_host, settings.smtp_port, "SKVOZ_SMTP_PORT")
        sealing = seal.of(
            settings
        )  # made before the parts, who read it, start together
        settings = await self._start_engines()
        at = datetime.now(UTC)
        await reach.bring_up_to_date(settings.database_url, at=at)
        pool = await reach.connect(settings.database_url)
        try:
            welcome = await first_sight.prepare(pool, settings, sealing, at=at)
        finally:
            await pool.close()
        claim.publish(
            settings.data,
            claim.Addresses(
                pid=os.getpid(),
                database_url=settings.database_url,
                redis_url=settings.redis_url,
            ),
        )
        await self._start_parts(settings, parts)
        await self._wait_for_web()
        self._say(first_sight.words(settings, welcome))

    async def watch(self) -> None:
        """Wait; keeping ends only by a bug, which is raised."""
        await asyncio.gather(self._engines.watch(), self._parts.watch())
        await asyncio.Event().wait()  # nothing at all to keep: still run until told

    async def stop(self) -> None:
        """The parts first, then what they need."""
        claim.withdraw(self._settings.data)
        await self._parts.stop()
        await self._engines.stop()

    async def _start_engines(self) -> config.Settings:
        """The settings with the addresses of the engines that were missing."""
        settings, crew, say = self._settings, self._engines, self._say
        if not settings.database_url:
            url = await engines.start_postgres(crew, settings.data, say)
            settings = replace(settings, database_url=url)
        if not settings.redis_url:
            url = await engines.start_valkey(crew, settings.data, say)
            settings = replace(settings, redis_url=url)
        return settings

    async def _start_parts(
        self, settings: config.Settings, parts: Sequence[Part]
    ) -> None:
        environment = config.for_child(
            DATABASE_URL=settings.database_url,
            REDIS_URL=settings.redis_url,
            SKVOZ_DATA=str(settings.data),
            **{orphans.MARK: str(settings.data)},
        )
        for part in parts:
            program = Program(
                name=part.name, command=part.command, environment=environment
            )
            await self._parts.start(Keeper(program))

    async def _wait_for_web(self) -> None:
        """Until the web part answers; says so, and goes on waiting, when it does not."""
        host = ANYWHERE.get(self._settings.http_host, self._settings.http_host)
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{self._settings.http_port}/healthz"
        loop = asyncio.get_running_loop()
        told = loop.time()
        limit = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=limit) as http:
            while not await _answers(http, address):
                if loop.time() - told > WEB_PATIENCE:
                    told = loop.time()
                    self._say(
                        f"{address} does not answer: the lines above may say why."
                    )
                await asyncio.sleep(LOOK_AGAIN)


async def _answers(http: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with http.get(address) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


async def _expect_free(host: str, port: int, name: str) -> None:
    """Raises PortTaken with the remedy."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PORT_PATIENCE
    while (error := _cannot_listen(host, port)) is not None:
        if error.errno == errno.EACCES:
            raise PortTaken(f"port {port} needs root: set {name} to one above 1023")
        if error.errno != errno.EADDRINUSE:
            raise PortTaken(f"cannot listen on {host} port {port}: {error.strerror}")
        if loop.time() > deadline:
            raise PortTaken(
                f"port {port} is in use by another program: end that, or set {name}"
            )
        await asyncio.sleep(LOOK_AGAIN)


def _cannot_listen(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        return None
