"""What the advertisements cost, by day and source: imported, or entered for a period.

Every row has an origin. An import replaces the days it holds of its own origin, so that it
may be repeated; what was entered for a period is known by its source and its two dates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from tracker import db as database
from tracker import source_rows, sources, stale, tags
from tracker.errors import BadInput
from tracker.sites import Site
from tracker.sources import Source

T = TypeVar("T")

ORIGIN = "csv"
LONGEST_ORIGIN = 100  # characters
LONGEST_PERIOD = 3660  # days a sum may be spread over
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
MOST_AMOUNT = Decimal(10) ** 13
MOST_COUNT = 10**12  # clicks, impressions
STEP = Decimal("0.0001")  # what the column holds; ad systems tell more than cents
CENT = Decimal("0.01")
SLICE = 20_000  # rows written by one statement
PATIENCE = 120.0  # seconds for one of them
DAY = timedelta(days=1)

_PERIOD = "period/"  # begins the origins of what was entered for a period


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one source cost on one day."""

    day: date  # of the site's calendar
    source: Source
    amount: Decimal
    currency: str = ""  # ISO 4217; empty: the site's
    clicks: int = 0
    impressions: int = 0
    campaign_id: str = ""  # the ad system's own, beside the campaign's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has written."""

    rows: int
    days: int
    since: date | None
    until: date | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A sum that was entered for a period."""

    source: Source
    since: date
    until: date
    amount: Decimal


async def replace_days(
    db: database.Connection,
    site: Site,
    costs: Sequence[Cost],
    *,
    origin: str = ORIGIN,
) -> Imported:
    """Write these costs in place of what that origin told of the same days before.

    Raises BadInput for another currency than the site's, or an origin that cannot be.
    """
    origin = _origin(origin)
    _check_currencies(site, costs)
    rows = _summed(await _named(db, site, costs))
    for one in rows.values():
        check_amount(one.amount)
    days = sorted({day for day, _ in rows})
    async with db.transaction():
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            f"costs/{site.id}/{origin}",
        )
        await db.execute(
            "DELETE FROM costs WHERE site_id = $1 AND origin = $2 AND day = ANY($3::date[])",
            site.id,
            origin,
            days,
            timeout=PATIENCE,
        )
        await _insert(db, site, origin, rows)
        await stale.mark_days(db, [(site.id, day) for day in days])
    return Imported(
        rows=len(rows),
        days=len(days),
        since=days[0] if days else None,
        until=days[-1] if days else None,
        amount=sum((one.amount for one in rows.values()), Decimal(0)),
        currency=site.currency,
    )


async def spread(
    db: database.Connection,
    site: Site,
    *,
    source: str,
    medium: str,
    campaign: str = "",
    since: date,
    until: date,
    amount: Decimal,
) -> None:
    """Enter a sum for a period, evenly by day and exact to the cent; 0 takes it back.

    The same source and dates replace what was entered before. Raises BadInput.
    """
    if not source.strip() or not medium.strip():
        field = "medium" if source.strip() else "source"
        raise BadInput("must not be empty; use the words of your links", field=field)
    check_period(since, until)
    labels = sources.labelled(source=source, medium=medium, campaign=campaign)
    shares = even(check_amount(amount), since, until)
    origin = f"{_PERIOD}{since}/{until}"
    days = list(shares)
    async with db.transaction():
        await db.execute(
            "DELETE FROM costs WHERE site_id = $1 AND origin = $2 AND source_id = $3 "
            "AND day = ANY($4::date[])",
            site.id,
            origin,
            source_rows.source_id(labels),
            days,
        )
        costs = [Cost(day=day, source=labels, amount=shares[day]) for day in days]
        await _insert(db, site, origin, _summed(costs if amount else []))
        await stale.mark_days(db, [(site.id, day) for day in days])


async def entries(db: database.Db, site_id: int, *, most: int = 500) -> list[Entry]:
    """What was entered for periods, the latest first."""
    rows = await db.fetch(
        """
        SELECT c.origin, sum(c.amount) AS amount,
               s.channel, s.source, s.medium, s.campaign, s.content, s.term
          FROM costs c JOIN sources s ON s.site_id = c.site_id AND s.id = c.source_id
         WHERE c.site_id = $1 AND c.origin LIKE $2
         GROUP BY c.origin, s.site_id, s.id ORDER BY max(c.day) DESC, c.origin, s.id LIMIT $3
        """,
        site_id,
        f"{_PERIOD}%",
        most,
    )
    found = []
    for row in rows:
        since, _, until = row["origin"].removeprefix(_PERIOD).partition("/")
        labels = ("channel", "source", "medium", "campaign", "content", "term")
        found.append(
            Entry(
                source=Source(**{label: row[label] for label in labels}),
                since=date.fromisoformat(since),
                until=date.fromisoformat(until),
                amount=row["amount"],
            )
        )
    return found


def even(amount: Decimal, since: date, until: date) -> dict[date, Decimal]:
    """The sum by day, both ends included: as even as whole cents allow, and exactly it."""
    step = CENT if amount == amount.quantize(CENT) else STEP
    units, days = int(amount / step), (until - since).days + 1
    return {
        since + DAY * n: step * (units * (n + 1) // days - units * n // days)
        for n in range(days)
    }


def check_period(since: date, until: date) -> None:
    """Raises BadInput for days that cannot be."""
    if not EARLIEST <= since <= LATEST:
        raise BadInput(f"must be from {EARLIEST} to {LATEST}", field="since")
    if not since <= until <= LATEST:
        raise BadInput("must not be before the first day", field="until")
    if (until - since).days >= LONGEST_PERIOD:
        raise BadInput("the period may have ten years at most", field="until")


def check_amount(amount: Decimal) -> Decimal:
    """The sum as it is kept, to four digits; raises BadInput."""
    if not amount.is_finite() or not 0 <= amount < MOST_AMOUNT:
        raise BadInput(f"must be from 0 to {MOST_AMOUNT}", field="amount")
    return amount.quantize(STEP)


def _origin(origin: str) -> str:
    origin = tags.clean(origin, LONGEST_ORIGIN)
    if not origin or origin.startswith(_PERIOD):
        raise BadInput(f"must be a name, not beginning with {_PERIOD}", field="origin")
    return origin


def _check_currencies(site: Site, costs: Iterable[Cost]) -> None:
    foreign = {one.currency.upper() for one in costs} - {"", site.currency}
    if foreign:
        raise BadInput(
            f"the site counts in {site.currency}, not in {', '.join(sorted(foreign))}: "
            "convert the costs first",
            field="currency",
        )


async def _named(
    db: database.Connection, site: Site, costs: Sequence[Cost]
) -> list[Cost]:
    """The costs under the campaign label that the site's visits carry.

    Ad systems tell a campaign's id and its name; links carry one of them, as the owner
    tagged them. The id is used where it is known as a label, else the name.
    """
    wanted = sorted({one.campaign_id.lower() for one in costs if one.campaign_id})
    rows = await db.fetch(
        "SELECT DISTINCT lower(source) AS source, lower(medium) AS medium, "
        "lower(campaign) AS campaign FROM sources "
        "WHERE site_id = $1 AND lower(campaign) = ANY($2::text[])",
        site.id,
        wanted,
    )
    known = {tuple(row) for row in rows}
    return [_under_label(one, known) for one in costs]


def _under_label(cost: Cost, known: set[tuple[str, ...]]) -> Cost:
    source = cost.source
    labels = (source.source, source.medium, cost.campaign_id)
    if not cost.campaign_id or source.campaign == cost.campaign_id:
        return cost
    if source.campaign and tuple(map(str.lower, labels)) not in known:
        return cost
    return replace(
        cost, source=msgspec.structs.replace(source, campaign=cost.campaign_id)
    )


def _summed(costs: Iterable[Cost]) -> dict[tuple[date, int], Cost]:
    """One cost a day and source."""
    found: dict[tuple[date, int], Cost] = {}
    for one in costs:
        key = one.day, source_rows.source_id(one.source)
        before = found.get(key)
        if before is not None:
            one = replace(
                before,
                amount=before.amount + one.amount,
                clicks=before.clicks + one.clicks,
                impressions=before.impressions + one.impressions,
            )
        found[key] = one
    return found


async def _insert(
    db: database.Connection,
    site: Site,
    origin: str,
    costs: Mapping[tuple[date, int], Cost],
) -> None:
    labels = {one.source for one in costs.values()}
    for some in _slices(list(labels)):
        await source_rows.keep(db, site.id, some)
    for part in _slices(list(costs.items())):
        rows = [
            (day, source_id, one.amount, one.clicks, one.impressions)
            for (day, source_id), one in part
        ]
        await db.execute(
            """
            INSERT INTO costs (site_id, origin, currency, day, source_id, amount, clicks,
                               impressions)
            SELECT $1, $2, $3, * FROM unnest($4::date[], $5::bigint[], $6::numeric[],
                                             $7::bigint[], $8::bigint[])
            """,
            site.id,
            origin,
            site.currency,
            *database.columns(rows, 5),
            timeout=PATIENCE,
        )


def _slices(items: list[T]) -> list[list[T]]:
    return [items[n : n + SLICE] for n in range(0, len(items), SLICE)]
