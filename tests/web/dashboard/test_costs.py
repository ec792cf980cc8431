"""The costs form."""

from datetime import date
from decimal import Decimal

import pytest

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from web.dashboard import costs

GOOD = {
    "amount": "1 000,50", "from": "2026-11-01", "to": "2026-11-03", "source": "yandex",
    "medium": "cpc", "campaign": "windows",
}  # fmt: skip
SUMS = "SELECT sum(amount), count(*), min(day), max(day) FROM costs"


async def test_a_sum_is_spread_over_its_days_and_shown_below(
    reader: Client, world: make.World
) -> None:
    assert await reading.send(reader, "/acme/costs", GOOD) == "/acme/costs?done=costs"
    total, days, first, last = await world.db.fetchrow(SUMS)
    assert (total, days) == (Decimal("1000.50"), 3)
    assert (first, last) == (date(2026, 11, 1), date(2026, 11, 3))
    text = reading.words(await reading.page(reader, "/acme/costs"))
    assert "Nov 1, 2026 – Nov 3, 2026" in text
    assert "yandex / windows" in text


async def test_what_was_entered_can_be_taken_back(
    reader: Client, world: make.World
) -> None:
    await reading.send(reader, "/acme/costs", GOOD)
    await reading.send(reader, "/acme/costs", {**GOOD, "amount": "0"})
    assert await world.db.fetchval("SELECT coalesce(sum(amount), 0) FROM costs") == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"amount": "much"}, "Write the amount as a number"),
        ({"amount": "NaN"}, "Write the amount as a number"),
        ({"amount": "-5"}, "Write the amount as a number"),
        ({"from": "2026-11-09"}, "Choose both days"),
        ({"to": "31.11.2026"}, "Choose both days"),
        ({"source": " "}, "Name the source"),
    ],
)
async def test_a_wrong_form_comes_back_as_it_was_with_the_reason(
    reader: Client, world: make.World, wrong: dict[str, str], told: str
) -> None:
    html = await reading.send(reader, "/acme/costs", {**GOOD, **wrong}, status=400)
    assert told in html
    assert 'value="windows"' in html
    assert await world.db.fetchval("SELECT count(*) FROM costs") == 0


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12500", "12500"),
        ("12 500,5", "12500.5"),
        ("1\xa0000.25", "1000.25"),
        ("1e99", None),
        ("", None),
    ],
)
def test_sums_are_read_as_people_type_them(text: str, amount: str | None) -> None:
    assert costs._amount(text) == (Decimal(amount) if amount else None)
