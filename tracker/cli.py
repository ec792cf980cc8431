"""The command `skvoz`: what an administrator does from a terminal.

Each module `tracker/cli_*.py` adds its commands with `register(app)`. Foreseen troubles
end in red lines and exit code 2; anything else is a bug and shows its traceback.
"""

import asyncio
import importlib
import pkgutil
import sys
from datetime import UTC, datetime
from functools import cache

import typer

import tracker
from tracker import claim, config, console, log, reach, supervisor
from tracker.errors import BadInput, TrackerError

app = typer.Typer(
    name="skvoz",
    help="Which advertisement brought each call, letter and form, and what it earned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def run() -> None:
    """Start everything: engines, web, mail relay and worker; Ctrl-C stops it."""
    settings = config.read()
    log.set_up(settings.log_level)
    parts = supervisor.usual_parts(settings)
    asyncio.run(supervisor.run(settings, parts, console.say))


@app.command()
def migrate() -> None:
    """Bring the tables of DATABASE_URL to this release, once, before its parts start."""
    settings = config.read()
    log.set_up(settings.log_level)
    if not settings.database_url:
        raise BadInput("set DATABASE_URL; skvoz run migrates its own database itself")
    applied = asyncio.run(
        reach.bring_up_to_date(settings.database_url, at=datetime.now(UTC))
    )
    console.say("\n".join(applied) if applied else "Nothing to migrate.")


@cache
def register_all() -> None:
    """Let every `tracker/cli_*.py` add its commands."""
    for module in pkgutil.iter_modules(tracker.__path__):
        if module.name.startswith("cli_"):
            importlib.import_module(f"tracker.{module.name}").register(app)


def main() -> None:
    """The entry point."""
    try:
        register_all()
        app()
    except claim.Taken as taken:
        console.complain(str(taken))
        sys.exit(1)
    except TrackerError as error:
        console.complain(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
