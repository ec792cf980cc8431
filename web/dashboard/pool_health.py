"""The health of the number pools: by the hour in a chart, by the day in figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from numberpool import pools
from tracker.errors import BadInput
from tracker.reports import pool_health, rollup
from tracker.reports.pool_health import Health, Hour
from web import words
from web.dashboard.view import View

PERIODS = {"7d": 7, "30d": 30}  # days, today with them
CHARTS = ("visitors", "use", "calls")
EMPTY = Health()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which pool, and what of it, the address asks for."""

    pool: pools.Pool | None  # None: the site has none
    period: str
    chart: str
    values: dict[str, str]  # the query string


async def show(view: View) -> web.Response:
    """GET /{site}/numbers/health"""
    asked, site = read(view), view.here
    today = view.fmt.local(view.at).date()
    first = today - timedelta(days=PERIODS[asked.period] - 1)
    start = rollup.midnight(first, site.timezone)
    rows: list[Hour] = []
    if asked.pool is not None:
        rows = await pool_health.hours(
            view.db, site.id, asked.pool.id, since=start, until=view.at
        )
    days = pool_health.by_day(
        rows, since=first, until=today, timezone=site.timezone, at=view.at
    )
    return view.render(
        "pool_health.html",
        tab="numbers",
        asked=asked,
        periods=list(PERIODS),
        charts=CHARTS,
        whole=pool_health.health(rows, seconds=(view.at - start).total_seconds()),
        days=list(reversed(days)),
        any=bool(rows),
        chart=chart(view, asked, rows, since=start, today=(first, today)),
        threshold=site.rules.accuracy_alert,
    )


def read(view: View) -> Asked:
    """What makes no sense gives the usual; an unknown pool is refused."""
    query = view.query
    period, drawn = query.get("period", ""), query.get("chart", "")
    live = view.here.pools
    pool = live[0] if live else None
    if wanted := query.get("pool"):
        pool = next((one for one in live if one.name == wanted), None)
        if pool is None:
            raise BadInput("this site has no such pool", field="pool")
    values = {}
    if pool is not None and live and pool is not live[0]:
        values["pool"] = pool.name
    if period in PERIODS and period != "7d":
        values["period"] = period
    if drawn in CHARTS[1:]:
        values["chart"] = drawn
    return Asked(
        pool=pool,
        period=period if period in PERIODS else "7d",
        chart=drawn if drawn in CHARTS else CHARTS[0],
        values=values,
    )


def chart(
    view: View,
    asked: Asked,
    rows: Sequence[Hour],
    *,
    since: datetime,
    today: tuple[date, date],
) -> dict[str, Any]:
    """Stacked bars, one an hour, all hours of the period."""
    hours = pool_health.filled(rows, since=since, until=view.at)
    told = [_health(one, view.at) for one in hours]
    labels = [
        f"{view.fmt.short_day(view.fmt.local(one.hour).date())}, {view.fmt.clock(one.hour)}"
        for one in hours
    ]
    series = [
        {
            "name": view.say(words.POOL_SERIES[name]),
            "code": code,
            "values": [round(value(one), 2) for one in told],
        }
        for name, code, value in SERIES[asked.chart]
    ]
    kept = [n for n, one in enumerate(hours) if one.numbers]
    return {"days": labels, "series": series, "kept": kept}


def _health(hour: Hour, at: datetime) -> Health:
    """One hour by itself; the running one as long as it has been."""
    if not hour.numbers:
        return EMPTY
    elapsed = min((at - hour.hour).total_seconds(), 3600.0)
    return pool_health.health([hour], seconds=elapsed)


def _more_at_the_busiest(health: Health) -> float:
    return max((health.busiest or 0) - (health.utilisation or 0), 0.0) * 100


# Name, colour (of a channel) and figure; the bars of an hour stand on each other.
SERIES: dict[str, list[tuple[str, str, Any]]] = {
    "visitors": [
        ("own", "paid_search", lambda one: one.own),
        ("shared", "display", lambda one: one.shared),
        ("blocked", "email", lambda one: one.blocked),
    ],
    "use": [
        ("utilisation", "paid_search", lambda one: (one.utilisation or 0) * 100),
        ("busiest", "organic_social", _more_at_the_busiest),
    ],
    "calls": [
        ("right", "organic_search", lambda one: one.right_calls),
        ("wrong", "unknown", lambda one: one.called - one.right_calls),
    ],
}
