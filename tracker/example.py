"""The example site: set up on a new server's first start, and taken away again.

Everything it does goes through the same doors as a real site; only its shop, CRM, counter
and mailbox are make-believe (`web/demo`).
"""

import base64
import secrets
import socket
from collections.abc import Iterable
from datetime import datetime
from importlib import resources
from urllib.parse import urlsplit

from tracker import config, connections, provision
from tracker import db as database
from tracker.seal import Seal

KEY = "demo"
NUMBERS = 12
# Everything of a site, what hangs on it first.
TABLES = (
    "plans", "alerts", "crawls", "crawled_pages", "pool_waits", "pool_hours",
    "stale_days", "daily", "costs", "deals", "forwards", "remote_ids", "attempts",
    "deliveries", "letters", "calls", "models", "answers", "attributions", "contacts", "leads", "person_keys",
    "persons", "refusals", "unread", "inbox", "aliases", "credits", "leases", "events",
    "pages", "sessions", "sources", "tokens", "connection_states",
    "connections", "mailboxes", "numbers", "pools",
)  # fmt: skip


async def first_sight(
    pool: database.Pool, settings: config.Settings, seal: Seal, *, at: datetime
) -> None:
    """Set up the example on an empty server."""
    async with pool.acquire() as db:
        await set_up(db, settings, seal, at=at)


async def set_up(
    db: database.Connection, settings: config.Settings, seal: Seal, *, at: datetime
) -> None:
    """Set up the example site; told twice is harmless."""
    text = resources.files("tracker").joinpath("example.toml").read_text("utf-8")
    await provision.apply_text(
        db, _filled(text, settings), seal, connections.known(), at=at
    )
    await db.execute("UPDATE sites SET demo = true WHERE key = $1", KEY)


def _filled(text: str, settings: config.Settings) -> str:
    host = urlsplit(settings.public_url).hostname or "localhost"
    domains = dict.fromkeys(("localhost", "127.0.0.1", host))
    numbers = [f"+7495100{n:04d}" for n in range(1, NUMBERS + 1)]
    return text.format(
        domains=_list(domains),
        numbers=_list(numbers),
        mailbox_port=_free_port(),
        token=secrets.token_urlsafe(24),
        secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        address=f"http://127.0.0.1:{settings.http_port}",
    )


def _list(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _free_port() -> int:
    """A port of this machine for the make-believe mailbox."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def remove(db: database.Connection) -> bool:
    """Take the example site away with all that came through it; False: it was not there."""
    async with db.transaction():
        site_id = await db.fetchval("SELECT id FROM sites WHERE key = $1 AND demo", KEY)
        if site_id is None:
            return False
        for table in TABLES:
            await db.execute(f"DELETE FROM {table} WHERE site_id = $1", site_id)
        await db.execute("DELETE FROM sites WHERE id = $1", site_id)
    return True
