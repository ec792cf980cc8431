"""Channels, sources and campaigns side by side: what they cost, brought and earned.

`table` compares a period with the one of equal length right before it; `by_day` is the same
day by day, for a chart. Both read the rows of `daily` alone (`rollup` makes them), so they
answer quickly however many visits lie behind. Sums are sums of weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import asyncpg

from tracker import db as database
from tracker.errors import BadInput
from tracker.reports.rollup import DAY, midnight
from tracker.sites import Site

Level = Literal["channel", "source", "campaign"]

LEVELS: tuple[Level, ...] = ("channel", "source", "campaign")
MOST_ROWS = 500  # the others are one row together
UNKNOWN = "unknown"  # the channel of what no source was found for

FORMULAS = {
    "visits": "Sessions that began in the period, bots and tests left out",
    "calls": "Sum of the weights of calls: one that is 0.7 / 0.3 counts 0.7 here and 0.3 there",
    "missed": "Calls that ended without an answer, summed by weight",
    "emails": "Letters that arrived, summed by weight",
    "forms": "Forms that were sent, summed by weight",
    "messages": "Chats and messages, summed by weight",
    "contacts": "Calls + Letters + Forms + Messages",
    "leads": "Leads opened in the period; a lead has the source of its first contact",
    "deals": "Deals won in the period",
    "revenue": "Sum of the deals won in the period",
    "cost": "What the advertisements of the period cost",
    "cpl": "Cost ÷ Leads",
    "cpo": "Cost ÷ Deals won",
    "cr": "Contacts ÷ Visits",
    "cr_deal": "Deals won ÷ Leads",
    "romi": "(Revenue − Cost) ÷ Cost",
    "roas": "Revenue ÷ Cost",
}

_CENT = Decimal("0.01")
_COUNTS = ("visits", "calls", "missed", "emails", "forms", "messages", "leads", "deals")
_MONEY = ("revenue", "cost")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in (*_COUNTS, *_MONEY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured, and what follows from it; a ratio without a divisor is None."""

    visits: int = 0
    calls: float = 0.0
    missed: float = 0.0
    emails: float = 0.0
    forms: float = 0.0
    messages: float = 0.0
    leads: float = 0.0
    deals: float = 0.0
    revenue: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)

    @property
    def contacts(self) -> float:
        return round(self.calls + self.emails + self.forms + self.messages, 6)

    @property
    def cpl(self) -> Decimal | None:
        """Cost per lead, money."""
        return _per(self.cost, self.leads)

    @property
    def cpo(self) -> Decimal | None:
        """Cost per order (a won deal), money."""
        return _per(self.cost, self.deals)

    @property
    def cr(self) -> float | None:
        """How many of the visits became contacts; 0.05 is 5 %."""
        return self.contacts / self.visits if self.visits else None

    @property
    def cr_deal(self) -> float | None:
        """How many of the leads became won deals; 0.05 is 5 %."""
        return self.deals / self.leads if self.leads else None

    @property
    def romi(self) -> float | None:
        """Return on marketing investment; 0.5 is 50 %."""
        return float((self.revenue - self.cost) / self.cost) if self.cost else None

    @property
    def roas(self) -> float | None:
        """Return on advertising spend; 0.5 is 50 %."""
        return float(self.revenue / self.cost) if self.cost else None


NOTHING = Figures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A channel, a source of it or a campaign of that, now and before."""

    channel: str  # a code; "unknown" where no source was found
    source: str = ""  # empty above its level
    campaign: str = ""
    now: Figures = NOTHING
    before: Figures = NOTHING

    @property
    def key(self) -> str:
        """The same row in any period and table."""
        return "\x1f".join((self.channel, self.source, self.campaign)).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The table of one period; days are the site's, both ends included."""

    level: Level
    since: date
    until: date
    before_since: date
    before_until: date
    currency: str
    rows: list[Row]  # those with most contacts first
    rest: Row | None  # what did not fit, together
    total: Row
    foreign: dict[
        str, Decimal
    ]  # by currency: won deals whose money is not in `revenue`


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the chart."""

    day: date
    figures: Figures


async def table(
    db: database.Db,
    site: Site,
    *,
    since: date,
    until: date,
    level: Level = "channel",
    channel: str | None = None,
    source: str | None = None,
    most: int = MOST_ROWS,
) -> Report:
    """The report at a level, of one channel or source only if told; raises BadInput."""
    if level not in LEVELS:
        raise BadInput(f"must be one of {', '.join(LEVELS)}", field="level")
    _check(since, until)
    length = until - since + DAY
    rows = await _rows(
        db, site.id, since - length, since, until, level, channel, source, most
    )
    named = [row for row in rows if row["place"] is not None]
    rest = [row for row in rows if row["place"] is None]
    return Report(
        level=level,
        since=since,
        until=until,
        before_since=since - length,
        before_until=since - DAY,
        currency=site.currency,
        rows=_paired(named),
        rest=_together(rest) if rest else None,
        total=_together(rows),
        foreign=await _foreign(db, site, since, until),
    )


async def by_day(
    db: database.Db,
    site: Site,
    *,
    since: date,
    until: date,
    channel: str | None = None,
    source: str | None = None,
    campaign: str | None = None,
) -> list[Day]:
    """Every day of the period, also those on which nothing happened; raises BadInput."""
    _check(since, until)
    rows = await db.fetch(
        f"""
        SELECT d.day, {_SUMS}
          FROM daily d LEFT JOIN sources s ON s.site_id = d.site_id AND s.id = d.source_id
         WHERE d.site_id = $1 AND d.day BETWEEN $2 AND $3
           AND ($4::text IS NULL OR coalesce(s.channel, '{UNKNOWN}') = $4)
           AND ($5::text IS NULL OR lower(coalesce(s.source, '')) = lower($5))
           AND ($6::text IS NULL OR lower(coalesce(s.campaign, '')) = lower($6))
         GROUP BY d.day
        """,
        site.id,
        since,
        until,
        channel,
        source,
        campaign,
    )
    found = {row["day"]: _figures([row]) for row in rows}
    days = [since + DAY * n for n in range((until - since).days + 1)]
    return [Day(day=day, figures=found.get(day, NOTHING)) for day in days]


def _check(since: date, until: date) -> None:
    if until < since:
        raise BadInput("must not be before the first day", field="until")
    if (until - since).days > 3700 or since.year < 1970 or until.year > 2200:
        raise BadInput("a period may have ten years at most", field="since")


async def _rows(
    db: database.Db,
    site_id: int,
    before: date,
    since: date,
    until: date,
    level: Level,
    channel: str | None,
    source: str | None,
    most: int,
) -> list[asyncpg.Record]:
    """A row a label and period; those beyond the first `most` share the place null."""
    labels = LEVELS[: LEVELS.index(level) + 1]
    own = ", ".join(f"lower({label})" for label in labels)
    shown = ", ".join(
        f"coalesce(min({label}), '{UNKNOWN if label == 'channel' else ''}') AS {label}"
        if label in labels
        else f"'' AS {label}"
        for label in LEVELS
    )
    # Each source's group is a number, so that the many rows of `daily` are joined and summed
    # without touching texts; a row without a source belongs to group 0.
    return await db.fetch(
        f"""
        WITH labels AS (
            SELECT id, hashtextextended(concat_ws(E'\\x1f', {own}), 0) AS team, channel, source,
                   campaign,
                   ($5::text IS NULL OR channel = $5)
                   AND ($6::text IS NULL OR lower(source) = lower($6)) AS wanted
              FROM sources WHERE site_id = $1
        ), summed AS (
            SELECT coalesce(l.team, 0) AS team, d.day >= $3 AS now, {_SUMS}
              FROM daily d LEFT JOIN labels l ON l.id = d.source_id
             WHERE d.site_id = $1 AND d.day BETWEEN $2 AND $4
               AND coalesce(l.wanted, coalesce($5, '{UNKNOWN}') = '{UNKNOWN}'
                                      AND coalesce($6, '') = '')
             GROUP BY 1, 2
        ), ranked AS (
            SELECT team, row_number() OVER (
                       ORDER BY sum(calls + emails + forms + messages) DESC, sum(cost) DESC,
                                sum(visits) DESC, team) AS place
              FROM summed GROUP BY team
        ), placed AS (
            SELECT CASE WHEN r.place <= $7 THEN r.place END AS place,
                   CASE WHEN r.place <= $7 THEN team END AS team, now, {_SUMS}
              FROM summed JOIN ranked r USING (team) GROUP BY 1, 2, 3
        ), named AS (
            SELECT team, min(channel) AS channel, min(source) AS source,
                   min(campaign) AS campaign
              FROM labels WHERE team IN (SELECT team FROM placed) GROUP BY team
        )
        SELECT place, now, {shown}, {_SUMS}
          FROM placed LEFT JOIN named USING (team)
         GROUP BY place, now ORDER BY place, now DESC
        """,
        site_id,
        before,
        since,
        until,
        channel,
        source,
        most,
    )


def _paired(rows: Sequence[asyncpg.Record]) -> list[Row]:
    by_place: dict[int, list[asyncpg.Record]] = {}
    for row in rows:
        by_place.setdefault(row["place"], []).append(row)
    return [
        Row(
            channel=some[0]["channel"],
            source=some[0]["source"],
            campaign=some[0]["campaign"],
            now=_figures([row for row in some if row["now"]]),
            before=_figures([row for row in some if not row["now"]]),
        )
        for some in by_place.values()
    ]


def _together(rows: Sequence[asyncpg.Record]) -> Row:
    return Row(
        channel="",
        now=_figures([row for row in rows if row["now"]]),
        before=_figures([row for row in rows if not row["now"]]),
    )


def _figures(rows: Sequence[asyncpg.Record]) -> Figures:
    def count(name: str) -> float:
        return round(float(sum(row[name] for row in rows)), 6)

    def money(name: str) -> Decimal:
        return sum((row[name] for row in rows), Decimal(0))

    return Figures(
        visits=int(count("visits")),
        calls=count("calls"),
        missed=count("missed"),
        emails=count("emails"),
        forms=count("forms"),
        messages=count("messages"),
        leads=count("leads"),
        deals=count("deals"),
        revenue=money("revenue"),
        cost=money("cost"),
    )


async def _foreign(
    db: database.Db, site: Site, since: date, until: date
) -> dict[str, Decimal]:
    rows = await db.fetch(
        """
        SELECT currency, sum(amount) AS amount FROM deals
         WHERE site_id = $1 AND state = 'won' AND currency <> $2
           AND closed_at >= $3 AND closed_at < $4
         GROUP BY currency ORDER BY currency
        """,
        site.id,
        site.currency,
        midnight(since, site.timezone),
        midnight(until + DAY, site.timezone),
    )
    return {row["currency"]: row["amount"] for row in rows}


def _per(money: Decimal, count: float) -> Decimal | None:
    if not count:
        return None
    return (money / Decimal(str(count))).quantize(_CENT)
