"""The journal: contacts newest first, filtered and searched, page after page.

Read by the dashboard only. `find` gives one page and the cursor of the next; `changed`
tells which contacts are new or different, so that an open page can follow them live.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tracker import db as database
from tracker import deliveries, models

PAGE = 50  # rows
MOST_PAGE = 500
LIVE_WINDOW = timedelta(days=2)  # a contact older than this is not followed live
MOST_CHANGES = 500  # rows of one look
MOST_SOURCES = 300  # suggestions …
MOST_LOOKED_AT = 20_000  # … out of so many rows: their number has no other bound
LONGEST_SEARCH = 100  # characters

_PHONE_LIKE = re.compile(r"[\d\s()+.\-\u2010-\u2015]+")
_TRUNK = re.compile(r"8[\s(\-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What the reader of the journal wants to see; every default means "all"."""

    since: datetime | None = None
    until: datetime | None = None  # not included
    kind: str = ""  # call, email, form, message
    channel: str = ""  # of the source
    source: str = ""
    campaign: str | None = None
    missed: bool = False
    certainty: float = 0.0  # at least
    excluded: bool = False  # show spam, tests and own staff too
    search: str = ""  # part of a phone or an email


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page; the next page begins after it."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contact as the journal shows it."""

    id: UUID
    at: datetime
    kind: str
    contact_channel: str
    caller: str | None
    email: str | None
    name: str
    text: str  # its beginning
    subject: str
    number: str | None
    channel: str  # of the source; empty: unknown
    source: str
    medium: str
    campaign: str
    certainty: float
    rule: str
    provisional: bool  # its certainty was learned from too few calls
    excluded: str | None
    outcome: str | None  # of a call; None: still on, or not a call
    answered: bool
    talk_seconds: int | None
    manager: str | None
    owed: int  # deliveries by state
    delivered: int
    dead: int
    updated_at: datetime

    @property
    def missed(self) -> bool:
        """A call that ended without an answer."""
        return self.outcome not in (None, "answered") and not self.answered

    @property
    def live(self) -> bool:
        """A call that is still ringing or talked."""
        return self.kind == "call" and self.outcome is None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the journal; `next` is None on the last one."""

    rows: list[Row]
    next: Cursor | None


async def find(
    db: database.Db,
    site_id: int,
    wanted: Filter,
    *,
    after: Cursor | None = None,
    limit: int = PAGE,
    only: Collection[UUID] | None = None,
) -> Page:
    """The contacts that fit, newest first; `only` limits them to these ids."""
    limit = min(limit, MOST_PAGE)
    where, values = _where(site_id, wanted)
    if after is not None:
        values += [after.at, after.id]
        n = len(values)
        where.append(f"c.at <= ${n - 1} AND (c.at < ${n - 1} OR c.id > ${n})")
    if only is not None:
        values.append(list(only))
        where.append(f"c.id = ANY(${len(values)}::uuid[])")
    rows = await db.fetch(
        f"""
        SELECT c.id, c.at, c.kind, c.channel AS contact_channel, c.caller, c.email, c.name,
               left(c.text, 200) AS text, coalesce(l.subject, '') AS subject, c.number,
               coalesce(s.channel, '') AS channel, coalesce(s.source, '') AS source,
               coalesce(s.medium, '') AS medium, coalesce(s.campaign, '') AS campaign,
               c.certainty, c.rule, {models.PROVISIONAL} AS provisional, c.excluded, k.outcome,
               k.answered_at IS NOT NULL AS answered, k.talk_seconds, k.manager,
               d.owed, d.delivered, d.dead, c.updated_at
          FROM contacts c
          LEFT JOIN sources s ON s.site_id = c.site_id AND s.id = c.source_id
          LEFT JOIN calls k ON k.site_id = c.site_id AND k.contact_id = c.id
          LEFT JOIN letters l ON l.site_id = c.site_id AND l.contact_id = c.id
          LEFT JOIN {models.BASIS}
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE o.state = 'owed') AS owed,
                      count(*) FILTER (WHERE o.state = 'delivered') AS delivered,
                      count(*) FILTER (WHERE o.state = 'dead' AND
                          coalesce(o.last_error, '') NOT LIKE '{deliveries.NOT_SENT}%') AS dead
                 FROM deliveries o
                WHERE o.site_id = c.site_id AND o.contact_id = c.id) d
         WHERE {" AND ".join(where)}
         ORDER BY c.at DESC, c.id
         LIMIT {limit + 1}
        """,
        *values,
    )
    found = [Row(**row) for row in rows]
    more = len(found) > limit
    found = found[:limit]
    return Page(found, Cursor(found[-1].at, found[-1].id) if more else None)


def _where(site_id: int, wanted: Filter) -> tuple[list[str], list[Any]]:
    """Conditions and their values, `$1` being the site."""
    where, values = ["c.site_id = $1"], [site_id]  # type: tuple[list[str], list[Any]]

    def add(condition: str, value: object) -> None:
        values.append(value)
        where.append(condition.format(f"${len(values)}"))

    if wanted.since is not None:
        add("c.at >= {}", wanted.since)
    if wanted.until is not None:
        add("c.at < {}", wanted.until)
    if wanted.kind:
        add("c.kind = {}", wanted.kind)
    if wanted.channel == "unknown":
        where.append("c.source_id IS NULL")
    elif wanted.channel:
        add("s.channel = {}", wanted.channel)
    if wanted.source:
        add("lower(s.source) = lower({})", wanted.source)
    if wanted.campaign is not None:
        add("lower(s.campaign) = lower({})", wanted.campaign)
    if wanted.missed:
        where.append("k.outcome <> 'answered' AND k.answered_at IS NULL")
    if wanted.certainty > 0:
        add("c.certainty >= {}", wanted.certainty)
    if not wanted.excluded:
        where.append("c.excluded IS NULL")
    if wanted.search:
        add("c.search LIKE {}", f"%{_pattern(wanted.search)}%")
    return where, values


def _pattern(text: str) -> str:
    """A fragment as `contacts.search` holds it; `8 (495) …` finds `+7495…` too."""
    text = text.strip()[:LONGEST_SEARCH].lower()
    if _PHONE_LIKE.fullmatch(text):
        digits = "".join(filter(str.isdigit, text))
        if _TRUNK.match(text) or (len(digits) == 11 and text.startswith("8")):
            digits = digits[1:]  # the Russian trunk prefix stands for +7
        text = digits or text
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def changed(
    db: database.Db, site_id: int, *, since: datetime, at: datetime
) -> list[tuple[UUID, datetime]]:
    """Recent contacts that were written since that moment, and when."""
    rows = await db.fetch(
        """
        SELECT id, updated_at FROM contacts
         WHERE site_id = $1 AND at >= $2::timestamptz AND updated_at >= $3
         ORDER BY updated_at LIMIT $4
        """,
        site_id,
        at - LIVE_WINDOW,
        since,
        MOST_CHANGES,
    )
    return [(row["id"], row["updated_at"]) for row in rows]


async def any_contact(db: database.Db, site_id: int) -> bool:
    """Whether the site has ever been contacted: an empty journal says what to do next."""
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT FROM contacts WHERE site_id = $1)", site_id
        )
    )


async def sources(db: database.Db, site_id: int) -> list[str]:
    """Names of the site's sources, for suggestions."""
    rows = await db.fetch(
        """
        SELECT DISTINCT source FROM (SELECT source FROM sources WHERE site_id = $1 LIMIT $3) AS s
         ORDER BY source LIMIT $2
        """,
        site_id,
        MOST_SOURCES,
        MOST_LOOKED_AT,
    )
    return [row["source"] for row in rows]
