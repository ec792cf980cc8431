"""What is looked at for every site, again and again, to raise and end its alerts.

A site whose watch fails does not keep the others from theirs.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from tracker import accuracy, crawl_alarm, leaks
from tracker import db as database
from tracker.sites import Directory, Site

log = logging.getLogger(__name__)

Watch = Callable[[Site], Awaitable[object]]


async def figures(pool: database.Pool, directory: Directory, *, at: datetime) -> None:
    """The watches that read figures: leaks by calls, accuracy."""
    await _each(directory, lambda site: leaks.watch(pool, site, at=at))
    await _each(directory, lambda site: accuracy.watch(pool, site, at=at))


async def pages(
    pool: database.Pool, directory: Directory, *, agent: str, at: datetime
) -> None:
    """The watch that reads the sites' own pages."""
    await _each(
        directory, lambda site: crawl_alarm.watch(pool, site, agent=agent, at=at)
    )


async def _each(directory: Directory, watch: Watch) -> None:
    for site in list(directory.now.by_id.values()):
        try:
            await watch(site)
        except database.AWAY:
            raise  # the others would fare no better
        except Exception:
            log.exception("watch crashed", extra={"site": site.id})
