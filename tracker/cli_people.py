"""`skvoz user` and `skvoz token`: who may see the dashboard, and which scripts the API."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from tracker import config, console, db, tokens, users
from tracker.errors import BadInput

user = typer.Typer(help="The people who may sign in.", no_args_is_help=True)
token = typer.Typer(help="Tokens for scripts that use the API.", no_args_is_help=True)

SiteKey = Annotated[str, typer.Argument(metavar="SITE", help="the site's key")]
Email = Annotated[str, typer.Argument(metavar="EMAIL")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(user, name="user")
    app.add_typer(token, name="token")


@user.command("add")
def add_user(
    email: Email,
    name: Annotated[str, typer.Option(help="as it is shown")] = "",
    password: Annotated[
        bool, typer.Option("--password", help="ask for a password now")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="also for a person who is there already")
    ] = False,
) -> None:
    """Add a person; prints a one-time sign-in link unless a password is asked for."""
    secret = _ask_password() if password else None

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> str | None:
        found = await users.find(pool, email) if link else None
        if found and secret:
            await users.set_password(pool, found.id, secret)
        if found is None:
            found = await users.add(pool, email, name=name, password=secret, at=at)
            console.say(f"{found.email}: added")
        if secret and not link:
            return None
        made = await users.make_link(pool, found.id, at=at)
        return users.link_address(settings.public_url, made)

    if address := console.with_database(work):
        minutes = int(users.LINK_LASTS.total_seconds() // 60)
        console.say(f"This signs in once, within {minutes} minutes:")
        console.result(address)


def _ask_password() -> str:
    """Typed twice; never an argument, which the machine's other users could read."""
    secret: str = typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True, err=True
    )
    return secret


@user.command("list")
def list_users() -> None:
    """Who may sign in."""

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> list[users.User]:
        return await users.everyone(pool)

    table = Table("Email", "Name", "Since", box=None)
    for one in console.with_database(work):
        table.add_row(one.email, one.name, f"{one.created_at:%Y-%m-%d}")
    console.show(table)


@user.command("remove")
def remove_user(email: Email) -> None:
    """Take a person's way in away."""

    async def work(pool: db.Pool, settings: config.Settings, at: datetime) -> bool:
        return await users.remove(pool, email)

    if not console.with_database(work):
        raise BadInput("nobody has this address", field=email)
    console.say(f"{email}: removed")


@token.command("add")
def add_token(
    site: SiteKey,
    scope: Annotated[
        list[str], typer.Option(help=f"may be repeated: {', '.join(tokens.SCOPES)}")
    ],
    name: Annotated[str, typer.Option(help="what it is for")] = "",
) -> None:
    """Make a token; it is printed this once, alone on standard output."""
    scopes = [part for one in scope for part in one.replace(",", " ").split()]

    async def work(pool: db.Pool, settings: config.Settings, at: datetime) -> str:
        site_id = await console.site_id(pool, site)
        return await tokens.add(pool, site_id, scopes=scopes, name=name, at=at)

    made = console.with_database(work)
    console.say("Keep it: it is not shown again.")
    console.result(made)


@token.command("list")
def list_tokens(site: SiteKey) -> None:
    """The tokens of a site, with the ids by which they are revoked."""

    async def work(
        pool: db.Pool, settings: config.Settings, at: datetime
    ) -> list[tokens.Token]:
        return await tokens.of_site(pool, await console.site_id(pool, site))

    table = Table("Id", "For", "Scopes", "Made", "Last used", box=None)
    for one in console.with_database(work):
        used = f"{one.last_used_at:%Y-%m-%d}" if one.last_used_at else "never"
        scopes = ", ".join(sorted(one.scopes))
        table.add_row(one.id, one.name, scopes, f"{one.created_at:%Y-%m-%d}", used)
    console.show(table)


@token.command("revoke")
def revoke_token(
    site: SiteKey, id_: Annotated[str, typer.Argument(metavar="ID")]
) -> None:
    """Make a token worthless at once."""

    async def work(pool: db.Pool, settings: config.Settings, at: datetime) -> bool:
        return await tokens.revoke(pool, await console.site_id(pool, site), id_)

    if not console.with_database(work):
        raise BadInput(f"no token of {site} has this id", field=id_)
    console.say(f"{id_}: revoked")
