"""Keeps events: in the inbox, many in one commit; on this disk while PostgreSQL is away.

A call that waits for its route cannot wait for PostgreSQL, and a provider that is told 503
may never ask again. So an event that could not be committed in time is written to the spool,
a file an event, before its door answers; `run` brings the spool into the inbox as soon as
PostgreSQL is back, also after the process was killed.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

from tracker import db as database
from tracker import inbox
from tracker.together import Together

log = logging.getLogger(__name__)

AWAY = (*database.AWAY, asyncpg.PostgresError)  # whatever is wrong, it is tried on
LOOK = 1.0  # seconds between looks into the spool
MOST = 100_000  # events in the spool; a full disk helps nobody
BATCH = 100


class Keeper:
    """Keeps events; `kept` is called after each commit."""

    def __init__(
        self, pool: database.Pool, kept: Callable[[], None], spool: Path
    ) -> None:
        self._pool = pool
        self._kept = kept
        self._spool = spool
        self._together = Together[inbox.Event, None](partial(inbox.keep_all, pool))

    async def keep(self, event: inbox.Event, *, patience: float) -> bool:
        """Whether it is safe, in the inbox or in the spool; known soon after `patience`."""
        first = asyncio.ensure_future(self._together.add(event))
        await asyncio.wait({first}, timeout=patience)
        if first.done() and first.exception() is None:
            self._kept()
            return True
        first.add_done_callback(_seen)
        try:
            await asyncio.to_thread(_write, self._spool, event)
        except OSError as error:
            log.error(
                "event not spooled", extra={"event": event.id, "why": error.errno}
            )
            return False
        log.warning("event spooled", extra={"event": event.id})
        return True

    async def finish(self) -> None:
        """Wait for the commits under way."""
        await self._together.finish()

    async def run(self) -> None:
        """Bring what is in the spool into the inbox, until cancelled."""
        while True:
            while await self.empty():
                continue
            await asyncio.sleep(LOOK)

    async def empty(self) -> int:
        """Keep the oldest events of the spool; returns how many, 0 while that cannot be."""
        paths = await asyncio.to_thread(_oldest, self._spool)
        events = await asyncio.to_thread(_read, paths)
        if not events:
            return 0
        try:
            await inbox.keep(self._pool, list(events.values()))
        except AWAY:
            return 0
        for path in events:
            path.unlink(missing_ok=True)  # another process may have been quicker
        self._kept()
        log.info("events of the spool kept", extra={"count": len(events)})
        return len(events)


def _write(spool: Path, event: inbox.Event) -> None:
    """The event on the disk for sure: written, synced, renamed, the folder synced."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sum(1 for _ in spool.iterdir()) >= MOST:
        raise OSError("the spool is full")
    path = spool / event.id.hex
    handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.msgpack.encode(event))
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".new").rename(path)
    folder = os.open(spool, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _oldest(spool: Path) -> list[Path]:
    if not spool.is_dir():
        return []
    names = sorted(path.name for path in spool.iterdir() if _is_id(path.name))
    return [spool / name for name in names[:BATCH]]


def _is_id(name: str) -> bool:
    try:
        return UUID(name).hex == name
    except ValueError:
        return False  # half written, or somebody else's


def _read(paths: list[Path]) -> dict[Path, inbox.Event]:
    found = {}
    for path in paths:
        try:
            found[path] = msgspec.msgpack.decode(path.read_bytes(), type=inbox.Event)
        except FileNotFoundError:
            continue  # another process was quicker
        except msgspec.DecodeError:
            log.error("spooled event is damaged", extra={"event": path.name})
            path.rename(path.with_suffix(".damaged"))
    return found


def _seen(first: asyncio.Future[None]) -> None:
    if not first.cancelled():
        first.exception()
