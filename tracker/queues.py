"""How long the queues are, over all sites."""

from tracker import db as database


async def lengths(db: database.Db) -> dict[tuple[str, str], int]:
    """Rows by queue and state: inbox new/failed, deliveries and forwards owed/dead."""
    rows = await db.fetch(
        """
        SELECT 'inbox' AS queue, CASE WHEN reason IS NULL THEN 'new' ELSE 'failed' END AS state,
               count(*) AS count FROM unread GROUP BY 1, 2
        UNION ALL SELECT 'deliveries', state, count(*) FROM deliveries
                   WHERE state IN ('owed', 'dead') GROUP BY 2
        UNION ALL SELECT 'forwards', state, count(*) FROM forwards
                   WHERE state IN ('owed', 'dead') GROUP BY 2
        """
    )
    return {(row["queue"], row["state"]): row["count"] for row in rows}
