"""The health of pools by the hour: `pool_hours`, made anew with each day of the reports.

`rollup.rebuild_day` calls `make`, so these rows are kept up to date and rebuilt as `daily`
is. A number is in use from when it is lent until 150 s after its holder's last sign of life.
A call is expected to be answered right with the probability of the likeliest answer: its
heaviest candidate, or nobody.
"""

from datetime import datetime, timedelta

from numberpool import lending
from tracker import db as database

LONGEST = timedelta(days=1)  # a session that goes on longer is counted until then

# $1 site, $2 and $3 the day's first moment and the next day's, $4 when a number is idle,
# $5 how long before the day a lease may have begun that is still in use.
# Leases are found number by number: an index by time would cost every visit.
MAKE = """
WITH held AS MATERIALIZED (
    SELECT l.pool_id, l.number, l.since, l.shared,
           l.last_sign_at + $4::interval AS until
      FROM numbers n
      JOIN leases l ON l.site_id = n.site_id AND l.number = n.number
     WHERE n.site_id = $1 AND n.kind = 'dynamic'
       AND l.since >= $2::timestamptz - $5::interval AND l.since < $3::timestamptz
       AND l.last_sign_at + $4::interval > $2
),
pieces AS (
    SELECT pool_id, number, hour,
           range_agg(tstzrange(greatest(since, hour), least(until, hour + interval '1 hour')))
               AS spans
      FROM held
     CROSS JOIN LATERAL generate_series(
               date_bin('1 hour', greatest(since, $2), $2),
               least(until, $3) - interval '1 microsecond', interval '1 hour') AS hour
     WHERE least(until, hour + interval '1 hour') > greatest(since, hour)
     GROUP BY pool_id, number, hour
),
spans AS (SELECT pool_id, hour, unnest(spans) AS span FROM pieces),
steps AS (
    SELECT pool_id, hour, lower(span) AS at, 1 AS step FROM spans
    UNION ALL
    SELECT pool_id, hour, upper(span), -1 FROM spans
),
running AS (
    SELECT pool_id, hour,
           sum(step) OVER (PARTITION BY pool_id, hour ORDER BY at, step
                           ROWS UNBOUNDED PRECEDING) AS busy
      FROM steps
),
calls AS (
    SELECT n.pool_id, date_bin('1 hour', c.at, $2) AS hour,
           greatest(c.certainty, 1 - coalesce(given.weight, 0)) AS likeliest
      FROM contacts c
      JOIN numbers n ON n.site_id = c.site_id AND n.number = c.number AND n.kind = 'dynamic'
      LEFT JOIN LATERAL (
           SELECT sum(a.weight) AS weight FROM attributions a
            WHERE a.site_id = c.site_id AND a.contact_id = c.id AND a.rule = c.rule
           ) AS given ON true
     WHERE c.site_id = $1 AND c.kind = 'call' AND c.excluded IS NULL
       AND c.at >= $2 AND c.at < $3
),
measured (pool_id, hour, measure, amount) AS (
    SELECT pool_id, date_bin('1 hour', since, $2), 'issued', count(*)::float8
      FROM held WHERE since >= $2 GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, date_bin('1 hour', since, $2), 'shared', count(*)
      FROM held WHERE since >= $2 AND shared GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, date_bin('1 hour', quarter, $2), 'waited', sum(waited)
      FROM pool_waits WHERE site_id = $1 AND quarter >= $2 AND quarter < $3 GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, date_bin('1 hour', quarter, $2), 'served', sum(served)
      FROM pool_waits WHERE site_id = $1 AND quarter >= $2 AND quarter < $3 GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, hour, 'most_busy', max(busy) FROM running GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, hour, 'busy_seconds', sum(extract(epoch FROM upper(span) - lower(span)))
      FROM spans GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, hour, 'called', count(*) FROM calls GROUP BY 1, 2
    UNION ALL
    SELECT pool_id, hour, 'right_calls', sum(likeliest) FROM calls GROUP BY 1, 2
)
INSERT INTO pool_hours (site_id, pool_id, hour, numbers, issued, shared, waited, served,
                        most_busy, busy_seconds, called, right_calls)
SELECT $1, m.pool_id, m.hour,
       (SELECT count(*) FROM numbers n
         WHERE n.site_id = $1 AND n.pool_id = m.pool_id AND n.kind = 'dynamic'
           AND NOT n.resting AND (n.retired_at IS NULL OR n.retired_at > m.hour)),
       {columns}
  FROM measured m GROUP BY m.pool_id, m.hour
""".format(
    # Rounded, so that the order of adding does not show.
    columns=", ".join(
        f"coalesce(round((sum(amount) FILTER (WHERE measure = '{name}'))::numeric, 6), 0)"
        f"::{type_}"
        for name, type_ in (
            ("issued", "int"),
            ("shared", "int"),
            ("waited", "int"),
            ("served", "int"),
            ("most_busy", "int"),
            ("busy_seconds", "float8"),
            ("called", "int"),
            ("right_calls", "float8"),
        )
    )
)


async def make(
    db: database.Connection,
    site_id: int,
    start: datetime,
    end: datetime,
    *,
    patience: float,
) -> None:
    """Make the hours of one day anew, within the transaction that makes the day."""
    await db.execute(
        "DELETE FROM pool_hours WHERE site_id = $1 AND hour >= $2 AND hour < $3",
        site_id,
        start,
        end,
    )
    await db.execute(MAKE, site_id, start, end, lending.IDLE, LONGEST, timeout=patience)
