"""Which days of which site the reports must be made anew for.

Whatever changes a figure adds a mark; marks are rows of their own, so writers never wait for
each other. `reports.refreshing` counts the days and takes away the marks that it saw before
it began; those of changes that were not yet visible then stay.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker.sites import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A day to be counted anew."""

    site_id: int
    day: date
    marks: tuple[int, ...]  # their ids, in order
    timezone: ZoneInfo  # of the site


async def mark(db: database.Db, site: Site, *moments: datetime | None) -> None:
    """The days (in the site's time zone) on which something changed."""
    days = {at.astimezone(site.timezone).date() for at in moments if at is not None}
    await mark_days(db, [(site.id, day) for day in days])


async def mark_days(db: database.Db, days: Iterable[tuple[int, date]]) -> None:
    """Days of the calendars of sites, given by the site's id."""
    await db.execute(
        "INSERT INTO stale_days (site_id, day) SELECT * FROM unnest($1::int[], $2::date[])",
        *database.columns(sorted(set(days)), 2),
    )


async def mark_span(db: database.Db, site_id: int, since: date, until: date) -> None:
    """All days from one to the other, both included."""
    await db.execute(
        "INSERT INTO stale_days (site_id, day) "
        "SELECT $1, day::date FROM generate_series($2::date, $3::date, '1 day') AS day",
        site_id,
        since,
        until,
    )


async def marked(db: database.Db) -> list[Marked]:
    """All days that are marked, the latest first."""
    rows = await db.fetch(
        """
        SELECT d.site_id, d.day, array_agg(d.id ORDER BY d.id) AS marks, s.timezone
          FROM stale_days d JOIN sites s ON s.id = d.site_id
         GROUP BY d.site_id, d.day, s.timezone
         ORDER BY d.day DESC, d.site_id
        """
    )
    return [
        Marked(
            site_id=row["site_id"],
            day=row["day"],
            marks=tuple(row["marks"]),
            timezone=ZoneInfo(row["timezone"]),
        )
        for row in rows
    ]


async def unmark(db: database.Db, site_id: int, marks: Collection[int]) -> None:
    """Take these marks away; changes they told of are in the reports."""
    await db.execute(
        "DELETE FROM stale_days WHERE site_id = $1 AND id = ANY($2::bigint[])",
        site_id,
        list(marks),
    )
