"""Writes a site's mailboxes and connections; what may be secret is sealed and never told."""

from typing import Any

import asyncpg

from tracker import connections as kinds
from tracker import db as database
from tracker import provision_match, setup
from tracker.errors import BadInput
from tracker.provision_read import Stored
from tracker.seal import Seal
from tracker.setup import SetUp


async def mailboxes(
    db: database.Connection, stored: Stored, wanted: SetUp, seal: Seal
) -> list[str]:
    """Make the mailboxes match; what was changed, a line each."""
    left = list(stored.mailboxes)
    changes = []
    for mailbox in wanted.mailboxes:
        old = provision_match.mailbox(mailbox, left)
        values = (
            list(mailbox.replaces),
            mailbox.forward_to,
            seal.close(mailbox.next_hop),
        )
        if old is None:
            await db.execute(
                """
                INSERT INTO mailboxes (site_id, replaces, forward_to, next_hop)
                VALUES ($1, $2, $3, $4)
                """,
                stored.site_id,
                *values,
            )
            changes.append(f"mailbox {mailbox.forward_to}: added")
            continue
        left.remove(old)
        if not old.same_as(mailbox):
            await db.execute(
                """
                UPDATE mailboxes SET replaces = $3, forward_to = $4, next_hop = $5
                 WHERE site_id = $1 AND id = $2
                """,
                stored.site_id,
                old.id,
                *values,
            )
            changes.append(f"mailbox {mailbox.forward_to}: changed")
    for one in left:
        await db.execute(
            "DELETE FROM mailboxes WHERE site_id = $1 AND id = $2",
            stored.site_id,
            one.id,
        )
        changes.append(f"mailbox {one.forward_to}: removed")
    return changes


async def connections(
    db: database.Connection, stored: Stored, wanted: SetUp, seal: Seal
) -> list[str]:
    """Make the connections match; raises BadInput when a key is taken elsewhere."""
    left = list(stored.setup.connections)
    pairs = []
    for one in wanted.connections:
        old = provision_match.connection(one.role, one.name, one.kind, left)
        if old is not None:
            left.remove(old)
        pairs.append((one, old))
    changes = []
    for gone in left:  # first: one of another kind may want the name
        await db.execute(
            "DELETE FROM connections WHERE site_id = $1 AND role = $2 AND name = $3",
            stored.site_id,
            gone.role,
            gone.name,
        )
        changes.append(f"{gone.role} {gone.name} ({gone.kind}): removed")
    for one, old in pairs:
        try:
            if old is None:
                await _add(db, stored.site_id, one, seal)
                changes.append(f"{one.role} {one.name} ({one.kind}): added")
            elif told := _told(old, one):
                await _change(db, stored.site_id, old, one, seal)
                changes.append(f"{one.role} {one.name}: {', '.join(told)} changed")
        except asyncpg.UniqueViolationError:
            raise BadInput(
                "belongs to another connection of this server: write another, or none",
                field=f"{one.role} {one.name}, key",
            ) from None
    return changes


async def _add(
    db: database.Connection, site_id: int, one: setup.Connection, seal: Seal
) -> None:
    await db.execute(
        """
        INSERT INTO connections (site_id, role, name, kind, key, settings)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        site_id,
        one.role,
        one.name,
        one.kind,
        one.key or kinds.mint_key(),
        seal.close(one.settings),
    )


async def _change(
    db: database.Connection,
    site_id: int,
    old: setup.Connection,
    one: setup.Connection,
    seal: Seal,
) -> None:
    await db.execute(
        """
        UPDATE connections SET key = $4, settings = $5
         WHERE site_id = $1 AND role = $2 AND name = $3
        """,
        site_id,
        one.role,
        one.name,
        one.key or old.key,
        seal.close(one.settings),
    )


def _told(old: setup.Connection, new: setup.Connection) -> list[str]:
    """The names of what differs; the values may be secrets."""
    missing: Any = object()
    told = [
        name
        for name in sorted(old.settings.keys() | new.settings.keys())
        if old.settings.get(name, missing) != new.settings.get(name, missing)
    ]
    return [*told, "key"] if new.key and new.key != old.key else told
