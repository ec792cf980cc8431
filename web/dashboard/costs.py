"""The costs form: what an advertisement cost over a period, spread over its days."""

from datetime import date
from decimal import Decimal, InvalidOperation

from aiohttp import web

from tracker import costs, errors, journal
from web.dashboard.view import View
from web.words import N_

MOST = Decimal("999999999999")  # what the column holds, and more than anybody pays
SHOWN = 100  # entries below the form
LONGEST = 200  # characters of a label

BAD_AMOUNT = N_("Write the amount as a number, e.g. 12500 or 990,50.")
BAD_DAYS = N_(
    "Choose both days; the first must not be after the last, and at most two years apart."
)
BAD_SOURCE = N_("Name the source, e.g. yandex, and the medium, e.g. cpc.")


async def show(view: View) -> web.Response:
    """GET /{site}/costs"""
    return await _page(view, {})


async def enter(view: View) -> web.StreamResponse:
    """POST /{site}/costs"""
    told = {
        name: _text(view, name)
        for name in ("amount", "from", "to", "source", "medium", "campaign")
    }
    problems: dict[str, str] = {}
    amount = _amount(told["amount"])
    since, until = _day(told["from"]), _day(told["to"])
    if amount is None:
        problems["amount"] = BAD_AMOUNT
    if since is None or until is None or since > until or (until - since).days > 731:
        problems["from"] = BAD_DAYS
    if not told["source"] or not told["medium"]:
        problems["source"] = BAD_SOURCE
    if problems or amount is None or since is None or until is None:
        return await _page(view, told, problems)
    try:
        async with view.db.acquire() as db:
            await costs.spread(
                db,
                view.here,
                source=told["source"],
                medium=told["medium"],
                campaign=told["campaign"],
                since=since,
                until=until,
                amount=amount,
            )
    except errors.BadInput as error:
        return await _page(view, told, {"amount": str(error)})
    return view.go(f"/{view.here.key}/costs?done=costs")


async def _page(
    view: View, told: dict[str, str], problems: dict[str, str] | None = None
) -> web.Response:
    today = view.fmt.local(view.at).date()
    empty = dict.fromkeys(("amount", "source", "medium", "campaign"), "")
    usual = empty | {"from": str(today.replace(day=1)), "to": str(today)}
    return view.render(
        "costs.html",
        status=400 if problems else 200,
        tab="costs",
        told=usual | told,
        problems={name: view.say(text) for name, text in (problems or {}).items()},
        sources=await journal.sources(view.db, view.here.id),
        entries=await costs.entries(view.db, view.here.id, most=SHOWN),
    )


def _text(view: View, name: str) -> str:
    value = view.form.get(name, "")
    return value.replace("\0", "").strip()[:LONGEST] if isinstance(value, str) else ""


def _amount(text: str) -> Decimal | None:
    """A sum as people type it: blanks between thousands, a comma or a point before cents."""
    plain = "".join(text.split()).replace(",", ".")
    try:
        amount = Decimal(plain)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MOST:
        return None
    return amount.quantize(Decimal("0.01"))


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None
