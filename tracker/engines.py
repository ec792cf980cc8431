"""The embedded engines, started and waited for: the address of each is the answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tracker import config, embedded
from tracker.errors import TrackerError
from tracker.postgres import Postgres
from tracker.processes import Crew, Keeper
from tracker.valkey import Valkey

log = logging.getLogger(__name__)

Say = Callable[[str], None]

LOOK_AGAIN = 0.05  # seconds between looks at an engine that is starting
TOO_OFTEN = 7  # ends in a row before we give up: half a minute with the waits between
TELL_AGAIN = 10.0  # seconds between words while it takes long


class EngineFailed(TrackerError):
    """An engine ends again and again; its own lines say why."""


async def start_postgres(
    crew: Crew, data: Path, say: Say, *, quiet: bool = False
) -> str:
    """The URL of our database in a PostgreSQL under `data`; recovery may take its time."""
    user = embedded.postgres_user()
    server = Postgres(
        folder=data / "postgres",
        sockets=embedded.socket_folder(data),
        user=user,
        quiet=quiet,
    )
    if not server.folder.exists():
        say("Making a new PostgreSQL database.")
    environment = config.for_child()
    keeper = Keeper(server.program(environment), partial(server.prepare, environment))
    await crew.start(keeper)

    async def ready() -> bool:
        return server.is_ready(keeper.pid)

    await _wait(keeper, ready, say)
    await server.open()
    return server.url


async def start_valkey(crew: Crew, data: Path, say: Say) -> str:
    """The URL of a Valkey beside the data under `data`."""
    user = embedded.postgres_user()
    server = Valkey(sockets=embedded.socket_folder(data), user=user)
    keeper = Keeper(server.program(config.for_child()), server.prepare)
    await crew.start(keeper)
    await _wait(keeper, server.is_ready, say)
    return server.url


async def _wait(keeper: Keeper, ready: Callable[[], Awaitable[bool]], say: Say) -> None:
    """Until it is ready, however long it takes; raises EngineFailed when it only ends."""
    loop = asyncio.get_running_loop()
    began = told = loop.time()
    while not await ready():
        if keeper.failures >= TOO_OFTEN:
            raise EngineFailed(
                f"{keeper.program.name} does not start: its lines above say why"
            )
        if loop.time() - told >= TELL_AGAIN:
            told = loop.time()
            say(
                f"Still waiting for {keeper.program.name} ({told - began:.0f} s); after a "
                "crash it reads what was written last, which may take minutes."
            )
        await asyncio.sleep(LOOK_AGAIN)
