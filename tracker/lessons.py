"""A site's next model, learned anew from its own ledger.

The worker calls `learn_due`, a person `relearn`. What the last 135 days showed to whom is
counted from the leases in chunks; each call to the pools is weighed again with what was
known at its moment, by the last model; then `numberpool.learner` learns. Never from answers
alone: all sessions count, callers or not, and priors hold. Spam, tests and own staff are
left out, and truths that became known later (`truths`) have no part in it.

NumPy is needed here, so no door may import this module; its part runs in a thread.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from numberpool import credits, ledger, model, posterior
from numberpool import learner as rules
from numberpool.learner import Learner
from numberpool.model import Model
from tracker import db as database
from tracker import models, weighing
from tracker.models import Stored
from tracker.sites import Site

log = logging.getLogger(__name__)

CHUNK = 5000  # leases
MOST_CALLS = 20_000  # first calls teach no more than so many: older ones are left out
MOST_SOURCES = 500  # learned apart; addresses can tell of very many
PATIENCE = 600.0  # seconds for one statement: millions of leases on a slow disk
LEAST_CALLS = rules.LEAST_CALLS
PAUSE = timedelta(seconds=rules.LEAST_PAUSE)
EVER = datetime(2000, 1, 1, tzinfo=UTC)


async def learn_due(pool: database.Pool, site: Site, *, at: datetime) -> Stored | None:
    """Learn if enough calls have come since the last model; None: not yet.

    Several workers may ask at once: one of them learns.
    """
    if not await _due(pool, site.id, at):
        return None
    async with pool.acquire() as db, db.transaction():
        if not await _try_lock(db, site.id) or not await _due(db, site.id, at):
            return None
        last = await models.in_force(db, site.id, at=at)
        return await _next(db, site, last, last.since if last else None, at)


async def relearn(
    pool: database.Pool, site: Site, *, since: datetime | None, at: datetime
) -> Stored:
    """Forget all models, and for good what was before `since`; learn from the rest now.

    With too few calls since then the site is back on day one until enough have come.
    """
    async with pool.acquire() as db, db.transaction():
        await _lock(db, site.id)
        return await _next(db, site, None, since, at)


# When -----------------------------------------------------------------------------------


async def _due(db: database.Db, site_id: int, at: datetime) -> bool:
    last = await models.in_force(db, site_id, at=at)
    if last is not None and last.model and at - last.made_at < PAUSE:
        return False
    fresh = await _first_calls(db, site_id, _after(last), at)
    heard = last.heard if last else 0
    return fresh >= max(rules.LEAST_CALLS, rules.LEAST_GROWTH * heard)


def _after(last: Stored | None) -> datetime:
    """From when on calls are fresh."""
    if last is None:
        return EVER
    return last.made_at if last.model else last.since or EVER


async def _first_calls(
    db: database.Db, site_id: int, after: datetime, at: datetime
) -> int:
    """Calls by phones that had not called the pool before, or are withheld."""
    count: int = await db.fetchval(
        f"""
        SELECT count(*) FROM ({_CALLS}) AS called
         WHERE caller IS NULL OR NOT EXISTS (
               SELECT FROM credits earlier
                WHERE earlier.site_id = $1 AND earlier.pool_id = called.pool_id
                  AND earlier.caller = called.caller AND earlier.at < called.at)
        """,
        site_id,
        after,
        at,
        credits.NIL,
        timeout=PATIENCE,
    )
    return count


# Each weighed call once; those that are left out of figures teach nothing either.
_CALLS = """
    SELECT c.call_id, c.pool_id, c.number, c.caller, c.at
      FROM credits c
      JOIN contacts k ON k.site_id = c.site_id AND k.id = c.call_id AND k.excluded IS NULL
     WHERE c.site_id = $1 AND c.at > $2 AND c.at <= $3 AND c.session_id = $4
"""


async def _try_lock(db: database.Connection, site_id: int) -> bool:
    return bool(
        await db.fetchval(
            "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
            f"lessons/{site_id}",
        )
    )


async def _lock(db: database.Connection, site_id: int) -> None:
    await db.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        f"lessons/{site_id}",
        timeout=PATIENCE,
    )


# How --------------------------------------------------------------------------------------


async def _next(
    db: database.Connection,
    site: Site,
    last: Stored | None,
    since: datetime | None,
    at: datetime,
) -> Stored:
    """Learn the next version from what was since then, going on from the last."""
    heard = await _first_calls(db, site.id, _after(last) if last else since or EVER, at)
    learned = await _learn(db, site, last.model if last else None, since, at)
    stored = await models.add(
        db,
        site.id,
        learned,
        made_at=at,
        since=since,
        heard=heard + (last.heard if last and last.model else 0),
    )
    log.info(
        "model learned",
        extra={"site": site.id, "model": stored.name, "calls": stored.calls},
    )
    return stored


async def _learn(
    db: database.Connection,
    site: Site,
    start: Model | None,
    since: datetime | None,
    at: datetime,
) -> Model | None:
    """None: too few first calls to learn from."""
    after = max(since or EVER, at - timedelta(seconds=rules.MEMORY))
    after = max(after, await _oldest(db, site.id, after, at))
    if start is None:
        start = await _day_one(db, site, at)
    learner = Learner(timezone=site.timezone, model=start)
    await _read_leases(db, site, learner, after=after, at=at)
    await _read_calls(db, site, learner, after=after, at=at)
    if learner.heard < rules.LEAST_CALLS:
        return None
    return await asyncio.to_thread(learner.learn, at.timestamp())


async def _oldest(
    db: database.Db, site_id: int, after: datetime, at: datetime
) -> datetime:
    """From when on calls are not too many."""
    found: datetime | None = await db.fetchval(
        f"SELECT at FROM ({_CALLS}) AS called ORDER BY at DESC OFFSET $5 LIMIT 1",
        site_id,
        after,
        at,
        credits.NIL,
        MOST_CALLS,
        timeout=PATIENCE,
    )
    return found or EVER


async def _day_one(db: database.Db, site: Site, at: datetime) -> Model:
    numbers = weighing.numbers_of(site)
    busy = await ledger.traffic(db, site_id=site.id, numbers=numbers, at=at)
    return model.day_one(noise=model.day_one_noise(busy.sessions_per_second))


@dataclass(slots=True)
class _Names:
    """Sources that are learned apart; the others share a name."""

    known: set[str] = field(default_factory=set)

    def of(self, told: str | None) -> str:
        if told is not None and len(self.known) < MOST_SOURCES:
            self.known.add(told)
        return told if told is not None and told in self.known else weighing.OTHERS


async def _read_leases(
    db: database.Connection,
    site: Site,
    learner: Learner,
    *,
    after: datetime,
    at: datetime,
) -> None:
    """Count what all sessions were exposed to, those included that called nobody.

    From two weeks before `after`: such sessions may still have called then.
    """
    numbers = [one for one, told in site.numbers.items() if told.kind == "dynamic"]
    asked = (site.id, numbers, after - ledger.HORIZON, at)
    if await db.fetchval(_ANY_SEEN, *asked, timeout=PATIENCE):
        learner.revealed()  # known before the first chunk is counted
    names = _Names()
    cursor = await db.cursor(_LEASES, *asked, timeout=PATIENCE)
    while rows := await cursor.fetch(CHUNK, timeout=PATIENCE):
        await asyncio.to_thread(_recall, learner, names, rows, after, at)


def _recall(
    learner: Learner,
    names: _Names,
    rows: Sequence[asyncpg.Record],
    after: datetime,
    at: datetime,
) -> None:
    holdings = [
        posterior.Holding(
            session_id=None,  # who it was does not matter
            visitor_id=None,
            source_id=names.of(row["source"]),
            device=row["device"],
            since=row["since"],
            last_sign_at=row["last_sign_at"],
            seen_at=row["seen_at"],
            clicked_at=row["clicked_at"],
            pinged_at=row["pinged_at"],
            left_at=row["left_at"],
            first_left_at=row["first_left_at"],
        )
        for row in rows
    ]
    learner.recall(holdings, at=at.timestamp(), after=after.timestamp())


_RANGE = """
    FROM leases l
    LEFT JOIN sources s ON s.site_id = l.site_id AND s.id = l.source_id
   WHERE l.site_id = $1 AND l.number = ANY ($2::text[])
     AND l.since > $3::timestamptz AND l.since <= $4::timestamptz
"""
_ANY_SEEN = f"SELECT EXISTS (SELECT {_RANGE} AND l.seen_at IS NOT NULL AND l.clicked_at IS NULL)"
_LEASES = f"""
    SELECT {weighing.SOURCE_NAME} AS source, l.device,
           {ledger.HOLDING_MOMENTS.format(of="l")}
    {_RANGE}
"""


async def _read_calls(
    db: database.Connection,
    site: Site,
    learner: Learner,
    *,
    after: datetime,
    at: datetime,
) -> None:
    """Weigh the calls of all pools again, in order, with what was known of each then."""
    numbers = len(weighing.numbers_of(site))
    rows = await db.fetch(
        f"{_CALLS} ORDER BY c.at, c.call_id",
        site.id,
        after,
        at,
        credits.NIL,
        timeout=PATIENCE,
    )
    for row in rows:
        holdings, memory = await credits.evidence(
            db,
            site_id=site.id,
            pool_id=row["pool_id"],
            number=row["number"],
            caller=row["caller"],
            at=row["at"],
            call_id=row["call_id"],
            reveals=learner.reveals,
        )
        await _name_sources(db, site.id, learner, holdings)
        moment = row["at"].timestamp()
        answer = posterior.weigh(
            holdings,
            number=row["number"],
            at=moment,
            numbers=numbers,
            memory=memory,
            model=learner.model,
            opening=learner.opening,
            reveals=learner.reveals,
        )
        learner.called(
            answer,
            memory,
            at=moment,
            numbers=numbers,
            number=row["number"],
            caller=row["caller"],
        )


async def _name_sources(
    db: database.Db,
    site_id: int,
    learner: Learner,
    holdings: Sequence[posterior.Holding],
) -> None:
    ids = {one.source_id for one in holdings}
    names = await weighing.source_names(db, site_id, ids)
    for one in holdings:
        told = names.get(one.source_id)
        one.source_id = told if learner.knows(told) else weighing.OTHERS
