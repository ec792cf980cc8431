"""What is known of visits, and the one statement that writes a whole batch of them.

Sessions, visitors, pages and sources are written here; the leases and aliases of the batch by
the fragments that `numberpool.ledger` and `numberpool.aliases` give, in the same statement,
so that a number or an address is durable before anybody sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from numberpool import aliases, ledger
from tracker import db as database
from tracker import ids as identifiers
from tracker import source_rows
from tracker.sources import DIRECT, Source

URL = 2048  # characters kept of an address
LONGEST = timedelta(days=1)  # a session that goes on began within this
REMEMBERED = 50_000  # sources known to be in their table


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A session as it stands."""

    site_id: int
    id: UUID
    visitor_id: UUID
    last_seen_at: datetime
    source: Source
    source_id: int
    raw_source_id: int
    click_ids: dict[str, str]
    numbers: dict[int, str]  # held, by pool
    aliases: dict[int, str]  # local parts, by mailbox
    has_read: bool  # it was about to read a number
    landing_url: str
    device: str
    region: str
    test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    sessions: dict[UUID, Past] = field(default_factory=dict)
    # The latest significant source of a visitor within the look-back.
    significant: dict[tuple[int, UUID], Source] = field(default_factory=dict)


class Row(msgspec.Struct, kw_only=True):
    """What one visit writes, named as the columns; `n` is its place in the batch."""

    n: int
    new: bool
    site_id: int
    id: UUID
    visitor_id: UUID
    at: datetime
    source_id: int
    raw_source_id: int
    significant: bool
    rule: str
    device: str
    landing_url: str
    referrer_url: str
    details: dict[str, Any] | None
    test: bool | None  # None: as it was
    page: str | None  # a further page of a session that goes on


class LeaseRow(msgspec.Struct, kw_only=True):
    """A number the nth visit was lent."""

    n: int
    pool_id: int
    number: str
    shared: bool
    epoch: int
    seen: bool


class AliasRow(msgspec.Struct, kw_only=True):
    """An address minted for the nth visit."""

    n: int
    token: str
    mailbox_id: int
    base: str


@dataclass(slots=True)
class Batch:
    """All that the visits of one batch write."""

    rows: list[Row] = field(default_factory=list)
    leases: list[LeaseRow] = field(default_factory=list)
    aliases: list[AliasRow] = field(default_factory=list)
    sources: list[tuple[int, Source]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """What was really written: only this may be shown."""

    granted: set[tuple[UUID, str]]
    minted: set[str]


async def known(
    db: database.Db,
    *,
    sessions: Sequence[UUID],
    visitors: Sequence[tuple[int, UUID, timedelta]],
    at: datetime,
) -> Known:
    """What is known of these sessions, and of these visitors (site, id, look-back)."""
    minted = [one for one in sessions if identifiers.minted(one)]
    return Known(
        sessions=await _sessions(db, minted) if minted else {},
        significant=await _significant(db, visitors, at) if visitors else {},
    )


async def _sessions(db: database.Db, wanted: list[UUID]) -> dict[UUID, Past]:
    rows = await db.fetch(
        """
        SELECT s.site_id, s.id, s.visitor_id, s.last_seen_at, s.source_id, s.raw_source_id,
               s.landing_url, s.device, s.test, s.details->>'region' AS region,
               s.details->'click_ids' AS click_ids,
               o.channel, o.source, o.medium, o.campaign, o.content, o.term,
               (SELECT jsonb_object_agg(l.pool_id, l.number ORDER BY l.since)
                  FROM leases l WHERE l.site_id = s.site_id AND l.session_id = s.id) AS numbers,
               (SELECT jsonb_object_agg(a.mailbox_id,
                       jsonb_build_object('base', a.base, 'token', a.token))
                  FROM aliases a WHERE a.site_id = s.site_id AND a.session_id = s.id
                   AND a.retired_at IS NULL) AS aliases,
               EXISTS (SELECT FROM events e WHERE e.site_id = s.site_id AND e.session_id = s.id
                          AND e.type IN ('reveal', 'tel_click')) AS has_read
          FROM unnest($1::int[], $2::uuid[]) AS given (site_id, id)
          JOIN sessions s USING (site_id, id)
          LEFT JOIN sources o ON o.site_id = s.site_id AND o.id = s.source_id
        """,
        [identifiers.site(one) for one in wanted],
        wanted,
    )
    return {row["id"]: _past(row) for row in rows}


def _past(row: asyncpg.Record) -> Past:
    return Past(
        site_id=row["site_id"],
        id=row["id"],
        visitor_id=row["visitor_id"],
        last_seen_at=row["last_seen_at"],
        source=_source(row) or DIRECT,
        source_id=row["source_id"],
        raw_source_id=row["raw_source_id"],
        click_ids=row["click_ids"] or {},
        numbers={int(pool): number for pool, number in (row["numbers"] or {}).items()},
        aliases={
            int(box): aliases.Alias(**one).local_part
            for box, one in (row["aliases"] or {}).items()
        },
        has_read=row["has_read"],
        landing_url=row["landing_url"],
        device=row["device"],
        region=row["region"] or "",
        test=row["test"],
    )


def _source(row: asyncpg.Record) -> Source | None:
    if row["channel"] is None:
        return None
    return Source(
        channel=row["channel"],
        source=row["source"],
        medium=row["medium"],
        campaign=row["campaign"],
        content=row["content"],
        term=row["term"],
    )


async def _significant(
    db: database.Db, visitors: Sequence[tuple[int, UUID, timedelta]], at: datetime
) -> dict[tuple[int, UUID], Source]:
    rows = await db.fetch(
        """
        SELECT given.site_id, given.id,
               o.channel, o.source, o.medium, o.campaign, o.content, o.term
          FROM unnest($1::int[], $2::uuid[], $3::uuid[]) AS given (site_id, id, since)
         CROSS JOIN LATERAL (
               SELECT raw_source_id FROM sessions s
                WHERE s.site_id = given.site_id AND s.visitor_id = given.id
                  AND s.id >= given.since AND s.significant
                ORDER BY s.id DESC LIMIT 1) AS latest
          JOIN sources o ON o.site_id = given.site_id AND o.id = latest.raw_source_id
        """,
        *database.columns(
            [
                (site_id, id_, identifiers.floor(at - lookback))
                for site_id, id_, lookback in visitors
            ],
            3,
        ),
    )
    found = {(row["site_id"], row["id"]): _source(row) for row in rows}
    return {key: source for key, source in found.items() if source is not None}


async def latest(
    db: database.Db, site_id: int, visitor: UUID, *, at: datetime
) -> UUID | None:
    """The visitor's latest session of the last day."""
    found: UUID | None = await db.fetchval(
        "SELECT id FROM sessions WHERE site_id = $1 AND visitor_id = $2 AND id >= $3 "
        "ORDER BY id DESC LIMIT 1",
        site_id,
        visitor,
        identifiers.floor(at - LONGEST),
    )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A further page of a session, told by a sign of life instead of a visit."""

    site_id: int
    session: UUID
    at: datetime
    url: str
    test: bool | None  # as in `Row`


async def turn(db: database.Db, turns: Sequence[Turn]) -> None:
    """Write the pages, and what their addresses say of tests."""
    rows = [(one.site_id, one.session, one.at, one.url, one.test) for one in turns]
    await db.execute(
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1::int[], $2::uuid[], $3::timestamptz[], $4::text[],
                                 $5::boolean[]) AS g (site_id, id, at, url, test)
        ), page AS (
            INSERT INTO pages (site_id, session_id, at, url)
            SELECT g.site_id, g.id, g.at, g.url
              FROM given g JOIN sessions s USING (site_id, id)
        )
        UPDATE sessions s SET test = latest.test
          FROM (SELECT DISTINCT ON (site_id, id) site_id, id, test FROM given
                 WHERE test IS NOT NULL ORDER BY site_id, id, at DESC) AS latest
         WHERE s.site_id = latest.site_id AND s.id = latest.id
        """,
        *database.columns(rows, 5),
    )


class Writer:
    """Writes batches; remembers which sources are known to be in their table."""

    def __init__(self, db: database.Db) -> None:
        self._db = db
        self._kept: set[tuple[int, int]] = set()

    async def write(self, batch: Batch) -> Stood:
        """Write the batch in one statement and one commit."""
        texts = (batch.rows, batch.leases, batch.aliases)
        fresh = self._fresh_sources(batch)
        columns = database.columns(
            [source_rows.row(*one) for one in fresh.values()], source_rows.WIDTH
        )
        rows = await self._db.fetch(
            _FIRST_VISITS if all(row.new for row in batch.rows) else _VISITS,
            *(_encode(part).decode() for part in texts),
            *columns,
        )
        if len(self._kept) > REMEMBERED:
            self._kept.clear()
        self._kept.update(fresh)
        return Stood(
            granted={
                (row["session_id"], row["what"]) for row in rows if row["session_id"]
            },
            minted={row["what"] for row in rows if not row["session_id"]},
        )

    def _fresh_sources(self, batch: Batch) -> dict[tuple[int, int], tuple[int, Source]]:
        found = {}
        for site_id, source in batch.sources:
            key = (site_id, source_rows.source_id(source))
            if key not in self._kept:
                found[key] = (site_id, source)
        return dict(sorted(found.items()))


_encode = msgspec.json.Encoder().encode

# One JSON text for all visits: many times cheaper to make than an array for each column.
_GIVEN = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::text::json) AS g (
        n int, new boolean, site_id int, id uuid, visitor_id uuid, at timestamptz,
        source_id bigint, raw_source_id bigint, significant boolean, rule text, device text,
        landing_url text, referrer_url text, details jsonb, test boolean, page text)
), lent AS MATERIALIZED (
    SELECT g.site_id, l.number, g.at AS since, g.id AS session_id, g.visitor_id, l.pool_id,
           g.source_id, g.device, g.at AS last_sign_at,
           CASE WHEN l.seen THEN g.at END AS seen_at, NULL::timestamptz AS clicked_at,
           l.shared, l.epoch
      FROM json_to_recordset($2::text::json) AS l (
               n int, pool_id bigint, number text, shared boolean, epoch bigint, seen boolean)
      JOIN given g USING (n)
), coined AS MATERIALIZED (
    SELECT a.token, g.site_id, a.mailbox_id, g.id AS session_id, NULL::bigint AS source_id,
           a.base, g.at AS minted_at
      FROM json_to_recordset($3::text::json) AS a (
               n int, token text, mailbox_id bigint, base text)
      JOIN given g USING (n)
), source AS (
    {source_rows.keeps(4)}
), fresh AS (
    INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id,
                          raw_source_id, significant, rule, device, landing_url, referrer_url,
                          details, test)
    SELECT site_id, id, visitor_id, at, at, source_id, raw_source_id, significant, rule, device,
           landing_url, referrer_url, details, coalesce(test, false)
      FROM given WHERE new
"""
_AGAIN = """), again AS (
    UPDATE sessions s
       SET last_seen_at = greatest(s.last_seen_at, g.at),
           test = coalesce(g.test, s.test),
           details = CASE WHEN g.details IS NULL THEN s.details
                          ELSE coalesce(s.details, '{}') || jsonb_build_object('ids',
                               coalesce(s.details->'ids', '{}')
                               || coalesce(g.details->'ids', '{}')) END
      FROM given g
     WHERE NOT g.new AND s.site_id = g.site_id AND s.id = g.id
), page AS (
    INSERT INTO pages (site_id, session_id, at, url)
    SELECT site_id, id, at, page FROM given WHERE page IS NOT NULL
"""
_SHOWN = f"""), {ledger.grants("lent")}, minted AS (
    {aliases.mints("coined")}
)
SELECT session_id, number AS what FROM granted
UNION ALL SELECT NULL, token FROM minted
"""
_FIRST_VISITS = _GIVEN + _SHOWN
_VISITS = _GIVEN + _AGAIN + _SHOWN  # with sessions that go on
