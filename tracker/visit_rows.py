"""What is known of visits, and the one statement that writes a whole batch of them.

Sessions, visitors, pages and sources are written here; the leases and aliases of the batch by
the fragments that `numberpool.ledger` and `numberpool.aliases` give, in the same statement,
so that a number or an address is durable before anybody sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from numberpool import aliases, ledger, lending
from tracker import db as database
from tracker import ids as identifiers
from tracker import source_rows, sources

URL = 2048  # characters kept of an address


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A session as it stands."""

    site_id: int
    id: UUID
    visitor_id: UUID
    last_seen_at: datetime
    source: sources.Source
    source_id: int
    raw_source_id: int
    click_ids: dict[str, str]
    numbers: dict[int, str]  # held, by pool
    aliases: dict[int, str]  # local parts, by mailbox
    has_read: bool  # it was about to read a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A visitor's latest significant source."""

    significant: sources.Source | None
    significant_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    sessions: dict[UUID, Past] = field(default_factory=dict)
    visitors: dict[tuple[int, UUID], Visitor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All that one visit writes."""

    site_id: int
    session: UUID
    visitor: UUID
    at: datetime
    new: bool
    page: str | None
    landing: sources.Landing
    source: sources.Source
    source_id: int
    device: str
    url: str
    referrer: str
    ids: dict[str, str]
    test: bool
    loans: list[tuple[int, lending.Loan]]
    seen: bool
    aliases: list[tuple[int, aliases.Alias]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """What was really written: only this may be shown."""

    granted: set[tuple[UUID, str]]
    minted: set[str]


NOTHING = Known()


async def known(
    db: database.Db,
    *,
    sessions: Sequence[UUID],
    visitors: Sequence[UUID],
    sites: Sequence[int],
) -> Known:
    """What is known of these sessions and visitors."""
    if not sessions and not visitors:
        return NOTHING
    minted = [one for one in sessions if identifiers.minted(one)]
    past = await _sessions(db, minted) if minted else {}
    people = {*visitors, *(one.visitor_id for one in past.values())}
    return Known(
        sessions=past, visitors=await _visitors(db, sorted(set(sites)), list(people))
    )


async def _sessions(db: database.Db, wanted: list[UUID]) -> dict[UUID, Past]:
    rows = await db.fetch(
        """
        SELECT s.site_id, s.id, s.visitor_id, s.last_seen_at, s.source_id, s.raw_source_id,
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
        source=_source(row) or sources.DIRECT,
        source_id=row["source_id"],
        raw_source_id=row["raw_source_id"],
        click_ids=row["click_ids"] or {},
        numbers={int(pool): number for pool, number in (row["numbers"] or {}).items()},
        aliases={
            int(box): aliases.Alias(**one).local_part
            for box, one in (row["aliases"] or {}).items()
        },
        has_read=row["has_read"],
    )


def _source(row: asyncpg.Record) -> sources.Source | None:
    if row["channel"] is None:
        return None
    return sources.Source(
        channel=row["channel"],
        source=row["source"],
        medium=row["medium"],
        campaign=row["campaign"],
        content=row["content"],
        term=row["term"],
    )


async def _visitors(
    db: database.Db, sites: list[int], wanted: list[UUID]
) -> dict[tuple[int, UUID], Visitor]:
    rows = await db.fetch(
        """
        SELECT v.site_id, v.id, v.significant_at,
               o.channel, o.source, o.medium, o.campaign, o.content, o.term
          FROM visitors v
          LEFT JOIN sources o ON o.site_id = v.site_id AND o.id = v.significant_id
         WHERE v.site_id = ANY($1::int[]) AND v.id = ANY($2::uuid[])
        """,
        sites,
        wanted,
    )
    return {
        (row["site_id"], row["id"]): Visitor(
            significant=_source(row), significant_at=row["significant_at"]
        )
        for row in rows
    }


async def write(db: database.Db, batch: Sequence[Rows]) -> Stood:
    """Write the batch in one statement and one commit."""
    rows = await db.fetch(_STATEMENT, *_arguments(batch))
    return Stood(
        granted={(row["session_id"], row["what"]) for row in rows if row["session_id"]},
        minted={row["what"] for row in rows if not row["session_id"]},
    )


def _arguments(batch: Sequence[Rows]) -> list[list[Any]]:
    new = [one for one in batch if one.new]
    distinct = {
        (one.site_id, source_rows.source_id(source)): source_rows.row(
            one.site_id, source
        )
        for one in new
        for source in (one.source, one.landing.source)
    }
    visitors = {(one.site_id, one.visitor): _visitor(one) for one in batch}
    return [
        *database.columns(sorted(distinct.values()), 8),
        *database.columns([visitors[key] for key in sorted(visitors)], 5),
        *database.columns([_session(one) for one in new], 12),
        *database.columns([_again(one) for one in batch if not one.new], 4),
        *database.columns(
            [
                (one.site_id, one.session, one.at, one.page[:URL])
                for one in batch
                if one.page is not None
            ],
            4,
        ),
        *ledger.columns([grant for one in batch for grant in _grants(one)]),
        *aliases.columns([minting for one in batch for minting in _mintings(one)]),
    ]


def _visitor(one: Rows) -> tuple[Any, ...]:
    significant = (
        source_rows.source_id(one.landing.source)
        if (one.new and one.landing.significant)
        else None
    )
    return (
        one.site_id,
        one.visitor,
        one.at,
        significant,
        one.at if significant else None,
    )


def _session(one: Rows) -> tuple[Any, ...]:
    return (
        one.site_id,
        one.session,
        one.visitor,
        one.at,
        one.source_id,
        source_rows.source_id(one.landing.source),
        one.landing.rule,
        one.device,
        one.url[:URL],
        one.referrer[:URL],
        _details(one),
        one.test,
    )


def _details(one: Rows) -> dict[str, Any] | None:
    details: dict[str, Any] = {}
    if one.landing.click_ids:
        details["click_ids"] = one.landing.click_ids
    if one.landing.labels:
        details["labels"] = one.landing.labels
    if one.ids:
        details["ids"] = one.ids
    return details or None


def _again(one: Rows) -> tuple[Any, ...]:
    return (one.site_id, one.session, one.at, {"ids": one.ids} if one.ids else None)


def _grants(one: Rows) -> list[ledger.Grant]:
    return [
        ledger.Grant(
            site_id=one.site_id,
            pool_id=pool_id,
            epoch=loan.epoch,
            number=loan.number,
            since=one.at,
            session_id=one.session,
            visitor_id=one.visitor,
            source_id=one.source_id,
            device=one.device,
            last_sign_at=one.at,
            seen_at=one.at if one.seen else None,
            shared=loan.shared,
        )
        for pool_id, loan in one.loans
        if loan.number is not None
    ]


def _mintings(one: Rows) -> list[aliases.Minting]:
    return [
        aliases.Minting(
            token=alias.token,
            site_id=one.site_id,
            mailbox_id=mailbox_id,
            base=alias.base,
            minted_at=one.at,
            session_id=one.session,
        )
        for mailbox_id, alias in one.aliases
    ]


# The columns before those of the leases and aliases: 8 + 5 + 12 + 4 + 4.
_FIRST = 34
_STATEMENT = f"""
WITH source AS (
    {source_rows.keeps(1)}
), visitor AS (
    INSERT INTO visitors AS v (site_id, id, first_seen_at, last_seen_at, first_source_id,
                               significant_id, significant_at)
    SELECT site_id, id, at, at, source_id, source_id, source_at
      FROM unnest($9::int[], $10::uuid[], $11::timestamptz[], $12::bigint[],
                  $13::timestamptz[]) AS g (site_id, id, at, source_id, source_at)
    ON CONFLICT (site_id, id) DO UPDATE SET
        last_seen_at = greatest(v.last_seen_at, excluded.last_seen_at),
        first_source_id = coalesce(v.first_source_id, excluded.first_source_id),
        significant_id = coalesce(excluded.significant_id, v.significant_id),
        significant_at = coalesce(excluded.significant_at, v.significant_at)
), fresh AS (
    INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id,
                          raw_source_id, rule, device, landing_url, referrer_url, details, test)
    SELECT site_id, id, visitor_id, at, at, source_id, raw_source_id, rule, device,
           landing_url, referrer_url, details, test
      FROM unnest($14::int[], $15::uuid[], $16::uuid[], $17::timestamptz[], $18::bigint[],
                  $19::bigint[], $20::text[], $21::text[], $22::text[], $23::text[],
                  $24::jsonb[], $25::boolean[])
           AS g (site_id, id, visitor_id, at, source_id, raw_source_id, rule, device,
                 landing_url, referrer_url, details, test)
), again AS (
    UPDATE sessions s
       SET last_seen_at = greatest(s.last_seen_at, g.at),
           details = CASE WHEN g.details IS NULL THEN s.details
                          ELSE coalesce(s.details, '{{}}') || jsonb_build_object('ids',
                               coalesce(s.details->'ids', '{{}}') || (g.details->'ids')) END
      FROM unnest($26::int[], $27::uuid[], $28::timestamptz[], $29::jsonb[])
           AS g (site_id, id, at, details)
     WHERE s.site_id = g.site_id AND s.id = g.id
), page AS (
    INSERT INTO pages (site_id, session_id, at, url)
    SELECT * FROM unnest($30::int[], $31::uuid[], $32::timestamptz[], $33::text[])
), {ledger.grants(_FIRST)}
, minted AS (
    {aliases.mints(_FIRST + ledger.WIDTH)}
)
SELECT session_id, number AS what FROM granted
UNION ALL SELECT NULL, token FROM minted
"""
