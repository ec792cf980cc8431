"""Warns an owner when the calls of a pool are expected to be attributed too uncertainly.

Each call is answered right with the probability of its likeliest answer, so the mean of
these over a day's calls is the share that is expected to be right: no truth is needed, as far
as certainty is calibrated. A day counts once it is over and had `LEAST` calls; the alert
stands until such a day reaches the owner's threshold (`accuracy_alert`) again.
"""

from datetime import date, datetime, timedelta

from tracker import alerts
from tracker import db as database
from tracker.alerts import Cause
from tracker.reports import pool_health, refreshing, rollup
from tracker.reports.pool_health import Health
from tracker.sites import Site

LEAST = 10  # calls of a day: the mean of fewer says little
LOOK_BACK = 30  # days


async def watch(pool: database.Pool, site: Site, *, at: datetime) -> None:
    """Raise and end the alerts of pools below the threshold."""
    threshold = site.rules.accuracy_alert
    causes, unknown = [], []
    if threshold > 0:
        for one in site.pools:
            days = await _days(pool, site, one.id, at)
            if not days:
                unknown.append(one.name)
            elif cause := _cause(site, one.name, days, threshold):
                causes.append(cause)
    async with pool.acquire() as db:
        await alerts.settle(db, site, alerts.ACCURACY, causes, keep=unknown, at=at)


async def _days(
    db: database.Db, site: Site, pool_id: int, at: datetime
) -> list[tuple[date, Health]]:
    """The days that are over and had enough calls, the latest last."""
    # Not before the reports' own last look at the day.
    over = (at - 2 * refreshing.GRACE).astimezone(site.timezone).date()
    since, until = over - timedelta(days=LOOK_BACK), over - rollup.DAY
    rows = await pool_health.hours(
        db,
        site.id,
        pool_id,
        since=rollup.midnight(since, site.timezone),
        until=rollup.midnight(over, site.timezone),
    )
    days = pool_health.by_day(
        rows, since=since, until=until, timezone=site.timezone, at=at
    )
    return [(day, health) for day, health in days if health.called >= LEAST]


def _cause(
    site: Site, name: str, days: list[tuple[date, Health]], threshold: float
) -> Cause | None:
    """Why the pool's owner is to be told; None: its latest day is good enough."""
    below = None
    for day, health in days:
        low = health.accuracy is not None and health.accuracy < threshold
        below = (below or day) if low else None
    if below is None:
        return None
    day, health = days[-1]
    return Cause(
        subject=name,
        since=rollup.midnight(below, site.timezone),
        figures={
            "day": day.isoformat(),
            "accuracy": round(health.accuracy or 0.0, 4),
            "calls": health.called,
            "threshold": threshold,
        },
    )
