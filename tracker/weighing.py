"""A call to a pool's number, weighed with what the site's own traffic has taught.

`matching` does it when a call comes, `reattribution` again later, under another model. Until
there is a model, day one's is taken with the noise that goes with the site's traffic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

import msgspec

from numberpool import credits, ledger, model, opening, posterior
from numberpool.model import Model
from tracker import db as database
from tracker.sites import Site

OTHERS = "*"  # sources that were too rare to be learned apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to a number of a pool."""

    id: UUID
    pool_id: int
    number: str
    caller: str | None  # None: withheld
    at: datetime


async def weigh(
    db: database.Db, site: Site, call: Call, learned: Model | None
) -> posterior.Answer:
    """The posterior over those who were shown the number, as known at that moment."""
    numbers = numbers_of(site)
    busy = await ledger.traffic(db, site_id=site.id, numbers=numbers, at=call.at)
    holdings, memory = await credits.evidence(
        db,
        site_id=site.id,
        pool_id=call.pool_id,
        number=call.number,
        caller=call.caller,
        at=call.at,
        call_id=call.id,
        reveals=busy.reveals,
    )
    if learned is None:
        used = model.day_one(noise=model.day_one_noise(busy.sessions_per_second))
    else:
        used = await _for_these(db, site.id, learned, holdings)
    return posterior.weigh(
        holdings,
        number=call.number,
        at=call.at.timestamp(),
        numbers=len(numbers),
        memory=memory,
        model=used,
        opening=clock(site, used),
        reveals=busy.reveals,
    )


def numbers_of(site: Site) -> list[str]:
    """All numbers that the site lends; its noise falls on them alike.

    In turn from each pool, so that the first ones are a sample of all.
    """
    own = ([number for _, number in pool.numbers] for pool in site.pools)
    return [one for some in zip_longest(*own) for one in some if one is not None]


def clock(site: Site, used: Model) -> opening.Opening:
    """The site's opening clock by that model."""
    return opening.Opening(
        timezone=site.timezone, workday=used.workday, weekend=used.weekend
    )


async def _for_these(
    db: database.Db,
    site_id: int,
    learned: Model,
    holdings: Iterable[posterior.Holding],
) -> Model:
    """The model with the factors of these sessions' sources by their ids."""
    names = await source_names(db, site_id, {one.source_id for one in holdings})
    factors = learned.source_factors
    rare = factors.get(OTHERS, 1.0)
    return msgspec.structs.replace(
        learned,
        source_factors={id_: factors.get(told, rare) for id_, told in names.items()},
    )


async def source_names(
    db: database.Db, site_id: int, ids: Iterable[int]
) -> dict[int, str]:
    """Sources as models know them, "source/medium": campaigns are too fine to learn."""
    rows = await db.fetch(
        f"SELECT id, {SOURCE_NAME} AS name FROM sources s "
        "WHERE site_id = $1 AND id = ANY ($2::bigint[])",
        site_id,
        list(ids),
    )
    return {row["id"]: row["name"] for row in rows}


SOURCE_NAME = "lower(s.source || '/' || s.medium)"
