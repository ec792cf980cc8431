"""The worker: what has to be done in the background, over and over, each at its own period.

`LOOPS` is the whole list. A loop survives its errors: a bug is logged with its traceback and
the next turn comes; PostgreSQL away is only waited for. Several workers may run at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import asyncpg

from tracker import (
    contacts,
    crawl,
    deal_polling,
    deliveries,
    lessons,
    planning,
    sites,
    tasks,
    watches,
)
from tracker import db as database
from tracker.destinations.wire import Paces
from tracker.dispatch import Dispatcher
from tracker.reports.refreshing import Refresher

log = logging.getLogger(__name__)

PATIENCE = 4.0  # seconds for what is in the air when we are told to stop
TURN = 1.0  # seconds for the turn a loop is in, when we are told to stop
PAUSE = 1.0  # seconds between tries after trouble
NOT_NOW = (*database.AWAY, asyncpg.UndefinedTableError)  # … or not yet migrated


class Worker:
    """What the loops work with."""

    def __init__(
        self,
        pool: database.Pool,
        directory: sites.Directory,
        http: aiohttp.ClientSession,
        *,
        public_url: str = "",
    ) -> None:
        self.agent = crawl.agent(public_url)  # who reads the sites' pages
        self.pool = pool
        self.directory = directory
        self.http = http
        self.paces = Paces()
        self.dispatcher = Dispatcher(pool, directory, http, paces=self.paces)
        self.refresher = Refresher(pool)

    async def run(self, stop: asyncio.Event) -> None:
        """Everything, until `stop` is set; what is in the air is given a little time.

        Raises what following the set-up raises (`seal.WrongKey`): there is no going on then.
        """
        await self._first_look(stop)
        follower = asyncio.create_task(self.directory.follow())
        loops = {asyncio.create_task(self._repeat(loop, stop)) for loop in LOOPS}
        told = asyncio.create_task(stop.wait())
        await asyncio.wait({told, follower}, return_when=asyncio.FIRST_COMPLETED)
        failure = follower.exception() if follower.done() else None
        stop.set()
        self.dispatcher.freed.set()
        # A claim in the making is not broken off: nobody would know of it.
        await asyncio.wait(loops, timeout=TURN)
        await tasks.end({follower, told, *loops})
        await self._finish()
        if failure is not None:
            raise failure

    async def _finish(self) -> None:
        try:
            await asyncio.wait_for(self.dispatcher.finish(PATIENCE, now), PATIENCE + 1)
        except NOT_NOW:
            log.warning("stopped with deliveries in the air")

    async def _first_look(self, stop: asyncio.Event) -> None:
        """Without the set-up there is nothing to do."""
        while not stop.is_set():
            try:
                await self.directory.load()
                return
            except NOT_NOW:
                log.warning("worker waits: PostgreSQL is away")
                await _wait(stop, PAUSE)

    async def _repeat(self, loop: "Loop", stop: asyncio.Event) -> None:
        while not stop.is_set():
            pause = loop.period
            try:
                await loop.run(self, now())
            except NOT_NOW:
                log.warning(
                    "worker waits: PostgreSQL is away", extra={"loop": loop.name}
                )
                pause = max(pause, PAUSE)
            except Exception:  # a bug in one loop must not stop the others
                log.exception("worker loop crashed", extra={"loop": loop.name})
                pause = max(pause, PAUSE)
            await _wait(self.dispatcher.freed if loop.hurries else stop, pause)
            if loop.hurries:
                self.dispatcher.freed.clear()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """So long, or until the event."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def now() -> datetime:
    """The worker's clock."""
    return datetime.now(UTC)


# What is done ---------------------------------------------------------------------------


async def deliver(worker: Worker, at: datetime) -> None:
    """Start what is due; attempts end by themselves."""
    await worker.dispatcher.start(at)


async def poll_deals(worker: Worker, at: datetime) -> None:
    """Fetch changed deals from the CRMs whose turn it is."""
    await deal_polling.poll_due(
        worker.pool, worker.directory, worker.http, worker.paces, at=at
    )


async def count(worker: Worker, at: datetime) -> None:
    """Bring the reports' rows up to date."""
    await worker.refresher.refresh(at=at)


async def tend_calls(worker: Worker, at: datetime) -> None:
    """Calls that nobody ended are taken for ended, half-told ones for told."""
    async with worker.pool.acquire() as db, db.transaction():
        await contacts.tend_calls(db, worker.directory, at=at)


async def make_partitions(worker: Worker, at: datetime) -> None:
    """The months to come have their tables before they begin."""
    await database.partition(worker.pool, since=at - timedelta(days=31), until=at)


async def abandon(worker: Worker, at: datetime) -> None:
    """What is owed to destinations that were removed is given up."""
    await deliveries.abandon(worker.pool, at=at)


async def watch_figures(worker: Worker, at: datetime) -> None:
    """Raise and end the alerts that figures tell of."""
    await watches.figures(worker.pool, worker.directory, at=at)


async def watch_pages(worker: Worker, at: datetime) -> None:
    """Read the sites' own pages, those that list any, once a day."""
    await watches.pages(worker.pool, worker.directory, agent=worker.agent, at=at)


async def learn(worker: Worker, at: datetime) -> None:
    """A new model for each site that has heard enough since its last one."""
    for site in worker.directory.now.by_id.values():
        try:
            await lessons.learn_due(worker.pool, site, at=now())
        except NOT_NOW:
            raise
        except Exception:  # one site's trouble must not keep the others from learning
            log.exception("site could not be learned from", extra={"site": site.id})


async def plan(worker: Worker, _: datetime) -> None:
    """Make the plans that are asked for, one after the other."""
    while await planning.answer_next(worker.pool, worker.directory, now=now):
        pass


async def ask_plans(worker: Worker, at: datetime) -> None:
    """Each pool has a plan of the last day."""
    await planning.ask_usual(worker.pool, worker.directory, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Something that is done again `period` seconds after it was done."""

    name: str
    run: Callable[[Worker, datetime], Awaitable[None]]
    period: float
    hurries: bool = False  # sooner, when an attempt has ended


LOOPS = (
    Loop(name="deliver", run=deliver, period=0.25, hurries=True),
    Loop(name="count", run=count, period=2.0),
    Loop(name="poll deals", run=poll_deals, period=15.0),
    Loop(name="tend calls", run=tend_calls, period=15.0),
    Loop(name="watch figures", run=watch_figures, period=600.0),
    Loop(name="watch pages", run=watch_pages, period=300.0),
    Loop(name="learn", run=learn, period=300.0),
    Loop(name="plan", run=plan, period=1.0),
    Loop(name="ask plans", run=ask_plans, period=600.0),
    Loop(name="abandon", run=abandon, period=600.0),
    Loop(name="make partitions", run=make_partitions, period=3600.0),
)
