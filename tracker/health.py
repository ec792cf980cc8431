"""What is broken, for the administrator: unread events, silent connections, refusals.

Reads only; the remedies are `inbox.read_again`, `deliveries.replay` and `letters.retry`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker import db as database
from tracker.connection_states import State

SERVER = 0  # the site that stands for the server itself
RECENT = timedelta(days=7)  # refusals older than this are history
MOST = 50  # rows of a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Events of one door that could not be read, for one reason."""

    door: str
    kind: str
    reason: str
    count: int
    attempts: int
    oldest_at: datetime
    latest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that was not let in."""

    door: str
    kind: str
    reason: str
    connection_id: int
    count: int
    last_at: datetime


async def unread(db: database.Db, site_id: int) -> list[Unread]:
    """Events that could not be read, by door and reason; the server's own too."""
    rows = await db.fetch(
        """
        SELECT i.door, i.kind, u.reason, count(*) AS count, max(u.attempts) AS attempts,
               min(i.received_at) AS oldest_at, max(i.received_at) AS latest_at
          FROM unread u
          JOIN inbox i ON i.site_id = u.site_id AND i.id = u.inbox_id
         WHERE u.site_id = ANY($1::int[]) AND u.reason IS NOT NULL
         GROUP BY i.door, i.kind, u.reason
         ORDER BY count(*) DESC LIMIT $2
        """,
        [site_id, SERVER],
        MOST,
    )
    return [Unread(**row) for row in rows]


async def waiting(db: database.Db, site_id: int, *, at: datetime) -> datetime | None:
    """Since when the oldest event waits to be read at all; None: nothing waits."""
    oldest: datetime | None = await db.fetchval(
        """
        SELECT min(i.received_at)
          FROM unread u JOIN inbox i ON i.site_id = u.site_id AND i.id = u.inbox_id
         WHERE u.site_id = $1 AND u.reason IS NULL AND i.received_at < $2
        """,
        site_id,
        at - timedelta(minutes=1),
    )
    return oldest


async def heard(db: database.Db, site_id: int) -> dict[int, State]:
    """The state of each connection that has one, by its id."""
    rows = await db.fetch(
        "SELECT connection_id, last_event_at, fault, fault_at "
        "FROM connection_states WHERE site_id = $1",
        site_id,
    )
    return {
        row["connection_id"]: State(
            last_event_at=row["last_event_at"],
            fault=row["fault"],
            fault_at=row["fault_at"],
        )
        for row in rows
    }


async def refusals(db: database.Db, site_id: int, *, at: datetime) -> list[Refusal]:
    """What was refused lately, the commonest first; unknown addresses belong to no site."""
    rows = await db.fetch(
        """
        SELECT door, kind, reason, connection_id, sum(count)::bigint AS count,
               max(last_at) AS last_at
          FROM refusals
         WHERE hour >= $1::timestamptz AND site_id = ANY($2::int[])
         GROUP BY door, kind, reason, connection_id
         ORDER BY sum(count) DESC LIMIT $3
        """,
        at - RECENT,
        [site_id, SERVER],
        MOST,
    )
    return [Refusal(**row) for row in rows]


async def last_contacts(db: database.Db, site_id: int) -> dict[str, datetime]:
    """When the latest contact of each kind came."""
    rows = await db.fetch(
        """
        SELECT kind, (SELECT c.at FROM contacts c
                       WHERE c.site_id = $1 AND c.kind = k.kind
                       ORDER BY c.at DESC, c.id LIMIT 1) AS at
          FROM unnest(ARRAY['call', 'email', 'form', 'message']) AS k (kind)
        """,
        site_id,
    )
    return {row["kind"]: row["at"] for row in rows if row["at"] is not None}


async def last_calls(
    db: database.Db, site_id: int, *, at: datetime
) -> dict[str, datetime]:
    """When each number was last called; of the last 90 days."""
    rows = await db.fetch(
        """
        SELECT number, max(at) AS at FROM contacts
         WHERE site_id = $1 AND kind = 'call' AND number IS NOT NULL
           AND at >= $2::timestamptz
         GROUP BY number
        """,
        site_id,
        at - timedelta(days=90),
    )
    return {row["number"]: row["at"] for row in rows}
