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
    setup,
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
    paste: Annotated[
        str,
        typer.Option(
            help="a telephony connection: print what to paste there, secrets too"
        ),
    ] = "",
) -> None:
    """Print what is set up for SITE, in the form that apply takes."""

    async def work(pool: db.Pool, settings: config.Settings, at: datetime) -> str:
        async with pool.acquire() as connection:
            await console.site_id(connection, site)
            found = await provision_read.load(connection, site, seal.of(settings))
        assert found is not None
        kinds, url = connections.known(), settings.public_url
        if paste:
            return _pastes(found.setup, paste, kinds, url)
        if as_json:
            told = provision_text.as_json(
                found.setup, kinds, public_url=url, secrets=secrets
            )
            return json.dumps(told, ensure_ascii=False, indent=2)
        return provision_text.as_toml(
            found.setup, kinds, public_url=url, secrets=secrets
        )

    console.result(console.with_database(work))


def _pastes(
    found: setup.SetUp, name: str, kinds: connections.Kinds, public_url: str
) -> str:
    """What goes to the provider of this connection, each text under its place."""
    known = {
        one.name: one for one in found.connections if one.role == connections.TELEPHONY
    }
    one = known.get(name)
    if one is None:
        raise BadInput(f"must be one of {', '.join(known) or 'none'}", field="--paste")
    made = kinds[one.role].get(one.kind)
    if made is None:
        raise BadInput(
            f"is of the kind {one.kind}, which is not installed", field="--paste"
        )
    address = connections.hook_address(public_url, one.kind, one.key or "")
    texts = connections.pastes(made, one.settings, address)
    return "\n\n".join(f"# {place}\n{text}" for place, text in texts.items())


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
