"""Contacts in the order they came, for scripts that follow them by the REST API.

A place in that order is given while the contact is being written, so a contact may become
visible after one with a later place. A page that has a next one waits for such: who follows
the cursors misses nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tracker import db as database

SETTLED = timedelta(minutes=1)  # no contact takes so long to be written
PATIENCE = 1.0  # seconds to wait for those that are being written
LOOK_AGAIN = 0.01  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which contacts are wanted; every default means "all"."""

    since: datetime | None = None
    until: datetime | None = None  # not included
    kind: str | None = None  # call, email, form, message
    channel: str | None = None  # the contact channel: phone, email, form, telegram, …


@dataclass(frozen=True, slots=True)
class Page:
    """Contacts, and the place to go on from; None while there are no more."""

    ids: list[UUID]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    seq: int
    id: UUID
    updated_at: datetime


async def contacts(
    pool: database.Pool,
    site_id: int,
    wanted: Filter,
    *,
    after: int | None,
    limit: int,
    newest_first: bool = False,
    at: datetime,
) -> Page:
    """A page beyond a place; with `newest_first` the order is turned round."""
    order = "DESC" if newest_first else "ASC"
    rows = await _rows(pool, site_id, wanted, after, limit, order)
    if len(rows) <= limit:
        return Page([row.id for row in rows], None)
    if not newest_first and rows[limit - 1].updated_at > at - SETTLED:
        settled = await _settle(pool)
        rows = await _rows(pool, site_id, wanted, after, limit, order)
        if not settled:
            return Page([row.id for row in rows[:limit]], None)
    return Page([row.id for row in rows[:limit]], rows[limit - 1].seq)


async def _rows(
    pool: database.Pool,
    site_id: int,
    wanted: Filter,
    after: int | None,
    limit: int,
    order: str,
) -> Sequence[_Row]:
    """The page and one more."""
    beyond = "<" if order == "DESC" else ">"
    rows = await pool.fetch(
        f"""
        SELECT seq, id, updated_at FROM contacts
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
        limit + 1,
    )
    return [_Row(**row) for row in rows]


async def _settle(pool: database.Pool) -> bool:
    """Wait until whoever writes contacts now has finished; False when it takes too long.

    A transaction holds this lock from before it takes a place until it has ended.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    writing = await _writing(pool)
    while writing:
        if loop.time() > deadline:
            return False
        await asyncio.sleep(LOOK_AGAIN)
        writing &= await _writing(pool)
    return True


async def _writing(pool: database.Pool) -> set[str]:
    rows = await pool.fetch(
        """
        SELECT virtualtransaction FROM pg_locks
         WHERE relation = 'contacts'::regclass AND mode = 'RowExclusiveLock' AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    )
    return {row["virtualtransaction"] for row in rows}
