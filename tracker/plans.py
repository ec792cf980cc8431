"""Plans made of what the site's own tables tell: its visits, calls, model and money.

Rehearsing traffic takes seconds, so it is done by a command or by the worker, in a thread;
NumPy is only imported there. How much is read is bounded: of a site with very much traffic
the latest whole days are taken, and of a day that is still too large each so many-th visitor.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from numberpool import model as beliefs
from numberpool import pools
from numberpool.model import ENOUGH_UNSEEN, Model
from numberpool.posterior import Holding
from numberpool.sizing import Plan, Question
from tracker import db as database
from tracker import ids, models, weighing
from tracker.errors import BadInput
from tracker.reports import rollup
from tracker.sites import Site

if TYPE_CHECKING:
    from numberpool.planner import Traffic, Worth

MOST_VISITS = 60_000  # that are rehearsed: a plan is to take seconds
WARM = timedelta(
    days=3
)  # before the days that are scored: numbers have holders by then
FEWEST_DAYS, MOST_DAYS = 1, 60
MOST_FACTOR = 20.0  # times today's traffic
MOST_SOURCES = 20  # of a question
LONGEST_SOURCE = 200  # characters
LONGEST_REST = 86_400.0  # seconds
MONEY_DAYS = 90  # of deals and costs
LEAST_CONTACTS = 10  # before their mean worth is believed
PATIENCE = 120.0  # seconds for a statement
STEP = 0.5  # seconds between two tellings of the progress
DAY = timedelta(days=1)

Told = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which part of the past is rehearsed."""

    since: datetime
    until: datetime
    warm_since: datetime
    every: int  # only each so many-th visitor


class Stopped(Exception):
    """The one who wanted the plan has gone."""


def check(question: Question) -> Question:
    """The question itself; raises BadInput for what makes no sense."""
    if not FEWEST_DAYS <= question.days <= MOST_DAYS:
        raise BadInput(f"must be from {FEWEST_DAYS} to {MOST_DAYS}", field="days")
    _factor(question.traffic, "traffic")
    if len(question.sources) > MOST_SOURCES:
        raise BadInput(f"may name {MOST_SOURCES} at most", field="source")
    for name, factor in question.sources.items():
        if not 0 < len(name) <= LONGEST_SOURCE or "/" not in name:
            raise BadInput("must be like yandex/cpc=2", field="source")
        _factor(factor, "source")
    if question.rest is not None and not 0 <= question.rest <= LONGEST_REST:
        raise BadInput(f"must be from 0 to {LONGEST_REST:.0f} seconds", field="rest")
    if question.goal is not None and not 0 < question.goal < 1:
        raise BadInput("must be between 0 and 1, such as 0.8", field="goal")
    return question


def _factor(value: float, field: str) -> None:
    if not 0 < value <= MOST_FACTOR:
        raise BadInput(f"must be above 0 and at most {MOST_FACTOR:.0f}", field=field)


def source(text: str) -> tuple[str, float]:
    """A source and its factor from `yandex/cpc=2`; raises BadInput."""
    name, _, factor = text.rpartition("=")
    try:
        return name.strip().lower(), float(factor)
    except ValueError:
        raise BadInput("must be like yandex/cpc=2", field="source") from None


def pool_of(site: Site, name: str | None) -> pools.Pool:
    """The pool of that name, or the first; raises BadInput naming those that are there."""
    for pool in site.pools:
        if name in (None, pool.name):
            return pool
    known = ", ".join(pool.name for pool in site.pools) or "none yet"
    raise BadInput(f"there is no such pool (pools: {known})", field="pool")


async def make(
    db: database.Pool,
    site: Site,
    pool: pools.Pool,
    question: Question,
    *,
    at: datetime,
    told: Told | None = None,
) -> Plan:
    """Make a plan now; `told` hears the progress, from 0 to 1. Raises BadInput."""
    check(question)
    traffic = await load(db, site, pool, question, at=at)
    worth = await _worth(db, site, at=at)
    return await _in_thread(site, pool, question, traffic, worth, told)


async def _in_thread(
    site: Site,
    pool: pools.Pool,
    question: Question,
    traffic: Traffic,
    worth: Worth,
    told: Told | None,
) -> Plan:
    """The work of seconds, beside the event loop; it ends when the waiting is cancelled."""
    from numberpool import planner, rehearsal

    stop, done = threading.Event(), [0.0]

    def hear(part: float) -> None:
        if stop.is_set():
            raise Stopped
        done[0] = part

    terms = rehearsal.Terms(
        share=pool.share if question.share is None else question.share,
        late=question.late or pool.late,
        rest=float(pool.rest) if question.rest is None else question.rest,
    )
    work = asyncio.create_task(
        asyncio.to_thread(
            planner.make,
            question,
            traffic,
            current=len(pool.numbers),
            terms=terms,
            worth=worth,
            told=hear,
        )
    )
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=STEP)
            if told is not None:
                await told(done[0])
        return work.result()
    finally:
        stop.set()
        work.add_done_callback(_heard)


def _heard(work: asyncio.Task[Plan]) -> None:
    """Nobody waits for a thread's last word when its plan is not wanted any more."""
    if not work.cancelled():
        work.exception()


# What is known ----------------------------------------------------------------------------


async def load(
    db: database.Pool,
    site: Site,
    pool: pools.Pool,
    question: Question,
    *,
    at: datetime,
) -> Traffic:
    """The pool's past, as the planner takes it."""
    from numberpool import planner

    numbers = [
        n for n, one in site.numbers.items() if one.pool and one.pool.id == pool.id
    ]
    span = await _span(db, site, pool, numbers, question, at=at)
    visits = await _leased(db, site, pool, numbers, span)
    visits += await _waited(db, site, pool, span)
    visits.sort(key=lambda one: (one.since, str(one.session_id)))
    used = await _model(db, site, pool, visits, span, at=at)
    calls = await _calls(db, site, pool, span)
    return planner.Traffic(
        visits=visits,
        since=span.since.timestamp(),
        until=span.until.timestamp(),
        asked_days=question.days,
        model=used,
        opening=weighing.clock(site, used),
        reveals=len(visits) < ENOUGH_UNSEEN
        or any(one.seen_at and not one.clicked_at for one in visits),
        every=span.every,
        withheld=calls["withheld"] or 0.0,
        calls=calls["calls"],
        sure=calls["sure"],
    )


async def _span(
    db: database.Pool,
    site: Site,
    pool: pools.Pool,
    numbers: list[str],
    question: Question,
    *,
    at: datetime,
) -> Span:
    """The latest whole days of the site's calendar that are not too much."""
    last = at.astimezone(site.timezone).date() - DAY
    until = rollup.midnight(last + DAY, site.timezone)
    first = await db.fetchval(
        """
        SELECT min(first.since) FROM unnest($2::text[]) AS n (number)
         CROSS JOIN LATERAL (
               SELECT since FROM leases l
                WHERE l.site_id = $1 AND l.number = n.number
                ORDER BY since LIMIT 1) AS first
        """,
        site.id,
        numbers,
        timeout=PATIENCE,
    )
    if first is None or first >= until:  # the first day, not over yet
        last, until = last + DAY, at
    rows = await db.fetch(
        """
        SELECT (since AT TIME ZONE $5)::date AS day, count(*) AS visits
          FROM leases
         WHERE site_id = $1 AND pool_id = $6 AND number = ANY ($2::text[])
           AND since >= $3 AND since < $4
         GROUP BY day ORDER BY day DESC
        """,
        site.id,
        numbers,
        rollup.midnight(last - (question.days - 1) * DAY, site.timezone),
        until,
        str(site.timezone),
        pool.id,
        timeout=PATIENCE,
    )
    most = MOST_VISITS / max(question.most_traffic, 1.0)
    begin, visits = last, 0
    for row in rows:
        if visits and visits + row["visits"] > most:
            break
        begin, visits = row["day"], visits + row["visits"]
    since = rollup.midnight(begin, site.timezone)
    warm = since - WARM
    if first is not None and first > warm:  # a young site: its first days warm it up
        warm = min(first, until)
        since = max(since, warm + min(WARM, (until - warm) / 4))
    return Span(
        since=since,
        until=until,
        warm_since=warm,
        every=max(ceil(visits / most), 1),
    )


_VISIT = f"""
    v.visitor_id, {weighing.SOURCE_NAME} AS source_id, v.device,
    extract(epoch FROM v.at)::float8 AS since,
    extract(epoch FROM greatest(v.last_sign_at, v.at))::float8 AS last_sign_at,
    extract(epoch FROM v.seen_at)::float8 AS seen_at,
    extract(epoch FROM v.clicked_at)::float8 AS clicked_at,
    extract(epoch FROM v.pinged_at)::float8 AS pinged_at,
    extract(epoch FROM v.left_at)::float8 AS left_at,
    extract(epoch FROM v.first_left_at)::float8 AS first_left_at
"""


async def _leased(
    db: database.Pool,
    site: Site,
    pool: pools.Pool,
    numbers: list[str],
    span: Span,
) -> list[Holding]:
    """Visits that were shown a number of the pool; a late one from when it began."""
    rows = await db.fetch(
        f"""
        SELECT v.session_id, {_VISIT}
          FROM (SELECT l.*, CASE WHEN l.seen_at <= l.since AND s.started_at < l.since
                                 THEN s.started_at ELSE l.since END AS at
                  FROM leases l
                  JOIN sessions s ON s.site_id = l.site_id AND s.id = l.session_id
                 WHERE l.site_id = $1 AND l.pool_id = $2 AND l.number = ANY ($3::text[])
                   AND l.since >= $4 AND l.since < $5
                   AND s.id >= $6::uuid AND s.id < $7::uuid
                   AND ($8 = 1 OR (hashtext(l.visitor_id::text) & 2147483647) % $8 = 0)
                 LIMIT $9) v
          JOIN sources s ON s.site_id = v.site_id AND s.id = v.source_id
        """,
        site.id,
        pool.id,
        numbers,
        span.warm_since,
        span.until,
        ids.floor(span.warm_since - 2 * DAY),
        ids.floor(span.until + DAY),
        span.every,
        4 * MOST_VISITS,  # warming up included; never reached but by a flood
        timeout=PATIENCE,
    )
    return [Holding(**row) for row in rows]


async def _waited(
    db: database.Pool, site: Site, pool: pools.Pool, span: Span
) -> list[Holding]:
    """Visits that found no idle number and were shown none until they ended.

    They have no lease. How many there were in each quarter of an hour is known, and that
    many of its visits without a lease are taken for them.
    """
    quarters = await db.fetch(
        """
        SELECT quarter, waited - served AS visits FROM pool_waits
         WHERE site_id = $1 AND pool_id = $2 AND quarter >= $3 AND quarter < $4
           AND waited > served
        """,
        site.id,
        pool.id,
        span.warm_since,
        span.until,
    )
    bounds = [
        (
            ids.floor(row["quarter"]),
            ids.floor(row["quarter"] + timedelta(minutes=15)),
            row["visits"],
        )
        for row in quarters
    ]
    rows = await db.fetch(
        f"""
        SELECT v.session_id, {_VISIT}
          FROM (SELECT w.*, looks.*, NULL::timestamptz AS pinged_at,
                       NULL::timestamptz AS left_at, NULL::timestamptz AS first_left_at
                  FROM unnest($2::uuid[], $3::uuid[], $4::int[]) AS q (low, high, most)
                 CROSS JOIN LATERAL (
                       SELECT s.site_id, s.id AS session_id, s.visitor_id, s.source_id,
                              s.device, s.started_at AS at, s.last_seen_at AS last_sign_at
                         FROM sessions s
                        WHERE s.site_id = $1 AND s.id >= q.low AND s.id < q.high
                          AND NOT EXISTS (SELECT FROM leases l
                                           WHERE l.site_id = s.site_id
                                             AND l.session_id = s.id AND l.pool_id = $5)
                          AND ($6 = 1
                               OR (hashtext(s.visitor_id::text) & 2147483647) % $6 = 0)
                        ORDER BY s.id
                        LIMIT ceil(q.most::float8 / $6)) w
                  LEFT JOIN LATERAL (
                       SELECT min(e.at) AS seen_at,
                              max(e.at) FILTER (WHERE e.type = 'tel_click') AS clicked_at
                         FROM events e
                        WHERE e.site_id = $1 AND e.session_id = w.session_id
                          AND e.type IN ('reveal', 'tel_click')) looks ON true) v
          JOIN sources s ON s.site_id = v.site_id AND s.id = v.source_id
        """,
        site.id,
        *database.columns(bounds, 3),
        pool.id,
        span.every,
        timeout=PATIENCE,
    )
    return [Holding(**row) for row in rows]


async def _model(
    db: database.Pool,
    site: Site,
    pool: pools.Pool,
    visits: list[Holding],
    span: Span,
    *,
    at: datetime,
) -> Model:
    """What the site has learned, or day one; its noise is this pool's share."""
    stored = await models.in_force(db, site.id, at=at)
    learned = stored.model if stored else None
    if learned is None:
        seconds = max((span.until - span.warm_since).total_seconds(), 6 * 3600.0)
        rate = len(visits) * span.every / seconds
        return beliefs.day_one(noise=beliefs.day_one_noise(rate))
    share = len(pool.numbers) / max(len(weighing.numbers_of(site)), 1)
    rare = learned.source_factors.get(weighing.OTHERS, 1.0)
    names = {one.source_id for one in visits}
    return msgspec.structs.replace(
        learned,
        noise=max(learned.noise * share, beliefs.LEAST_NOISE),
        source_factors={n: learned.source_factors.get(n, rare) for n in names},
    )


async def _calls(db: database.Pool, site: Site, pool: pools.Pool, span: Span) -> Any:
    """How many real calls there were, how sure their answers are, how many hid a phone."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS calls, avg(sure) AS sure, avg(withheld) AS withheld
          FROM (SELECT max(weight) AS sure,
                       (count(caller) = 0)::int::float8 AS withheld
                  FROM credits k
                 WHERE k.site_id = $1 AND k.pool_id = $2 AND k.at >= $3 AND k.at < $4
                   AND NOT EXISTS (SELECT FROM contacts c
                                    WHERE c.site_id = k.site_id AND c.id = k.call_id
                                      AND c.excluded IS NOT NULL)
                 GROUP BY call_id) AS called
        """,
        site.id,
        pool.id,
        span.since,
        span.until,
        timeout=PATIENCE,
    )
    assert row is not None  # an aggregate without groups always has its row
    return row


async def _worth(db: database.Pool, site: Site, *, at: datetime) -> Worth:
    """What a contact is worth: the revenue of deals, else the costs, by the contacts."""
    from numberpool import planner

    today = at.astimezone(site.timezone).date()
    row: asyncpg.Record | None = await db.fetchrow(
        """
        SELECT coalesce(sum(calls + emails + forms + messages), 0) AS contacts,
               coalesce(sum(revenue), 0) AS revenue, coalesce(sum(cost), 0) AS cost
          FROM daily WHERE site_id = $1 AND day > $2 AND day <= $3
        """,
        site.id,
        today - MONEY_DAYS * DAY,
        today,
    )
    assert row is not None
    contacts = Decimal(str(round(row["contacts"], 6)))
    if contacts < LEAST_CONTACTS:
        return planner.Worth(currency=site.currency)
    by = "revenue" if row["revenue"] > 0 else "cost" if row["cost"] > 0 else None
    each = (row[by] / contacts).quantize(Decimal("0.01")) if by else None
    return planner.Worth(each=each, by=by, currency=site.currency)  # type: ignore[arg-type]
