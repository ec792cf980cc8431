"""`skvoz apply` and `skvoz show`: what an owner sets up, as a file."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tracker import (
    config,
    connections,
    console,
    db,
    provision,
    provision_read,
    provision_text,
    seal,
)
from tracker.errors import BadInput

LONGEST_FILE = 4_000_000  # bytes; the reader takes a million characters


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(apply)
    app.command()(show)


def apply(
    file: Annotated[Path, typer.Argument(help="a TOML file, or - for standard input")],
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Make the database match FILE; a bad file is refused whole, and changes nothing."""
    text = _read(file)

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> provision.Applied:
        async with pool.acquire() as connection:
            return await provision.apply_text(
                connection, text, seal.of(settings), connections.known(), at=at
            )

    applied = console.with_database(work)
    if as_json:
        told = {
            "site": applied.key,
            "changes": list(applied.changes),
            "warnings": list(applied.warnings),
        }
        console.result(json.dumps(told, ensure_ascii=False))
    else:
        console.result("\n".join(applied.changes) or "nothing to change")
        for warning in applied.warnings:
            console.say(f"note: {warning}")


def show(
    site: Annotated[str, typer.Argument(help="the site's key")],
    as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="show them instead of …")
    ] = False,
) -> None:
    """Print what is set up for SITE, in the form that apply takes."""

    async def work(pool: db.Pool, settings: config.Settings, at: datetime) -> str:
        async with pool.acquire() as connection:
            await console.site_id(connection, site)
            found = await provision_read.load(connection, site, seal.of(settings))
        assert found is not None
        kinds, url = connections.known(), settings.public_url
        if as_json:
            told = provision_text.as_json(
                found.setup, kinds, public_url=url, secrets=secrets
            )
            return json.dumps(told, ensure_ascii=False, indent=2)
        return provision_text.as_toml(
            found.setup, kinds, public_url=url, secrets=secrets
        )

    console.result(console.with_database(work))


def _read(file: Path) -> str:
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with stream:
            raw = stream.read(LONGEST_FILE + 1)
        if len(raw) > LONGEST_FILE:
            raise BadInput(f"is longer than {LONGEST_FILE} bytes", field=str(file))
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", field=str(file)) from None
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", field=str(file)) from None
