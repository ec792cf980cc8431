"""The reports' own rows: one a day and source in `daily`, made from what happened.

A day is always made anew as a whole, from sessions, contacts, leads, deals and costs, in one
transaction; so a row can never drift from what it was counted from. `refreshing` decides
when. The hours of number pools are made with their day (`pool_hours`). Days are those of the site's calendar. Contacts count by the weights of the answer that
is current for them; what no candidate took belongs to source 0, "unknown".
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracker import db as database
from tracker import ids
from tracker.errors import UnknownAddress
from tracker.reports import pool_hours

PATIENCE = 600.0  # seconds one day may take: millions of sessions on a slow disk
DAY = timedelta(days=1)

# How a contact `c` is shared among sources; a remainder under a millionth is rounding.
SHARES = """
LATERAL (
    SELECT a.source_id, a.weight FROM attributions a
     WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = c.rule
    UNION ALL
    SELECT 0, 1 - coalesce(sum(a.weight), 0) FROM attributions a
     WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = c.rule
    HAVING coalesce(sum(a.weight), 0) < 1 - 1e-6
) AS share
"""

# $1 site, $2 day, $3 and $4 its first moment and the next day's, $5 and $6 the same as ids.
# An id tells its moment, so the bounds on it also leave out the other months' partitions.
# A won deal in another currency counts as a deal; its money cannot be added to ours.
MAKE = f"""
WITH site AS (SELECT currency FROM sites WHERE id = $1),
measured (source_id, measure, amount, money) AS (
    SELECT source_id, 'visits', count(*)::float8, 0::numeric FROM sessions
     WHERE site_id = $1 AND id >= $5::uuid AND id < $6::uuid AND NOT test
     GROUP BY source_id
    UNION ALL
    SELECT share.source_id, c.kind, share.weight, 0
      FROM contacts c CROSS JOIN {SHARES}
     WHERE c.site_id = $1 AND c.at >= $3::timestamptz AND c.at < $4::timestamptz
       AND c.excluded IS NULL
    UNION ALL
    SELECT share.source_id, 'missed', share.weight, 0
      FROM contacts c
      JOIN calls k ON k.site_id = c.site_id AND k.contact_id = c.id
     CROSS JOIN {SHARES}
     WHERE c.site_id = $1 AND c.at >= $3::timestamptz AND c.at < $4::timestamptz
       AND c.excluded IS NULL
       AND k.ended_at IS NOT NULL AND k.outcome IS DISTINCT FROM 'answered'
    UNION ALL
    SELECT share.source_id, 'leads', share.weight, 0
      FROM leads l
      JOIN contacts c ON c.site_id = l.site_id AND c.id = l.first_contact_id
     CROSS JOIN {SHARES}
     WHERE l.site_id = $1 AND l.opened_at >= $3::timestamptz AND l.opened_at < $4::timestamptz
       AND c.excluded IS NULL
    UNION ALL
    SELECT coalesce(share.source_id, 0), 'deals', coalesce(share.weight, 1),
           CASE WHEN d.currency = site.currency
                THEN d.amount * coalesce(share.weight, 1)::numeric ELSE 0 END
      FROM site
      JOIN deals d ON d.site_id = $1 AND d.state = 'won'
                  AND d.closed_at >= $3::timestamptz AND d.closed_at < $4::timestamptz
      LEFT JOIN leads l ON l.site_id = d.site_id AND l.id = d.lead_id
      LEFT JOIN contacts c ON c.site_id = l.site_id AND c.id = l.first_contact_id
      LEFT JOIN {SHARES} ON c.id IS NOT NULL
    UNION ALL
    SELECT o.source_id, 'cost', 0, o.amount
      FROM site JOIN costs o ON o.site_id = $1 AND o.day = $2 AND o.currency = site.currency
)
INSERT INTO daily (site_id, day, source_id, visits, calls, missed, emails, forms, messages,
                   leads, deals, revenue, cost)
SELECT $1, $2, source_id,
       coalesce(sum(amount) FILTER (WHERE measure = 'visits'), 0)::bigint,
       {{calls}}, {{missed}}, {{emails}}, {{forms}}, {{messages}}, {{leads}}, {{deals}},
       coalesce(sum(money) FILTER (WHERE measure = 'deals'), 0),
       coalesce(sum(money) FILTER (WHERE measure = 'cost'), 0)
  FROM measured GROUP BY source_id
""".format(
    # Rounded, so that the order of adding does not show.
    **{
        column: "coalesce(round((sum(amount) FILTER (WHERE measure = "
        f"'{measure}'))::numeric, 6), 0)::float8"
        for column, measure in {
            "calls": "call",
            "missed": "missed",
            "emails": "email",
            "forms": "form",
            "messages": "message",
            "leads": "leads",
            "deals": "deals",
        }.items()
    }
)


def midnight(day: date, timezone: ZoneInfo) -> datetime:
    """The day's first moment in the time zone, as UTC."""
    return datetime.combine(day, time(), timezone).astimezone(UTC)


async def rebuild_day(db: database.Connection, site_id: int, day: date) -> None:
    """Make one day of a site anew; waits while another does the same.

    Raises UnknownAddress when there is no such site.
    """
    timezone = await zone(db, site_id)
    start, end = midnight(day, timezone), midnight(day + DAY, timezone)
    async with db.transaction():
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", _lock(site_id, day)
        )
        await db.execute(
            "DELETE FROM daily WHERE site_id = $1 AND day = $2", site_id, day
        )
        await db.execute(
            MAKE,
            site_id,
            day,
            start,
            end,
            ids.floor(start),
            ids.floor(end),
            timeout=PATIENCE,
        )
        await pool_hours.make(db, site_id, start, end, patience=PATIENCE)


async def rebuild(
    db: database.Connection,
    site_id: int,
    since: date,
    until: date,
    *,
    told: Callable[[date], None] = lambda day: None,
) -> None:
    """Make all days anew, both ends included; `told` hears of each that is done."""
    day = since
    while day <= until:
        await rebuild_day(db, site_id, day)
        told(day)
        day += DAY


async def try_lock(db: database.Connection, site_id: int, day: date) -> bool:
    """Whether nobody else is making the day; ours until the transaction ends."""
    mine = await db.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", _lock(site_id, day)
    )
    return bool(mine)


def _lock(site_id: int, day: date) -> str:
    return f"daily/{site_id}/{day}"


async def zone(db: database.Db, site_id: int) -> ZoneInfo:
    """The site's time zone; raises UnknownAddress when there is no such site."""
    name = await db.fetchval("SELECT timezone FROM sites WHERE id = $1", site_id)
    if name is None:
        raise UnknownAddress("there is no such site")
    return ZoneInfo(name)
