"""`skvoz demo`: weeks of believable history for the example site, and its removal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated

import redis.asyncio
import redis.exceptions
import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from tracker import (
    claim,
    config,
    console,
    db,
    demo_history,
    demo_story,
    engines,
    example,
    reach,
    seal,
    sites,
    valkey_client,
)
from tracker.demo_tape import Story
from tracker.errors import Unavailable
from tracker.processes import Crew

MOST_WEEKS = 26  # as far back as the tables reach

Work = Callable[[db.Pool, config.Settings, datetime], Awaitable[None]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    seed: Annotated[int, typer.Option(help="another number, another story")] = 1,
    weeks: Annotated[int, typer.Option(min=1, max=MOST_WEEKS)] = 6,
    remove: Annotated[
        bool, typer.Option("--remove", help="take the example site away")
    ] = False,
) -> None:
    """Fill the example site with make-believe visitors, callers and writers.

    An example site that is there already is set up anew, and so are its hooks' addresses.
    """
    if remove:
        console.with_database(_remove)
    else:
        console.with_database(_fill(seed, timedelta(weeks=weeks)))


async def _remove(pool: db.Pool, settings: config.Settings, at: datetime) -> None:
    async with pool.acquire() as connection:
        there = await example.remove(connection)
    console.say(
        "The example site is gone, with all that came through it."
        if there
        else "There is no example site."
    )


def _fill(seed: int, period: timedelta) -> Work:
    async def fill(pool: db.Pool, settings: config.Settings, at: datetime) -> None:
        async with _valkey(settings) as valkey:
            try:
                story = await _tell(pool, valkey, settings, seed, at - period, at)
            except BaseException:  # Ctrl-C, too: rather no example than half of one
                await _undo(pool)
                raise
        console.say(_words(settings, story))

    return fill


async def _tell(
    pool: db.Pool,
    valkey: redis.asyncio.Redis,
    settings: config.Settings,
    seed: int,
    since: datetime,
    until: datetime,
) -> Story:
    sealing = seal.of(settings)
    async with pool.acquire() as connection:
        await example.remove(connection)
        await example.set_up(connection, settings, sealing, at=until)
    site = (await sites.load(pool, sealing)).by_key[example.KEY]
    story = demo_story.tell(seed=seed, since=since, until=until, zone=site.timezone)
    with _progress() as progress:
        task = progress.add_task("", total=(until - since).total_seconds())

        def told(moment: datetime) -> None:
            _heed_interrupt()
            local = moment.astimezone(site.timezone)
            progress.update(
                task,
                completed=(moment - since).total_seconds(),
                description=f"{local:%d.%m.%Y}",
            )

        await demo_history.tell(
            pool, valkey, site, story, mail_domain=settings.mail_domain, told=told
        )
    return story


def _heed_interrupt() -> None:
    """Stop if Ctrl-C was pressed, also when a driver took the cancel for its own trouble."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _undo(pool: db.Pool) -> None:
    try:
        async with pool.acquire() as connection:
            await example.remove(connection)
    except db.AWAY:
        console.complain("Stopped half-way: skvoz demo --remove takes away the rest.")
    else:
        console.say("Stopped half-way: the example site was taken away again.")


@asynccontextmanager
async def _valkey(settings: config.Settings) -> AsyncIterator[redis.asyncio.Redis]:
    """The one that is set, the running server's, or one just for this command.

    Raises Unavailable, reach.StillStarting.
    """
    async with AsyncExitStack() as held:
        url = settings.redis_url or _of_running_server(settings, held)
        if not url:
            crew = Crew()
            held.push_async_callback(crew.stop)
            url = await engines.start_valkey(crew, settings.data, console.say)
        client = valkey_client.connect(url)
        held.push_async_callback(client.aclose)
        try:
            yield client
        except redis.exceptions.ConnectionError as error:
            raise Unavailable(f"Valkey cannot be reached: {error}") from None


def _of_running_server(settings: config.Settings, held: AsyncExitStack) -> str | None:
    """The address of its Valkey; None when no server is at work on our data."""
    try:
        held.enter_context(claim.of(settings.data, "command"))
    except claim.Taken as taken:
        if taken.command != "run":
            return None  # held by this very command, for its PostgreSQL
        addresses = claim.published(settings.data)
        if addresses is None:
            raise reach.StillStarting(
                "skvoz is still starting: try again in a moment"
            ) from None
        return addresses.redis_url
    return None


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("Telling what happened up to {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console.words,
        transient=True,
    )


def _words(settings: config.Settings, story: Story) -> str:
    """What there is to see, and where."""
    address = settings.public_url
    return "\n".join(
        [
            f"The example site has a history now: {story.visits} visits, {story.contacts} "
            f"calls, letters and forms, {story.deals} deals.",
            "",
            f"  Dashboard  {address}/{example.KEY}/contacts",
            f"  Demo shop  {address}/demo/",
            "",
            "skvoz run serves both; skvoz demo --remove takes everything away again.",
        ]
    )
