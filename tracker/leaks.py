"""The leak alarm by calls: a pool number that is called more often than noise explains.

Each call to a pool has a probability that none of those who were shown the number made it.
The sum of these weights over a number's calls is how many unexplained calls it had; one
caller counts once, and a caller who came as a visitor before has saved the number and does
not count. Noise (misdials, spam) comes to all numbers of a pool alike, so a number is held
against the others of its pool:

    m = (1 + K) / (1 / e + M)      unexplained calls to be expected of one number
    r = min(1 + K, 10)             how well that is known, and how alike numbers are by nature

with K the sum over the M other numbers and e what the site's noise makes of one number. (A
Gamma prior of shape 1 and mean e, updated; r caps it, for the rates of numbers differ by
about a third without any leak.) The number's own sum s is then a sum of weights between 0
and 1 of a Poisson process with a Gamma rate, whose tail Chernoff's bound limits:

    P(sum ≥ s) ≤ (m (r + s) / (s (r + m)))^s · ((r + s) / (r + m))^r      for s > m

It is a leak when that times the number of numbers looked at is at most `RAISE`. Numbers
found so are taken out of the others' background, and these are looked at again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log
from typing import Any
from uuid import UUID

from numberpool import credits, ledger, model, pools
from tracker import alerts, views
from tracker import db as database
from tracker.alerts import Cause
from tracker.sites import Site

PERIOD = timedelta(days=14)  # as long as a visitor may still call
RAISE = 0.001  # false alarms a site and period; the bound makes it fewer
KEEP = 0.05  # an alarm that stands goes on until its cause is less certain than this
LEAST_SUM = 3.0  # unexplained calls
LEAST_CALLERS = 4
ALIKE = 10.0  # the most r may be: numbers differ by 1 / √10 by nature
LEAST_NOISE = (
    0.01  # calls of one number in the period; a site without visits has noise too
)
TELLING = 0.2  # weight of "none" from which on a call is shown as one of the leak
VISITOR = 0.5  # below this weight of "none" a call was a visitor's
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
    none: float  # the weight of "none of those who were shown the number"


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
    noise: float,
    tests: int,
    known: Collection[str] = (),
) -> list[Leak]:
    """Which numbers of one pool are called too often, by their unexplained calls.

    `sums` has every number of the pool; `noise` is what one of them gets in the period by
    the site's own noise, `tests` how many numbers of the site are looked at. For numbers in
    `known` the alarm stands already.
    """
    found: dict[str, Leak] = {}
    while True:
        left = {number: sum_ for number, sum_ in sums.items() if number not in found}
        whole = sum(left.values())
        new = {}
        for number, sum_ in left.items():
            mean, shape = _background(whole - sum_, len(left) - 1, noise)
            limit = KEEP if number in known else RAISE
            if sum_ >= LEAST_SUM and tail(sum_, mean, shape) * tests <= limit:
                new[number] = Leak(number=number, unexplained=sum_, expected=mean)
        if not new:
            return list(found.values())
        found |= new


def _background(others: float, count: int, noise: float) -> tuple[float, float]:
    mean = (1 + others) / (1 / max(noise, LEAST_NOISE) + count)
    return mean, min(1 + others, ALIKE)


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
        of_number[who] = max(of_number.get(who, 0.0), one.none)
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
        noise = await _noise(pool, one, at)
        own = [call for call in calls if call.pool_id == one.id]
        causes += _causes(one, own, noise=noise, tests=tests, known=known)
    async with pool.acquire() as db:
        await alerts.settle(db, site, alerts.CALLED, causes, at=at)


def _causes(
    pool: pools.Pool,
    calls: list[Call],
    *,
    noise: float,
    tests: int,
    known: Collection[str],
) -> list[Cause]:
    by_caller = unexplained(calls)
    sums = {
        number: sum(by_caller.get(number, {}).values()) for _, number in pool.numbers
    }
    return [
        _cause(leak, pool, [one for one in calls if one.number == leak.number])
        for leak in leaking(sums, noise=noise, tests=tests, known=known)
        if len(by_caller[leak.number]) >= LEAST_CALLERS
    ]


def _cause(leak: Leak, pool: pools.Pool, calls: list[Call]) -> Cause:
    telling = [one for one in calls if one.none >= TELLING] or calls
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
        SELECT c.id, n.pool_id, c.number, c.caller, c.at, k.weight AS none
          FROM contacts c
          JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number
                        AND n.kind = 'dynamic' AND n.retired_at IS NULL
          JOIN credits k ON k.site_id = c.site_id AND k.call_id = c.id AND k.session_id = $4
         WHERE c.site_id = $1 AND c.kind = 'call' AND c.excluded IS NULL
           AND c.at > $2 AND c.at <= $3
           AND NOT EXISTS (
               SELECT FROM credits p
                WHERE p.site_id = c.site_id AND p.pool_id = k.pool_id AND p.caller = c.caller
                  AND p.at < c.at AND p.session_id = $4 AND p.weight < $5)
         ORDER BY c.at, c.id LIMIT $6
        """,
        site_id,
        at - PERIOD,
        at,
        credits.NIL,
        VISITOR,
        MOST_ROWS,
    )
    return [Call(**row) for row in rows]


async def _noise(db: database.Db, pool: pools.Pool, at: datetime) -> float:
    """Unrelated calls that one number of the pool gets in the period."""
    numbers = [number for _, number in pool.numbers]
    if not numbers:
        return 0.0
    busy = await ledger.traffic(db, site_id=pool.site_id, numbers=numbers, at=at)
    rate = model.day_one_noise(busy.sessions_per_second)
    return rate * PERIOD.total_seconds() / len(numbers)
