"""Contacts in the order they came, for scripts that follow them by the REST API."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tracker import db as database


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which contacts are wanted; every default means "all"."""

    since: datetime | None = None
    until: datetime | None = None  # not included
    kind: str | None = None  # call, email, form, message
    channel: str | None = None  # the contact channel: phone, email, form, telegram, …


async def contacts(
    db: database.Db,
    site_id: int,
    wanted: Filter,
    *,
    after: int | None,
    limit: int,
    newest_first: bool = False,
) -> list[tuple[int, UUID]]:
    """Contacts beyond a place in the order of arrival, each with its own place.

    With `newest_first` the order is turned round, and `after` means earlier ones.
    """
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    rows = await db.fetch(
        f"""
        SELECT seq, id FROM contacts
         WHERE site_id = $1 AND ($2::bigint IS NULL OR seq {beyond} $2)
           AND ($3::timestamptz IS NULL OR at >= $3)
           AND ($4::timestamptz IS NULL OR at < $4)
           AND ($5::text IS NULL OR kind = $5)
           AND ($6::text IS NULL OR channel = $6)
         ORDER BY seq {order} LIMIT $7
        """,
        site_id,
        after,
        wanted.since,
        wanted.until,
        wanted.kind,
        wanted.channel,
        limit,
    )
    return [(row["seq"], row["id"]) for row in rows]
