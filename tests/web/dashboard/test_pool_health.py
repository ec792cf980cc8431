"""The page of the pools' health: its figures, its formulas and its chart."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from web import keys, words

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
PAGE = "/acme/numbers/health"


@pytest.fixture
async def figures(world: make.World) -> None:
    """Two full hours of some days ago, and one of three weeks ago."""
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    for ago, row in (
        (48, (6, 10, 2, 6, 4, 6, 10800.0, 4, 2.0)),
        (47, (6, 6, 0, 0, 3, 2, 0.0, 1, 0.9)),
        (21 * 24, (6, 100, 0, 0, 0, 6, 100.0, 5, 5.0)),
    ):
        await world.db.execute(
            "INSERT INTO pool_hours (site_id, pool_id, hour, numbers, issued, shared, waited, "
            "served, most_busy, busy_seconds, called, right_calls) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            world.site_id, world.pool_id, hour - ago * HOUR, *row,
        )  # fmt: skip


def cards(html: str) -> dict[str, str]:
    found = re.findall(
        r'<div class="stat[^"]*"><button[^>]*>([^<]+)</button><strong>([^<]+)<', html
    )
    return dict(found)


def drawn(html: str) -> dict[str, Any]:
    found = re.search(r'id="chart-data"[^>]*>(.*?)</script>', html)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


async def test_the_figures_of_the_period_are_told(
    reader: Client, figures: None
) -> None:
    told = cards(await reading.page(reader, PAGE))
    assert told["Issued"] == "16"
    assert told["Shared"] == "2"
    assert told["No number"] == "2"
    assert told["Overloaded"] == "22.2%"
    assert told["Busiest"] == "100%"
    assert told["Calls"] == "5"
    assert told["Expected accuracy"] == "58%"
    month = cards(await reading.page(reader, f"{PAGE}?period=30d"))
    assert (month["Issued"], month["Calls"]) == ("116", "10")


async def test_every_figure_explains_itself(reader: Client, figures: None) -> None:
    html = await reading.page(reader, PAGE)
    for metric in words.POOL_METRICS:
        assert f'popovertarget="f-{metric.name}"' in html
        assert f'id="f-{metric.name}"' in html


@pytest.mark.parametrize("chart", ["visitors", "use", "calls"])
async def test_the_chart_has_every_hour_and_adds_up(
    reader: Client, figures: None, chart: str
) -> None:
    told = drawn(await reading.page(reader, f"{PAGE}?chart={chart}"))
    assert len(told["kept"]) == 2
    assert 6 * 24 - 2 < len(told["days"]) <= 7 * 24 + 2
    for one in told["series"]:
        assert len(one["values"]) == len(told["days"])
    sums = [sum(one["values"]) for one in told["series"]]
    expected = {
        "visitors": [14, 2, 2],
        "use": [50.0, 100 - 50 + 2 / 6 * 100],
        "calls": [2.9, 2.1],
    }
    assert sums == pytest.approx(expected[chart], abs=0.02)


async def test_days_without_anything_stand_in_the_table_too(
    reader: Client, figures: None
) -> None:
    html = await reading.page(reader, f"{PAGE}?period=30d")
    table = html[html.index('aria-labelledby="h-days"') :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    assert body.count("<tr>") == 30


async def test_an_empty_pool_says_so(reader: Client) -> None:
    text = reading.words(await reading.page(reader, PAGE))
    assert "Nothing in this period" in text


async def test_a_site_without_pools_says_what_to_do(
    reader: Client, world: make.World, server: TestServer
) -> None:
    await world.db.execute("DELETE FROM numbers")
    await world.db.execute("DELETE FROM pools")
    await server.app[keys.DIRECTORY].load()
    assert "No tracking numbers yet" in await reading.page(reader, PAGE)


async def test_addresses_that_make_no_sense(reader: Client, figures: None) -> None:
    told = cards(await reading.page(reader, f"{PAGE}?period=9y&chart=x"))
    assert told["Issued"] == "16"
    await reading.page(reader, f"{PAGE}?pool=none", status=400)


async def test_pools_are_chosen_by_name(
    reader: Client, world: make.World, server: TestServer, figures: None
) -> None:
    await world.db.execute(
        "INSERT INTO pools (site_id, name, replaces) VALUES ($1, 'second', '{}')",
        world.site_id,
    )
    await server.app[keys.DIRECTORY].load()
    assert "Nothing in this period" in await reading.page(reader, f"{PAGE}?pool=second")
    assert cards(await reading.page(reader, f"{PAGE}?pool=main"))["Issued"] == "16"


async def test_the_threshold_is_told_and_days_below_it_are_marked(
    reader: Client, world: make.World, server: TestServer, figures: None
) -> None:
    assert "accuracy_alert = 0.6" in await reading.page(reader, PAGE)
    await world.db.execute("UPDATE sites SET settings = '{\"accuracy_alert\": 0.6}'")
    await server.app[keys.DIRECTORY].load()
    html = await reading.page(reader, PAGE)
    assert "falls below 60%" in reading.words(html)
    assert '<td class="num bad">58%</td>' in html
