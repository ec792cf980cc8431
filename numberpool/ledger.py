"""The leases as they were: who was shown which number when, and what became of it.

PostgreSQL is the record; the live state in Valkey is made from it (`rebuild`). A number is
shown only after its grant is committed. Grants carry the epoch of the live state that
decided them, and each rebuild raises the pool's epoch, so nothing that an older state lent
can become true after a newer one was made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from numberpool import db as sql
from numberpool import lending, posterior
from numberpool.model import ENOUGH_UNSEEN
from numberpool.nodes import Client
from numberpool.pools import Pool, fingerprint

HORIZON = timedelta(days=14)  # nobody calls later, by the posterior's table
SAMPLE = 20  # numbers of a pool that tell how busy it is
TRAFFIC_PERIOD = timedelta(days=7)
LEAST_PERIOD = timedelta(hours=6)


class PoolGone(Exception):
    """The pool is no longer set up."""


class Superseded(Exception):
    """A newer live state was loaded meanwhile; lend again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A lease that is to be written before its number is shown."""

    site_id: int
    number: str
    since: datetime
    session_id: UUID
    visitor_id: UUID
    pool_id: int
    source_id: int
    device: str
    last_sign_at: datetime
    seen_at: datetime | None = None  # given at the reveal or the click
    clicked_at: datetime | None = None
    shared: bool = False
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something a session did; moves all its leases.

    `number` limits `seen` and `clicked` to the lease of that number, where the page told
    which one it was.
    """

    site_id: int
    session_id: UUID
    at: datetime
    pinged: bool = False
    seen: bool = False
    clicked: bool = False
    left: bool = False  # the only one that is no sign of life
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A number that a session holds."""

    site_id: int
    number: str
    since: datetime
    session_id: UUID
    visitor_id: UUID
    pool_id: int
    source_id: int
    device: str
    last_sign_at: datetime
    seen_at: datetime | None
    clicked_at: datetime | None
    pinged_at: datetime | None
    left_at: datetime | None
    first_left_at: datetime | None
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How busy a pool is."""

    sessions_per_second: float
    reveals: bool  # whether the site sends reveals at all


# Grants -----------------------------------------------------------------------------


def grants(asked: str) -> str:
    """Two members of a WITH list, `live` and `granted`, that write the rows of `asked`.

    `asked` names an earlier member with the columns of `Grant`. `granted` (site_id,
    session_id, pool_id, number) holds what stands, and only that may be shown. A grant of an
    older epoch is void and missing there: rebuild the pool and lend again. For a session that
    has a lease of that pool already, its number stands. The share lock makes a rebuild wait
    for the grants in flight.
    """
    return f"""
        live AS (
            SELECT site_id, id AS pool_id, epoch
              FROM pools
             WHERE (site_id, id) IN (SELECT site_id, pool_id FROM {asked})
               FOR KEY SHARE
        ),
        granted AS (
            INSERT INTO leases AS known (
                site_id, number, since, session_id, visitor_id, pool_id, source_id, device,
                last_sign_at, seen_at, clicked_at, shared
            )
            SELECT DISTINCT ON (site_id, session_id, pool_id)
                   site_id, number, since, session_id, visitor_id, pool_id, source_id, device,
                   last_sign_at, seen_at, clicked_at, shared
              FROM {asked}
              JOIN live USING (site_id, pool_id, epoch)
             ORDER BY site_id, session_id, pool_id, seen_at NULLS LAST
            ON CONFLICT (site_id, session_id, pool_id) DO UPDATE
               SET last_sign_at = greatest(known.last_sign_at, excluded.last_sign_at),
                   seen_at = least(known.seen_at, excluded.seen_at),
                   clicked_at = greatest(known.clicked_at, excluded.clicked_at)
            RETURNING known.site_id, known.session_id, known.pool_id, known.number
        )
    """


_GRANT = f"""
    WITH asked AS MATERIALIZED (
        SELECT *
          FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::uuid[], $5::uuid[],
                      $6::bigint[], $7::bigint[], $8::text[], $9::timestamptz[],
                      $10::timestamptz[], $11::timestamptz[], $12::boolean[], $13::bigint[])
               AS asked (site_id, number, since, session_id, visitor_id, pool_id, source_id,
                         device, last_sign_at, seen_at, clicked_at, shared, epoch)
    ), {grants("asked")}
    SELECT session_id, number FROM granted
"""


async def grant(db: sql.Db, asked: Sequence[Grant]) -> set[tuple[UUID, str]]:
    """Write leases by themselves; (session, number) of those that stand."""
    rows = (
        (
            one.site_id, one.number, one.since, one.session_id, one.visitor_id, one.pool_id,
            one.source_id, one.device, one.last_sign_at, one.seen_at, one.clicked_at,
            one.shared, one.epoch,
        )
        for one in asked
    )  # fmt: skip
    stood = await db.fetch(_GRANT, *sql.columns(rows, 13))
    return {(row["session_id"], row["number"]) for row in stood}


# What sessions do ---------------------------------------------------------------------


async def sign(db: sql.Db, signs: Sequence[Sign]) -> None:
    """Write what sessions did into their leases; any order, told twice is harmless."""
    rows = (
        (one.site_id, one.session_id, one.at, one.pinged, one.seen, one.clicked, one.left, one.number)
        for one in signs
    )  # fmt: skip
    # Locked in one order first, so that two processes with the same sessions never wait
    # for each other.
    await db.execute(
        """
        WITH told AS (
            SELECT *
              FROM unnest($1::int[], $2::uuid[], $3::timestamptz[], $4::boolean[],
                          $5::boolean[], $6::boolean[], $7::boolean[], $8::text[])
                   AS told (site_id, session_id, at, pinged, seen, clicked, gone, target)
        ),
        held AS (
            SELECT site_id, session_id, pool_id, number
              FROM leases
             WHERE (site_id, session_id) IN (SELECT site_id, session_id FROM told)
             ORDER BY site_id, session_id, pool_id
               FOR NO KEY UPDATE
        ),
        news AS (
            SELECT site_id, session_id, pool_id,
                   max(at) FILTER (WHERE NOT gone) AS signed,
                   max(at) FILTER (WHERE pinged) AS pinged,
                   min(at) FILTER (WHERE (seen OR clicked) AND target IN ('', number)) AS seen,
                   max(at) FILTER (WHERE clicked AND target IN ('', number)) AS clicked,
                   max(at) FILTER (WHERE gone) AS gone,
                   min(at) FILTER (WHERE gone) AS first_gone
              FROM held JOIN told USING (site_id, session_id)
             GROUP BY site_id, session_id, pool_id
        )
        UPDATE leases
           SET last_sign_at = greatest(last_sign_at, signed),
               pinged_at = greatest(pinged_at, pinged),
               seen_at = least(seen_at, seen),
               clicked_at = greatest(clicked_at, clicked),
               left_at = greatest(left_at, gone),
               first_left_at = least(first_left_at, first_gone)
          FROM news
         WHERE leases.site_id = news.site_id
           AND leases.session_id = news.session_id
           AND leases.pool_id = news.pool_id
        """,
        *sql.columns(rows, 8),
    )


_LEASE = """
    SELECT site_id, number, since, session_id, visitor_id, pool_id, source_id, device,
           last_sign_at, seen_at, clicked_at, pinged_at, left_at, first_left_at, shared
      FROM leases
"""


async def of_sessions(
    db: sql.Db, sessions: Iterable[tuple[int, UUID]]
) -> dict[UUID, list[Lease]]:
    """The leases of these sessions (site id, session id)."""
    rows = await db.fetch(
        f"{_LEASE} WHERE (site_id, session_id) IN (SELECT * FROM unnest($1::int[], $2::uuid[]))",
        *sql.columns(sessions, 2),
    )
    found: dict[UUID, list[Lease]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(Lease(**row))
    return found


async def of_session(db: sql.Db, *, site_id: int, session_id: UUID) -> list[Lease]:
    """The leases of one session, one a pool at most."""
    found = await of_sessions(db, [(site_id, session_id)])
    return found.get(session_id, [])


# The live state, made anew --------------------------------------------------------------


async def rebuild(pool_of_db: sql.Pool, redis: Client, pool: Pool, at: datetime) -> int:
    """See to it that the pool's live state is loaded and true; its epoch.

    Safe to be called by many at once: they queue at the pool's row, and who comes after
    another's rebuild finds nothing left to do. Raises `PoolGone`, `Superseded`, and what
    asyncpg and redis raise; until it has succeeded nothing is lent.
    """
    async with pool_of_db.acquire() as db, db.transaction():
        epoch = await db.fetchval(
            "SELECT epoch FROM pools WHERE site_id = $1 AND id = $2 FOR UPDATE",
            pool.site_id,
            pool.id,
        )
        if epoch is None:
            raise PoolGone(f"pool {pool.id} of site {pool.site_id} is not set up")
        loaded = await lending.loaded(redis, pool, at)
        if loaded.usable and loaded.epoch == epoch:
            return loaded.epoch
        # Past whatever was loaded too: that load's transaction may have failed after it.
        epoch = max(epoch, loaded.epoch) + 1
        await db.execute(
            "UPDATE pools SET epoch = $3 WHERE site_id = $1 AND id = $2",
            pool.site_id,
            pool.id,
            epoch,
        )
        numbers = await _numbers(db, pool)
        sessions = await _live_sessions(db, pool, at)
        now = fingerprint(
            ((one.position, one.number) for one in numbers),
            {one.number for one in numbers if one.resting},
        )
        done = await lending.load(
            redis,
            pool.id,
            epoch=epoch,
            numbers=numbers,
            sessions=sessions,
            fingerprint=now,
            # Whoever has not heard of a change: this process, or those it has overtaken.
            accepted=loaded.fingerprint
            if pool.fingerprint == now
            else pool.fingerprint,
            at=at,
        )
        if not done:
            raise Superseded(f"pool {pool.id} has a state newer than epoch {epoch}")
    return int(epoch)


async def _numbers(db: sql.Db, pool: Pool) -> list[lending.Held]:
    """The pool's numbers with their two clocks and their current holders."""
    rows = await db.fetch(
        """
        SELECT numbers.position, numbers.number, numbers.resting,
               holder.session_id AS session, holder.visitor_id AS visitor,
               coalesce(holder.shared, false) AS shared,
               holder.last_sign_at AS last_sign,
               (SELECT max(last_sign_at)
                  FROM (SELECT last_sign_at
                          FROM leases
                         WHERE site_id = numbers.site_id AND number = numbers.number
                           AND seen_at IS NOT NULL
                         ORDER BY since DESC
                         LIMIT 50) AS lately) AS last_seen
          FROM numbers
          LEFT JOIN LATERAL (
                SELECT session_id, visitor_id, shared, last_sign_at
                  FROM leases
                 WHERE site_id = numbers.site_id AND number = numbers.number
                 ORDER BY since DESC, shared DESC, session_id DESC
                 LIMIT 1
               ) AS holder ON true
         WHERE numbers.site_id = $1 AND numbers.pool_id = $2
           AND numbers.kind = 'dynamic' AND numbers.retired_at IS NULL
        """,
        pool.site_id,
        pool.id,
    )
    return [lending.Held(**row) for row in rows]


async def _live_sessions(
    db: sql.Db, pool: Pool, at: datetime
) -> list[lending.LiveSession]:
    """Sessions that may still give signs of life, holders or not."""
    rows = await db.fetch(
        """
        SELECT lease.session_id AS session, lease.number,
               lease.seen_at IS NOT NULL AS seen, lease.shared
          FROM numbers
          JOIN leases AS lease USING (site_id, number)
         WHERE numbers.site_id = $1 AND numbers.pool_id = $2
           AND numbers.kind = 'dynamic' AND numbers.retired_at IS NULL
           AND lease.pool_id = $2
           AND lease.since > $3::timestamptz - interval '1 day'
           AND lease.last_sign_at > $3::timestamptz - $4::interval
        """,
        pool.site_id,
        pool.id,
        at,
        lending.REMEMBER,
    )
    return [lending.LiveSession(**row) for row in rows]


# Evidence for a call ----------------------------------------------------------------------

# A lease's moments as a `posterior.Holding` has them, for a SELECT list.
HOLDING_MOMENTS = ", ".join(
    f"extract(epoch FROM {{of}}.{name})::float8 AS {name}"
    for name in (
        "since",
        "last_sign_at",
        "seen_at",
        "clicked_at",
        "pinged_at",
        "left_at",
        "first_left_at",
    )
)


async def holders(
    db: sql.Db,
    *,
    site_id: int,
    number: str,
    at: datetime,
    seen: int = posterior.SEEN,
    unseen: int = posterior.UNSEEN,
    reveals: bool = True,
    sessions: Iterable[UUID] = (),
    visitors: Iterable[UUID] = (),
) -> list[posterior.Holding]:
    """Who may have called this number at `at`, as known at that moment, latest first.

    The latest holders of the last 14 days: `seen` of those that had seen it by then and
    `unseen` of those that had not, or as many of them without `reveals`. Besides, whatever
    their place: the given `sessions`, and those of the given `visitors`.
    """
    rows = await db.fetch(
        f"""
        WITH found AS (
            (SELECT * FROM leases
              WHERE site_id = $1 AND number = $2 AND since <= $3 AND since > $4
                AND seen_at IS NOT NULL AND seen_at <= $3
              ORDER BY since DESC LIMIT $5)
            UNION
            (SELECT * FROM leases
              WHERE site_id = $1 AND number = $2 AND since <= $3 AND since > $4
                AND (seen_at IS NULL OR seen_at > $3)
              ORDER BY since DESC LIMIT $6)
            UNION
            SELECT * FROM leases
             WHERE site_id = $1 AND session_id = ANY ($7::uuid[])
               AND number = $2 AND since <= $3
            UNION
            SELECT * FROM leases
             WHERE site_id = $1 AND number = $2 AND since <= $3 AND since > $4
               AND visitor_id = ANY ($8::uuid[]) AND cardinality($8::uuid[]) > 0
        )
        SELECT session_id, visitor_id, source_id, device, shared,
               {HOLDING_MOMENTS.format(of="found")}
          FROM found
         ORDER BY found.since DESC, session_id
        """,
        site_id,
        number,
        at,
        at - HORIZON,
        seen,
        unseen if reveals else seen,
        list(sessions),
        list(visitors),
    )
    moment = at.timestamp()
    return [posterior.known_by(posterior.Holding(**row), moment) for row in rows]


async def traffic(
    db: sql.Db, *, site_id: int, numbers: Sequence[str], at: datetime
) -> Traffic:
    """How busy these numbers (a pool's) were in the week before; a sample stands for all."""
    sample = list(numbers[:SAMPLE])
    row = await db.fetchrow(
        """
        SELECT count(*) AS shown, min(since) AS first,
               count(*) FILTER (WHERE seen_at IS NOT NULL AND clicked_at IS NULL) AS seen
          FROM leases
         WHERE site_id = $1 AND number = ANY ($2::text[])
           AND since > $3 AND since <= $4
        """,
        site_id,
        sample,
        at - TRAFFIC_PERIOD,
        at,
    )
    if row is None or not row["shown"]:
        return Traffic(sessions_per_second=0.0, reveals=True)
    elapsed = max(at - row["first"], LEAST_PERIOD).total_seconds()
    whole = row["shown"] * len(numbers) / len(sample)
    reveals = row["seen"] > 0 or row["shown"] < ENOUGH_UNSEEN
    return Traffic(sessions_per_second=whole / elapsed, reveals=reveals)
