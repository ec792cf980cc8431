"""Calls of a past time, answered again by a named rule, beside the answers they had.

The calls to pools are weighed in their order by the same code as when they came, each with
what was known at its moment; what earlier calls of that time were credited with is what the
new rule credits them. The old answers stay and stay in force, unless the new ones are to be
used. All in one transaction: it happens as a whole or not at all.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from numberpool import credits, posterior
from tracker import contact_rows, matching, models, stale, weighing
from tracker import db as database
from tracker.errors import BadInput
from tracker.sites import Site

PATIENCE = 600.0  # seconds for one statement over very many calls
MOST_CALLS = 200_000
MOST_NAMED = 20  # model versions in a refusal
# As calls were first answered, by this release or an earlier one.
_FIRST = re.compile(rf"{posterior.FAMILY}/[0-9]{{1,4}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What calls are answered by; `kept` is one whose answers are all there already."""

    text: str  # as it is stored, such as pool-posterior/3+learned-7
    stored: models.Stored | None = None  # None: as on day one
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A row of the channel table: contacts of one source, by weight."""

    channel: str
    source: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return round(self.after - self.before, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the new answers change; contacts that are left out of figures are not in it."""

    rule: str
    since: datetime
    until: datetime
    calls: int  # answered by the rule
    moved: int  # of them, those whose likeliest source is another one now
    certainty_before: float | None  # mean
    certainty_after: float | None
    used: bool  # the new answers are in force
    rows: tuple[Share, ...]  # all contacts of that time, most first


Told = Callable[[int, int], None]  # calls done, calls in all


def _silent(done: int, total: int) -> None:
    pass


async def rule(db: database.Db, site: Site, asked: str | None, *, at: datetime) -> Rule:
    """The rule by its name: a model's version, `day-one`, or the text of stored answers.

    None is the model that is in force. Raises BadInput naming those that are there.
    """
    if asked is None:
        stored = await models.in_force(db, site.id, at=at)
        return _by_model(stored)
    if _FIRST.fullmatch(asked):
        return Rule(text=asked, kept=True)
    version = asked.removeprefix(f"{posterior.RULE}+")
    if version == models.DAY_ONE:
        return _by_model(None)
    number = version.removeprefix(models.LEARNED)
    if number != version and number.isascii() and number.isdigit():
        stored = await models.find(db, site.id, min(int(number), 2**31 - 1))
        if stored is not None and stored.model is not None:
            return _by_model(stored)
    names = [posterior.RULE, models.DAY_ONE, *await models.names(db, site.id)]
    raise BadInput(f"must be one of {', '.join(names[:MOST_NAMED])}", field="rule")


def _by_model(stored: models.Stored | None) -> Rule:
    version = stored.name if stored else models.DAY_ONE
    return Rule(text=f"{posterior.RULE}+{version}", stored=stored)


async def answer_again(
    pool: database.Pool,
    site: Site,
    by: Rule,
    *,
    since: datetime,
    until: datetime,
    use: bool = False,
    at: datetime,
    told: Told = _silent,
) -> Report:
    """Answer the pools' calls from `since` to before `until`; with `use`, let that count.

    A call that has an answer by the rule keeps it. Raises BadInput when another does the
    same to the site now, or when there are too many calls for one go.
    """
    async with pool.acquire() as db, db.transaction():
        await _lock(db, site.id)
        calls = await _calls(db, site.id, by, since, until)
        ids = [call.id for call in calls]
        await credits.set_aside(db, site_id=site.id, call_ids=ids)
        for done, call in enumerate(calls):
            told(done, len(calls))
            await _answer(db, site, call, by)
        told(len(calls), len(calls))
        report = await _report(db, site, by, ids, since, until, used=use)
        if use:
            await contact_rows.use(db, site.id, ids, by.text, at=at)
            await _mark_days(db, site, ids)
        else:
            await credits.put_back(db, site_id=site.id, call_ids=ids)
    return report


async def _lock(db: database.Connection, site_id: int) -> None:
    mine = await db.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
        f"reattribution/{site_id}",
    )
    if not mine:
        raise BadInput("the site's calls are being answered again at this moment")


async def _calls(
    db: database.Connection, site_id: int, by: Rule, since: datetime, until: datetime
) -> list[weighing.Call]:
    """Excluded ones too: they may be taken back. By a kept rule, those that have it."""
    rows = await db.fetch(
        """
        SELECT c.id, n.pool_id, c.number, c.caller, c.at
          FROM contacts c
          JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number
         WHERE c.site_id = $1 AND c.at >= $2::timestamptz AND c.at < $3::timestamptz
           AND c.kind = 'call' AND c.rule LIKE $4 AND n.kind = 'dynamic'
           AND ($6::text IS NULL OR EXISTS (
                SELECT FROM answers a
                 WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = $6))
         ORDER BY c.at, c.id
         LIMIT $5
        """,
        site_id,
        since,
        until,
        models.WEIGHED,
        MOST_CALLS + 1,
        by.text if by.kept else None,
        timeout=PATIENCE,
    )
    if len(rows) > MOST_CALLS:
        raise BadInput(f"more than {MOST_CALLS} calls: choose a shorter time")
    return [weighing.Call(**row) for row in rows]


async def _answer(
    db: database.Connection, site: Site, call: weighing.Call, by: Rule
) -> None:
    known = await contact_rows.answered(db, site.id, call.id, by.text)
    if known is not None:
        await credits.write(
            db,
            site_id=site.id,
            pool_id=call.pool_id,
            call_id=call.id,
            number=call.number,
            caller=call.caller,
            at=call.at,
            none=known.none,
            given=known.given,
        )
    else:
        match = await matching.weighed(db, site, call, by.stored, rule=by.text)
        await contact_rows.attribute(db, site.id, call.id, match)


# What it changes ----------------------------------------------------------------------------


async def _report(
    db: database.Connection,
    site: Site,
    by: Rule,
    ids: Sequence[UUID],
    since: datetime,
    until: datetime,
    *,
    used: bool,
) -> Report:
    """Before against after; to be asked before the new answers are in force."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS calls, avg(c.certainty) AS before,
               avg(coalesce(least(best.weight, 1), 0)) AS after,
               count(*) FILTER (WHERE best.source_id IS DISTINCT FROM c.source_id) AS moved
          FROM contacts c
          LEFT JOIN LATERAL (
               SELECT a.weight, a.source_id FROM attributions a
                WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = $3
                ORDER BY a.n LIMIT 1) AS best ON true
         WHERE c.site_id = $1 AND c.id = ANY ($2::uuid[]) AND c.excluded IS NULL
        """,
        site.id,
        list(ids),
        by.text,
        timeout=PATIENCE,
    )
    assert row is not None  # an aggregate without groups always has its row
    return Report(
        rule=by.text,
        since=since,
        until=until,
        calls=row["calls"],
        moved=row["moved"],
        certainty_before=row["before"],
        certainty_after=row["after"],
        used=used,
        rows=await _shares(db, site.id, by.text, ids, since, until),
    )


async def _shares(
    db: database.Connection,
    site_id: int,
    text: str,
    ids: Sequence[UUID],
    since: datetime,
    until: datetime,
) -> tuple[Share, ...]:
    """Contacts by channel and source, as the channel table counts them."""
    rows = await db.fetch(
        """
        WITH counted AS (
            SELECT c.id, c.rule AS before,
                   CASE WHEN c.id = ANY ($3::uuid[]) THEN $2 ELSE c.rule END AS after
              FROM contacts c
             WHERE c.site_id = $1 AND c.at >= $4::timestamptz AND c.at < $5::timestamptz
               AND c.excluded IS NULL
        ), shared AS (
            SELECT a.source_id, a.contact_id,
                   CASE WHEN a.rule = c.before THEN a.weight ELSE 0 END AS before,
                   CASE WHEN a.rule = c.after THEN a.weight ELSE 0 END AS after
              FROM counted c
              JOIN attributions a ON a.site_id = $1 AND a.contact_id = c.id
                                 AND a.rule IN (c.before, c.after)
        ), whole AS (
            SELECT source_id, before, after FROM shared
            UNION ALL
            SELECT 0, 1 - coalesce(sum(s.before), 0), 1 - coalesce(sum(s.after), 0)
              FROM counted c LEFT JOIN shared s ON s.contact_id = c.id
             GROUP BY c.id
        )
        SELECT coalesce(min(s.channel), 'unknown') AS channel,
               coalesce(min(s.source), '') AS source,
               round(sum(w.before)::numeric, 6)::float8 AS before,
               round(sum(w.after)::numeric, 6)::float8 AS after
          FROM whole w LEFT JOIN sources s ON s.site_id = $1 AND s.id = w.source_id
         GROUP BY lower(s.channel), lower(s.source)
        HAVING round(sum(w.before)::numeric, 6) > 0 OR round(sum(w.after)::numeric, 6) > 0
         ORDER BY sum(w.before) DESC, channel, source
        """,
        site_id,
        text,
        list(ids),
        since,
        until,
        timeout=PATIENCE,
    )
    return tuple(Share(**row) for row in rows)


async def _mark_days(db: database.Connection, site: Site, ids: Sequence[UUID]) -> None:
    """Days of the contacts, of the leads they opened and of the deals these became."""
    rows = await db.fetch(
        """
        SELECT c.at, l.opened_at, d.closed_at
          FROM contacts c
          LEFT JOIN leads l ON l.site_id = c.site_id AND l.id = c.lead_id
                           AND l.first_contact_id = c.id
          LEFT JOIN deals d ON d.site_id = l.site_id AND d.lead_id = l.id
         WHERE c.site_id = $1 AND c.id = ANY ($2::uuid[])
        """,
        site.id,
        list(ids),
        timeout=PATIENCE,
    )
    await stale.mark(db, site, *{moment for row in rows for moment in row})
