"""The worker's part in plans: those that are asked for, and the usual one of each pool a day."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from tracker import db as database
from tracker import plan_rows, plans, sites
from tracker.errors import BadInput
from tracker.plan_rows import Kept

log = logging.getLogger(__name__)

Now = Callable[[], datetime]


async def ask_usual(
    pool: database.Pool, directory: sites.Directory, *, at: datetime
) -> None:
    """See to it that each pool has a plan of the last day; drop what nobody reads."""
    live = [
        (site.id, one.id) for site in directory.now.by_id.values() for one in site.pools
    ]
    await plan_rows.ask_usual(pool, live, at=at)
    await plan_rows.forget(pool, at=at)


async def answer_next(
    pool: database.Pool, directory: sites.Directory, *, now: Now
) -> bool:
    """Make the plan that has waited longest; False: nobody waits.

    A claim is given back when this is cancelled.
    """
    one = await plan_rows.claim(pool, at=now())
    if one is None:
        return False
    try:
        await _answer(pool, directory, one, now)
    except asyncio.CancelledError:
        await asyncio.shield(plan_rows.release(pool, one))
        raise
    return True


async def _answer(
    pool: database.Pool, directory: sites.Directory, one: Kept, now: Now
) -> None:
    site = directory.by_id(one.site_id)
    lends = next((p for p in site.pools if p.id == one.pool_id), None) if site else None
    plan, trouble = None, None

    async def told(part: float) -> None:
        await plan_rows.progress(pool, one, part, at=now())

    if site is None or lends is None:
        trouble = "the pool is no longer set up"
    else:
        try:
            plan = await plans.make(
                pool, site, lends, one.question, at=now(), told=told
            )
        except BadInput as error:
            trouble = str(error)
        except database.AWAY:
            raise  # it comes due again
        except Exception:  # told to whoever waits, who would else wait for ever
            log.exception("plan could not be made", extra={"pool": one.pool_id})
            trouble = "it could not be made; the server's log tells why"
    await plan_rows.record(pool, one, plan, trouble=trouble, at=now())
