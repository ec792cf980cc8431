"""`skvoz plan`: how many numbers a site needs, by rehearsing its own last weeks."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.box import SIMPLE
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from numberpool import pools
from numberpool.sizing import LEAST_GAIN, MORE, Plan, Question, Size
from tracker import config, console, db, plans, seal, sites
from tracker.cli_replay import Late, Switch

NO_TRAFFIC = """\
{pool}: nobody was shown a number of this pool yet, so there is nothing to rehearse.
Erlang B and the replay both need the site's own traffic: put the snippet on the pages, let
it run for some days, and ask again. Until then a rule of thumb: one number for each {rule}
visits a day, and not fewer than 4."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan_)


def plan_(
    site: Annotated[str, typer.Argument(metavar="SITE", help="the site's key")],
    pool: Annotated[
        str | None, typer.Option(metavar="NAME", help="only this pool; else all")
    ] = None,
    days: Annotated[int, typer.Option(help="how many days to rehearse")] = 28,
    traffic: Annotated[
        float, typer.Option(metavar="K", help="what if there were K times the visits")
    ] = 1.0,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE/MEDIUM=K",
            help="what if this source sent K times; repeatable",
        ),
    ] = None,
    rest: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="how long a number is unseen before it is given"
        ),
    ] = None,
    share: Annotated[
        Switch | None, typer.Option(help="share a number when none is idle")
    ] = None,
    late: Annotated[
        Late | None, typer.Option(help="when to wait for the reveal")
    ] = None,
    goal: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="share of callers to be found, such as 0.8"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False,
) -> None:
    """How many numbers a site needs, and what more or fewer of them would bring.

    The last weeks' visits are lent to anew with pools of several sizes; calls are drawn from
    what the site has learned of its callers, and answered. What is left out of the options
    is as the pool has it.
    """
    question = plans.check(
        Question(
            days=days,
            traffic=traffic,
            sources=dict(plans.source(one) for one in source or ()),
            rest=rest,
            share=None if share is None else share is Switch.ON,
            late=None if late is None else late.value,
            goal=goal,
        )
    )

    async def work(
        database: db.Pool, settings: config.Settings, at: datetime
    ) -> list[tuple[pools.Pool, Plan]]:
        await console.site_id(database, site)  # refuses an unknown one
        found = (await sites.load(database, seal.of(settings))).by_key[site]
        wanted = found.pools if pool is None else ()
        made = []
        for one in wanted or (plans.pool_of(found, pool),):
            with _progress() as bar:
                task = bar.add_task(one.name, total=1.0)

                async def told(part: float, bar: Progress = bar, task=task) -> None:  # type: ignore[no-untyped-def]
                    bar.update(task, completed=part)

                plan = await plans.make(
                    database, found, one, question, at=at, told=told
                )
            made.append((one, plan))
        return made

    for one, plan in console.with_database(work):
        if as_json:
            console.result(_json(one, plan))
        else:
            _show(one, plan)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=console.words,
        transient=True,
    )


def _json(pool: pools.Pool, plan: Plan) -> str:
    """One line a pool."""
    return msgspec.json.encode(
        {"pool": pool.name, **msgspec.to_builtins(plan)}
    ).decode()


# For people -------------------------------------------------------------------------------


def _show(pool: pools.Pool, plan: Plan) -> None:
    if not plan.sizes:
        from numberpool.sizing import VISITS_A_NUMBER

        console.say(NO_TRAFFIC.format(pool=pool.name, rule=VISITS_A_NUMBER))
        return
    console.say(_basis(pool, plan))
    table = Table(box=SIMPLE, padding=(0, 1), collapse_padding=True, pad_edge=False)
    loss = [f"Loss, {plan.currency}"] if plan.worth else []
    # Headings may break, figures may not: a terminal of 80 columns holds them.
    table.add_column("Numbers", justify="right", no_wrap=True)
    for name in ("Own number", "Shared", "None", "Erlang B", "Found", "Right", "ECE", "Wrong calls"):  # fmt: skip
        table.add_column(name, justify="right", min_width=5, max_width=7)
    for name in loss:
        table.add_column(name, justify="right", no_wrap=True)
    for size in plan.sizes:
        table.add_row(*_cells(plan, size), style=_style(plan, size))
    console.show(table)
    console.say("Wrong calls and loss are those of a month.")
    console.say(_advice(plan))


def _cells(plan: Plan, size: Size) -> list[str]:
    marks = "← now " if size.numbers == plan.current else ""
    if plan.advice and size.numbers == plan.advice.numbers:
        marks = "★ " + marks
    shares = (size.own, size.shared, size.blocked, size.erlang, size.found, size.right)
    cells = [f"{marks}{size.numbers}", *(_share(one) for one in shares)]
    cells += [f"{size.error:.3f}", f"{size.wrong_calls:,.0f}"]
    if size.loss is not None:
        cells.append(f"{size.loss:,.0f}")
    return cells


def _share(share: float) -> str:
    return "100%" if share >= 0.9995 else f"{share:.1%}"


def _style(plan: Plan, size: Size) -> str | None:
    return "bold" if plan.advice and size.numbers == plan.advice.numbers else None


def _basis(pool: pools.Pool, plan: Plan) -> str:
    since = datetime.fromtimestamp(plan.since, UTC)
    lines = [
        f"{pool.name}: {plan.current} numbers, {plan.visits_a_day:,.0f} visits a day; "
        f"{plan.days:.0f} days since {since:%Y-%m-%d} rehearsed with {plan.drawn_calls:,} drawn calls."
    ]
    if plan.days < plan.asked_days - 0.5:
        lines.append("That is fewer days than asked for: younger, or too much traffic.")
    if plan.every > 1:
        lines.append(
            f"So much traffic that every {plan.every}th visitor was taken, with as many numbers."
        )
    if plan.provisional:
        lines.append("Provisional: too few calls were learned from; believe the shape more than the figures.")  # fmt: skip
    lines.append(
        f"Busiest hour: {plan.peak_visits:,.0f} visits, {plan.visible_seconds:,.0f} s each, "
        f"load {plan.load:.1f} erlangs."
    )
    if plan.sure is not None:
        lines.append(
            f"The {plan.calls:,} real calls of these days were {plan.sure:.1%} sure on average."
        )
    return "\n".join(lines)


def _advice(plan: Plan) -> str:
    advice = plan.advice
    if advice is None:
        return ""
    goal = f"{plan.question.goal or 0:.0%}"
    gain = f"{MORE} more would find {advice.gain:+.1%} of the callers"
    return {
        "goal": f"Have {advice.numbers} numbers: the fewest that find {goal} of the callers.",
        "goal_unreached": f"Even {advice.numbers} numbers find {advice.found:.1%} of the callers, not {goal}.",
        "knee": f"Have {advice.numbers} numbers: from there on {gain}, less than {LEAST_GAIN:.0%}.",
        "unsettled": f"At least {advice.numbers} numbers: even there {gain}.",
    }[advice.reason]
