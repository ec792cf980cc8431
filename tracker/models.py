"""The stored models of sites: what their traffic taught, version after version.

Read by whoever weighs a call; written by `lessons` alone, through `add`. Rows never change,
so parameters once read are kept in memory by their row's id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from numberpool import model as beliefs
from numberpool import posterior
from numberpool.model import Model
from tracker import db as database

DAY_ONE = "day-one"
LEARNED = "learned-"
REMEMBERED = 500  # models in memory; one has about 10 KB

WEIGHED = f"{posterior.FAMILY}/%"  # rules of calls to pools, any version
# Of a contact `c` joined with the basis `b` of the answer that counts for it.
BASIS = "answers b ON b.site_id = c.site_id AND b.contact_id = c.id AND b.rule = c.rule"
PROVISIONAL = f"coalesce(b.learned_from < {beliefs.PROVISIONAL}, false)"

_parameters: dict[UUID, Model | None] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One version of a site's model."""

    version: int
    made_at: datetime
    since: datetime | None  # nothing older is learned from
    calls: int  # first calls it was learned from
    heard: int  # first calls since that bound
    model: Model | None  # None: too few calls since that bound, as on day one

    @property
    def name(self) -> str:
        """As answers tell it."""
        return name(self.version) if self.model else DAY_ONE


def name(version: int) -> str:
    """What a learned version is called."""
    return f"{LEARNED}{version}"


async def in_force(db: database.Db, site_id: int, *, at: datetime) -> Stored | None:
    """The model for calls of that moment; None: nothing was learned yet."""
    row = await db.fetchrow(
        """
        SELECT id, version, made_at, since, calls, heard FROM models
         WHERE site_id = $1 AND made_at <= $2
         ORDER BY version DESC LIMIT 1
        """,
        site_id,
        at,
    )
    return await _stored(db, site_id, row) if row else None


async def find(db: database.Db, site_id: int, version: int) -> Stored | None:
    """That version."""
    row = await db.fetchrow(
        "SELECT id, version, made_at, since, calls, heard FROM models "
        "WHERE site_id = $1 AND version = $2",
        site_id,
        version,
    )
    return await _stored(db, site_id, row) if row else None


async def made_at(db: database.Db, site_id: int, called: str) -> datetime | None:
    """When the version with that name was made; None for day one."""
    number = called.removeprefix(LEARNED)
    if number == called:
        return None
    found: datetime | None = await db.fetchval(
        "SELECT made_at FROM models WHERE site_id = $1 AND version = $2",
        site_id,
        int(number),
    )
    return found


async def names(db: database.Db, site_id: int) -> list[str]:
    """What its learned versions are called, the latest first."""
    rows = await db.fetch(
        "SELECT version FROM models WHERE site_id = $1 AND parameters IS NOT NULL "
        "ORDER BY version DESC",
        site_id,
    )
    return [name(row["version"]) for row in rows]


async def add(
    db: database.Db,
    site_id: int,
    learned: Model | None,
    *,
    made_at: datetime,
    since: datetime | None,
    heard: int,
) -> Stored:
    """Write the next version; the parameters bear its name."""
    version = 1 + await db.fetchval(
        "SELECT coalesce(max(version), 0) FROM models WHERE site_id = $1", site_id
    )
    if learned is not None:
        learned = msgspec.structs.replace(learned, version=name(version))
    calls = learned.calls if learned else 0
    await db.execute(
        """
        INSERT INTO models (site_id, version, made_at, since, calls, heard, parameters)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        site_id,
        version,
        made_at,
        since,
        calls,
        heard,
        learned,
    )
    return Stored(
        version=version,
        made_at=made_at,
        since=since,
        calls=calls,
        heard=heard,
        model=learned,
    )


def is_provisional(learned_from: int) -> bool:
    """Whether so few first calls were learned from that certainty needs a warning."""
    return learned_from < beliefs.PROVISIONAL


async def _stored(db: database.Db, site_id: int, row: asyncpg.Record) -> Stored:
    if row["id"] not in _parameters:
        told = await db.fetchval(
            "SELECT parameters FROM models WHERE site_id = $1 AND version = $2",
            site_id,
            row["version"],
        )
        while len(_parameters) >= REMEMBERED:
            del _parameters[next(iter(_parameters))]
        _parameters[row["id"]] = _read(told)
    return Stored(
        version=row["version"],
        made_at=row["made_at"],
        since=row["since"],
        calls=row["calls"],
        heard=row["heard"],
        model=_parameters[row["id"]],
    )


def _read(told: Any) -> Model | None:
    """The parameters; None also for those of a release that reckoned otherwise.

    Calls are then weighed as on day one, and the site learns anew at the next turn.
    """
    try:
        model = msgspec.convert(told, Model)
    except msgspec.ValidationError:
        return None
    tables = [model.rates.get(state, ()) for state in posterior.STATES]
    whole = all(len(one) == beliefs.BINS for one in (*tables, model.redial_gaps))
    return model if whole and len(model.engagement) == 2 * beliefs.STAYS else None
