"""Makes the database match what an owner set up.

With `provision_numbers` and `provision_accounts` the one writer of sites, pools, numbers,
mailboxes and connections. Everything of one set-up is one transaction; a second time there
is nothing to change.
"""

from dataclasses import dataclass
from datetime import datetime

from tracker import db as database
from tracker import (
    provision_accounts,
    provision_checks,
    provision_file,
    provision_numbers,
    provision_read,
)
from tracker.connections import Kinds
from tracker.provision_read import Stored
from tracker.seal import Seal
from tracker.setup import SetUp

LOCK = 7_305_782  # any constant: one set-up at a time

_COLUMNS = ("name", "domains", "timezone", "currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done."""

    site_id: int
    key: str
    changes: tuple[str, ...]  # a line each; empty: there was nothing to change
    warnings: tuple[str, ...] = ()  # what visitors may wonder at


async def apply_text(
    db: database.Connection, text: str, seal: Seal, kinds: Kinds, *, at: datetime
) -> Applied:
    """Make the database match a file; raises BadFile, and then nothing is changed."""
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        key = provision_file.site_key(text)
        stored = await provision_read.load(db, key, seal) if key else None
        wanted = provision_file.read(text, kinds, stored.setup if stored else None)
        return await apply(db, wanted, seal, at=at)


async def apply(
    db: database.Connection,
    wanted: SetUp,
    seal: Seal,
    *,
    demo: bool = False,
    at: datetime,
) -> Applied:
    """Make the database match a set-up that is known to be sound; `demo` marks a new site.

    Raises BadInput when a hook's key is another connection's.
    """
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        stored = await provision_read.load(db, wanted.key, seal)
        if stored is None:
            stored = await _new(db, wanted, demo)
            changes = [f"site {wanted.key}: added"]
        else:
            changes = await _site(db, stored, wanted)
        changes += await provision_numbers.apply(db, stored, wanted, at)
        changes += await provision_accounts.mailboxes(db, stored, wanted, seal)
        changes += await provision_accounts.connections(db, stored, wanted, seal)
        return Applied(
            site_id=stored.site_id,
            key=wanted.key,
            changes=tuple(changes),
            warnings=tuple(provision_checks.warnings(wanted)),
        )


async def _new(db: database.Connection, wanted: SetUp, demo: bool) -> Stored:
    site_id = await db.fetchval(
        """
        INSERT INTO sites (key, name, domains, timezone, currency, settings, demo)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
        """,
        wanted.key,
        wanted.name,
        list(wanted.domains),
        wanted.timezone,
        wanted.currency,
        wanted.rules,
        demo,
    )
    bare = SetUp(key=wanted.key, name=wanted.name, domains=wanted.domains)
    return Stored(site_id=site_id, setup=bare)


async def _site(db: database.Connection, stored: Stored, wanted: SetUp) -> list[str]:
    before = stored.setup
    told = [one for one in _COLUMNS if getattr(before, one) != getattr(wanted, one)]
    told += [
        one
        for one in sorted(before.rules.keys() | wanted.rules.keys())
        if before.rules.get(one) != wanted.rules.get(one)
    ]
    if not told:
        return []
    await db.execute(
        """
        UPDATE sites SET name = $2, domains = $3, timezone = $4, currency = $5,
               settings = (settings - $6::text[]) || $7::jsonb
         WHERE id = $1
        """,
        stored.site_id,
        wanted.name,
        list(wanted.domains),
        wanted.timezone,
        wanted.currency,
        list(before.rules),
        wanted.rules,
    )
    return [f"site {wanted.key}: {', '.join(told)} changed"]
