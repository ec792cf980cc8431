"""What commands say: results on standard output, words for people on standard error."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from tracker import config, db, log, reach
from tracker.errors import BadInput

T = TypeVar("T")

_results = Console(highlight=False)
words = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A line for the person at the terminal."""
    words.print(text, markup=False)


def complain(text: str) -> None:
    """What went wrong, in red."""
    for line in text.splitlines():
        words.print(line, style="red", markup=False)


def result(text: str) -> None:
    """What a script would read, as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def show(table: Table) -> None:
    """A table on standard output."""
    _results.print(table)


def with_database(
    work: Callable[[db.Pool, config.Settings, datetime], Awaitable[T]],
) -> T:
    """Do a command's work with a database; raises what it raises."""
    settings = config.read()
    log.set_up("WARNING")  # the command's own words are enough when all goes well
    at = datetime.now(UTC)

    async def whole() -> T:
        async with reach.database(settings, say, at=at) as pool:
            return await work(pool, settings, at)

    return asyncio.run(whole())


async def site_id(connection: db.Db, key: str) -> int:
    """The site with this key; raises BadInput naming those that are there."""
    rows = await connection.fetch("SELECT key, id FROM sites ORDER BY key")
    found = {row["key"]: row["id"] for row in rows}
    if key not in found:
        known = ", ".join(found) or "none yet"
        raise BadInput(f"there is no site {key!r} (sites: {known})")
    return int(found[key])
