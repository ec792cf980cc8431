"""PostgreSQL: the pool of connections, numbered migrations, monthly partitions.

`Db` is what query functions take: a connection, or the pool itself for a single statement.
"""

import logging
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import asyncpg
import msgspec

from numberpool.db import Connection as Connection
from numberpool.db import Db as Db
from numberpool.db import Pool as Pool
from numberpool.db import columns as columns
from tracker import ids

log = logging.getLogger(__name__)

# PostgreSQL cannot be reached now: it is starting, stopping, full or gone. Our own mistakes
# are not among these.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # how the driver at times sees a line being cut
)
PARTITIONED = ("sessions", "pages", "events", "inbox")
MIGRATION_LOCK = 7_305_781  # any constant: one migration at a time
MONTHS_AHEAD = 3


async def connect(
    url: str, *, least: int = 1, most: int = 10, patience: float = 10
) -> Pool:
    """A pool of connections; `patience` bounds one statement, in seconds."""
    return await asyncpg.create_pool(
        url,
        min_size=least,
        max_size=most,
        init=prepare,
        reset=_as_it_was,
        command_timeout=patience,
    )


async def open_lazily(url: str, *, most: int = 10, patience: float = 10) -> Pool:
    """As `connect`, but PostgreSQL may be away: connections are made when first needed."""
    return await connect(url, least=0, most=most, patience=patience)


async def _as_it_was(_: Connection) -> None:
    """Nothing to undo: what we set lasts for a transaction only.

    The driver's own way is a statement after each use of a connection, a round trip that
    every visit would pay.
    """


async def prepare(connection: Connection) -> None:
    """What every connection is taught: jsonb is Python values."""
    await connection.set_type_codec(
        "jsonb", encoder=_to_json, decoder=msgspec.json.decode, schema="pg_catalog"
    )


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def migrate(db: Connection) -> list[str]:
    """Apply the migrations that are missing, in order; returns their names."""
    await db.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    try:
        await db.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            "name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
        )
        known = {row["name"] for row in await db.fetch("SELECT name FROM migrations")}
        applied = []
        for name, sql in _migrations():
            if name in known:
                continue
            async with db.transaction():
                await db.execute(sql)
                await db.execute("INSERT INTO migrations (name) VALUES ($1)", name)
            log.info("migration applied", extra={"migration": name})
            applied.append(name)
        return applied
    finally:
        await db.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


def _migrations() -> list[tuple[str, str]]:
    files = resources.files("tracker.migrations").iterdir()
    return sorted(
        (file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


async def partition(db: Db, *, since: datetime, until: datetime) -> None:
    """Make the monthly partitions that cover the period and the months after it."""
    month = since.astimezone(UTC).date().replace(day=1)
    last = _months_later(until, MONTHS_AHEAD)
    while datetime(month.year, month.month, 1, tzinfo=UTC) <= last:
        start = datetime(month.year, month.month, 1, tzinfo=UTC)
        end = _months_later(start, 1)
        for table in PARTITIONED:
            await db.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{start:%Y_%m} PARTITION OF {table} "
                f"FOR VALUES FROM ('{ids.floor(start)}') TO ('{ids.floor(end)}')"
            )
        month = end.date()


def _months_later(at: datetime, months: int) -> datetime:
    years, month = divmod(at.month - 1 + months, 12)
    return datetime(at.year + years, month + 1, 1, tzinfo=UTC)
