"""Writes a site's pools and numbers.

Numbers are retired and pools are kept, never deleted: a call that comes late still finds
whose number it was. A number keeps its position for good, so none is ever given to another.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from numberpool.targeting import Target
from tracker import db as database
from tracker import setup, source_rows
from tracker.provision_read import Stored
from tracker.setup import SetUp

FEW = 10  # numbers that are named one by one when they change

_POOL = ("replaces", "forward_to", "share", "late", "rest", "overflow", "target")
_NUMBER = ("kind", "pool_id", "source_id", "replaces", "forward_to", "resting")


async def apply(
    db: database.Connection, stored: Stored, wanted: SetUp, at: datetime
) -> list[str]:
    """Make pools and numbers match; what was changed, a line each."""
    pool_ids, changes = await _pools(db, stored, wanted, at)
    rows = _rows(wanted, pool_ids)
    live = {
        number: row
        for number, row in stored.numbers.items()
        if row["retired_at"] is None
    }
    added = [number for number in rows if number not in live]
    changed = {
        number: told
        for number, row in rows.items()
        if number in live
        and (told := [one for one in _NUMBER if live[number][one] != row[one]])
    }
    rests = {number for number, told in changed.items() if told == ["resting"]}
    gone = [number for number in live if number not in rows]
    if added or changed:
        sources = [static.source for static in wanted.statics]
        await source_rows.keep(db, stored.site_id, sources)
        await _write(db, stored, {one: rows[one] for one in (*added, *changed)})
    if gone:
        await db.execute(
            "UPDATE numbers SET retired_at = $3 WHERE site_id = $1 AND number = ANY($2)",
            stored.site_id,
            gone,
            at,
        )
    for what, numbers in (
        ("added", added),
        ("changed", [number for number in changed if number not in rests]),
        ("rests", [one for one in rows if one in rests and rows[one]["resting"]]),
        ("lent again", [one for one in rests if not rows[one]["resting"]]),
        ("retired", gone),
    ):
        changes += _told(what, numbers)
    return changes


async def _pools(
    db: database.Connection, stored: Stored, wanted: SetUp, at: datetime
) -> tuple[dict[str, int], list[str]]:
    """The ids of the wanted pools by name, and what was changed."""
    left = {pool.name: pool for pool in stored.setup.pools}
    ids: dict[str, int] = {}
    changes = []
    for pool in wanted.pools:
        old = left.pop(pool.name, None)
        known = stored.pool_ids.get(pool.name)
        if known is None:
            ids[pool.name] = await _add_pool(db, stored.site_id, pool)
            changes.append(f"pool {pool.name}: added")
            continue
        ids[pool.name] = known
        if old is None:
            await _change_pool(db, stored.site_id, known, pool)
            changes.append(f"pool {pool.name}: back again")
        elif told := [one for one in _POOL if getattr(old, one) != getattr(pool, one)]:
            await _change_pool(db, stored.site_id, known, pool)
            changes.append(f"pool {pool.name}: {', '.join(told)} changed")
    for name in left:
        await db.execute(
            "UPDATE pools SET retired_at = $3 WHERE site_id = $1 AND id = $2",
            stored.site_id,
            stored.pool_ids[name],
            at,
        )
        changes.append(f"pool {name}: removed")
    return ids, changes + await _order(db, stored, wanted, ids)


async def _order(
    db: database.Connection, stored: Stored, wanted: SetUp, ids: dict[str, int]
) -> list[str]:
    """Give the pools the order of the file: the first that fits a visit lends."""
    before = [pool.name for pool in stored.setup.pools if pool.name in ids]
    after = list(ids)
    if before == after:
        return []
    await db.execute(
        """
        UPDATE pools SET position = wanted.position
          FROM unnest($2::bigint[]) WITH ORDINALITY AS wanted (id, position)
         WHERE site_id = $1 AND pools.id = wanted.id
        """,
        stored.site_id,
        list(ids.values()),
    )
    moved = before != [name for name in after if name in before]
    return ["pools: order changed"] if moved else []


async def _add_pool(db: database.Connection, site_id: int, pool: setup.Pool) -> int:
    id_: int = await db.fetchval(
        """
        INSERT INTO pools
               (site_id, name, replaces, forward_to, share, late, rest, overflow, target)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
        """,
        site_id,
        pool.name,
        *_terms(pool),
    )
    return id_


async def _change_pool(
    db: database.Connection, site_id: int, id_: int, pool: setup.Pool
) -> None:
    await db.execute(
        """
        UPDATE pools SET replaces = $3, forward_to = $4, share = $5, late = $6,
               rest = $7, overflow = $8, target = $9, retired_at = NULL
         WHERE site_id = $1 AND id = $2
        """,
        site_id,
        id_,
        *_terms(pool),
    )


def _terms(pool: setup.Pool) -> Iterator[Any]:
    for name in _POOL:
        value = getattr(pool, name)
        if isinstance(value, Target):
            yield value.told()
        else:
            yield list(value) if isinstance(value, tuple) else value


def _rows(wanted: SetUp, pool_ids: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What each wanted number is to be, by number."""
    found: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {
        "source_id": None,
        "replaces": [],
        "forward_to": None,
        "resting": False,
    }
    for pool in wanted.pools:
        row = {**plain, "pool_id": pool_ids[pool.name]}
        resting = set(pool.resting)
        for number in pool.numbers:
            found[number] = {**row, "kind": "dynamic", "resting": number in resting}
        if pool.overflow:
            found[pool.overflow] = {**row, "kind": "overflow"}
    for static in wanted.statics:
        found[static.number] = {
            "kind": "static",
            "pool_id": None,
            "source_id": source_rows.source_id(static.source),
            "replaces": list(static.replaces),
            "forward_to": static.forward_to,
            "resting": False,
        }
    return found


async def _write(
    db: database.Connection, stored: Stored, rows: dict[str, dict[str, Any]]
) -> None:
    """Write these numbers; only those that are new get a position, after all others."""
    positions = (row["position"] for row in stored.numbers.values())
    fresh = max(positions, default=-1) + 1
    await db.executemany(
        """
        INSERT INTO numbers (site_id, number, position, kind, pool_id, source_id,
                             replaces, forward_to, resting)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (site_id, number) DO UPDATE
           SET kind = excluded.kind, pool_id = excluded.pool_id,
               source_id = excluded.source_id, replaces = excluded.replaces,
               forward_to = excluded.forward_to, resting = excluded.resting,
               retired_at = NULL
        """,
        [
            (stored.site_id, number, fresh + index, *(row[one] for one in _NUMBER))
            for index, (number, row) in enumerate(rows.items())
        ],
    )


def _told(what: str, numbers: list[str]) -> list[str]:
    if len(numbers) > FEW:
        return [f"{len(numbers)} numbers {what}: {numbers[0]} … {numbers[-1]}"]
    return [f"number {number}: {what}" for number in numbers]
