"""Gathers what a delivery tells, as it is known now rather than when it was owed.

A lead's attribution is its first contact's; a deal's is its lead's. So every parcel has one
contact whose candidates, person and call go with it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tracker import alerts, clicks, ids, people, remote_ids, views
from tracker import db as database
from tracker.deliveries import Delivery
from tracker.destinations.base import Call, Candidate, Deal, Page, Parcel, Person
from tracker.errors import DeliveryFailed
from tracker.sites import Site

MOST_CANDIDATES = 60
MOST_PAGES = 30
LABELS = ("channel", "source", "medium", "campaign", "term", "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contact:
    id: UUID
    person_id: UUID
    channel: str
    kind: str
    at: datetime
    text: str
    rule: str
    excluded: str | None


async def load(
    db: database.Db, site: Site, delivery: Delivery, *, now: datetime
) -> Parcel:
    """Everything a destination may want to tell; raises DeliveryFailed if it is gone."""
    deal = await _deal(db, site.id, delivery.deal_id)
    lead_id = delivery.lead_id or (deal["lead_id"] if deal else None)
    lead = await _lead(db, site.id, lead_id)
    contact = await _contact(
        db,
        site.id,
        delivery.contact_id or (lead["first_contact_id"] if lead else None),
    )
    about = [contact.person_id if contact else None]
    about += [row["person_id"] for row in (lead, deal) if row]
    person_id = next((id_ for id_ in about if id_ is not None), None)
    candidates = await _candidates(db, site.id, contact, now) if contact else ()
    contact_id = contact.id if contact else None
    known = [id_ for id_ in (lead_id, person_id, contact_id) if id_ is not None]
    item = await _item(db, site.id, contact)
    return Parcel(
        id=delivery.id,
        site=site.name,
        event=delivery.event,
        key=delivery.key,
        at=delivery.at,
        now=now,
        attempt=delivery.attempts,
        data=await _data(db, site.id, delivery, lead, item),
        lead_id=lead_id,
        contact_id=contact_id,
        channel=contact.channel if contact else "",
        kind=contact.kind if contact else "",
        excluded=contact.excluded if contact else None,
        text=contact.text if contact else "",
        subject=str(((item or {}).get("mail") or {}).get("subject") or ""),
        person=await _person(db, site.id, person_id) if person_id else None,
        call=await _call(db, site.id, contact.id) if contact else None,
        deal=_told(deal) if deal else None,
        first_time=await _first_time(db, site.id, contact) if contact else False,
        candidates=candidates,
        pages=await _pages(db, site.id, candidates),
        remote=await remote_ids.of(db, site.id, delivery.destination_id, known),
    )


async def _data(
    db: database.Db,
    site_id: int,
    delivery: Delivery,
    lead: Any,
    item: dict[str, Any] | None,
) -> dict[str, Any]:
    """The record that the event is about, as the REST API gives it."""
    noun = delivery.event.partition(".")[0]
    if noun == "contact" and item is not None:
        return item
    if noun == "lead" and lead is not None:
        return _lead_item(lead, item)
    if noun == "deal" and delivery.deal_id is not None:
        found = await views.deals(db, site_id, [delivery.deal_id])
        if found:
            return found[0] | {"source": item["source"] if item else None}
    if noun == "alert" and delivery.alert_id is not None:
        alert = await alerts.find(db, site_id, delivery.alert_id)
        if alert is not None:
            return alerts.record(alert)
    if noun == "test":
        return {}
    raise DeliveryFailed("what it is about was erased", permanent=True)


def _lead_item(lead: Any, item: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": str(lead["id"]),
        "person": str(lead["person_id"]),
        "state": lead["state"],
        "opened": views.instant(lead["opened_at"]),
        "closed": views.instant(lead["closed_at"]) if lead["closed_at"] else None,
        "source": item["source"] if item else None,
        "certainty": item["certainty"] if item else 0.0,
        "contact": item,  # the first one, whose attribution is the lead's
    }


async def _item(
    db: database.Db, site_id: int, contact: _Contact | None
) -> dict[str, Any] | None:
    if contact is None:
        return None
    found = await views.contacts(db, site_id, [contact.id])
    # How other deliveries go is nothing to a destination, and different at every attempt.
    return {k: v for k, v in found[0].items() if k != "deliveries"} if found else None


async def _contact(db: database.Db, site_id: int, id_: UUID | None) -> _Contact | None:
    row = await db.fetchrow(
        "SELECT id, person_id, channel, kind, at, text, rule, excluded FROM contacts "
        "WHERE site_id = $1 AND id = $2",
        site_id,
        id_,
    )
    return _Contact(**row) if row else None


async def _lead(db: database.Db, site_id: int, id_: UUID | None) -> Any:
    return await db.fetchrow(
        "SELECT id, person_id, state, opened_at, closed_at, first_contact_id FROM leads "
        "WHERE site_id = $1 AND id = $2",
        site_id,
        id_,
    )


async def _deal(db: database.Db, site_id: int, id_: UUID | None) -> Any:
    return await db.fetchrow(
        "SELECT crm, crm_id, person_id, lead_id, amount, currency, closed_at FROM deals "
        "WHERE site_id = $1 AND id = $2",
        site_id,
        id_,
    )


def _told(deal: Any) -> Deal:
    return Deal(
        crm=deal["crm"],
        crm_id=deal["crm_id"],
        amount=str(deal["amount"]),
        currency=deal["currency"],
        closed_at=deal["closed_at"],
    )


async def _candidates(
    db: database.Db, site_id: int, contact: _Contact, now: datetime
) -> tuple[Candidate, ...]:
    """The contact's candidates by its present rule, heaviest first."""
    rows = await db.fetch(
        """
        SELECT a.weight, a.session_id, s.channel, s.source, s.medium, s.campaign, s.term,
               s.content, v.visitor_id, v.started_at, v.landing_url, v.referrer_url, v.device,
               v.details, w.last_seen_at AS last_visit_at,
               b.started_at AS brought_at, b.details AS brought_details
          FROM attributions a
          LEFT JOIN sources s ON s.site_id = a.site_id AND s.id = a.source_id
          LEFT JOIN sessions v ON v.site_id = a.site_id AND v.id = a.session_id
          LEFT JOIN LATERAL (
               SELECT max(last_seen_at) AS last_seen_at FROM sessions
                WHERE site_id = v.site_id AND visitor_id = v.visitor_id) AS w ON true
          -- The session whose source this one has; often itself.
          LEFT JOIN LATERAL (
               SELECT started_at, details, raw_source_id FROM sessions
                WHERE site_id = v.site_id AND visitor_id = v.visitor_id
                  AND id <= v.id AND id >= $5 AND significant
                ORDER BY id DESC LIMIT 1) AS b ON b.raw_source_id = v.source_id
         WHERE a.site_id = $1 AND a.contact_id = $2 AND a.rule = $3
         ORDER BY a.n LIMIT $4
        """,
        site_id,
        contact.id,
        contact.rule,
        MOST_CANDIDATES,
        ids.floor(now - clicks.LIFETIME),
    )
    return tuple(
        Candidate(
            weight=row["weight"],
            source={label: row[label] or "" for label in LABELS},
            session_id=row["session_id"],
            visitor_id=row["visitor_id"],
            started_at=row["started_at"],
            last_visit_at=row["last_visit_at"],
            landing_url=row["landing_url"] or "",
            referrer_url=row["referrer_url"] or "",
            device=row["device"] or "",
            ids=_ids(row, now),
        )
        for row in rows
    )


def _ids(row: Any, now: datetime) -> dict[str, str]:
    """Click ids that are alive, and analytics ids."""
    if row["started_at"] is None:
        return {}  # a source alone, or a session that was erased
    own = _landing(row["started_at"], row["details"])
    brought = row["brought_at"] and _landing(row["brought_at"], row["brought_details"])
    return clicks.told(own, brought, now=now)


def _landing(at: datetime, details: dict[str, Any] | None) -> clicks.Landing:
    known = details or {}
    return clicks.Landing(
        at=at, click_ids=known.get("click_ids") or {}, ids=known.get("ids") or {}
    )


async def _pages(
    db: database.Db, site_id: int, candidates: tuple[Candidate, ...]
) -> tuple[Page, ...]:
    """The pages of the likeliest session, in order; the latest where there are many."""
    if not candidates or candidates[0].session_id is None:
        return ()
    rows = await db.fetch(
        "SELECT url, at FROM pages WHERE site_id = $1 AND session_id = $2 "
        "ORDER BY at DESC LIMIT $3",
        site_id,
        candidates[0].session_id,
        MOST_PAGES,
    )
    return tuple(Page(**row) for row in reversed(rows))


async def _person(db: database.Db, site_id: int, person_id: UUID) -> Person:
    name = await db.fetchval(
        "SELECT name FROM persons WHERE site_id = $1 AND id = $2", site_id, person_id
    )
    keys = await people.keys_of(db, site_id, person_id)
    return Person(
        id=person_id,
        name=name or "",
        phones=tuple(keys["phone"]),
        emails=tuple(keys["email"]),
    )


async def _call(db: database.Db, site_id: int, contact_id: UUID) -> Call | None:
    row = await db.fetchrow(
        "SELECT started_at, answered_at, ended_at, ring_seconds, talk_seconds, outcome, manager, "
        "recordings FROM calls WHERE site_id = $1 AND contact_id = $2",
        site_id,
        contact_id,
    )
    if row is None:
        return None
    recordings = row["recordings"] or [{}]
    return Call(
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        answered=row["answered_at"] is not None or row["outcome"] == "answered",
        talk_seconds=row["talk_seconds"],
        ring_seconds=row["ring_seconds"],
        manager=row["manager"],
        recording=recordings[0].get("url") or None,
    )


async def _first_time(db: database.Db, site_id: int, contact: _Contact) -> bool:
    return not await db.fetchval(
        "SELECT true FROM contacts WHERE site_id = $1 AND person_id = $2 AND at < $3 LIMIT 1",
        site_id,
        contact.person_id,
        contact.at,
    )
