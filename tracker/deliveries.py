"""What is owed to destinations: one row each, written with what caused it.

`owe` is called inside the transaction of a contact, lead, deal or alert. The worker claims what is
due, which pushes its due time ahead, so a worker that dies leaves nothing to clean up; then
it writes how the attempt went. Deliveries of one lead go to a destination in the order they
were owed: a later one is not claimed while an earlier one is still owed. A dead one holds
nothing up, and can be owed again by a person.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tracker import db as database
from tracker import destinations, ids
from tracker.errors import BadInput
from tracker.sites import Connection, Site

CLAIM = timedelta(minutes=10)  # longer than the longest attempt (an upload) may take
KEPT = 8 * 1024  # characters kept of a request and of an answer
ERROR = 500  # characters kept of an error
NOT_SENT = "not sent: "  # how our own refusals begin (destinations.base.NotSent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing owed to one destination, claimed for an attempt."""

    site_id: int
    id: UUID
    destination_id: int
    event: str
    key: str
    lead_id: UUID | None
    contact_id: UUID | None
    deal_id: UUID | None
    alert_id: UUID | None
    at: datetime  # when it happened
    seq: int
    attempts: int  # begun, this one with them
    tries: int  # since it was last owed anew, this one with them
    batch: UUID | None  # an earlier upload whose outcome is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How an attempt went, fit to be shown: secrets are taken out."""

    at: datetime
    seconds: float
    request: str = ""
    code: int | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A delivery as people see it."""

    id: UUID
    contact_id: UUID | None
    lead_id: UUID | None
    deal_id: UUID | None
    destination_id: int
    destination: str | None  # the connection's name; None when it was removed
    kind: str | None
    event: str
    at: datetime
    state: str  # owed, delivered, dead
    attempts: int
    due_at: datetime
    last_error: str | None
    remote_id: str | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt as people see it."""

    n: int
    at: datetime
    seconds: float
    request: str
    code: int | None
    answer: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many deliveries of a destination are in which state."""

    destination_id: int
    owed: int
    failing: int  # owed, and tried in vain at least once
    dead: int  # refused by the destination or given up
    not_sent: int  # refused by ourselves: too old, no identifier, not certain
    oldest_at: datetime | None  # of the oldest that is owed


# Owing ----------------------------------------------------------------------------------


async def owe(
    db: database.Connection,
    site: Site,
    *,
    event: str,
    key: str,
    lead_id: UUID | None,
    contact_id: UUID | None = None,
    deal_id: UUID | None = None,
    alert_id: UUID | None = None,
    at: datetime,
) -> None:
    """Owe it to every destination of the site that wants the event; told twice is once.

    `key` is unique a destination. Must run in the transaction of what happened.
    """
    rows = [
        (
            ids.natural(site.id, "delivery", str(one.id), key),
            one.id,
            _first_due(one, at),
        )
        for one in site.connections
        if one.role == "destination"
        and destinations.wants(one.kind, one.settings, event)
    ]
    if not rows:
        return
    await db.execute(
        """
        INSERT INTO deliveries (site_id, id, destination_id, due_at, event, key, lead_id,
                                contact_id, deal_id, alert_id, at)
        SELECT $1, d.id, d.destination_id, d.due_at, $5, $6, $7, $8, $9, $10, $11
          FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[])
               AS d (id, destination_id, due_at)
        ON CONFLICT DO NOTHING
        """,
        site.id,
        *database.columns(rows, 3),
        event,
        key,
        lead_id,
        contact_id,
        deal_id,
        alert_id,
        at,
    )


def _first_due(connection: Connection, at: datetime) -> datetime:
    try:
        return destinations.read(connection.kind, connection.settings).first_due(at)
    except BadInput:
        return at  # the worker will say what is wrong with the settings


# Claiming -------------------------------------------------------------------------------


async def destinations_due(
    db: database.Db, places: Collection[tuple[int, int]], *, at: datetime
) -> list[tuple[int, int]]:
    """Which of these (site, destination) have something due, the longest waiting first."""
    rows = await db.fetch(
        """
        SELECT p.site_id, p.destination_id
          FROM unnest($1::int[], $2::bigint[]) AS p (site_id, destination_id)
         CROSS JOIN LATERAL (
               SELECT due_at FROM deliveries d
                WHERE d.site_id = p.site_id AND d.destination_id = p.destination_id
                  AND d.state = 'owed' AND d.due_at <= $3
                ORDER BY d.due_at LIMIT 1) AS first
         ORDER BY first.due_at
        """,
        *database.columns(list(places), 2),
        at,
    )
    return [(row["site_id"], row["destination_id"]) for row in rows]


async def claim(
    db: database.Db,
    site_id: int,
    destination_id: int,
    *,
    ordered: bool,
    most: int,
    at: datetime,
) -> list[Delivery]:
    """Take up to `most` that are due; nobody else gets them for the time of `CLAIM`.

    With `ordered`, only the first owed of each lead.
    """
    rows = await db.fetch(
        """
        WITH due AS (
            SELECT d.id FROM deliveries d
             WHERE d.site_id = $1 AND d.destination_id = $2
               AND d.state = 'owed' AND d.due_at <= $3
               AND NOT ($4 AND EXISTS (
                   SELECT FROM deliveries e
                    WHERE e.site_id = $1 AND e.destination_id = $2
                      AND e.lead_id = d.lead_id AND e.state = 'owed' AND e.seq < d.seq))
             ORDER BY d.due_at, d.seq LIMIT $5
               FOR UPDATE SKIP LOCKED)
        UPDATE deliveries d
           SET due_at = $3::timestamptz + $6::interval,
               claimed_until = $3::timestamptz + $6::interval,
               attempts = attempts + 1, tries = tries + 1
          FROM due WHERE d.site_id = $1 AND d.id = due.id
        RETURNING d.site_id, d.id, d.destination_id, d.event, d.key, d.lead_id, d.contact_id,
                  d.deal_id, d.alert_id, d.at, d.seq, d.attempts, d.tries, d.batch
        """,
        site_id,
        destination_id,
        at,
        ordered,
        most,
        CLAIM,
    )
    return sorted((Delivery(**row) for row in rows), key=lambda one: one.seq)


async def release(
    db: database.Db, site_id: int, ids_: Collection[UUID], *, at: datetime
) -> None:
    """Give up claims whose attempts were broken off: due at once, outcome unknown."""
    await db.execute(
        "UPDATE deliveries SET due_at = $3, claimed_until = NULL "
        "WHERE site_id = $1 AND id = ANY($2::uuid[]) AND state = 'owed'",
        site_id,
        list(ids_),
        at,
    )


async def put_off(db: database.Db, delivery: Delivery, *, until: datetime) -> None:
    """Its moment has not come: no attempt was made."""
    await db.execute(
        "UPDATE deliveries SET due_at = $3, claimed_until = NULL, attempts = attempts - 1, "
        "tries = tries - 1 WHERE site_id = $1 AND id = $2 AND attempts = $4 AND state = 'owed'",
        delivery.site_id,
        delivery.id,
        until,
        delivery.attempts,
    )


async def begin_upload(
    db: database.Db, claimed: Sequence[Delivery], batch: UUID, *, at: datetime
) -> set[UUID]:
    """Write down, before it begins, the upload they go with; the claim begins anew.

    Returns those whose claim is still ours: a claim that ran out may be another worker's.
    """
    rows = await db.fetch(
        """
        UPDATE deliveries d
           SET batch = $1, due_at = $5::timestamptz + $6::interval,
               claimed_until = $5::timestamptz + $6::interval
          FROM unnest($2::int[], $3::uuid[], $4::int[]) AS c (site_id, id, attempts)
         WHERE d.site_id = c.site_id AND d.id = c.id AND d.attempts = c.attempts
           AND d.state = 'owed'
        RETURNING d.id
        """,
        batch,
        *database.columns([(one.site_id, one.id, one.attempts) for one in claimed], 3),
        at,
        CLAIM,
    )
    return {row["id"] for row in rows}


async def forget_upload(db: database.Db, site_id: int, batch: UUID) -> None:
    """The upload certainly did not arrive: they may go with another."""
    await db.execute(
        "UPDATE deliveries SET batch = NULL "
        "WHERE site_id = $1 AND batch = $2 AND state = 'owed'",
        site_id,
        batch,
    )


# Recording ------------------------------------------------------------------------------


async def delivered(
    db: database.Connection,
    delivery: Delivery,
    attempt: Attempt,
    *,
    remote_id: str | None = None,
    at: datetime,
) -> None:
    """It arrived."""
    await db.execute(
        """
        UPDATE deliveries SET state = 'delivered', done_at = $3, remote_id = $4,
               last_error = NULL, claimed_until = NULL
         WHERE site_id = $1 AND id = $2 AND state = 'owed'
        """,
        delivery.site_id,
        delivery.id,
        at,
        remote_id,
    )
    await _keep(db, delivery, attempt, None)
    await _move_followers(db, delivery, attempt.at)


async def failed(
    db: database.Connection,
    delivery: Delivery,
    attempt: Attempt,
    error: str,
    *,
    due_at: datetime | None,
    counts: bool = True,
    at: datetime,
) -> None:
    """It did not; `due_at` is when it is tried again, None gives it up.

    An attempt that does not count (the connection is at fault) brings giving up no nearer.
    """
    error = error[:ERROR].replace("\0", "")
    # The number of attempts tells whether this claim is still ours.
    await db.execute(
        """
        UPDATE deliveries
           SET state = CASE WHEN $4::timestamptz IS NULL THEN 'dead' ELSE 'owed' END,
               done_at = CASE WHEN $4::timestamptz IS NULL THEN $5::timestamptz END,
               due_at = coalesce($4, due_at), last_error = $3, claimed_until = NULL,
               tries = tries - CASE WHEN $7 THEN 0 ELSE 1 END
         WHERE site_id = $1 AND id = $2 AND state = 'owed' AND attempts = $6
        """,
        delivery.site_id,
        delivery.id,
        error,
        due_at,
        at,
        delivery.attempts,
        counts,
    )
    await _keep(db, delivery, attempt, error)
    await _move_followers(db, delivery, due_at or attempt.at)


async def _keep(
    db: database.Connection, delivery: Delivery, attempt: Attempt, error: str | None
) -> None:
    await db.execute(
        """
        INSERT INTO attempts (site_id, owner_id, n, at, seconds, request, code, answer, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
        """,
        delivery.site_id,
        delivery.id,
        delivery.attempts,
        attempt.at,
        attempt.seconds,
        attempt.request[:KEPT],
        attempt.code,
        attempt.answer[:KEPT],
        error,
    )


async def _move_followers(
    db: database.Connection, delivery: Delivery, due_at: datetime
) -> None:
    """What waits behind it is due when it is, so that it is not looked at in vain."""
    if delivery.lead_id is None:
        return
    await db.execute(
        """
        UPDATE deliveries SET due_at = $5
         WHERE site_id = $1 AND destination_id = $2 AND lead_id = $3 AND seq > $4
           AND state = 'owed' AND tries = 0 AND due_at <> $5
        """,
        delivery.site_id,
        delivery.destination_id,
        delivery.lead_id,
        delivery.seq,
        due_at,
    )


async def hold(
    db: database.Db, site_id: int, destination_id: int, *, until: datetime, at: datetime
) -> None:
    """The whole destination is to be left in peace until then."""
    await db.execute(
        """
        UPDATE deliveries SET due_at = $3
         WHERE site_id = $1 AND destination_id = $2 AND state = 'owed' AND due_at < $3
           AND (claimed_until IS NULL OR claimed_until <= $4)
        """,
        site_id,
        destination_id,
        until,
        at,
    )


async def wake(
    db: database.Db, site_id: int, destination_id: int, *, at: datetime
) -> None:
    """Its settings were changed: what failed before is tried at once."""
    await db.execute(
        """
        UPDATE deliveries SET due_at = $3
         WHERE site_id = $1 AND destination_id = $2 AND state = 'owed' AND due_at > $3
           AND (claimed_until IS NULL OR claimed_until <= $3)
        """,
        site_id,
        destination_id,
        at,
    )


async def abandon(db: database.Db, *, at: datetime) -> int:
    """Give up what is owed to destinations that were removed; returns how many."""
    status = await db.execute(
        """
        UPDATE deliveries d
           SET state = 'dead', done_at = $1, last_error = 'the destination was removed'
         WHERE d.state = 'owed'
           AND NOT EXISTS (SELECT FROM connections n
                            WHERE n.site_id = d.site_id AND n.id = d.destination_id)
        """,
        at,
    )
    return int(status.split()[-1])


# For people -----------------------------------------------------------------------------


async def replay(
    db: database.Db, site_id: int, *, delivery_id: UUID | None = None, at: datetime
) -> int:
    """Owe the dead again (one, or all of the site), and try at once; returns how many.

    A delivery that is owed and waits after a failure is tried at once too.
    """
    status = await db.execute(
        """
        UPDATE deliveries SET state = 'owed', done_at = NULL, due_at = $3, tries = 0,
               last_error = NULL, claimed_until = NULL
         WHERE site_id = $1 AND ($2::uuid IS NULL OR id = $2)
           AND (state = 'dead' OR (state = 'owed' AND last_error IS NOT NULL))
           AND (claimed_until IS NULL OR claimed_until <= $3)
        """,
        site_id,
        delivery_id,
        at,
    )
    return int(status.split()[-1])


SHOWN = """
SELECT d.id, d.contact_id, d.lead_id, d.deal_id, d.destination_id, n.name AS destination,
       n.kind, d.event, d.at, d.state, d.attempts, d.due_at, d.last_error, d.remote_id, d.done_at
  FROM deliveries d
  LEFT JOIN connections n ON n.site_id = d.site_id AND n.id = d.destination_id
"""


async def of_contact(
    db: database.Db, site_id: int, contact_ids: Sequence[UUID]
) -> list[Shown]:
    """All deliveries of these contacts, in the order they were owed."""
    rows = await db.fetch(
        f"{SHOWN} WHERE d.site_id = $1 AND d.contact_id = ANY($2::uuid[]) ORDER BY d.seq",
        site_id,
        list(contact_ids),
    )
    return [Shown(**row) for row in rows]


async def dead(
    db: database.Db, site_id: int, *, not_sent: bool = False, limit: int = 100
) -> list[Shown]:
    """The latest that were given up; with `not_sent`, those we refused to send instead."""
    rows = await db.fetch(
        f"{SHOWN} WHERE d.site_id = $1 AND d.state = 'dead' "
        "AND (coalesce(d.last_error, '') LIKE $2 || '%') = $3 "
        "ORDER BY d.done_at DESC LIMIT $4",
        site_id,
        NOT_SENT,
        not_sent,
        limit,
    )
    return [Shown(**row) for row in rows]


async def attempts_of(
    db: database.Db, site_id: int, delivery_id: UUID, *, limit: int = 200
) -> list[Tried]:
    """The attempts of one delivery, the latest first."""
    rows = await db.fetch(
        "SELECT n, at, seconds, request, code, answer, error FROM attempts "
        "WHERE site_id = $1 AND owner_id = $2 ORDER BY n DESC LIMIT $3",
        site_id,
        delivery_id,
        limit,
    )
    return [Tried(**row) for row in rows]


async def counts(db: database.Db, site_id: int) -> list[Count]:
    """For the Health page: each destination's owed and dead."""
    rows = await db.fetch(
        """
        SELECT destination_id,
               count(*) FILTER (WHERE state = 'owed') AS owed,
               count(*) FILTER (WHERE state = 'owed' AND last_error IS NOT NULL) AS failing,
               count(*) FILTER (WHERE state = 'dead'
                   AND coalesce(last_error, '') NOT LIKE $2 || '%') AS dead,
               count(*) FILTER (WHERE state = 'dead' AND last_error LIKE $2 || '%') AS not_sent,
               min(at) FILTER (WHERE state = 'owed') AS oldest_at
          FROM deliveries WHERE site_id = $1 AND state IN ('owed', 'dead')
         GROUP BY destination_id ORDER BY destination_id
        """,
        site_id,
        NOT_SENT,
    )
    return [Count(**row) for row in rows]
