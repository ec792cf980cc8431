"""The leak alarm by calls: a pool number that is called more often than its visitors explain.

Each call is unexplained by 1 − its certainty: so likely it is that not even its likeliest
visit made it. The weight of "none of them" alone would tell little, for on a busy pool some
of it always goes to old holders. One caller counts once, and whoever was surely a visitor
before has saved the number and does not count. Numbers of a pool are lent in turn, and noise
(misdials, spam) comes to all alike, so a number is held against the others of its pool:

    e = (s + K) / (1 + M)          the mean of the pool
    m = (1 + K) / (1 / e + M)      unexplained calls to be expected of this number
    r = min(1 + K, 20)             how well that is known, and how alike numbers are by nature

with s the number's own sum of unexplained calls and K that of the M others. (A Gamma prior of
shape 1 and mean e, updated; r caps it, for rates of numbers differ by a fifth without any
leak.) The sum s is a sum of marks between 0 and 1 of a Poisson process with a Gamma rate,
whose tail Chernoff's bound limits:

    P(sum ≥ s) ≤ (m (r + s) / (s (r + m)))^s · ((r + s) / (r + m))^r      for s > m

It is a leak when that times the number of numbers looked at is at most `RAISE`. Numbers
found so are taken out of the others' background, and these are looked at again. Where all
numbers of a pool leak, or it has only one, none stands out.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from typing import Any
from uuid import UUID

from numberpool import pools
from tracker import alerts, views
from tracker import db as database
from tracker.alerts import Cause
from tracker.sites import Site

PERIOD = timedelta(days=14)  # as long as a visitor may still call
RAISE = 0.01  # false alarms a site and period; the bound makes it far fewer
KEEP = 0.1  # an alarm that stands goes on until its cause is less certain than this
LEAST_SUM = 3.0  # unexplained calls
LEAST_CALLERS = 4
ALIKE = 20.0  # the most r may be: numbers differ by 1 / √20 by nature
LEAST_MEAN = 0.01  # unexplained calls; a pool that nobody calls
TELLING = 0.5  # from which on a call is shown as one of the leak
VISITOR = 0.5  # certainty from which on a caller was a visitor
MOST_CALLS = 20  # shown with an alert
MOST_ROWS = 200_000  # of the period; more calls than any site has


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to a number of a pool."""

    id: UUID  # of the contact
    pool_id: int
    number: str
    caller: str | None  # None: withheld
    at: datetime
    doubt: float  # 1 − certainty: the likeliest visit did not make it


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A number that is called too often."""

    number: str
    unexplained: float
    expected: float


# The test ---------------------------------------------------------------------------------


def leaking(
    sums: Mapping[str, float],
    *,
    tests: int,
    known: Collection[str] = (),
) -> list[Leak]:
    """Which numbers of one pool are called too often, by their unexplained calls.

    `sums` has every number of the pool; `tests` is how many numbers of the site are looked
    at. For numbers in `known` the alarm stands already.
    """
    found: dict[str, Leak] = {}
    while True:
        left = {number: sum_ for number, sum_ in sums.items() if number not in found}
        whole = sum(left.values())
        new = {}
        for number, sum_ in left.items():
            mean, shape = background(sum_, whole - sum_, len(left) - 1)
            limit = KEEP if number in known else RAISE
            if sum_ >= LEAST_SUM and tail(sum_, mean, shape) * tests <= limit:
                new[number] = Leak(number=number, unexplained=sum_, expected=mean)
        if not new:
            return list(found.values())
        found |= new


def background(own: float, others: float, count: int) -> tuple[float, float]:
    """Mean and shape of what is to be expected of a number beside `count` others."""
    usual = max((own + others) / (1 + count), LEAST_MEAN)
    return (1 + others) / (1 / usual + count), min(1 + others, ALIKE)


def tail(sum_: float, mean: float, shape: float) -> float:
    """A bound of the probability of such a sum or a larger one; 1 up to the mean."""
    if sum_ <= mean:
        return 1.0
    ratio = (shape + sum_) / (shape + mean)
    return exp(sum_ * log(mean * ratio / sum_) + shape * log(ratio))


def unexplained(calls: Iterable[Call]) -> dict[str, dict[str, float]]:
    """By number and caller, the most that one call of his was unexplained.

    Those who withhold their number cannot be told apart: all of one day are one caller.
    """
    found: dict[str, dict[str, float]] = {}
    for one in calls:
        who = one.caller or one.at.date().isoformat()
        of_number = found.setdefault(one.number, {})
        of_number[who] = max(of_number.get(who, 0.0), one.doubt)
    return found


# The watch --------------------------------------------------------------------------------


async def watch(pool: database.Pool, site: Site, *, at: datetime) -> None:
    """Raise and end the alerts of numbers that leak."""
    calls = await _calls(pool, site.id, at)
    standing = await alerts.standing(pool, site.id, alerts.CALLED)
    known = {one.subject for one in standing}
    tests = sum(len(one.numbers) for one in site.pools)
    causes = []
    for one in site.pools:
        own = [call for call in calls if call.pool_id == one.id]
        causes += _causes(one, own, tests=tests, known=known)
    async with pool.acquire() as db:
        await alerts.settle(db, site, alerts.CALLED, causes, at=at)


def _causes(
    pool: pools.Pool,
    calls: list[Call],
    *,
    tests: int,
    known: Collection[str],
) -> list[Cause]:
    by_caller = unexplained(calls)
    sums = {
        number: sum(by_caller.get(number, {}).values()) for _, number in pool.numbers
    }
    return [
        _cause(leak, pool, [one for one in calls if one.number == leak.number])
        for leak in leaking(sums, tests=tests, known=known)
        if len(by_caller[leak.number]) >= LEAST_CALLERS
    ]


def _cause(leak: Leak, pool: pools.Pool, calls: list[Call]) -> Cause:
    telling = [one for one in calls if one.doubt >= TELLING] or calls
    figures: dict[str, Any] = {
        "pool": pool.name,
        "days": PERIOD.days,
        "unexplained": round(leak.unexplained, 1),
        "expected": round(leak.expected, 1),
        "calls": [
            {"contact": str(one.id), "at": views.instant(one.at)}
            for one in telling[-MOST_CALLS:]
        ],
    }
    return Cause(subject=leak.number, since=telling[0].at, figures=figures)


async def _calls(db: database.Db, site_id: int, at: datetime) -> list[Call]:
    """The period's calls to numbers that are lent, in order."""
    rows = await db.fetch(
        """
        SELECT c.id, n.pool_id, c.number, c.caller, c.at, 1 - c.certainty AS doubt
          FROM contacts c
          JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number
                        AND n.kind = 'dynamic' AND n.retired_at IS NULL
         WHERE c.site_id = $1 AND c.kind = 'call' AND c.excluded IS NULL
           AND c.at > $2 AND c.at <= $3
           AND NOT EXISTS (
               SELECT FROM contacts p
                WHERE p.site_id = c.site_id AND p.person_id = c.person_id AND p.at < c.at
                  AND p.certainty >= $4)
         ORDER BY c.at, c.id LIMIT $5
        """,
        site_id,
        at - PERIOD,
        at,
        VISITOR,
        MOST_ROWS,
    )
    return [Call(**row) for row in rows]
