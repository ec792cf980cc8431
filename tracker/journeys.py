"""A person's whole path: visits with their pages, contacts and deals, in the order of time."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tracker import db as database

MOST_VISITS = 200
MOST_PAGES = 2000  # over all visits
MOST_CONTACTS = 200
MOST_DEALS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was looked at."""

    at: datetime
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What was done with the number or the address: reveal, tel_click, mail_click, goal."""

    at: datetime
    type: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A session of one of the person's visitors."""

    id: UUID
    at: datetime
    last_seen_at: datetime
    device: str
    landing_url: str
    referrer_url: str
    channel: str
    source: str
    medium: str
    campaign: str
    term: str
    pages: list[Page] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def moments(self) -> list[Page | Event]:
        """Pages and events in the order of time."""
        found: list[Page | Event] = [*self.pages, *self.events]
        return sorted(found, key=lambda one: one.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact on the way."""

    id: UUID
    at: datetime
    kind: str
    title: str  # a letter's subject, else the beginning of the text
    outcome: str | None
    talk_seconds: int | None
    certainty: float
    excluded: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal of the CRM, placed where it was opened."""

    id: UUID
    at: datetime
    closed_at: datetime | None
    title: str
    stage: str
    state: str
    amount: Decimal
    currency: str
    manager: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Everything in the order of time."""

    visits: list[Visit]
    contacts: list[Contact]
    deals: list[Deal]

    @property
    def steps(self) -> list[Visit | Contact | Deal]:
        found: list[Visit | Contact | Deal] = [
            *self.visits,
            *self.contacts,
            *self.deals,
        ]
        return sorted(found, key=lambda step: step.at)


async def of_person(db: database.Db, site_id: int, person_id: UUID) -> Journey:
    """All sessions of all his visitors, all his contacts and deals."""
    return Journey(
        visits=await _visits(db, site_id, person_id),
        contacts=await _contacts(db, site_id, person_id),
        deals=await _deals(db, site_id, person_id),
    )


async def _visits(db: database.Db, site_id: int, person_id: UUID) -> list[Visit]:
    rows = await db.fetch(
        """
        SELECT v.id, v.started_at AS at, v.last_seen_at, v.device, v.landing_url, v.referrer_url,
               coalesce(s.channel, '') AS channel, coalesce(s.source, '') AS source,
               coalesce(s.medium, '') AS medium, coalesce(s.campaign, '') AS campaign,
               coalesce(s.term, '') AS term
          FROM sessions v
          LEFT JOIN sources s ON s.site_id = v.site_id AND s.id = v.source_id
         WHERE v.site_id = $1 AND v.visitor_id = ANY(ARRAY(
               SELECT value::uuid FROM person_keys
                WHERE site_id = $1 AND person_id = $2 AND kind = 'visitor'))
         ORDER BY v.id DESC LIMIT $3
        """,
        site_id,
        person_id,
        MOST_VISITS,
    )
    visits = {row["id"]: Visit(**row) for row in rows}
    for visit in visits.values():  # its first page is kept with the session
        visit.pages.append(Page(at=visit.at, url=visit.landing_url))
    for page in await _of_visits(db, site_id, "pages", "at, url", list(visits)):
        visits[page.pop("session_id")].pages.append(Page(**page))
    for done in await _of_visits(
        db, site_id, "events", "at, type, target", list(visits)
    ):
        visits[done.pop("session_id")].events.append(Event(**done))
    return sorted(visits.values(), key=lambda visit: visit.at)


async def _of_visits(
    db: database.Db, site_id: int, table: str, columns: str, visits: list[UUID]
) -> list[dict[str, Any]]:
    rows = await db.fetch(
        f"SELECT session_id, {columns} FROM {table} "
        "WHERE site_id = $1 AND session_id = ANY($2::uuid[]) ORDER BY at LIMIT $3",
        site_id,
        visits,
        MOST_PAGES,
    )
    return [dict(row) for row in rows]


async def _contacts(db: database.Db, site_id: int, person_id: UUID) -> list[Contact]:
    rows = await db.fetch(
        """
        SELECT c.id, c.at, c.kind, coalesce(nullif(l.subject, ''), left(c.text, 120)) AS title,
               k.outcome, k.talk_seconds, c.certainty, c.excluded
          FROM contacts c
          LEFT JOIN calls k ON k.site_id = c.site_id AND k.contact_id = c.id
          LEFT JOIN letters l ON l.site_id = c.site_id AND l.contact_id = c.id
         WHERE c.site_id = $1 AND c.person_id = $2
         ORDER BY c.at DESC LIMIT $3
        """,
        site_id,
        person_id,
        MOST_CONTACTS,
    )
    return [Contact(**row) for row in rows]


async def _deals(db: database.Db, site_id: int, person_id: UUID) -> list[Deal]:
    rows = await db.fetch(
        """
        SELECT id, opened_at AS at, closed_at, title, stage, state, amount, currency, manager
          FROM deals
         WHERE site_id = $1 AND person_id = $2
         ORDER BY opened_at DESC LIMIT $3
        """,
        site_id,
        person_id,
        MOST_DEALS,
    )
    return [Deal(**row) for row in rows]
