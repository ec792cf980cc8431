"""What each call was credited to, and what that says about the next one.

The nil session stands for "none of them". A call is credited once: told twice, the first
credit stands.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from numberpool import db as sql
from numberpool import ledger, past, posterior

NIL = UUID(int=0)
PATIENCE = 600.0  # seconds, for very many calls at once
MOST_VISITORS = 50  # of one phone; a switchboard's outgoing number may have very many


async def credit(
    db: sql.Db,
    *,
    site_id: int,
    pool_id: int,
    call_id: UUID,
    number: str,
    caller: str | None,
    at: datetime,
    answer: posterior.Answer,
) -> None:
    """Remember whom a call was laid to; harmless when told twice."""
    await write(
        db,
        site_id=site_id,
        pool_id=pool_id,
        call_id=call_id,
        number=number,
        caller=caller,
        at=at,
        none=answer.none,
        given=[
            (one.session_id, one.visitor_id, one.weight) for one in answer.candidates
        ],
    )


async def write(
    db: sql.Db,
    *,
    site_id: int,
    pool_id: int,
    call_id: UUID,
    number: str,
    caller: str | None,
    at: datetime,
    none: float,
    given: Iterable[tuple[UUID, UUID, float]],
) -> None:
    """The same from weights alone, those of (session, visitor, weight)."""
    rows = [(NIL, NIL, none), *(one for one in given if one[2] > past.LEAST)]
    await db.execute(
        """
        INSERT INTO credits (site_id, call_id, session_id, visitor_id, pool_id, number,
                             caller, at, weight)
        SELECT $1, $2, session_id, visitor_id, $3, $4, $5, $6, weight
          FROM unnest($7::uuid[], $8::uuid[], $9::float8[])
               AS given (session_id, visitor_id, weight)
         WHERE NOT EXISTS (SELECT FROM credits WHERE site_id = $1 AND call_id = $2)
        ON CONFLICT DO NOTHING
        """,
        site_id,
        call_id,
        pool_id,
        number,
        caller,
        at,
        *sql.columns(rows, 3),
    )


async def set_aside(
    db: sql.Connection, *, site_id: int, call_ids: Sequence[UUID]
) -> None:
    """Forget, until the transaction ends, whom these calls were laid to.

    They are then credited anew one after another, each knowing only those before it.
    """
    await db.execute(
        "CREATE TEMPORARY TABLE credits_aside (LIKE credits) ON COMMIT DROP"
    )
    await db.execute(
        """
        WITH gone AS (
            DELETE FROM credits WHERE site_id = $1 AND call_id = ANY ($2::uuid[]) RETURNING *
        )
        INSERT INTO credits_aside SELECT * FROM gone
        """,
        site_id,
        list(call_ids),
        timeout=PATIENCE,
    )


async def put_back(
    db: sql.Connection, *, site_id: int, call_ids: Sequence[UUID]
) -> None:
    """Undo `set_aside` and all that was credited to these calls since."""
    await db.execute(
        "DELETE FROM credits WHERE site_id = $1 AND call_id = ANY ($2::uuid[])",
        site_id,
        list(call_ids),
        timeout=PATIENCE,
    )
    await db.execute(
        "INSERT INTO credits SELECT * FROM credits_aside", timeout=PATIENCE
    )


async def evidence(
    db: sql.Db,
    *,
    site_id: int,
    pool_id: int,
    number: str,
    caller: str | None,
    at: datetime,
    call_id: UUID = NIL,
    reveals: bool = True,
) -> tuple[list[posterior.Holding], posterior.Memory]:
    """All that `posterior.weigh` needs about a call, as known at its moment.

    `call_id` is the call itself: what it was credited with before does not count.
    `reveals` tells whether the site sends any.
    """
    last, own = None, {}
    if caller is not None:
        last = await _last_call(
            db, site_id=site_id, pool_id=pool_id, caller=caller, at=at, but=call_id
        )
        if last is not None:
            own = await _own(
                db, site_id=site_id, pool_id=pool_id, caller=caller, at=at, but=call_id
            )
    holdings = await ledger.holders(
        db,
        site_id=site_id,
        number=number,
        at=at,
        reveals=reveals,
        sessions=last.weights if last else (),
        visitors=own,
    )
    credited, other = await _given(
        db, site_id=site_id, holdings=holdings, caller=caller, at=at, but=call_id
    )
    memory = posterior.Memory(
        withheld=caller is None, last=last, own=own, other=other, credited=credited
    )
    return holdings, memory


async def _last_call(
    db: sql.Db, *, site_id: int, pool_id: int, caller: str, at: datetime, but: UUID
) -> posterior.LastCall | None:
    rows = await db.fetch(
        """
        SELECT number, at, session_id, weight
          FROM credits
         WHERE site_id = $1
           AND call_id = (SELECT call_id
                            FROM credits
                           WHERE site_id = $1 AND pool_id = $2 AND caller = $3
                             AND at < $4 AND call_id <> $5
                           ORDER BY at DESC, call_id
                           LIMIT 1)
        """,
        site_id,
        pool_id,
        caller,
        at,
        but,
    )
    if not rows:
        return None
    weights = {row["session_id"]: row["weight"] for row in rows}
    return posterior.LastCall(
        at=rows[0]["at"].timestamp(),
        number=rows[0]["number"],
        none=weights.pop(NIL, 0.0),
        weights=weights,
    )


async def _own(
    db: sql.Db, *, site_id: int, pool_id: int, caller: str, at: datetime, but: UUID
) -> dict[UUID, float]:
    """The largest weight with which this phone was credited to each visitor."""
    rows = await db.fetch(
        """
        SELECT visitor_id, max(weight) AS weight
          FROM credits
         WHERE site_id = $1 AND pool_id = $2 AND caller = $3 AND at < $4
           AND call_id <> $5 AND session_id <> $6
         GROUP BY visitor_id
         ORDER BY weight DESC, visitor_id
         LIMIT $7
        """,
        site_id,
        pool_id,
        caller,
        at,
        but,
        NIL,
        MOST_VISITORS,
    )
    return {row["visitor_id"]: row["weight"] for row in rows}


async def _given(
    db: sql.Db,
    *,
    site_id: int,
    holdings: Sequence[posterior.Holding],
    caller: str | None,
    at: datetime,
    but: UUID,
) -> tuple[dict[UUID, float], dict[UUID, float]]:
    """By session, the mass of calls it was given; by visitor, the most of another phone.

    A phone's largest weight counts: calling again, it claims a session no more than before.
    """
    sessions = {one.session_id for one in holdings}
    visitors = {one.visitor_id for one in holdings}
    rows = await db.fetch(
        """
        SELECT session_id, visitor_id, caller, max(weight) AS weight
          FROM credits
         WHERE site_id = $1 AND at < $2 AND call_id <> $3
           AND (session_id = ANY ($4::uuid[]) OR visitor_id = ANY ($5::uuid[]))
         GROUP BY session_id, visitor_id, caller, CASE WHEN caller IS NULL THEN call_id END
        """,
        site_id,
        at,
        but,
        list(sessions),
        list(visitors),
    )
    credited: dict[UUID, float] = {}
    other: dict[UUID, float] = {}
    for row in rows:
        session, visitor, weight = row["session_id"], row["visitor_id"], row["weight"]
        if session in sessions:
            credited[session] = 1 - (1 - credited.get(session, 0.0)) * (1 - weight)
        if row["caller"] is not None and row["caller"] != caller:
            other[visitor] = max(other.get(visitor, 0.0), weight)
    return credited, other
