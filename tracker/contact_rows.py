"""The rows of a contact: itself, and its candidates with their weights."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tracker import db as database
from tracker import matching, people

PATIENCE = 600.0  # seconds, for very many contacts at once


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
    """Write the contact's candidates under the rule that found them, and their basis."""
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
    if (basis := match.basis) is not None:
        await db.execute(
            """
            INSERT INTO answers (site_id, contact_id, rule, model, learned_from, noise, none)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            site_id,
            contact_id,
            match.rule,
            basis.model,
            basis.learned_from,
            basis.noise,
            basis.none,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The weights of a stored answer."""

    none: float
    given: list[tuple[UUID, UUID, float]]  # session, visitor, weight


async def answered(
    db: database.Connection, site_id: int, contact_id: UUID, rule: str
) -> Answered | None:
    """The contact's answer by that rule, if it has one."""
    none = await db.fetchval(
        "SELECT none FROM answers WHERE site_id = $1 AND contact_id = $2 AND rule = $3",
        site_id,
        contact_id,
        rule,
    )
    if none is None:
        return None
    rows = await db.fetch(
        """
        SELECT a.session_id, s.visitor_id, a.weight
          FROM attributions a
          JOIN sessions s ON s.site_id = a.site_id AND s.id = a.session_id
         WHERE a.site_id = $1 AND a.contact_id = $2 AND a.rule = $3
        """,
        site_id,
        contact_id,
        rule,
    )
    return Answered(none=none, given=[tuple(row) for row in rows])


async def use(
    db: database.Connection,
    site_id: int,
    contact_ids: Collection[UUID],
    rule: str,
    *,
    at: datetime,
) -> None:
    """Let that rule's answers, written before, be those in force for these contacts."""
    await db.execute(
        """
        UPDATE contacts c
           SET rule = $3, certainty = new.certainty, source_id = new.source_id, updated_at = $4
          FROM (SELECT given.id, coalesce(least(best.weight, 1), 0) AS certainty,
                       best.source_id
                  FROM unnest($2::uuid[]) AS given (id)
                  LEFT JOIN LATERAL (
                       SELECT a.weight, a.source_id FROM attributions a
                        WHERE a.site_id = $1 AND a.contact_id = given.id AND a.rule = $3
                        ORDER BY a.n LIMIT 1) AS best ON true) AS new
         WHERE c.site_id = $1 AND c.id = new.id
        """,
        site_id,
        list(contact_ids),
        rule,
        at,
        timeout=PATIENCE,
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
