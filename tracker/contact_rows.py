"""The rows of a contact: itself, and its candidates with their weights."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tracker import db as database
from tracker import matching, people


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What all kinds of contacts have, ready to be written."""

    id: UUID
    channel: str
    kind: str
    at: datetime
    phones: Collection[str] = ()
    emails: Collection[str] = ()
    caller: str | None = None
    number: str | None = None
    alias: str | None = None
    name: str = ""
    text: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


async def exists(db: database.Connection, site_id: int, contact_id: UUID) -> bool:
    """Whether this was told before."""
    return bool(
        await db.fetchval(
            "SELECT true FROM contacts WHERE site_id = $1 AND id = $2",
            site_id,
            contact_id,
        )
    )


async def insert(
    db: database.Connection,
    site_id: int,
    contact: Contact,
    match: matching.Match,
    person_id: UUID,
    lead_id: UUID | None,
    excluded: str | None,
    at: datetime,
) -> None:
    """Write the contact; it must not be there yet."""
    await db.execute(
        """
        INSERT INTO contacts (site_id, id, channel, kind, at, person_id, lead_id, caller, number,
                              alias, email, name, text, fields, rule, certainty, source_id,
                              excluded, search, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20)
        """,
        site_id,
        contact.id,
        contact.channel,
        contact.kind,
        contact.at,
        person_id,
        lead_id,
        contact.caller or next(iter(contact.phones), None),
        contact.number,
        contact.alias,
        next(iter(contact.emails), None),
        contact.name,
        contact.text,
        contact.fields,
        match.rule,
        match.certainty,
        match.source_id,
        excluded,
        " ".join([*contact.phones, *map(people.fold, contact.emails)]),
        at,
    )


async def attribute(
    db: database.Connection, site_id: int, contact_id: UUID, match: matching.Match
) -> None:
    """Write the contact's candidates under the rule that found them."""
    await db.executemany(
        """
        INSERT INTO attributions (site_id, contact_id, rule, n, session_id, source_id, weight, why)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (
                site_id,
                contact_id,
                match.rule,
                n,
                one.session_id,
                one.source_id,
                one.weight,
                one.why or None,
            )
            for n, one in enumerate(match.candidates)
        ],
    )


async def set_excluded(
    db: database.Connection,
    site_id: int,
    contact_id: UUID,
    reason: str | None,
    *,
    at: datetime,
) -> datetime | None:
    """Leave the contact out of figures, or take it back; when it was made."""
    moment: datetime | None = await db.fetchval(
        "UPDATE contacts SET excluded = $3, updated_at = $4 "
        "WHERE site_id = $1 AND id = $2 RETURNING at",
        site_id,
        contact_id,
        reason,
        at,
    )
    return moment


async def touch(
    db: database.Connection, site_id: int, contact_id: UUID, *, at: datetime
) -> asyncpg.Record | None:
    """Something of the contact changed; its lead_id and at."""
    return await db.fetchrow(
        "UPDATE contacts SET updated_at = $3 WHERE site_id = $1 AND id = $2 "
        "RETURNING lead_id, at",
        site_id,
        contact_id,
        at,
    )
