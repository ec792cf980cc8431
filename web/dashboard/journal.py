"""The journal page: every contact, newest first, filtered, searched and followed live."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from aiohttp import web

from tracker import journal
from tracker.sites import Site
from web import pages, words
from web.dashboard import periods
from web.dashboard.view import View

DEFAULT_PERIOD = "all"
PRESETS = ("all", "today", "yesterday", "7d", "30d", "month", "last_month")
CERTAINTIES = (50, 80, 95)  # percent


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of an address: as the query needs them, and as the form shows them."""

    filter: journal.Filter
    period: periods.Period
    values: dict[str, str]  # the query string without the cursor

    @property
    def narrowed(self) -> bool:
        """Whether anything at all is filtered."""
        return bool(self.values)


async def show(view: View) -> web.Response:
    """GET /{site}/contacts"""
    asked = read(view.query, view.here, today=view.fmt.local(view.at).date())
    page = await journal.find(
        view.db, view.here.id, asked.filter, after=cursor(view.query.get("after", ""))
    )
    return view.render(
        "journal.html",
        tab="contacts",
        asked=asked,
        page=page,
        days=by_day(view, page.rows),
        next=cursor_text(page.next) if page.next else "",
        more=view.query.get("after"),
        sources=await journal.sources(view.db, view.here.id),
        ever=bool(page.rows) or await journal.any_contact(view.db, view.here.id),
        presets=PRESETS,
        certainties=CERTAINTIES,
    )


def by_day(view: View, rows: list[journal.Row]) -> list[tuple[date, list[journal.Row]]]:
    """The rows under the days of the site's calendar."""
    days: list[tuple[date, list[journal.Row]]] = []
    for row in rows:
        day = view.fmt.local(row.at).date()
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append(row)
    return days


def read(query: Mapping[str, str], site: Site, *, today: date) -> Asked:
    """The filters of an address; what makes no sense is left out."""
    period = periods.read(query, today=today, default=DEFAULT_PERIOD)
    since, until = period.moments(site.timezone)
    certainty = query.get("certainty", "")
    wanted = journal.Filter(
        since=since,
        until=until,
        kind=_one_of(query.get("kind"), words.KINDS),
        channel=_one_of(query.get("channel"), words.CHANNELS),
        source=_clean(query.get("source")),
        campaign=_clean(query["campaign"]) if "campaign" in query else None,
        missed=query.get("missed") == "1",
        certainty=int(certainty) / 100 if certainty in map(str, CERTAINTIES) else 0.0,
        excluded=query.get("excluded") == "1",
        search=_clean(query.get("q")),
    )
    return Asked(wanted, period, _values(wanted, period))


def _values(wanted: journal.Filter, period: periods.Period) -> dict[str, str]:
    values = {
        "kind": wanted.kind,
        "channel": wanted.channel,
        "source": wanted.source,
        "missed": "1" if wanted.missed else "",
        "certainty": f"{wanted.certainty:.0%}".rstrip("%") if wanted.certainty else "",
        "excluded": "1" if wanted.excluded else "",
        "q": wanted.search,
    }
    if period.name == "custom":
        values |= {"from": str(period.since), "to": str(period.until)}
    elif period.name != DEFAULT_PERIOD:
        values["period"] = period.name
    kept = {name: value for name, value in values.items() if value}
    if wanted.campaign is not None:  # an empty campaign is one too
        kept["campaign"] = wanted.campaign
    return kept


def _one_of(value: str | None, allowed: Mapping[str, str]) -> str:
    return value if value in allowed and value else ""


def _clean(value: str | None) -> str:
    return (value or "").replace("\0", "").strip()[:200]


def cursor(text: str) -> journal.Cursor | None:
    """The place in the journal that an address names."""
    at, _, id_ = text.partition("_")
    try:
        moment = datetime.fromisoformat(at)
        place = journal.Cursor(moment, UUID(id_))
    except ValueError:
        return None
    return place if moment.tzinfo and 1970 <= moment.year <= 2200 else None


def cursor_text(place: journal.Cursor) -> str:
    """The same place for an address."""
    return f"{place.at.isoformat()}_{place.id}"


def row_text(view: View, row: journal.Row) -> str:
    """One row's HTML, for the live stream."""
    return view.text("_row.html", row=row)


def address(site: Site, **filters: str) -> str:
    """The journal with these filters, for links from other pages."""
    return f"/{site.key}/contacts{pages.query(filters)}"
