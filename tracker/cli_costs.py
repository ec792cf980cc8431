"""`skvoz costs`: what advertisements cost, from the files of ad systems."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tracker import config, console, cost_files, costs, db, seal, sites
from tracker.errors import BadInput

app = typer.Typer(help="What advertisements cost.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="costs")


@app.callback()
def _group() -> None:
    """What advertisements cost."""


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="- reads standard input")
    ],
    site: Annotated[str, typer.Option(metavar="KEY", help="the site's key")],
    origin: Annotated[
        str, typer.Option(help="one name an ad account: its days are replaced")
    ] = costs.ORIGIN,
    as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False,
) -> None:
    """Import a file of costs: our own form, GA4's, Metrika's expenses, Direct's TSV.

    The days in the file replace those that the same origin told before. A file with a
    problem is refused whole.
    """
    data = _read(file)

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> costs.Imported:
        await console.site_id(pool, site)  # refuses an unknown one by naming the others
        found = (await sites.load(pool, seal.of(settings))).by_key[site]
        with _progress() as told:
            rows = cost_files.parse(data, currency=found.currency, told=told)
        async with pool.acquire() as connection:
            return await costs.replace_days(connection, found, rows, origin=origin)

    done = console.with_database(work)
    if as_json:
        console.result(msgspec.json.encode(done).decode())
    elif done.since is None:
        console.say("The file has no rows; nothing was changed.")
    else:
        console.say(
            f"{done.amount.normalize():,f} {done.currency} from {done.since} to "
            f"{done.until}: {done.rows} rows of {done.days} days"
        )


def _read(file: Path) -> bytes:
    """At most a little more than may be taken: how much more does not matter."""
    try:
        if str(file) == "-":
            return typer.get_binary_stream("stdin").read(cost_files.MOST_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(cost_files.MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field=str(file)) from None


@contextmanager
def _progress() -> Iterator[cost_files.Told]:
    """A bar on standard error, when that is a terminal."""
    columns = TextColumn("Reading"), BarColumn(), MofNCompleteColumn()
    shown = console.words.is_terminal
    bar = Progress(*columns, console=console.words, transient=True, disable=not shown)
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
