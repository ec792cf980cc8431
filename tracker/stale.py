"""Which days of which site the reports must be made anew for.

Marked by whatever changes a figure; `reports.refreshing` counts the days and takes the marks
away. A mark's version changes whenever the day is marked again, so that only a mark that was
there before the counting began is taken away after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker.sites import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A day to be counted anew."""

    site_id: int
    day: date
    version: str
    timezone: ZoneInfo  # of the site


async def mark(db: database.Db, site: Site, *moments: datetime | None) -> None:
    """The days (in the site's time zone) on which something changed."""
    days = {at.astimezone(site.timezone).date() for at in moments if at is not None}
    await mark_days(db, [(site.id, day) for day in days])


async def mark_days(db: database.Db, days: Iterable[tuple[int, date]]) -> None:
    """Days of the calendars of sites, given by the site's id."""
    # Sorted, so that two who mark the same days never wait for each other in a circle.
    await db.execute(
        "INSERT INTO stale_days (site_id, day) SELECT * FROM unnest($1::int[], $2::date[]) "
        "ON CONFLICT (site_id, day) DO UPDATE SET since = now()",
        *database.columns(sorted(set(days)), 2),
    )


async def mark_span(db: database.Db, site_id: int, since: date, until: date) -> None:
    """All days from one to the other, where they are not marked yet."""
    await db.execute(
        """
        INSERT INTO stale_days (site_id, day)
        SELECT $1, day::date FROM generate_series($2::date, $3::date, '1 day') AS day
        ON CONFLICT DO NOTHING
        """,
        site_id,
        since,
        until,
    )


async def marks(db: database.Db) -> list[Mark]:
    """All days that are marked, the latest first."""
    rows = await db.fetch(
        """
        SELECT d.site_id, d.day, d.xmin::text AS version, s.timezone
          FROM stale_days d JOIN sites s ON s.id = d.site_id
         ORDER BY d.day DESC, d.site_id
        """
    )
    return [
        Mark(
            site_id=row["site_id"],
            day=row["day"],
            version=row["version"],
            timezone=ZoneInfo(row["timezone"]),
        )
        for row in rows
    ]


async def version(db: database.Db, site_id: int, day: date) -> str | None:
    """The day's mark as it is now; None when it is gone."""
    found: str | None = await db.fetchval(
        "SELECT xmin::text FROM stale_days WHERE site_id = $1 AND day = $2",
        site_id,
        day,
    )
    return found


async def unmark(db: database.Db, site_id: int, day: date, version: str) -> None:
    """Take the mark away, unless the day was marked again."""
    await db.execute(
        "DELETE FROM stale_days WHERE site_id = $1 AND day = $2 AND xmin::text = $3",
        site_id,
        day,
        version,
    )
