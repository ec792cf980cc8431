"""How figures are written in both languages."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from web import pages

MOSCOW = ZoneInfo("Europe/Moscow")
RU, EN = (pages.fmt(code, MOSCOW, "RUB") for code in ("ru", "en"))
AT = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("value", "ru", "en"),
    [
        (Decimal("1234567.89"), "1 234 568 ₽", "₽1,234,568"),
        (Decimal("12.5"), "12,50 ₽", "₽12.50"),
        (Decimal(0), "0 ₽", "₽0"),
        (None, "—", "—"),
    ],
)
def test_money(value: Decimal | None, ru: str, en: str) -> None:
    assert plain(RU.money(value)) == ru
    assert plain(EN.money(value)) == en


def test_money_in_another_currency() -> None:
    assert EN.money(Decimal(10), "USD") == "$10"
    assert plain(EN.money(Decimal(10), "CHF")) == "CHF 10"


def test_moments_stand_on_the_sites_clock() -> None:
    assert RU.clock(AT) == "00:30"
    assert EN.moment(AT) == "Nov 23, 2026, 00:30"
    assert RU.weekday(date(2026, 11, 22)) == "Воскресенье, 22 ноября"


def test_change_says_how_much_more() -> None:
    assert EN.change(150, 100) == "+50%"
    assert plain(RU.change(50, 100)) == "−50 %"
    assert EN.change(1, 0) == ""
    assert EN.change(None, 5) == ""
    assert EN.change(100, 100) == "0%"


def test_counts_durations_and_the_rest() -> None:
    assert EN.count(6.5) == "6.5"
    assert EN.count(7.0) == "7"
    assert EN.duration(65) == "1:05"
    assert EN.duration(timedelta(hours=1, seconds=2)) == "1:00:02"
    assert EN.duration(None) == "—"
    assert EN.ago(AT - timedelta(minutes=5), AT) == "5 minutes ago"
    assert RU.phone("+74951000001") == "+7 495 100-00-01"
    assert plain(EN.size(2500)) in ("2 kB", "3 kB")
