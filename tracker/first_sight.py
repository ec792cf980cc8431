"""What a new server shows: an example site, and a way in for its first person.

On a database without sites and people the example is set up. As long as nobody has ever
signed in, every start prints a fresh one-time link.
"""

import importlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec

from tracker import config, db, users
from tracker.seal import Seal

LINK_LASTS = timedelta(days=1)
FIRST_PERSON = "admin@localhost"  # unless SKVOZ_ADMIN_EMAIL says who


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What there is to show."""

    link: str | None  # one-time sign-in; None once somebody has signed in
    demo: bool  # whether the example site is there


async def prepare(
    pool: db.Pool, settings: config.Settings, seal: Seal, *, at: datetime
) -> Welcome:
    """Set up what a new server needs, and see what there is."""
    empty = await pool.fetchval(
        "SELECT NOT EXISTS (SELECT FROM sites) AND NOT EXISTS (SELECT FROM users)"
    )
    if empty and find_spec("tracker.example"):
        example = importlib.import_module("tracker.example")
        await example.first_sight(pool, settings, seal, at=at)
    async with pool.acquire() as connection, connection.transaction():
        link = await _way_in(connection, settings, at)
    demo = await pool.fetchval("SELECT EXISTS (SELECT FROM sites WHERE demo)")
    return Welcome(link=link, demo=bool(demo))


async def _way_in(
    connection: db.Connection, settings: config.Settings, at: datetime
) -> str | None:
    """A one-time link for the first person, while nobody has found the way in."""
    if await users.anybody_signed_in(connection):
        return None
    people = await users.everyone(connection)
    first = (
        people[0]
        if people
        else await users.add(connection, settings.admin_email or FIRST_PERSON, at=at)
    )
    token = await users.make_link(connection, first.id, at=at, lasts=LINK_LASTS)
    return users.link_address(settings.public_url, token)


def words(settings: config.Settings, welcome: Welcome) -> str:
    """The lines that `skvoz run` prints once all is ready."""
    address = settings.public_url
    if welcome.link:
        lines = [
            f"  Dashboard  {welcome.link}",
            "             (signs you in once, within a day)",
        ]
    else:
        lines = [f"  Dashboard  {address}/"]
    if welcome.demo:
        lines.append(f"  Demo shop  {address}/demo/")
    lines += [
        f"  Ports      {settings.http_port} HTTP, {settings.smtp_port} SMTP",
        f"  Data       {settings.data}",
    ]
    return "\n".join(["", "Skvoz is ready.", "", *lines, "", "Ctrl-C stops it."])
