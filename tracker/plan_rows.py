"""The table of plans: asked for by pages and by the day, made by the worker, read by pages.

A plan is known by its pool and its question, so whoever asks the same finds the same row.
Claiming pushes a time ahead: what a worker that died was at comes due again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from numberpool.sizing import Plan, Question
from tracker import db as database
from tracker.errors import TooMany

FRESH = timedelta(hours=24)  # the usual question is answered anew each day
FRESH_OTHER = timedelta(hours=1)  # … and others when they are asked again after this
KEPT = timedelta(days=7)  # plans nobody asks for any more
CLAIM = timedelta(minutes=2)  # pushed ahead again while a worker is at it
MOST_OPEN = 20  # questions of a site that wait
LATER = timedelta(seconds=30)  # when to come back after too many
USUAL = Question()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A question with what is known of its answer."""

    site_id: int
    pool_id: int
    question: Question
    asked_at: datetime | None
    progress: float
    made_at: datetime | None
    plan: Plan | None
    trouble: str | None

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self.asked_at is not None

    def stale(self, at: datetime, numbers: int) -> bool:
        """Whether it should be asked anew: too old, or the pool has other numbers now."""
        if self.made_at is None:
            return True
        fresh = FRESH if self.question == USUAL else FRESH_OTHER
        changed = self.plan is not None and self.plan.current != numbers
        return changed or at - self.made_at >= fresh


def key(question: Question) -> str:
    """The same for the same question."""
    text = msgspec.json.encode(question, order="sorted")
    return blake2b(text, digest_size=12).hexdigest()


_KEPT = (
    "site_id, pool_id, question, asked_at, progress, made_at, plan, trouble FROM plans"
)


async def find(
    db: database.Db, site_id: int, pool_id: int, question: Question
) -> Kept | None:
    """What is known of this question's answer."""
    row = await db.fetchrow(
        f"SELECT {_KEPT} WHERE site_id = $1 AND pool_id = $2 AND key = $3",
        site_id,
        pool_id,
        key(question),
    )
    return _kept(row) if row else None


async def ask(
    db: database.Db, site_id: int, pool_id: int, question: Question, *, at: datetime
) -> None:
    """Have it answered; harmless while it waits. Raises TooMany."""
    waiting = await db.fetchval(
        "SELECT count(*) FROM plans WHERE site_id = $1 AND asked_at IS NOT NULL",
        site_id,
    )
    if waiting >= MOST_OPEN:
        raise TooMany("too many plans are being made; try again soon", after=LATER)
    await db.execute(
        """
        INSERT INTO plans AS known (site_id, pool_id, key, question, asked_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (site_id, pool_id, key) DO UPDATE
           SET asked_at = coalesce(known.asked_at, excluded.asked_at),
               progress = CASE WHEN known.asked_at IS NULL THEN 0 ELSE known.progress END
        """,
        site_id,
        pool_id,
        key(question),
        question,
        at,
    )


async def answer(
    db: database.Db,
    site_id: int,
    pool_id: int,
    question: Question,
    *,
    numbers: int,
    at: datetime,
) -> Kept:
    """What is known, asked for when that is nothing or out of date. Raises TooMany."""
    found = await find(db, site_id, pool_id, question)
    if found is None or (not found.waiting and found.stale(at, numbers)):
        if found is not None and found.trouble and not _again(found, at):
            return found
        await ask(db, site_id, pool_id, question, at=at)
        found = await find(db, site_id, pool_id, question)
    assert found is not None  # rows go only when nobody asked for a week
    return found


def _again(found: Kept, at: datetime) -> bool:
    """Whether to try again what could not be made."""
    return found.made_at is None or at - found.made_at >= FRESH_OTHER


async def ask_usual(
    db: database.Db, pools: Iterable[tuple[int, int]], *, at: datetime
) -> None:
    """Have the usual question answered for these (site, pool) where that is due."""
    rows = [(site_id, pool_id) for site_id, pool_id in pools]
    await db.execute(
        """
        INSERT INTO plans AS known (site_id, pool_id, key, question, asked_at)
        SELECT site_id, pool_id, $3, $4, $5
          FROM unnest($1::int[], $2::bigint[]) AS pools (site_id, pool_id)
        ON CONFLICT (site_id, pool_id, key) DO UPDATE
           SET asked_at = excluded.asked_at, progress = 0
         WHERE known.asked_at IS NULL
           AND known.made_at <= excluded.asked_at - $6::interval
        """,
        *database.columns(rows, 2),
        key(USUAL),
        USUAL,
        at,
        FRESH,
    )


async def forget(db: database.Db, *, at: datetime) -> None:
    """Drop answers that nobody has asked for in a long time."""
    await db.execute(
        "DELETE FROM plans WHERE asked_at IS NULL AND made_at < $1", at - KEPT
    )


# The worker's side ------------------------------------------------------------------------


async def claim(db: database.Db, *, at: datetime) -> Kept | None:
    """The question that has waited longest; None: nobody asks."""
    row = await db.fetchrow(
        """
        WITH next AS (
            SELECT site_id, pool_id, key FROM plans
             WHERE asked_at IS NOT NULL AND (claimed_until IS NULL OR claimed_until <= $1)
             ORDER BY asked_at
             LIMIT 1
               FOR UPDATE SKIP LOCKED
        )
        UPDATE plans SET claimed_until = $2, progress = 0
          FROM next
         WHERE plans.site_id = next.site_id AND plans.pool_id = next.pool_id
           AND plans.key = next.key
        RETURNING plans.site_id, plans.pool_id, question, asked_at, progress, made_at,
                  plan, trouble
        """,
        at,
        at + CLAIM,
    )
    return _kept(row) if row else None


async def progress(db: database.Db, one: Kept, part: float, *, at: datetime) -> None:
    """Tell how much is done, and keep the claim."""
    await db.execute(
        """
        UPDATE plans SET progress = $4, claimed_until = $5
         WHERE site_id = $1 AND pool_id = $2 AND key = $3
        """,
        one.site_id,
        one.pool_id,
        key(one.question),
        part,
        at + CLAIM,
    )


async def record(
    db: database.Db, one: Kept, plan: Plan | None, *, trouble: str | None, at: datetime
) -> None:
    """Write the answer, or why there is none; an older answer then stays."""
    await db.execute(
        """
        UPDATE plans
           SET asked_at = NULL, claimed_until = NULL, progress = 1, made_at = $5,
               plan = coalesce($4, plan), trouble = $6
         WHERE site_id = $1 AND pool_id = $2 AND key = $3
        """,
        one.site_id,
        one.pool_id,
        key(one.question),
        plan,
        at,
        trouble,
    )


async def release(db: database.Db, one: Kept) -> None:
    """Give a claim back unanswered."""
    await db.execute(
        "UPDATE plans SET claimed_until = NULL "
        "WHERE site_id = $1 AND pool_id = $2 AND key = $3",
        one.site_id,
        one.pool_id,
        key(one.question),
    )


def _kept(row: Any) -> Kept:
    told = dict(row)
    told["question"] = msgspec.convert(told["question"], Question)
    told["plan"] = told["plan"] and msgspec.convert(told["plan"], Plan)
    return Kept(**told)
