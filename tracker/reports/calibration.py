"""Is the certainty true? Weights of answers against truths known without them, by pool and month.

The answer that is current for a contact is checked as it was stored; truths come from
`tracker.truths`. Calls with a known truth are easier than the others, so this checks the
probabilities and is never the site's accuracy.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from numberpool import calibration, ledger, pools
from tracker import db as database
from tracker import models, truths
from tracker.errors import BadInput
from tracker.reports import rollup
from tracker.sites import Site

YEAR = "year"  # in place of a month: the last twelve of them together
MONTHS = 12
MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
CROWDED = 200  # visits a day per number from which on certainty is no longer true
DAY_SECONDS = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How busy a pool was in the last seven days."""

    pool: pools.Pool
    visits: float  # a day and number

    @property
    def too_small(self) -> bool:
        """Whether the pool has too few numbers for its certainty to be believed."""
        return self.visits > CROWDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How weights and truths agree; days are the site's, both included."""

    since: date
    until: date
    calls: int  # weighed, whether their truth is known or not; spam left out
    mean_certainty: float | None  # of all these, as contacts show it
    checked: calibration.Calibration
    kinds: dict[truths.Kind, int]  # of the checked ones
    contradicted: int  # left out: their truths contradict each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered for one call."""

    session_id: UUID | None  # the heaviest candidate's; None: there is none
    visitor_id: UUID | None
    weight: float
    none: float  # what candidates left over


# Periods --------------------------------------------------------------------------------


def months(today: date) -> list[str]:
    """The months one can ask for, the running one first."""
    found, first = [], today.replace(day=1)
    for _ in range(MONTHS):
        found.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return found


def days(month: str, today: date) -> tuple[date, date]:
    """First and last day of a month like 2026-11, or of the last twelve (`year`).

    Raises BadInput for anything else.
    """
    if month == YEAR:
        return date.fromisoformat(f"{months(today)[-1]}-01"), today
    if not MONTH.fullmatch(month):
        raise BadInput(f"must be a month like 2026-11, or {YEAR}", field="month")
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


# The report -----------------------------------------------------------------------------


async def check(
    db: database.Db,
    site: Site,
    *,
    since: date,
    until: date,
    pool_id: int | None = None,
) -> Report:
    """Calls of these days, of one pool or of all, with a known truth against their weights."""
    first = rollup.midnight(since, site.timezone)
    end = rollup.midnight(until + rollup.DAY, site.timezone)
    found = await truths.of_calls(db, site.id, since=first, until=end, pool_id=pool_id)
    ids = [one.contact_id for one in found.truths]
    answers = await _answers(db, site.id, ids)
    calls, mean = await _weighed(db, site.id, first, end, pool_id)
    return Report(
        since=since,
        until=until,
        calls=calls,
        mean_certainty=mean,
        checked=calibration.calibrate(compare(found.truths, answers)),
        kinds=_kinds(found.truths),
        contradicted=found.contradicted,
    )


def compare(
    told: Collection[truths.Truth], answers: Mapping[UUID, Answer]
) -> list[calibration.Checked]:
    """Each truth against its call's answer; the likeliest of candidates and none counts."""
    return [_compared(one, answers[one.contact_id]) for one in told]


def _compared(truth: truths.Truth, answer: Answer) -> calibration.Checked:
    if answer.none > answer.weight:  # somebody of the site did call
        return calibration.Checked(answer.none, False, none=True)
    if truth.session_id is None:
        right = answer.visitor_id == truth.visitor_id
    else:
        right = answer.session_id == truth.session_id
    return calibration.Checked(answer.weight, right)


def _kinds(told: Collection[truths.Truth]) -> dict[truths.Kind, int]:
    counted = Counter(one.kind for one in told)
    return {kind: counted[kind] for kind in truths.KINDS}


async def _answers(
    db: database.Db, site_id: int, contact_ids: Collection[UUID]
) -> dict[UUID, Answer]:
    """The current answer of each call."""
    rows = await db.fetch(
        """
        SELECT c.id, best.session_id, s.visitor_id, coalesce(best.weight, 0) AS weight,
               coalesce(best.total, 0) AS total
          FROM contacts c
          LEFT JOIN LATERAL (
               SELECT a.session_id, a.weight, sum(a.weight) OVER () AS total
                 FROM attributions a
                WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = c.rule
                ORDER BY a.n
                LIMIT 1) AS best ON true
          LEFT JOIN sessions s ON s.site_id = c.site_id AND s.id = best.session_id
         WHERE c.site_id = $1 AND c.id = ANY ($2::uuid[])
        """,
        site_id,
        list(contact_ids),
    )
    return {
        row["id"]: Answer(
            session_id=row["session_id"],
            visitor_id=row["visitor_id"],
            weight=min(row["weight"], 1.0),  # a rounding more is allowed there
            none=max(1 - row["total"], 0.0),
        )
        for row in rows
    }


async def _weighed(
    db: database.Db,
    site_id: int,
    since: datetime,
    until: datetime,
    pool_id: int | None,
) -> tuple[int, float | None]:
    """How many calls were weighed, and their mean certainty."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS calls, avg(c.certainty) AS mean
          FROM contacts c
          JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number
         WHERE c.site_id = $1 AND c.at >= $2::timestamptz AND c.at < $3::timestamptz
           AND c.kind = 'call' AND c.rule LIKE $5 AND c.excluded IS DISTINCT FROM 'spam'
           AND n.kind = 'dynamic' AND ($4::bigint IS NULL OR n.pool_id = $4)
        """,
        site_id,
        since,
        until,
        pool_id,
        models.WEIGHED,
    )
    assert row is not None  # an aggregate without groups always has its row
    return row["calls"], row["mean"]


# Pools that are too small ----------------------------------------------------------------


async def too_small(
    db: database.Db, site: Site, number: str | None, *, at: datetime
) -> bool:
    """Whether the pool of that number had too few for its visits in the week before."""
    dialled = site.numbers.get(number or "")
    if dialled is None or dialled.kind != "dynamic" or dialled.pool is None:
        return False
    return (await crowd(db, site.id, dialled.pool, at=at)).too_small


async def crowd(
    db: database.Db, site_id: int, pool: pools.Pool, *, at: datetime
) -> Crowd:
    """How busy the pool was in the week before `at`."""
    numbers = [number for _, number in pool.numbers]
    busy = await ledger.traffic(db, site_id=site_id, numbers=numbers, at=at)
    visits = busy.sessions_per_second * DAY_SECONDS / max(len(numbers), 1)
    return Crowd(pool=pool, visits=visits)
