"""`skvoz relearn` and `skvoz reattribute`: a site's model, and answers by another one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tracker import config, console, db, lessons, models, reattribution, seal, sites
from tracker.errors import BadInput
from tracker.reports import rollup

LEAST_CHANGE = 0.005  # contacts; a smaller one would show as 0.00
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

SiteKey = Annotated[str, typer.Argument(metavar="SITE", help="the site's key")]
AsJson = Annotated[bool, typer.Option("--json", help="for a script")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("relearn")(relearn)
    app.command("reattribute")(reattribute)


def relearn(
    site: SiteKey,
    since: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="what was before is not learned from any more"
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Forget what was learned of a site's callers and learn anew, now.

    With --since from that day on only, now and later: after a move, say, or another kind of
    business. Answers given so far stay as they are.
    """

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> models.Stored:
        found = await _site(pool, settings, site)
        bound = _midnight(found, since, "since") if since else None
        if bound is not None and bound > at:
            raise BadInput("must not lie ahead", field="since")
        return await lessons.relearn(pool, found, since=bound, at=at)

    made = console.with_database(work)
    if as_json:
        report = {
            "model": made.name,
            "version": made.version,
            "calls": made.calls,
            "provisional": models.is_provisional(made.calls),
            "since": made.since,
        }
        console.result(msgspec.json.encode(report).decode())
    elif made.model is None:
        console.say(
            f"Fewer than {lessons.LEAST_CALLS} callers since then: calls are weighed as on "
            "day one until there are more."
        )
    else:
        console.say(f"{made.name}: learned from {made.calls} first calls")


def reattribute(
    site: SiteKey,
    since: Annotated[str, typer.Option(metavar="DATE", help="the first day")],
    until: Annotated[
        str, typer.Option(metavar="DATE", help="the last day; today if left out")
    ] = "",
    rule: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="a model such as learned-7 or day-one, or pool-posterior/3 for the answers "
            "as they were first given; the present model if left out",
        ),
    ] = "",
    use: Annotated[
        bool, typer.Option("--use", help="let the new answers be those that count")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Answer the calls of past days again and show what that changes in the channel table.

    The new answers are kept beside the old ones, which go on counting unless --use is
    given. `--rule pool-posterior/3 --use` takes everything back.
    """

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> reattribution.Report:
        found = await _site(pool, settings, site)
        first = _midnight(found, since, "since")
        end = min(_midnight(found, until, "until", after=True), at) if until else at
        if end <= first:
            raise BadInput("must not be after the last day", field="since")
        by = await reattribution.rule(pool, found, rule or None, at=at)
        with _progress() as told:
            return await reattribution.answer_again(
                pool, found, by, since=first, until=end, use=use, at=at, told=told
            )

    done = console.with_database(work)
    if as_json:
        console.result(msgspec.json.encode(done).decode())
    else:
        _show(done)


async def _site(pool: db.Pool, settings: config.Settings, key: str) -> sites.Site:
    await console.site_id(pool, key)  # refuses an unknown one by naming the others
    return (await sites.load(pool, seal.of(settings))).by_key[key]


def _midnight(
    site: sites.Site, told: str, field: str, *, after: bool = False
) -> datetime:
    """The first moment of that day, or of the day after it, in the site's time zone."""
    try:
        if not DATE.fullmatch(told):
            raise ValueError
        day = date.fromisoformat(told)
        return rollup.midnight(day + rollup.DAY if after else day, site.timezone)
    except (ValueError, OverflowError):
        raise BadInput("must be a date such as 2026-11-02", field=field) from None


def _show(done: reattribution.Report) -> None:
    table = Table("Channel", "Source", box=None)
    for title in ("Before", "After", "Change"):
        table.add_column(title, justify="right")
    for row in done.rows:
        change = f"{row.change:+,.2f}" if abs(row.change) >= LEAST_CHANGE else ""
        table.add_row(
            row.channel, row.source, f"{row.before:,.2f}", f"{row.after:,.2f}", change
        )
    console.show(table)
    console.say(
        f"{done.calls} calls by {done.rule}: {done.moved} have another likeliest source; "
        f"mean certainty {_percent(done.certainty_before)} before, "
        f"{_percent(done.certainty_after)} after."
    )
    console.say(
        "These answers count from now on; the reports follow within seconds."
        if done.used
        else "The old answers still count; --use changes that."
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


@contextmanager
def _progress() -> Iterator[reattribution.Told]:
    """A bar on standard error, when that is a terminal."""
    columns = TextColumn("Weighing calls"), BarColumn(), MofNCompleteColumn()
    shown = console.words.is_terminal
    bar = Progress(*columns, console=console.words, transient=True, disable=not shown)
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
