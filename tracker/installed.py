"""Whether the script works on the site: the latest page that told of itself."""

from dataclasses import dataclass
from datetime import datetime

from tracker import db as database


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page that the script ran on."""

    at: datetime
    url: str
    test: bool  # marked by skvoz_test=1


async def latest(db: database.Db, site_id: int) -> Seen | None:
    """The latest page of the latest session; None: the script was never heard of."""
    row = await db.fetchrow(
        """
        WITH latest AS (
            SELECT id, started_at, landing_url, test FROM sessions
             WHERE site_id = $1 ORDER BY id DESC LIMIT 1
        )
        SELECT coalesce(p.at, s.started_at) AS at, coalesce(p.url, s.landing_url) AS url,
               s.test
          FROM latest s
          LEFT JOIN LATERAL (
              SELECT at, url FROM pages WHERE site_id = $1 AND session_id = s.id
               ORDER BY at DESC LIMIT 1
          ) p ON true
        """,
        site_id,
    )
    return None if row is None else Seen(**row)
