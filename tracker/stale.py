"""Which days of which site the reports must be made anew for."""

from datetime import datetime

from tracker import db as database
from tracker.sites import Site


async def mark(db: database.Db, site: Site, *moments: datetime | None) -> None:
    """The days (in the site's time zone) on which something changed."""
    days = {at.astimezone(site.timezone).date() for at in moments if at is not None}
    await db.execute(
        "INSERT INTO stale_days (site_id, day) SELECT $1, unnest($2::date[]) "
        "ON CONFLICT (site_id, day) DO UPDATE SET since = now()",
        site.id,
        sorted(days),
    )
