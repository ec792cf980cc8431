"""Who is the same person: one phone or one email address belongs to one person.

A visitor (browser) is tied to a person only by contacts that are certain; browsers are
shared, so a visitor alone never makes two people one.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tracker import db as database
from tracker import ids


async def find_or_make(
    db: database.Connection,
    site_id: int,
    *,
    phones: Collection[str] = (),
    emails: Collection[str] = (),
    visitors: Collection[UUID] = (),
    name: str = "",
    seed: UUID,
    at: datetime,
) -> UUID:
    """The person these belong to; people who turn out to be one are joined.

    `seed` is the contact that tells of him: the id of a new person is made from it. Must run
    inside a transaction.
    """
    strong = [("phone", phone) for phone in phones]
    strong += [("email", fold(email)) for email in emails]
    weak = [("visitor", str(visitor)) for visitor in visitors]
    await _lock(db, site_id, strong or weak)
    known = await _owners(db, site_id, strong)
    if not known and not strong:
        known = await _owners(db, site_id, weak)
    person_id = known[0] if known else await _make(db, site_id, name, seed, at)
    for other in known[1:]:
        await _join(db, site_id, person_id, other)
    await _tie(db, site_id, person_id, strong + weak)
    if known and name:
        await db.execute(
            "UPDATE persons SET name = $3 WHERE site_id = $1 AND id = $2 AND name = ''",
            site_id,
            person_id,
            name,
        )
    return person_id


def fold(email: str) -> str:
    """An address as it is compared: case and outer blanks do not matter."""
    return email.strip().casefold()


async def keys_of(
    db: database.Db, site_id: int, person_id: UUID
) -> dict[str, list[str]]:
    """The person's phones, emails and visitors, by kind."""
    rows = await db.fetch(
        "SELECT kind, value FROM person_keys WHERE site_id = $1 AND person_id = $2 "
        "ORDER BY kind, value LIMIT 1000",
        site_id,
        person_id,
    )
    found: dict[str, list[str]] = {"phone": [], "email": [], "visitor": []}
    for row in rows:
        found[row["kind"]].append(row["value"])
    return found


async def _lock(
    db: database.Connection, site_id: int, keys: list[tuple[str, str]]
) -> None:
    # Two contacts of one new caller at the same moment must not make two people; sorted,
    # so that two transactions with the same keys never wait for each other in a circle.
    for kind, value in sorted(set(keys)):
        await db.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            f"person/{site_id}/{kind}/{value}",
        )


async def _owners(
    db: database.Connection, site_id: int, keys: list[tuple[str, str]]
) -> list[UUID]:
    """The people who have any of these keys, the oldest first."""
    if not keys:
        return []
    rows = await db.fetch(
        """
        SELECT p.id FROM persons p
         WHERE p.site_id = $1 AND p.id IN (
               SELECT k.person_id FROM person_keys k
                 JOIN unnest($2::text[], $3::text[]) AS given (kind, value) USING (kind, value)
                WHERE k.site_id = $1)
         ORDER BY p.created_at, p.id
        """,
        site_id,
        *database.columns(keys, 2),
    )
    return [row["id"] for row in rows]


async def _make(
    db: database.Connection, site_id: int, name: str, seed: UUID, at: datetime
) -> UUID:
    person_id = ids.natural(site_id, "person", str(seed))
    await db.execute(
        "INSERT INTO persons (site_id, id, name, created_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        site_id,
        person_id,
        name,
        at,
    )
    return person_id


async def _join(
    db: database.Connection, site_id: int, person_id: UUID, other: UUID
) -> None:
    for table in ("contacts", "leads", "deals", "person_keys"):
        await db.execute(
            f"UPDATE {table} SET person_id = $2 WHERE site_id = $1 AND person_id = $3",
            site_id,
            person_id,
            other,
        )
    await db.execute(
        "DELETE FROM persons WHERE site_id = $1 AND id = $2", site_id, other
    )


async def _tie(
    db: database.Connection,
    site_id: int,
    person_id: UUID,
    keys: list[tuple[str, str]],
) -> None:
    if keys:
        await db.execute(
            """
            INSERT INTO person_keys (site_id, kind, value, person_id)
            SELECT $1, kind, value, $2
              FROM unnest($3::text[], $4::text[]) AS given (kind, value)
            ON CONFLICT DO NOTHING
            """,
            site_id,
            person_id,
            *database.columns(keys, 2),
        )
