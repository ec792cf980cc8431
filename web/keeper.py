"""Keeps events in the inbox, many in one commit; goes on trying when it takes too long.

A call that waits for its route cannot wait for PostgreSQL, and a provider that is told 503
may never ask again. So an event that could not be kept in time stays in memory, within
bounds, until PostgreSQL takes it. Nobody was promised that: the door answers accordingly.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

import asyncpg

from tracker import db as database
from tracker import inbox
from tracker.together import Together

log = logging.getLogger(__name__)

AWAY = (*database.AWAY, asyncpg.PostgresError)  # whatever is wrong, it is tried on
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0  # seconds between late tries
GIVE_UP = 900.0  # seconds; a longer outage is told by the provider's own statistics
MOST_BYTES = 32 * 1024 * 1024  # of events in memory
FINISH = 3.0  # seconds the end of the process waits for them, twice


class Keeper:
    """Keeps events; `kept` is called after each commit."""

    def __init__(self, pool: database.Pool, kept: Callable[[], None]) -> None:
        self._pool = pool
        self._kept = kept
        self._together = Together[inbox.Event, None](partial(inbox.keep_all, pool))
        self._late: set[asyncio.Task[None]] = set()
        self._bytes = 0

    async def keep(self, event: inbox.Event, *, patience: float) -> bool:
        """Whether it is kept, known within `patience` seconds; if not, it is tried on."""
        first = asyncio.ensure_future(self._together.add(event))
        await asyncio.wait({first}, timeout=patience)
        if first.done() and first.exception() is None:
            self._kept()
            return True
        self._keep_late(event, first)
        return False

    async def finish(self) -> None:
        """Wait a little for what is still tried; the rest is lost, and that is logged."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._together.finish(), FINISH)
        if not self._late:
            return
        _, left = await asyncio.wait(self._late, timeout=FINISH)
        for task in left:
            task.cancel()
        if left:
            log.error("events lost: PostgreSQL is away", extra={"count": len(left)})

    def _keep_late(self, event: inbox.Event, first: asyncio.Future[None]) -> None:
        if self._bytes + len(event.body) > MOST_BYTES:
            first.add_done_callback(_seen)
            log.error("event not tried on: too many wait", extra={"event": event.id})
            return
        log.warning("event not kept in time", extra={"event": event.id})
        self._bytes += len(event.body)
        task = asyncio.create_task(self._try_on(event, first))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _try_on(self, event: inbox.Event, first: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(GIVE_UP):
                if not await _arrives(first):
                    await self._try_again(event)
            self._kept()
            log.info("event kept late", extra={"event": event.id})
        except TimeoutError:
            log.error("event lost: PostgreSQL is away", extra={"event": event.id})
        finally:
            self._bytes -= len(event.body)

    async def _try_again(self, event: inbox.Event) -> None:
        wait = FIRST_WAIT
        while True:
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
            try:
                await inbox.keep(self._pool, [event])
            except asyncpg.UniqueViolationError:
                return  # an earlier try did arrive, only its answer was lost
            except AWAY:
                continue
            return


async def _arrives(first: asyncio.Future[None]) -> bool:
    try:
        await first
    except AWAY:
        return False
    return True


def _seen(first: asyncio.Future[None]) -> None:
    if not first.cancelled():
        first.exception()
