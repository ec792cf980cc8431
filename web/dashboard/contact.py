"""A contact's page: what happened, whose it may be and why, and where it was sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from tracker import contacts, deliveries, dossier, errors, journeys
from tracker.calls import Recording
from tracker.journeys import Contact, Deal, Visit
from tracker.reports import calibration
from web.dashboard import why
from web.dashboard.view import View

SHOWN_CANDIDATES = 8
STRIPS = 14  # holders in the picture
EXPLAINED = 3  # candidates whose factors are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One holder in the picture of the number; places are percents of its width."""

    session_id: UUID
    place: int | None  # among the candidates, from 1
    weight: float
    left: float
    width: float
    seen: float | None
    clicked: float | None
    shared: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Who held the number when; the call stands at `call` percent."""

    since: datetime
    until: datetime
    call: float
    strips: list[Strip]
    ticks: list[tuple[float, datetime]]


async def show(view: View) -> web.Response:
    """GET /{site}/contacts/{id}"""
    site, contact = view.here, await _get(view)
    candidates = await dossier.candidates(view.db, site.id, contact.id, contact.rule)
    held = (
        await dossier.held_around(view.db, site.id, contact.number, at=contact.at)
        if contact.number and contact.kind == "call"
        else []
    )
    journey = await journeys.of_person(view.db, site.id, contact.person_id)
    return view.render(
        "contact.html",
        tab="contacts",
        contact=contact,
        candidates=candidates[:SHOWN_CANDIDATES],
        rest=max(0.0, 1 - sum(one.weight for one in candidates[:SHOWN_CANDIDATES])),
        explained=EXPLAINED,
        factors=lambda told: why.factors(told, view.fmt, view.say),
        picture=draw(held, candidates, contact.at) if held else None,
        steps=[(_kind(step), step) for step in journey.steps],
        owed=await _deliveries(view, contact.id),
        recordings=recordings(contact),
        too_small=await calibration.too_small(
            view.db, site, contact.number, at=contact.at
        ),
    )


async def _get(view: View) -> dossier.Contact:
    try:
        id_ = UUID(view.request.match_info["id"])
    except ValueError:
        raise errors.UnknownAddress("no such contact") from None
    contact = await dossier.get(view.db, view.here.id, id_)
    if contact is None:
        raise errors.UnknownAddress("no such contact")
    return contact


def _kind(step: Visit | Contact | Deal) -> str:
    if isinstance(step, Visit):
        return "visit"
    return "contact" if isinstance(step, Contact) else "deal"


def recordings(contact: dossier.Contact) -> list[Recording]:
    """The call's recordings; an address that is not of the web is not a link."""
    told = contact.call.recordings if contact.call else ()
    return [one for one in told if one.url.startswith(("https://", "http://"))]


def draw(
    held: list[dossier.Held], candidates: list[dossier.Candidate], call: datetime
) -> Picture:
    """The picture: a strip a holder, the likely ones always among them."""
    weights = {one.session_id: (n, one.weight) for n, one in enumerate(candidates, 1)}
    shown = sorted(
        held,
        key=lambda one: (-weights.get(one.session_id, (0, 0.0))[1], call - one.since),
    )[:STRIPS]
    since = min(max(min(one.since for one in shown), call - dossier.BEFORE_CALL), call)
    until = call + timedelta(minutes=2)
    span = max((until - since).total_seconds(), 60.0)

    def at(moment: datetime | None) -> float | None:
        if moment is None or moment > until:
            return None
        return round(100 * max((moment - since).total_seconds(), 0) / span, 2)

    strips = []
    for one in sorted(shown, key=lambda one: one.since):
        place, weight = weights.get(one.session_id, (None, 0.0))
        end = min(max(one.last_sign_at, one.left_at or one.last_sign_at), until)
        left = at(one.since) or 0.0
        width = max((at(end) or 0.0) - left, 0.6)
        strips.append(
            Strip(
                session_id=one.session_id,
                place=place,
                weight=weight,
                left=left,
                width=width,
                seen=at(one.seen_at),
                clicked=at(one.clicked_at),
                shared=one.shared,
                since=one.since,
            )
        )
    ticks = [(25.0 * n, since + timedelta(seconds=span * n / 4)) for n in range(4)]
    return Picture(
        since=since, until=until, call=at(call) or 0.0, strips=strips, ticks=ticks
    )


async def _deliveries(view: View, contact_id: UUID) -> list[dict[str, Any]]:
    """Each delivery with its destination and its attempts."""
    found = []
    for one in await deliveries.of_contact(view.db, view.here.id, [contact_id]):
        attempts = await deliveries.attempts_of(view.db, view.here.id, one.id)
        found.append({"delivery": one, "attempts": attempts})
    return found


async def replay(view: View) -> web.StreamResponse:
    """POST /{site}/contacts/{id}/replay: send one delivery again."""
    contact = await _get(view)
    try:
        delivery = UUID(str(view.form.get("delivery", "")))
    except ValueError:
        raise errors.BadInput("must name a delivery", field="delivery") from None
    known = await deliveries.of_contact(view.db, view.here.id, [contact.id])
    if delivery not in {one.id for one in known}:
        raise errors.UnknownAddress("no such delivery")
    await deliveries.replay(view.db, view.here.id, delivery_id=delivery, at=view.at)
    return view.go(f"/{view.here.key}/contacts/{contact.id}?done=replayed#deliveries")


async def exclude(view: View) -> web.StreamResponse:
    """POST /{site}/contacts/{id}/exclude: spam, test, own staff, or none of them."""
    contact = await _get(view)
    reason = str(view.form.get("reason", "")) or None
    async with view.db.acquire() as db, db.transaction():
        await contacts.exclude(db, view.here, contact.id, reason, at=view.at)
    done = "excluded" if reason else "included"
    return view.go(f"/{view.here.key}/contacts/{contact.id}?done={done}")
