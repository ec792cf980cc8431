"""A person's open interest: the contacts that belong together."""

from datetime import datetime
from uuid import UUID

from tracker import db as database
from tracker import ids
from tracker.sites import Site


async def join(
    db: database.Connection,
    site: Site,
    person_id: UUID,
    contact_id: UUID,
    *,
    at: datetime,
) -> tuple[UUID, bool]:
    """The lead this contact belongs to, and whether it opened it.

    A lead takes the contacts of its person while it is open and no longer than the site's
    lead window apart. The person must be locked (`people.find_or_make` does).
    """
    row = await db.fetchrow(
        """
        UPDATE leads SET last_contact_at = greatest(last_contact_at, $4)
         WHERE site_id = $1 AND id = (
               SELECT id FROM leads
                WHERE site_id = $1 AND person_id = $2 AND state = 'open'
                  AND last_contact_at >= $4::timestamptz - $3::interval
                  AND opened_at <= $4::timestamptz + $3::interval
                ORDER BY last_contact_at DESC LIMIT 1)
        RETURNING id
        """,
        site.id,
        person_id,
        site.lead_window,
        at,
    )
    if row:
        return row["id"], False
    lead_id = ids.natural(site.id, "lead", str(contact_id))
    await db.execute(
        """
        INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at, first_contact_id)
        VALUES ($1, $2, $3, $4, $4, $5)
        """,
        site.id,
        lead_id,
        person_id,
        at,
        contact_id,
    )
    return lead_id, True


async def close(
    db: database.Db, site_id: int, lead_id: UUID, *, state: str, at: datetime
) -> None:
    """Won or lost: later contacts of the person open a new lead."""
    await db.execute(
        """
        UPDATE leads SET state = $3, closed_at = CASE WHEN $3 = 'open' THEN NULL ELSE $4::timestamptz END
         WHERE site_id = $1 AND id = $2
        """,
        site_id,
        lead_id,
        state,
        at,
    )
