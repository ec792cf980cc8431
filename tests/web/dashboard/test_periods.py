"""Periods: the site's days, whatever the address says."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from web.dashboard import periods

TODAY = date(2026, 11, 22)


def test_presets_end_today_and_months_are_whole() -> None:
    def read(name: str) -> tuple[date | None, date | None]:
        period = periods.read({"period": name}, today=TODAY, default="30d")
        return period.since, period.until

    assert read("7d") == (date(2026, 11, 16), TODAY)
    assert read("30d") == (date(2026, 10, 24), TODAY)
    assert read("last_month") == (date(2026, 10, 1), date(2026, 10, 31))
    assert read("all") == (None, None)
    assert read("nonsense") == read("30d")


def test_dates_the_wrong_way_round_are_turned() -> None:
    told = {"from": "2026-11-05", "to": "2026-11-01"}
    period = periods.read(told, today=TODAY, default="all")
    assert (period.name, period.since, period.until) == (
        "custom",
        date(2026, 11, 1),
        date(2026, 11, 5),
    )


def test_a_day_begins_at_the_sites_midnight() -> None:
    period = periods.Period("custom", date(2026, 11, 1), date(2026, 11, 1))
    assert period.moments(ZoneInfo("Europe/Moscow")) == (
        datetime(2026, 10, 31, 21, tzinfo=UTC),
        datetime(2026, 11, 1, 21, tzinfo=UTC),
    )


@given(st.dictionaries(st.sampled_from(["period", "from", "to"]), st.text(max_size=12)))
def test_no_address_breaks_it(told: dict[str, str]) -> None:
    period = periods.read(told, today=TODAY, default="30d")
    assert period.since is None or period.until is None or period.since <= period.until
    assert period.days <= periods.LONGEST.days + 1
