"""The channels page: figures, drill-down, export."""

import csv
import io
import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import sources
from tracker.reports import channels as report
from web import words
from web.dashboard import channels

TODAY = datetime.now(ZoneInfo("Europe/Moscow")).date()
EVIL = sources.labelled(source="yandex", medium="cpc", campaign="=HYPERLINK(1)")


@pytest.fixture
async def figures(world: make.World) -> None:
    """An advertisement that costs and earns now, half of it a month ago, and search."""
    await make.daily(
        world, TODAY, make.AD, visits=200, calls=6.5, missed=1.0, emails=1.0, forms=2.0, leads=8.0,
        deals=2.0, revenue=Decimal(90000), cost=Decimal(12000),
    )  # fmt: skip
    await make.daily(
        world, TODAY - timedelta(days=30), make.AD, visits=100, calls=3.25, leads=4.0, deals=1.0,
        revenue=Decimal(45000), cost=Decimal(12000),
    )  # fmt: skip
    await make.daily(world, TODAY, make.SEARCH, visits=50, calls=1.0, leads=1.0)


async def test_an_empty_report_says_what_to_do_next(reader: Client) -> None:
    html = await reading.page(reader, "/acme/channels")
    assert "Nothing happened in this period" in html


async def test_each_channel_shows_its_figures_against_the_period_before(
    reader: Client, figures: None
) -> None:
    text = reading.words(await reading.page(reader, "/acme/channels"))
    row = text[text.index("Paid search 200") :]
    assert row.startswith(
        "Paid search 200 +100% 6.5 +100% 1 1 2 0 9.5 +192% 8 +100% 2 +100% ₽90,000"
    )
    assert "₽1,500" in row  # CPL = 12 000 / 8
    assert "₽6,000" in row  # CPO = 12 000 / 2
    assert "650%" in row  # ROMI = (90 000 - 12 000) / 12 000
    assert "Total 250" in row


async def test_a_channel_leads_to_its_sources_and_these_to_their_campaigns(
    reader: Client, figures: None
) -> None:
    top = await reading.page(reader, "/acme/channels")
    assert 'href="/acme/channels?channel=paid_search"' in top
    middle = await reading.page(reader, "/acme/channels?channel=paid_search")
    assert "channel=paid_search&amp;source=yandex" in middle
    assert "Organic search" not in middle
    low = await reading.page(reader, "/acme/channels?channel=paid_search&source=yandex")
    assert "windows_moscow" in low
    assert "campaign=windows_moscow" in low


@pytest.mark.parametrize(
    "query", ["?period=x", "?channel=x", "?from=2026-13-01", "?chart=x", "?source=y"]
)
async def test_addresses_that_make_no_sense_show_the_usual_report(
    reader: Client, figures: None, query: str
) -> None:
    assert "Paid search" in await reading.page(reader, f"/acme/channels{query}")


async def test_every_metric_explains_itself_as_the_report_computes_it(
    reader: Client, figures: None
) -> None:
    html = await reading.page(reader, "/acme/channels")
    for metric in words.METRICS:
        assert metric.formula == report.FORMULAS[metric.name]
        assert f'popovertarget="f-{metric.name}"' in html
        assert metric.formula in reading.words(html)


async def test_the_export_has_the_same_figures_and_no_formula(
    reader: Client, world: make.World, figures: None
) -> None:
    await make.daily(world, TODAY, EVIL, visits=1, calls=0.5)
    path = "/acme/channels.csv?channel=paid_search&source=yandex"
    async with reader.get(path) as response:
        assert response.status == 200
        assert "attachment" in response.headers["Content-Disposition"]
        text = (await response.read()).decode("utf-8-sig")
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(text))}
    names = [metric.name for metric in words.METRICS]
    assert rows["windows_moscow"][names.index("calls")] == "6.5"
    assert rows["windows_moscow"][names.index("cpl")] == "1500"
    assert "'=HYPERLINK(1)" in rows
    assert "=HYPERLINK(1)" not in rows
    assert rows["Total"][names.index("visits")] == "201"


async def test_russian_spreadsheets_get_semicolons_and_commas(
    reader: Client, figures: None
) -> None:
    async with reader.get(
        "/acme/channels.csv", headers={"Accept-Language": "ru"}
    ) as response:
        text = (await response.read()).decode("utf-8-sig")
    rows = {row[0]: row for row in csv.reader(io.StringIO(text), delimiter=";")}
    assert rows["Платный поиск"][2] == "6,5"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert channels.safe(text) == f"'{text}"


def test_other_texts_are_left_alone() -> None:
    assert channels.safe("windows_moscow") == "windows_moscow"


async def test_the_chart_adds_up_to_the_table(reader: Client, figures: None) -> None:
    html = await reading.page(reader, "/acme/channels?chart=visits")
    found = re.search(r'id="chart-data"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found
    chart = json.loads(found[1])
    assert len(chart["days"]) == 30
    assert sum(sum(one["values"]) for one in chart["series"]) == 250
