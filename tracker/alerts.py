"""What an owner should know: one row from when its cause is found until it is gone.

Watchers (`tracker/leaks.py`, `crawl_alarm.py`, `accuracy.py`) find causes and hand all of one
kind to `settle`, which raises what is new, renews what goes on and ends what is gone. This is
also the one place where an alert leaves the house: each is owed once, as `alert.raised`, to
every destination that lists this event. So a new channel (a letter, a messenger) is a
destination with that event and needs nothing here.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tracker import db as database
from tracker import deliveries, ids, views
from tracker.sites import Site

log = logging.getLogger(__name__)

CALLED = "leak.called"  # subject: a number with more calls than its visitors explain
FOUND = "leak.found"  # subject: a number that stands in the site's own pages
ACCURACY = "accuracy.low"  # subject: a pool whose calls are answered too uncertainly
EVENT = "alert.raised"
MOST = 50  # causes of one kind that become alerts; more would not be read

# In English, for the REST API and webhooks; the dashboard has its own words.
TEXTS = {
    CALLED: "Calls to {subject} fit no visitor who was shown it: about {unexplained} such "
    "calls in {days} days, {expected} were to be expected. It probably stands somewhere in "
    "public.",
    FOUND: "{subject}, a tracking number, stands in the HTML of {first_page}: everybody sees "
    "it, so its calls are no visitor's own.",
    ACCURACY: "Of the calls to pool {subject} on {day} only {accuracy:.0%} are expected to be "
    "attributed rightly; the threshold is {threshold:.0%}.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something that is wrong now."""

    subject: str
    since: datetime
    figures: dict[str, Any] = field(default_factory=dict)  # plain JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A cause as an owner is told of it."""

    id: UUID
    kind: str
    subject: str
    since: datetime
    last_seen_at: datetime
    figures: dict[str, Any]
    dismissed_at: datetime | None
    ended_at: datetime | None

    @property
    def text(self) -> str:
        """One English sentence or two."""
        pages = self.figures.get("pages") or [""]
        known = {**self.figures, "subject": self.subject, "first_page": pages[0]}
        return TEXTS[self.kind].format(**known)


COLUMNS = "id, kind, subject, since, last_seen_at, figures, dismissed_at, ended_at"


async def settle(
    db: database.Connection,
    site: Site,
    kind: str,
    causes: Iterable[Cause],
    *,
    keep: Collection[str] = (),
    at: datetime,
) -> list[Alert]:
    """Make the site's alerts of this kind those that have a cause; returns the new ones.

    Of the subjects in `keep` nothing could be found out this time: theirs stay as they are.
    """
    found = sorted(list(causes)[:MOST], key=lambda one: one.subject)
    async with db.transaction():
        raised = [await _raise(db, site.id, kind, one, at) for one in found]
        new = [alert for alert in raised if alert is not None]
        await db.execute(
            """
            UPDATE alerts SET ended_at = $4
             WHERE site_id = $1 AND kind = $2 AND ended_at IS NULL
               AND NOT subject = ANY($3::text[])
            """,
            site.id,
            kind,
            [one.subject for one in found] + list(keep),
            at,
        )
        for alert in new:
            await _tell(db, site, alert, at)
    if new:
        log.info("alerts raised", extra={"site": site.id, "kind": kind, "n": len(new)})
    return new


async def _raise(
    db: database.Connection, site_id: int, kind: str, cause: Cause, at: datetime
) -> Alert | None:
    """The new alert; None: there is one already, and it is renewed."""
    row = await db.fetchrow(
        f"""
        INSERT INTO alerts AS known (site_id, id, kind, subject, since, last_seen_at, figures)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (site_id, kind, subject) WHERE ended_at IS NULL DO UPDATE
           SET since = least(known.since, excluded.since),
               last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
               figures = excluded.figures
        RETURNING {COLUMNS}, xmax = 0 AS new
        """,
        site_id,
        ids.mint(site_id, at),
        kind,
        cause.subject,
        cause.since,
        at,
        cause.figures,
    )
    assert row is not None
    return _alert(row) if row["new"] else None


async def _tell(
    db: database.Connection, site: Site, alert: Alert, at: datetime
) -> None:
    await deliveries.owe(
        db,
        site,
        event=EVENT,
        key=f"{EVENT}:{alert.id}",
        lead_id=None,
        alert_id=alert.id,
        at=at,
    )


async def dismiss(db: database.Db, site_id: int, id_: UUID, *, at: datetime) -> bool:
    """Show no notice of it any more; False when there is no such alert."""
    status = await db.execute(
        "UPDATE alerts SET dismissed_at = coalesce(dismissed_at, $3) "
        "WHERE site_id = $1 AND id = $2",
        site_id,
        id_,
        at,
    )
    return status != "UPDATE 0"


async def standing(
    db: database.Db, site_id: int, kind: str | None = None
) -> list[Alert]:
    """Alerts whose cause is still there, dismissed ones too; the latest first."""
    rows = await db.fetch(
        f"""
        SELECT {COLUMNS} FROM alerts
         WHERE site_id = $1 AND ended_at IS NULL AND ($2::text IS NULL OR kind = $2)
         ORDER BY since DESC, id
        """,
        site_id,
        kind,
    )
    return [_alert(row) for row in rows]


async def ended(
    db: database.Db, site_id: int, *, since: datetime, limit: int
) -> list[Alert]:
    """Alerts that ended since that moment, the latest first."""
    rows = await db.fetch(
        f"""
        SELECT {COLUMNS} FROM alerts WHERE site_id = $1 AND ended_at >= $2
         ORDER BY ended_at DESC, id LIMIT $3
        """,
        site_id,
        since,
        limit,
    )
    return [_alert(row) for row in rows]


async def listed(
    db: database.Db, site_id: int, *, ended: bool | None, limit: int
) -> list[Alert]:
    """Alerts by when they began, the latest first; `ended` None: all of them."""
    rows = await db.fetch(
        f"""
        SELECT {COLUMNS} FROM alerts
         WHERE site_id = $1 AND ($2::bool IS NULL OR (ended_at IS NOT NULL) = $2)
         ORDER BY since DESC, id LIMIT $3
        """,
        site_id,
        ended,
        limit,
    )
    return [_alert(row) for row in rows]


async def find(db: database.Db, site_id: int, id_: UUID) -> Alert | None:
    """One alert."""
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM alerts WHERE site_id = $1 AND id = $2", site_id, id_
    )
    return _alert(row) if row else None


def record(alert: Alert) -> dict[str, Any]:
    """The alert as the REST API and the webhooks give it."""
    return {
        "id": str(alert.id),
        "kind": alert.kind,
        "subject": alert.subject,
        "text": alert.text,
        "since": views.instant(alert.since),
        "last_seen": views.instant(alert.last_seen_at),
        "dismissed": _told(alert.dismissed_at),
        "ended": _told(alert.ended_at),
        "figures": alert.figures,
    }


def _told(at: datetime | None) -> str | None:
    return views.instant(at) if at else None


def _alert(row: asyncpg.Record) -> Alert:
    return Alert(**{name: row[name] for name in Alert.__dataclass_fields__})
