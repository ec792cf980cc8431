"""Which object at a destination stands for ours: learnt by attempts, used by the next ones."""

from collections.abc import Collection, Mapping
from uuid import UUID

from tracker import db as database

Known = Mapping[tuple[str, UUID], str | None]  # by kind and our id; None: there is none


async def keep(
    db: database.Connection, site_id: int, destination_id: int, learnt: Known
) -> None:
    """Write what an attempt learnt; a None forgets."""
    for (kind, local_id), remote_id in learnt.items():
        if remote_id is None:
            await db.execute(
                "DELETE FROM remote_ids WHERE site_id = $1 AND destination_id = $2 "
                "AND kind = $3 AND local_id = $4",
                site_id,
                destination_id,
                kind,
                local_id,
            )
            continue
        await db.execute(
            """
            INSERT INTO remote_ids (site_id, destination_id, kind, local_id, remote_id)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (site_id, destination_id, kind, local_id)
            DO UPDATE SET remote_id = excluded.remote_id
            """,
            site_id,
            destination_id,
            kind,
            local_id,
            remote_id,
        )


async def of(
    db: database.Db, site_id: int, destination_id: int, local_ids: Collection[UUID]
) -> dict[tuple[str, UUID], str]:
    """What stands for these objects of ours there."""
    rows = await db.fetch(
        "SELECT kind, local_id, remote_id FROM remote_ids "
        "WHERE site_id = $1 AND destination_id = $2 AND local_id = ANY($3::uuid[])",
        site_id,
        destination_id,
        list(local_ids),
    )
    return {(row["kind"], row["local_id"]): row["remote_id"] for row in rows}


async def back(
    db: database.Db,
    site_id: int,
    destination_id: int,
    kind: str,
    remote_ids: Collection[str],
) -> dict[str, UUID]:
    """Our objects behind theirs, by their id."""
    rows = await db.fetch(
        "SELECT remote_id, local_id FROM remote_ids WHERE site_id = $1 "
        "AND destination_id = $2 AND kind = $3 AND remote_id = ANY($4::text[])",
        site_id,
        destination_id,
        kind,
        list(remote_ids),
    )
    return {row["remote_id"]: row["local_id"] for row in rows}
