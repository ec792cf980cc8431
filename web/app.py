"""Every address of the web process on one page, and what runs beside the handlers."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import asyncpg
import redis.asyncio
from aiohttp import web

from tracker import beats, config, inbox, seal, sites, tasks, visits
from tracker import db as database
from web import (
    api,
    collect,
    dashboard,
    demo,
    hooks,
    keeper,
    keys,
    middlewares,
    offpage,
    operations,
    snippets,
)
from web.demo import outside

log = logging.getLogger(__name__)

WARM = 3  # connections to PostgreSQL made at the start
COLLECT_AFTER = 20_000  # new objects; a visit makes some hundreds that die at once
RESTART = 1.0  # seconds before a loop that crashed is started again
BODY = 1024 * 1024  # bytes any handler reads at most; doors take less


def build(
    settings: config.Settings, pool: database.Pool, valkey: redis.asyncio.Redis
) -> web.Application:
    """The application; the stores may be away when it starts."""
    app = web.Application(
        client_max_size=BODY, middlewares=[middlewares.errors_to_answers]
    )
    app[keys.SETTINGS] = settings
    app[keys.POOL] = pool
    app[keys.REDIS] = valkey
    app[keys.SEAL] = seal.of(settings)
    app[keys.DIRECTORY] = sites.Directory(pool, app[keys.SEAL])
    _add_collect(app)
    hooks.setup(app)
    app.add_routes(collect.routes())
    app.add_routes(offpage.routes())
    app.add_routes(snippets.routes())
    app.add_routes(hooks.routes())
    app.add_routes(api.routes())
    app.add_routes(operations.routes())
    app.add_routes(demo.routes())
    app.add_routes(dashboard.routes())
    dashboard.setup(app)
    app.cleanup_ctx.append(_background)
    return app


def _add_collect(app: web.Application) -> None:
    pool, directory = app[keys.POOL], app[keys.DIRECTORY]
    app[collect.VISITS] = visits.Visits(
        pool,
        app[keys.REDIS],
        mail_domain=app[keys.SETTINGS].mail_domain,
        patience=app[keys.SETTINGS].visit_patience,
    )
    app[collect.BEATS] = beats.Beats(pool, app[keys.REDIS], directory)
    reader = inbox.Reader(pool, door="form", read=partial(_read_form, directory))
    app[collect.FORM_READER] = reader
    app[collect.FORMS] = keeper.Keeper(
        pool, reader.wake, app[keys.SETTINGS].data / "spool"
    )


async def _read_form(
    directory: sites.Directory, db: database.Connection, event: inbox.Event
) -> None:
    await collect.read_form(db, event, directory)


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Follow the set-up, write beats, read what was kept; all end with the application."""
    directory = app[keys.DIRECTORY]
    with contextlib.suppress(*database.AWAY, asyncpg.PostgresError):
        # Ready with the set-up in memory; without PostgreSQL, ready all the same.
        await asyncio.wait_for(directory.load(), sites.PATIENCE)
        # A first visitor need not wait for connections to be made.
        await asyncio.gather(
            *(app[keys.POOL].fetchval("SELECT 1") for _ in range(WARM))
        )
    loops: list[Callable[[], Awaitable[None]]] = [
        directory.follow,
        app[collect.BEATS].run,
        app[collect.VISITS].waits.run,
        partial(_once_set_up, directory, app[collect.FORM_READER].run),
        partial(_once_set_up, directory, app[hooks.READER].run),
        app[hooks.KEEPER].run,
        partial(outside.keep_mailbox, app),
    ]
    running = [asyncio.create_task(_keep(one)) for one in loops]
    # What is there by now stays: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    yield
    await app[collect.VISITS].finish()
    await tasks.end(running)


async def _once_set_up(
    directory: sites.Directory, loop: Callable[[], Awaitable[None]]
) -> None:
    """Without the set-up every event would seem to be nobody's."""
    await directory.ready.wait()
    await loop()


async def _keep(loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop for ever: a bug in it is logged, and it is started again."""
    while True:
        try:
            await loop()
        except Exception:  # an end of one loop must not pass unseen
            log.exception("background loop crashed")
        await asyncio.sleep(RESTART)
