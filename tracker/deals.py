"""The CRM's records of possible and finished sales, as they are told to us.

The REST API and the polling of a CRM end here. A deal is known by the CRM's own id, so being
told twice changes nothing. In one transaction: the person and the lead are found, the deal
is written, a finished deal closes its lead, its days are marked for the reports, and what is
owed because of it is written.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from tracker import db as database
from tracker import deliveries, ids, leads, people, remote_ids, stale
from tracker.errors import BadInput
from tracker.sites import Site

STATES = ("open", "won", "lost")
FINISHED = ("won", "lost")
SKEW = timedelta(hours=1)  # a CRM's clock may be behind, and its deal before our lead
MOST_AMOUNT = Decimal(10) ** 15  # what the column holds is a little more
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal as a CRM tells it; None is "not told" and keeps what is known."""

    crm_id: str
    state: str  # open, won, lost
    title: str | None = None
    stage: str | None = None  # the CRM's own word
    amount: Decimal | None = None
    currency: str | None = None  # ISO 4217; the site's, if never told
    manager: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None  # of a finished deal; otherwise nothing
    updated_at: datetime | None = None  # the CRM's; older news than ours is ignored
    phones: Collection[str] = ()  # E.164
    emails: Collection[str] = ()
    name: str = ""  # the person's
    lead_id: UUID | None = None  # our lead
    remote_lead: str | None = None  # the lead's id in the CRM


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """What became of a deal that was told."""

    id: UUID
    created: bool
    changed: bool  # a created one has changed, too


def deal_id(site_id: int, crm: str, crm_id: str) -> UUID:
    """Our id of a CRM's deal."""
    return ids.natural(site_id, "deal", crm, crm_id)


async def upsert(
    db: database.Connection, site: Site, deal: Deal, *, crm: str, at: datetime
) -> Upserted:
    """Write what is told of a deal; `crm` is the connection's name, or `api`.

    Raises BadInput for a state, an amount or a lead that cannot be.
    """
    _check(deal)
    async with db.transaction():
        id_ = deal_id(site.id, crm, deal.crm_id)
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(id_)
        )
        old = await _find(db, site.id, id_)
        if old is not None and deal.updated_at and deal.updated_at < old["updated_at"]:
            return Upserted(id=id_, created=False, changed=False)
        person_id, lead_id = await _whose(db, site, deal, crm, old, id_, at)
        new = _merged(site, deal, old, person_id, lead_id, at)
        if old is not None and all(old[name] == new[name] for name in _CONTENT):
            await _touch(db, site.id, id_, new["updated_at"])
            return Upserted(id=id_, created=False, changed=False)
        await _write(db, site.id, id_, crm, deal.crm_id, new)
        await _settle_leads(db, site, old, new, at)
        await _mark(db, site, old, new)
        await _owe(db, site, id_, old, new, at)
        return Upserted(id=id_, created=old is None, changed=True)


_CONTENT = (
    "person_id",
    "lead_id",
    "title",
    "stage",
    "state",
    "amount",
    "currency",
    "manager",
    "opened_at",
    "closed_at",
)


def _check(deal: Deal) -> None:
    if deal.state not in STATES:
        raise BadInput(f"must be one of {', '.join(STATES)}", field="state")
    if deal.amount is not None and not (
        deal.amount.is_finite() and 0 <= deal.amount < MOST_AMOUNT
    ):
        raise BadInput(f"must be from 0 to {MOST_AMOUNT}", field="amount")


async def _find(
    db: database.Connection, site_id: int, id_: UUID
) -> asyncpg.Record | None:
    return await db.fetchrow(
        "SELECT * FROM deals WHERE site_id = $1 AND id = $2", site_id, id_
    )


# Whose deal it is -----------------------------------------------------------------------


async def _whose(
    db: database.Connection,
    site: Site,
    deal: Deal,
    crm: str,
    old: asyncpg.Record | None,
    id_: UUID,
    at: datetime,
) -> tuple[UUID | None, UUID | None]:
    """The person and the lead: as told, else as the CRM's ids tell, else as before."""
    opened_at = deal.opened_at or (old["opened_at"] if old else at)
    person_id = old["person_id"] if old else None
    if deal.phones or deal.emails:
        person_id = await people.find_or_make(
            db,
            site.id,
            phones=deal.phones,
            emails=deal.emails,
            name=deal.name,
            seed=id_,
            at=opened_at,
        )
    lead_id = await _given_lead(db, site, deal, crm) or (
        old["lead_id"] if old else None
    )
    if lead_id is None and person_id is not None:
        lead_id = await _latest_lead(db, site.id, person_id, opened_at)
    if person_id is None and lead_id is not None:
        person_id = await _lead_person(db, site.id, lead_id)
    return person_id, lead_id


async def _given_lead(
    db: database.Connection, site: Site, deal: Deal, crm: str
) -> UUID | None:
    if deal.lead_id is not None:
        if await _lead_person(db, site.id, deal.lead_id) is None:
            raise BadInput("there is no such lead", field="lead")
        return deal.lead_id
    for one in site.connections:
        if one.role != "destination" or one.name != crm:
            continue
        for kind, remote_id in (("deal", deal.crm_id), ("lead", deal.remote_lead)):
            if not remote_id:
                continue
            found = await remote_ids.back(db, site.id, one.id, kind, [remote_id])
            for lead_id in found.values():
                if await _lead_person(db, site.id, lead_id) is not None:
                    return lead_id
    return None


async def _lead_person(
    db: database.Connection, site_id: int, lead_id: UUID
) -> UUID | None:
    found: UUID | None = await db.fetchval(
        "SELECT person_id FROM leads WHERE site_id = $1 AND id = $2", site_id, lead_id
    )
    return found


async def _latest_lead(
    db: database.Connection, site_id: int, person_id: UUID, at: datetime
) -> UUID | None:
    """The interest that the person had when the deal was opened."""
    found: UUID | None = await db.fetchval(
        """
        SELECT id FROM leads
         WHERE site_id = $1 AND person_id = $2 AND opened_at <= $3
         ORDER BY opened_at DESC LIMIT 1
        """,
        site_id,
        person_id,
        at + SKEW,
    )
    return found


# The row --------------------------------------------------------------------------------


def _merged(
    site: Site,
    deal: Deal,
    old: asyncpg.Record | None,
    person_id: UUID | None,
    lead_id: UUID | None,
    at: datetime,
) -> dict[str, Any]:
    """The whole deal: what is told, and what is known where nothing is told."""

    def known(name: str, default: Any) -> Any:
        told = getattr(deal, name)
        if told is not None:
            return told
        return old[name] if old is not None else default

    updated_at = deal.updated_at or max(at, old["updated_at"] if old else at)
    return {
        "person_id": person_id,
        "lead_id": lead_id,
        "title": known("title", ""),
        "stage": known("stage", ""),
        "state": deal.state,
        "amount": known("amount", Decimal(0)).quantize(_CENT),
        "currency": known("currency", site.currency),
        "manager": known("manager", ""),
        "opened_at": known("opened_at", updated_at),
        "closed_at": _closed_at(deal, old, updated_at),
        "updated_at": updated_at,
    }


def _closed_at(
    deal: Deal, old: asyncpg.Record | None, updated_at: datetime
) -> datetime | None:
    """When it was finished: as told, else when we first heard that it is."""
    if deal.state not in FINISHED:
        return None
    if deal.closed_at is not None:
        return deal.closed_at
    if old is not None and old["state"] == deal.state:
        closed_at: datetime | None = old["closed_at"]
        return closed_at
    return updated_at


async def _touch(
    db: database.Connection, site_id: int, id_: UUID, updated_at: datetime
) -> None:
    await db.execute(
        "UPDATE deals SET updated_at = $3 "
        "WHERE site_id = $1 AND id = $2 AND updated_at < $3",
        site_id,
        id_,
        updated_at,
    )


async def _write(
    db: database.Connection,
    site_id: int,
    id_: UUID,
    crm: str,
    crm_id: str,
    new: dict[str, Any],
) -> None:
    await db.execute(
        """
        INSERT INTO deals (site_id, id, crm, crm_id, person_id, lead_id, title, stage, state,
                           amount, currency, manager, opened_at, closed_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (site_id, id) DO UPDATE
           SET person_id = excluded.person_id, lead_id = excluded.lead_id,
               title = excluded.title, stage = excluded.stage, state = excluded.state,
               amount = excluded.amount, currency = excluded.currency,
               manager = excluded.manager, opened_at = excluded.opened_at,
               closed_at = excluded.closed_at, updated_at = excluded.updated_at
        """,
        site_id,
        id_,
        crm,
        crm_id,
        *(new[name] for name in _CONTENT),
        new["updated_at"],
    )


# What follows from it -------------------------------------------------------------------


async def _settle_leads(
    db: database.Connection,
    site: Site,
    old: asyncpg.Record | None,
    new: dict[str, Any],
    at: datetime,
) -> None:
    """A lead is won when any of its deals is, lost when all are, open otherwise."""
    touched = {new["lead_id"]} if new["state"] in FINISHED else set()
    if old is not None and old["state"] in FINISHED:
        touched |= {old["lead_id"], new["lead_id"]}
    for lead_id in sorted(touched - {None}, key=str):
        rows = await db.fetch(
            "SELECT state, closed_at FROM deals WHERE site_id = $1 AND lead_id = $2",
            site.id,
            lead_id,
        )
        states = {row["state"] for row in rows}
        state = "won" if "won" in states else "open"
        if states == {"lost"}:
            state = "lost"
        closed = [row["closed_at"] for row in rows if row["state"] == state]
        await leads.close(
            db, site.id, lead_id, state=state, at=max(filter(None, closed), default=at)
        )


async def _mark(
    db: database.Connection,
    site: Site,
    old: asyncpg.Record | None,
    new: dict[str, Any],
) -> None:
    """The days it was and is finished on, and that of its lead."""
    opened_at = None
    if new["lead_id"] is not None:
        opened_at = await db.fetchval(
            "SELECT opened_at FROM leads WHERE site_id = $1 AND id = $2",
            site.id,
            new["lead_id"],
        )
    before = old["closed_at"] if old else None
    await stale.mark(db, site, before, new["closed_at"], opened_at)


async def _owe(
    db: database.Connection,
    site: Site,
    id_: UUID,
    old: asyncpg.Record | None,
    new: dict[str, Any],
    at: datetime,
) -> None:
    events = [] if old else ["deal.created"]
    if new["state"] in FINISHED and (old is None or old["state"] != new["state"]):
        events.append(f"deal.{new['state']}")
    for event in events or ["deal.updated"]:
        await deliveries.owe(
            db,
            site,
            event=event,
            key=f"{event}:{id_}:{_revision(new)}",
            lead_id=new["lead_id"],
            deal_id=id_,
            at=at,
        )


def _revision(new: dict[str, Any]) -> str:
    """Differs whenever something is different, also from what has been before."""
    text = "\x1f".join(str(new[name]) for name in (*_CONTENT, "updated_at"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


# Reading --------------------------------------------------------------------------------


async def page(
    db: database.Db,
    site_id: int,
    *,
    after: int = 0,
    limit: int = 100,
    since: datetime | None = None,
    until: datetime | None = None,
    state: str | None = None,
) -> list[tuple[int, UUID]]:
    """Deals in the order we first heard of them, each with its place in that order.

    `since` and `until` (not included) bound when the deal was opened.
    """
    rows = await db.fetch(
        """
        SELECT seq, id FROM deals
         WHERE site_id = $1 AND seq > $2
           AND ($3::timestamptz IS NULL OR opened_at >= $3)
           AND ($4::timestamptz IS NULL OR opened_at < $4)
           AND ($5::text IS NULL OR state = $5)
         ORDER BY seq LIMIT $6
        """,
        site_id,
        after,
        since,
        until,
        state,
        limit,
    )
    return [(row["seq"], row["id"]) for row in rows]
