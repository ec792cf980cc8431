"""The calibration page: of the calls that were 80 % sure, were 80 % right? By pool and month."""

from dataclasses import dataclass
from datetime import date
from math import sqrt

from aiohttp import web

from numberpool import calibration, pools
from tracker import truths
from tracker.errors import BadInput
from tracker.reports import calibration as report
from web.dashboard.view import View

# The plot, in units of its picture: a square of `SIDE` with room for the scales.
LEFT, TOP, SIDE = 46, 12, 280
LARGEST, SMALLEST = 17.0, 3.0  # radii: the area of a circle tells how many calls it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which calls the address asks for."""

    pool: pools.Pool | None  # None: all of them
    month: str | None  # None: the running one, or the one before while that has nothing
    values: dict[str, str]  # the query string


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A bin in the plot."""

    bin: calibration.Bin
    x: float
    y: float
    radius: float
    top: float  # where the interval's bar ends …
    bottom: float  # … and begins


async def show(view: View) -> web.Response:
    """GET /{site}/numbers/calibration"""
    today = view.fmt.local(view.at).date()
    asked, months = read(view, today), report.months(today)
    month, found = await _check(view, asked, months, today)
    shown = [asked.pool] if asked.pool else view.here.pools
    return view.render(
        "calibration.html",
        tab="numbers",
        asked=asked,
        month=month,
        months=[(one, date.fromisoformat(f"{one}-01")) for one in months],
        year=report.YEAR,
        found=found,
        points=draw(found.checked),
        place=place,
        plot=(LEFT, TOP, SIDE),
        kinds=truths.KINDS,
        enough=calibration.ENOUGH,
        crowds=[
            one
            for pool in shown
            if (
                one := await report.crowd(view.db, view.here.id, pool, at=view.at)
            ).too_small
        ],
        crowded=report.CROWDED,
        minutes=int(truths.TEST_WINDOW.total_seconds()) // 60,
    )


def read(view: View, today: date) -> Asked:
    """The pool and the month; what makes no sense is left out."""
    names = {one.name: one for one in view.here.pools}
    pool = names.get(view.query.get("pool", ""))
    month: str | None = view.query.get("month", "")
    try:
        report.days(month or "", today)
    except BadInput:
        month = None
    values = {"pool": pool.name if pool else "", "month": month or ""}
    return Asked(
        pool=pool,
        month=month,
        values={name: value for name, value in values.items() if value},
    )


async def _check(
    view: View, asked: Asked, months: list[str], today: date
) -> tuple[str, report.Report]:
    """What was asked for; on the first days of a month, what the last one had to tell."""
    pool_id = asked.pool.id if asked.pool else None
    tried = {}
    for month in [asked.month] if asked.month else months[:2]:
        since, until = report.days(month, today)
        tried[month] = await report.check(
            view.db, view.here, since=since, until=until, pool_id=pool_id
        )
        if tried[month].checked.calls:
            return month, tried[month]
    return next(iter(tried.items()))


def draw(found: calibration.Calibration) -> list[Point]:
    """Where each bin stands: its certainty across, its share of right answers up."""
    most = max((one.calls for one in found.bins), default=1)
    return [
        Point(
            bin=one,
            x=place(one.mean_weight)[0],
            y=place(one.share_right)[1],
            radius=round(max(LARGEST * sqrt(one.calls / most), SMALLEST), 1),
            top=place(one.interval.high)[1],
            bottom=place(one.interval.low)[1],
        )
        for one in found.bins
    ]


def place(share: float) -> tuple[float, float]:
    """A share's place across and up."""
    return round(LEFT + SIDE * share, 1), round(TOP + SIDE * (1 - share), 1)
