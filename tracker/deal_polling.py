"""Brings deals back from Bitrix24: what changed there since the last look becomes our deals.

Every few minutes, with an overlap, by `crm.item.list`; pages go by id, so nothing is missed
when deals change meanwhile. A deal is tied to our lead by `ORIGIN_ID` or by what we made or
took up there (`deals.upsert` knows), and to a person by its contact's phones and emails.
https://github.com/bitrix24/b24restdocs, api-reference/crm/universal
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import aiohttp

from numberpool import phones
from tracker import connection_states, deals, destinations, sites
from tracker import db as database
from tracker.destinations.bitrix24 import Bitrix24
from tracker.destinations.bitrix24_fields import MOST_VALUES, ORIGINATOR
from tracker.destinations.bitrix24_rest import Portal
from tracker.destinations.wire import Paces, Wire, secrets_of
from tracker.errors import BadInput, DeliveryFailed

log = logging.getLogger(__name__)

AT_ONCE = 4  # portals
DEAL = 2  # entityTypeId
PAGE = 50  # always, says the portal
MOST_PAGES = 400  # in one go; the rest comes next time
OVERLAP = timedelta(minutes=10)  # clocks differ, and changes are written late
FIRST_LOOK = timedelta(days=90)  # how far back the first poll goes
MOST_TEXT = 255
MOST_AMOUNT = Decimal(10) ** 15
STATES = {"P": "open", "S": "won", "F": "lost"}
SELECT = (
    "id",
    "title",
    "stageId",
    "stageSemanticId",
    "opportunity",
    "currencyId",
    "assignedById",
    "contactId",
    "leadId",
    "originatorId",
    "originId",
    "createdTime",
    "updatedTime",
    "movedTime",
)


@dataclass(slots=True)
class _Poll:
    """One look at one portal."""

    site: sites.Site
    connection: sites.Connection
    destination: Bitrix24
    http: aiohttp.ClientSession
    paces: Paces
    at: datetime
    managers: dict[str, str] = field(default_factory=dict)  # names by user id

    @property
    def portal(self) -> Portal:
        """A fresh line: what a poll reads is not kept."""
        secrets = secrets_of(self.destination.secrets())
        return self.destination.portal(Wire(self.http, self.paces, secrets), self.at)


async def poll_due(
    pool: database.Pool,
    directory: sites.Directory,
    http: aiohttp.ClientSession,
    paces: Paces,
    *,
    at: datetime,
) -> None:
    """Poll every portal whose turn it is; one that fails does not stop the others."""
    due = []
    for site in directory.now.by_id.values():
        for connection in site.connections:
            destination = _polled(connection)
            if destination is None:
                continue
            until = at + timedelta(minutes=destination.poll_minutes)
            if await connection_states.claim_poll(
                pool, site.id, connection.id, at=at, until=until
            ):
                due.append(_Poll(site, connection, destination, http, paces, at))
    room = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_guarded(pool, poll, room) for poll in due))


async def _guarded(pool: database.Pool, poll: _Poll, room: asyncio.Semaphore) -> None:
    async with room:
        try:
            await _poll(pool, poll)
        except Exception:  # a bug, or PostgreSQL went away: the next turn comes
            log.exception("polling crashed", extra={"connection": poll.connection.id})


def _polled(connection: sites.Connection) -> Bitrix24 | None:
    if connection.role != "destination" or connection.kind != Bitrix24.kind:
        return None
    try:
        destination = destinations.read(connection.kind, connection.settings)
    except BadInput:
        return None  # the deliveries say so already
    polled = isinstance(destination, Bitrix24) and destination.poll_deals
    return destination if polled and isinstance(destination, Bitrix24) else None


async def _poll(pool: database.Pool, poll: _Poll) -> None:
    place = poll.site.id, poll.connection.id
    state = await connection_states.find(pool, *place)
    try:
        since = await _bring(pool, poll, _since(state.mark, poll.at))
    except DeliveryFailed as error:
        log.warning("deals not polled", extra={"connection": poll.connection.id})
        if error.broken:
            text = f"deals cannot be read: {error}"
            await connection_states.fault(pool, *place, text, poll.at)
            await connection_states.set_mark(pool, *place, {"poll_fault": True})
        return
    await connection_states.set_mark(
        pool, *place, {"deals_since": since.isoformat(), "poll_fault": False}
    )
    if state.mark.get("poll_fault"):
        await connection_states.clear(pool, *place)


def _since(mark: dict[str, Any], at: datetime) -> datetime:
    try:
        return datetime.fromisoformat(str(mark.get("deals_since"))) - OVERLAP
    except ValueError:
        return at - FIRST_LOOK


async def _bring(pool: database.Pool, poll: _Poll, since: datetime) -> datetime:
    """Read and write page after page; returns from when to look the next time."""
    last = 0
    for _ in range(MOST_PAGES):
        rows = await _page(poll.portal, since, last)
        if rows:
            await _write(pool, poll, rows)
            last = int(rows[-1]["id"])
        if len(rows) < PAGE:
            return poll.at
    return since + OVERLAP  # not all was seen: the same period again


async def _page(portal: Portal, since: datetime, last: int) -> list[dict[str, Any]]:
    result = await portal.call(
        "crm.item.list",
        entityTypeId=DEAL,
        select=SELECT,
        filter={">id": last, ">=updatedTime": since.isoformat(timespec="seconds")},
        order={"id": "ASC"},
        start=-1,
    )
    rows = result.get("items") if isinstance(result, dict) else None
    found = [row for row in rows or [] if isinstance(row, dict)]
    if any(not str(row.get("id", "")).isdigit() for row in found):
        raise DeliveryFailed("crm.item.list: a deal has no id")
    return found


async def _write(
    pool: database.Pool, poll: _Poll, rows: Sequence[dict[str, Any]]
) -> None:
    ours = await _our_leads(pool, poll.site.id, rows)
    cards = await _cards(poll.portal, rows)
    await _name_managers(poll, rows)
    async with pool.acquire() as db:
        for row in rows:
            deal = _deal(poll, row, ours, cards.get(str(row.get("contactId"))) or {})
            try:
                await deals.upsert(
                    db, poll.site, deal, crm=poll.connection.name, at=poll.at
                )
            except BadInput as error:
                log.warning(
                    "deal not taken", extra={"deal": deal.crm_id, "why": str(error)}
                )


async def _our_leads(
    pool: database.Pool, site_id: int, rows: Sequence[dict[str, Any]]
) -> set[UUID]:
    """Those leads named by the deals' origin that we really have."""
    named = [lead for lead in map(_origin, rows) if lead is not None]
    found = await pool.fetch(
        "SELECT id FROM leads WHERE site_id = $1 AND id = ANY($2::uuid[])",
        site_id,
        named,
    )
    return {row["id"] for row in found}


def _origin(row: dict[str, Any]) -> UUID | None:
    if row.get("originatorId") != ORIGINATOR:
        return None
    try:
        return UUID(str(row.get("originId")))
    except ValueError:
        return None


async def _cards(
    portal: Portal, rows: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The contacts of these deals with their phones and emails, by their ids."""
    ids = sorted({str(row["contactId"]) for row in rows if row.get("contactId")})
    if not ids:
        return {}
    found = await portal.rows(
        "crm.contact.list",
        filter={"@ID": ids},
        select=["ID", "PHONE", "EMAIL"],
        start=-1,
    )
    return {str(card.get("ID")): card for card in found}


async def _name_managers(poll: _Poll, rows: Sequence[dict[str, Any]]) -> None:
    """Learn the names of those not yet known; without the right to, their ids serve."""
    ids = {str(row.get("assignedById") or "") for row in rows} - {""}
    missing = sorted(ids - set(poll.managers))
    if not missing:
        return
    poll.managers |= {id_: id_ for id_ in missing}
    try:
        people = await poll.portal.rows("user.get", filter={"@ID": missing})
    except DeliveryFailed:
        return
    for one in people:
        name = f"{one.get('NAME') or ''} {one.get('LAST_NAME') or ''}".strip()
        if name and str(one.get("ID")) in ids:
            poll.managers[str(one["ID"])] = name[:MOST_TEXT]


# One row ----------------------------------------------------------------------------------


def _deal(
    poll: _Poll, row: dict[str, Any], ours: set[UUID], card: dict[str, Any]
) -> deals.Deal:
    """A row of `crm.item.list`, in our words."""
    state = _state(row)
    lead = _origin(row)
    country = poll.site.rules.country
    phones_ = (phones.e164(text, country) for text in _values(card, "PHONE"))
    return deals.Deal(
        crm_id=str(row["id"]),
        state=state,
        title=str(row.get("title") or "")[:MOST_TEXT],
        stage=str(row.get("stageId") or "")[:MOST_TEXT],
        amount=_amount(row.get("opportunity")),
        currency=_currency(row.get("currencyId")),
        manager=poll.managers.get(str(row.get("assignedById") or "")),
        opened_at=_moment(row.get("createdTime")),
        closed_at=_moment(row.get("movedTime")) if state != "open" else None,
        updated_at=_moment(row.get("updatedTime")),
        phones=[phone for phone in phones_ if phone],
        emails=[text for text in _values(card, "EMAIL") if "@" in text],
        lead_id=lead if lead in ours else None,
        remote_lead=str(row["leadId"]) if row.get("leadId") else None,
    )


def _state(row: dict[str, Any]) -> str:
    """By the stage's meaning; a stage of unknown meaning by its usual name."""
    meaning = STATES.get(str(row.get("stageSemanticId") or ""))
    if meaning is not None:
        return meaning
    stage = str(row.get("stageId") or "").rpartition(":")[2]
    return {"WON": "won", "LOSE": "lost"}.get(stage, "open")


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < MOST_AMOUNT else None


def _currency(value: Any) -> str | None:
    text = str(value or "").upper()
    return text if len(text) == 3 and text.isascii() and text.isalpha() else None


def _moment(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def _values(card: dict[str, Any], name: str) -> list[str]:
    """The phones or emails of a contact: a list of records with VALUE."""
    found = card.get(name)
    records = found if isinstance(found, list) else []
    texts = [str(one.get("VALUE") or "") for one in records if isinstance(one, dict)]
    return [text[:MOST_TEXT] for text in texts if text][:MOST_VALUES]
