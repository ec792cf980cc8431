"""What is set up for a site, read from the tables as the record that was written."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from tracker import db as database
from tracker import setup, sites
from tracker.seal import Seal
from tracker.setup import SetUp
from tracker.sites import Rules
from tracker.sources import Source

LABELS = ("channel", "source", "medium", "campaign", "content", "term")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMailbox(setup.Mailbox):
    """A mailbox with the id that aliases know it by."""

    id: int

    def same_as(self, other: setup.Mailbox) -> bool:
        """Whether nothing but the id is to be told of it."""
        mine = (self.replaces, self.forward_to, self.next_hop)
        return mine == (other.replaces, other.forward_to, other.next_hop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A set-up with what only the tables know of it."""

    site_id: int
    setup: SetUp
    pool_ids: dict[str, int] = field(default_factory=dict)  # retired ones too
    numbers: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # rows; retired too
    mailboxes: tuple[StoredMailbox, ...] = ()


async def load(db: database.Connection, key: str, seal: Seal) -> Stored | None:
    """The set-up of a site as it stands; None when there is no such site."""
    site = await db.fetchrow("SELECT * FROM sites WHERE key = $1", key)
    if site is None:
        return None
    site_id = site["id"]
    pools = await db.fetch(
        "SELECT * FROM pools WHERE site_id = $1 ORDER BY position, id", site_id
    )
    numbers = await db.fetch(
        """
        SELECT n.*, s.channel, s.source, s.medium, s.campaign, s.content, s.term
          FROM numbers n
          LEFT JOIN sources s ON s.site_id = n.site_id AND s.id = n.source_id
         WHERE n.site_id = $1
         ORDER BY n.position, n.number
        """,
        site_id,
    )
    rows = {row["number"]: dict(row) for row in numbers}
    mailboxes = tuple(
        StoredMailbox(
            id=row["id"],
            replaces=tuple(row["replaces"]),
            forward_to=row["forward_to"],
            next_hop=seal.open(row["next_hop"]),
        )
        for row in await db.fetch(
            "SELECT * FROM mailboxes WHERE site_id = $1 ORDER BY id", site_id
        )
    )
    found = SetUp(
        key=site["key"],
        name=site["name"],
        domains=tuple(site["domains"]),
        timezone=site["timezone"],
        currency=site["currency"],
        rules=_rules(site["settings"]),
        pools=tuple(
            _pool(dict(row), rows) for row in pools if row["retired_at"] is None
        ),
        statics=tuple(
            _static(row)
            for row in rows.values()
            if row["kind"] == "static" and row["retired_at"] is None
        ),
        mailboxes=mailboxes,
        connections=await _connections(db, site_id, seal),
    )
    return Stored(
        site_id=site_id,
        setup=found,
        pool_ids={row["name"]: row["id"] for row in pools},
        numbers=rows,
        mailboxes=mailboxes,
    )


def _rules(settings: dict[str, Any]) -> dict[str, Any]:
    usual = msgspec.to_builtins(Rules())
    return {
        name: value
        for name, value in settings.items()
        if name in usual and value != usual[name]
    }


def _pool(row: dict[str, Any], numbers: dict[str, dict[str, Any]]) -> setup.Pool:
    own = tuple(
        number
        for number, one in numbers.items()
        if one["pool_id"] == row["id"]
        and one["kind"] == "dynamic"
        and one["retired_at"] is None
    )
    return setup.Pool(
        name=row["name"],
        replaces=tuple(row["replaces"]),
        numbers=own,
        target=sites.target(row["target"]),
        resting=tuple(number for number in own if numbers[number]["resting"]),
        forward_to=row["forward_to"],
        share=row["share"],
        late=row["late"],
        rest=row["rest"],
        overflow=row["overflow"],
    )


def _static(row: dict[str, Any]) -> setup.Static:
    return setup.Static(
        number=row["number"],
        source=Source(**{label: row[label] or "" for label in LABELS}),
        replaces=tuple(row["replaces"]),
        forward_to=row["forward_to"],
    )


async def _connections(
    db: database.Connection, site_id: int, seal: Seal
) -> tuple[setup.Connection, ...]:
    rows = await db.fetch(
        "SELECT * FROM connections WHERE site_id = $1 ORDER BY role DESC, id", site_id
    )
    return tuple(
        setup.Connection(
            role=row["role"],
            name=row["name"],
            kind=row["kind"],
            key=row["key"],
            settings=seal.open(row["settings"]),
        )
        for row in rows
    )
