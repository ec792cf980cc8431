"""The channels page: what each channel, source and campaign cost, brought and earned."""

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from babel import numbers

from tracker.reports import channels
from web import words
from web.dashboard import periods
from web.dashboard.view import View

DEFAULT_PERIOD = "30d"
PRESETS = ("today", "yesterday", "7d", "30d", "month", "last_month", "90d")
CHARTS = ("contacts", "visits", "leads", "deals", "revenue", "cost")
SERIES = 7  # rows with a colour of their own in the chart; the others are one
# Sources and campaigns have no colour of their own and borrow those of channels.
BORROWED = (
    "paid_search", "organic_search", "display", "paid_social", "organic_social", "paid_video",
    "recommend",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for."""

    period: periods.Period
    since: date
    until: date
    level: channels.Level
    channel: str | None
    source: str | None
    chart: str
    values: dict[str, str]  # the query string


async def show(view: View) -> web.Response:
    """GET /{site}/channels"""
    asked = read(view)
    report = await _table(view, asked)
    return view.render(
        "channels.html",
        tab="channels",
        asked=asked,
        report=report,
        chart=await _chart(view, asked, report),
        label=lambda row: label(view, asked.level, row),
        presets=PRESETS,
        charts=CHARTS,
    )


def read(view: View) -> Asked:
    """The period and the place in the drill-down; what makes no sense is left out."""
    query, today = view.query, view.fmt.local(view.at).date()
    period = periods.read(query, today=today, default=DEFAULT_PERIOD)
    channel = query.get("channel") if query.get("channel") in words.CHANNELS else None
    source = query.get("source", "").replace("\0", "") if channel else None
    if "source" not in query:
        source = None
    chart = query.get("chart", "")
    values = {"channel": channel or ""}
    if period.name == "custom":
        values |= {"from": str(period.since), "to": str(period.until)}
    elif period.name != DEFAULT_PERIOD:
        values["period"] = period.name
    if chart in CHARTS[1:]:
        values["chart"] = chart
    kept = {name: value for name, value in values.items() if value}
    if source is not None:
        kept["source"] = source
    return Asked(
        period=period,
        since=period.since or today - timedelta(days=29),
        until=period.until or today,
        level="campaign" if source is not None else "source" if channel else "channel",
        channel=channel,
        source=source,
        chart=chart if chart in CHARTS else CHARTS[0],
        values=kept,
    )


async def _table(view: View, asked: Asked) -> channels.Report:
    return await channels.table(
        view.db,
        view.here,
        since=asked.since,
        until=asked.until,
        level=asked.level,
        channel=asked.channel,
        source=asked.source,
    )


def label(view: View, level: str, row: channels.Row) -> str:
    """A row's name at its level."""
    if level == "channel":
        return view.say(words.CHANNELS.get(row.channel, row.channel))
    name = row.source if level == "source" else row.campaign
    return name or view.say(words.NOT_SET)


async def _chart(view: View, asked: Asked, report: channels.Report) -> dict[str, Any]:
    """The days and a series for each of the first rows; the others together."""
    first = sorted(report.rows, key=lambda row: -_figure(row.now, asked.chart))
    first = [row for row in first if _figure(row.now, asked.chart)][:SERIES]
    whole = await _days(view, asked, asked.channel, asked.source, None)
    series, left = [], [_figure(day.figures, asked.chart) for day in whole]
    for place, row in enumerate(first):
        days = await _days(
            view,
            asked,
            row.channel,
            None if asked.level == "channel" else row.source,
            row.campaign if asked.level == "campaign" else None,
        )
        values = [_figure(day.figures, asked.chart) for day in days]
        left = [a - b for a, b in zip(left, values, strict=True)]
        code = row.channel if asked.level == "channel" else BORROWED[place]
        series.append(_series(label(view, asked.level, row), code, values))
    if any(value > 0.005 for value in left):
        series.append(_series(view.say(words.OTHERS), "unknown", left))
    return {
        "days": [view.fmt.short_day(day.day) for day in whole],
        "series": series,
        "any": bool(series),
    }


def _series(name: str, code: str, values: list[float]) -> dict[str, Any]:
    return {"name": name, "code": code, "values": [round(value, 2) for value in values]}


def _figure(figures: channels.Figures, name: str) -> float:
    return float(getattr(figures, name))


async def _days(
    view: View,
    asked: Asked,
    channel: str | None,
    source: str | None,
    campaign: str | None,
) -> list[channels.Day]:
    return await channels.by_day(
        view.db,
        view.here,
        since=asked.since,
        until=asked.until,
        channel=channel,
        source=source,
        campaign=campaign,
    )


async def export(view: View) -> web.Response:
    """GET /{site}/channels.csv: the same table for a spreadsheet."""
    asked = read(view)
    report = await _table(view, asked)
    response = web.Response(
        body=table_csv(view, asked, report).encode("utf-8-sig"),  # the mark tells Excel
        content_type="text/csv",
        charset="utf-8",
    )
    name = f"{view.here.key}-channels-{asked.since}-{asked.until}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def table_csv(view: View, asked: Asked, report: channels.Report) -> str:
    """The table as the spreadsheets of the reader's language want it."""
    point = numbers.get_decimal_symbol(view.fmt.locale)
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=";" if point == "," else ",", lineterminator="\r\n"
    )
    writer.writerow(
        [view.say(words.LEVELS[asked.level])]
        + [view.say(one.full) for one in words.METRICS]
    )
    rows = [(label(view, asked.level, row), row) for row in report.rows]
    if report.rest:
        rows.append((view.say(words.OTHERS), report.rest))
    for name, row in [*rows, (view.say(words.TOTAL), report.total)]:
        cells = [_cell(getattr(row.now, one.name), point) for one in words.METRICS]
        writer.writerow([safe(name), *cells])
    return out.getvalue()


def _cell(value: Any, point: str) -> str:
    if value is None:
        return ""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return text.replace(".", point)


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
