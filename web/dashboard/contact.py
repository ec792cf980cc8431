"""A contact's page: what happened, whose it may be and why, and where it was sent."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from tracker import contacts, deliveries, dossier, errors, journeys
from tracker.calls import Recording
from tracker.journeys import Contact, Deal, Visit
from tracker.reports import calibration
from web.dashboard import holders, why
from web.dashboard.view import View

SHOWN_CANDIDATES = 8
EXPLAINED = 3  # candidates whose factors are shown


async def show(view: View) -> web.Response:
    """GET /{site}/contacts/{id}"""
    site, contact = view.here, await _get(view)
    candidates = await dossier.candidates(view.db, site.id, contact.id, contact.rule)
    shown = candidates[:SHOWN_CANDIDATES]
    held = await _held(view, contact, shown)
    journey = await journeys.of_person(view.db, site.id, contact.person_id)
    return view.render(
        "contact.html",
        tab="contacts",
        contact=contact,
        candidates=shown,
        left=left_over(contact.basis, shown),
        explained=EXPLAINED,
        factors=lambda told: why.factors(told, view.fmt, view.say),
        hourly=lambda rate: why.hourly(rate, view.fmt, view.say),
        picture=holders.draw(held, candidates, contact.at) if held else None,
        visits=await dossier.sessions(
            view.db, site.id, {one.session_id for one in held}
        ),
        answers=await dossier.answers(view.db, site.id, contact.id),
        steps=[(_kind(step), step) for step in journey.steps],
        owed=await _deliveries(view, contact.id),
        recordings=recordings(contact),
        too_small=await calibration.too_small(
            view.db, site, contact.number, at=contact.at
        ),
    )


async def _held(
    view: View, contact: dossier.Contact, shown: list[dossier.Candidate]
) -> list[dossier.Held]:
    """Who held the number that was dialled."""
    if contact.kind != "call" or not contact.number:
        return []
    likely = [one.session_id for one in shown if one.session_id]
    return await dossier.held_around(
        view.db, view.here.id, contact.number, at=contact.at, likely=likely
    )


@dataclass(frozen=True, slots=True)
class Left:
    """What the candidates that are shown leave over."""

    none: float | None  # the weight of none of them; None: not told apart
    others: float  # of visits that are not shown, and of all that is not told apart


def left_over(basis: dossier.Basis | None, shown: list[dossier.Candidate]) -> Left:
    """Of none of them, and of less likely visits."""
    rest = max(0.0, 1 - sum(one.weight for one in shown))
    if basis is None:
        return Left(None, rest)
    return Left(basis.none, max(0.0, rest - basis.none))


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
