"""One contact with everything that is known of it: facts, candidates, who held its number.

Read by the contact's page only. The journey of the person is `journeys.of_person`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from numberpool.model import PROVISIONAL
from tracker import calls, models
from tracker import db as database

BEFORE_CALL = timedelta(hours=3)  # how much of a number's history is looked at in full
MOST_LEASES = 60
MOST_ANSWERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is known of the letter itself."""

    from_address: str
    from_name: str
    subject: str
    size: int
    attachments: list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a call's weights were reckoned with."""

    model: str
    made_at: datetime | None  # None: the model was not learned from the site
    learned_from: int  # first calls
    noise: (
        float | None
    )  # unrelated calls per second on that number then; None: not kept
    none: float  # the weight of "none of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the answers that a contact was given, by different rules."""

    rule: str
    certainty: float
    provisional: bool
    channel: str  # of the likeliest source; empty: none was found
    source: str
    campaign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact; `call` and `letter` are None where it is none."""

    id: UUID
    channel: str
    kind: str
    at: datetime
    person_id: UUID
    lead_id: UUID | None
    lead_state: str | None
    caller: str | None
    number: str | None
    alias: str | None
    email: str | None
    name: str
    person_name: str
    text: str
    fields: dict[str, Any]
    rule: str
    certainty: float
    provisional: bool  # its certainty was learned from too few calls
    excluded: str | None
    source: dict[str, str] | None
    call: calls.Call | None
    letter: Letter | None
    basis: Basis | None  # None: not weighed


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A session that may have made the contact; without a session, a source alone."""

    session_id: UUID | None
    weight: float
    why: dict[str, Any]
    channel: str
    source: str
    medium: str
    campaign: str
    started_at: datetime | None
    device: str | None
    landing_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A stretch of time in which a session held the number that was dialled."""

    session_id: UUID
    since: datetime
    last_sign_at: datetime
    seen_at: datetime | None
    clicked_at: datetime | None
    left_at: datetime | None
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A visit in one line."""

    id: UUID
    started_at: datetime
    device: str
    channel: str
    source: str
    campaign: str


async def get(db: database.Db, site_id: int, contact_id: UUID) -> Contact | None:
    """The contact's facts."""
    row = await db.fetchrow(
        f"""
        SELECT c.id, c.channel, c.kind, c.at, c.person_id, c.lead_id, d.state AS lead_state,
               c.caller, c.number, c.alias, c.email, c.name,
               coalesce(p.name, '') AS person_name, c.text, c.fields, c.rule, c.certainty,
               {models.PROVISIONAL} AS provisional, c.excluded,
               CASE WHEN s.id IS NOT NULL THEN jsonb_build_object(
                    'channel', s.channel, 'source', s.source, 'medium', s.medium,
                    'campaign', s.campaign, 'content', s.content, 'term', s.term) END AS source
          FROM contacts c
          LEFT JOIN persons p ON p.site_id = c.site_id AND p.id = c.person_id
          LEFT JOIN leads d ON d.site_id = c.site_id AND d.id = c.lead_id
          LEFT JOIN sources s ON s.site_id = c.site_id AND s.id = c.source_id
          LEFT JOIN {models.BASIS}
         WHERE c.site_id = $1 AND c.id = $2
        """,
        site_id,
        contact_id,
    )
    if row is None:
        return None
    return Contact(
        **row,
        call=await calls.find(db, site_id, contact_id),
        letter=await _letter(db, site_id, contact_id),
        basis=await _basis(db, site_id, contact_id, row["rule"]),
    )


async def _letter(db: database.Db, site_id: int, contact_id: UUID) -> Letter | None:
    row = await db.fetchrow(
        "SELECT from_address, from_name, subject, size, attachments FROM letters "
        "WHERE site_id = $1 AND contact_id = $2",
        site_id,
        contact_id,
    )
    return Letter(**row) if row else None


async def _basis(
    db: database.Db, site_id: int, contact_id: UUID, rule: str
) -> Basis | None:
    row = await db.fetchrow(
        """
        SELECT model, learned_from, noise, none FROM answers
         WHERE site_id = $1 AND contact_id = $2 AND rule = $3
        """,
        site_id,
        contact_id,
        rule,
    )
    if row is None:
        return None
    return Basis(**row, made_at=await models.made_at(db, site_id, row["model"]))


async def answers(db: database.Db, site_id: int, contact_id: UUID) -> list[Answer]:
    """All answers that are kept for it, the first one first."""
    rows = await db.fetch(
        """
        SELECT w.rule, w.learned_from < $4 AS provisional,
               coalesce(least(a.weight, 1), 0) AS certainty,
               coalesce(s.channel, '') AS channel, coalesce(s.source, '') AS source,
               coalesce(s.campaign, '') AS campaign
          FROM answers w
          LEFT JOIN attributions a ON a.site_id = w.site_id AND a.contact_id = w.contact_id
                                  AND a.rule = w.rule AND a.n = 0
          LEFT JOIN sources s ON s.site_id = a.site_id AND s.id = a.source_id
         WHERE w.site_id = $1 AND w.contact_id = $2
         ORDER BY length(w.rule), w.rule LIMIT $3
        """,
        site_id,
        contact_id,
        MOST_ANSWERS,
        PROVISIONAL,
    )
    return [Answer(**row) for row in rows]


async def candidates(
    db: database.Db, site_id: int, contact_id: UUID, rule: str
) -> list[Candidate]:
    """Who it may have been by that rule, the likeliest first."""
    rows = await db.fetch(
        """
        SELECT a.session_id, a.weight, coalesce(a.why, '{}'::jsonb) AS why,
               coalesce(s.channel, '') AS channel, coalesce(s.source, '') AS source,
               coalesce(s.medium, '') AS medium, coalesce(s.campaign, '') AS campaign,
               v.started_at, v.device, v.landing_url
          FROM attributions a
          LEFT JOIN sources s ON s.site_id = a.site_id AND s.id = a.source_id
          LEFT JOIN sessions v ON v.site_id = a.site_id AND v.id = a.session_id
         WHERE a.site_id = $1 AND a.contact_id = $2 AND a.rule = $3
         ORDER BY a.n
        """,
        site_id,
        contact_id,
        rule,
    )
    return [Candidate(**row) for row in rows]


async def held_around(
    db: database.Db,
    site_id: int,
    number: str,
    *,
    at: datetime,
    likely: Collection[UUID] = (),
) -> list[Held]:
    """Who held the number in the hours before that moment, the latest first.

    The `likely` sessions too, however long ago they were shown it.
    """
    rows = await db.fetch(
        """
        SELECT session_id, since, last_sign_at, seen_at, clicked_at, left_at, shared
          FROM (
               (SELECT * FROM leases
                 WHERE site_id = $1 AND number = $2 AND since <= $3 AND last_sign_at >= $4
                 ORDER BY since DESC LIMIT $5)
               UNION
               SELECT * FROM leases
                WHERE site_id = $1 AND number = $2 AND since <= $3
                  AND session_id = ANY ($6::uuid[])) AS held
         ORDER BY since DESC
        """,
        site_id,
        number,
        at,
        at - BEFORE_CALL,
        MOST_LEASES,
        list(likely),
    )
    return [Held(**row) for row in rows]


async def sessions(
    db: database.Db, site_id: int, ids_: Collection[UUID]
) -> dict[UUID, Session]:
    """These visits, by their ids."""
    rows = await db.fetch(
        """
        SELECT v.id, v.started_at, v.device, coalesce(s.channel, '') AS channel,
               coalesce(s.source, '') AS source, coalesce(s.campaign, '') AS campaign
          FROM sessions v
          LEFT JOIN sources s ON s.site_id = v.site_id AND s.id = v.source_id
         WHERE v.site_id = $1 AND v.id = ANY($2::uuid[])
        """,
        site_id,
        list(ids_),
    )
    return {row["id"]: Session(**row) for row in rows}
