"""The database of a command: the one that is set, the running server's, or one of its own.

Without `DATABASE_URL` a command uses the PostgreSQL that `skvoz run` started on the same
data; when nothing is running it starts that PostgreSQL just for itself.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from tracker import claim, config, db, engines
from tracker.errors import TrackerError, Unavailable
from tracker.processes import Crew

HISTORY = timedelta(
    days=213
)  # months behind us that have partitions: demo data, imports


class NotMigrated(TrackerError):
    """The tables are not there, or not those of this release."""


class StillStarting(TrackerError):
    """`skvoz run` is at work and its database not yet ready."""


@asynccontextmanager
async def database(
    settings: config.Settings, say: Callable[[str], None], *, at: datetime
) -> AsyncIterator[db.Pool]:
    """Connections for one command; raises Unavailable, NotMigrated, StillStarting …"""
    async with _address(settings, say, at) as url:
        pool = await connect(url)
        try:
            yield pool
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise NotMigrated(
                f"the database is not that of this release ({error}): run skvoz migrate"
            ) from None
        finally:
            await pool.close()


async def connect(url: str) -> db.Pool:
    """A small pool; raises Unavailable without telling the address, which has a password."""
    try:
        return await db.connect(url, most=4, patience=60)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {error}") from None
    except (ValueError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"DATABASE_URL is not understood: {error}") from None


async def bring_up_to_date(url: str, *, at: datetime) -> list[str]:
    """Migrate, and make the months' partitions; the names of what was applied."""
    pool = await connect(url)
    try:
        async with pool.acquire() as connection:
            applied = await db.migrate(connection)
            await db.partition(connection, since=at - HISTORY, until=at)
            return applied
    finally:
        await pool.close()


@asynccontextmanager
async def _address(
    settings: config.Settings, say: Callable[[str], None], at: datetime
) -> AsyncIterator[str]:
    if settings.database_url:
        yield settings.database_url
        return
    data = settings.data.resolve()
    with ExitStack() as held:
        try:
            held.enter_context(claim.of(data, "command"))
        except claim.Taken:
            yield _of_running_server(data)
            return
        crew = Crew()
        try:
            url = await engines.start_postgres(crew, data, say, quiet=True)
            await bring_up_to_date(url, at=at)
            yield url
        finally:
            await crew.stop()


def _of_running_server(data: Path) -> str:
    addresses = claim.published(data)
    if addresses is None:
        raise StillStarting("skvoz is at work on this data: try again in a moment")
    return addresses.database_url
