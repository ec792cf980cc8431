"""How each connection is doing: its last event, why it does not work, how far polling came.

Doors, the worker and polling tell; the Health page and the connections' pages read. One row
a connection, made when there is first something to tell.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracker import db as database

FAULT = 500  # characters kept of a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of a connection."""

    last_event_at: datetime | None = None
    fault: str | None = None
    fault_at: datetime | None = None
    mark: dict[str, Any] = field(default_factory=dict)


async def told(db: database.Db, site_id: int, connection_id: int, at: datetime) -> None:
    """The connection was heard of (an event came, a delivery arrived)."""
    await db.execute(
        """
        INSERT INTO connection_states AS s (site_id, connection_id, last_event_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (site_id, connection_id)
        DO UPDATE SET last_event_at = greatest(s.last_event_at, excluded.last_event_at)
        """,
        site_id,
        connection_id,
        at,
    )


async def fault(
    db: database.Db, site_id: int, connection_id: int, text: str, at: datetime
) -> None:
    """The connection as a whole does not work; the first moment of one fault is kept."""
    await db.execute(
        """
        INSERT INTO connection_states AS s (site_id, connection_id, fault, fault_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (site_id, connection_id)
        DO UPDATE SET fault = excluded.fault,
                      fault_at = CASE WHEN s.fault IS NULL THEN excluded.fault_at
                                      ELSE s.fault_at END
        """,
        site_id,
        connection_id,
        text[:FAULT].replace("\0", ""),
        at,
    )


async def clear(db: database.Db, site_id: int, connection_id: int) -> None:
    """The connection works."""
    await db.execute(
        "UPDATE connection_states SET fault = NULL, fault_at = NULL "
        "WHERE site_id = $1 AND connection_id = $2 AND fault IS NOT NULL",
        site_id,
        connection_id,
    )


async def find(db: database.Db, site_id: int, connection_id: int) -> State:
    """What is known; an empty state when nothing is."""
    row = await db.fetchrow(
        "SELECT last_event_at, fault, fault_at, mark FROM connection_states "
        "WHERE site_id = $1 AND connection_id = $2",
        site_id,
        connection_id,
    )
    return State(**row) if row else State()


async def claim_poll(
    db: database.Db, site_id: int, connection_id: int, *, at: datetime, until: datetime
) -> bool:
    """Whether this process may poll the connection now; nobody else may before `until`."""
    return bool(
        await db.fetchval(
            """
            INSERT INTO connection_states AS s (site_id, connection_id, mark)
            VALUES ($1, $2, jsonb_build_object('poll_at', $4::timestamptz))
            ON CONFLICT (site_id, connection_id)
            DO UPDATE SET mark = s.mark || excluded.mark
             WHERE coalesce((s.mark->>'poll_at')::timestamptz, '-infinity') <= $3
            RETURNING true
            """,
            site_id,
            connection_id,
            at,
            until,
        )
    )


async def set_mark(
    db: database.Db, site_id: int, connection_id: int, mark: dict[str, Any]
) -> None:
    """Remember how far polling has come; other keys of the mark stay."""
    await db.execute(
        """
        INSERT INTO connection_states AS s (site_id, connection_id, mark) VALUES ($1, $2, $3)
        ON CONFLICT (site_id, connection_id) DO UPDATE SET mark = s.mark || excluded.mark
        """,
        site_id,
        connection_id,
        mark,
    )
