"""The factors of a weight in people's words."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from numberpool import posterior
from web import words
from web.dashboard import why
from web.formats import Formats

FMT = Formats(Locale("en"), ZoneInfo("UTC"), "RUB")
NOW: dict[str, Any] = {
    "rate": 0.001, "state": "seen_here/mobile", "seconds": 40.0, "opening_seconds": 40.0,
    "base": 0.001, "source": 1.0, "engagement": 1.0, "opening": 1.0, "not_credited": 1.0,
    "no_other_phone": 1.0, "redial": 0.0, "own_visitor": 0.0, "new_cookie": 0.0, "shared": False,
}  # fmt: skip


def told(**changed: Any) -> dict[str, tuple[str, str]]:
    found = why.factors(NOW | changed, FMT, str)
    return {one.title: (one.value, one.words) for one in found}


def test_a_visitor_who_is_still_there_is_explained_in_a_few_lines() -> None:
    assert list(told()) == [
        "the visit", "time since then", "usual at that point", "this source",
        "not yet credited with a call", "no other phone called from it", "expected calls",
    ]  # fmt: skip


def test_who_left_long_ago_is_weighed_by_the_stay_and_the_hour() -> None:
    found = told(state="seen_gone/desktop", seconds=5000.0, opening_seconds=9000.0)
    assert found["of it in opening hours"] == ("2:30:00", "")
    assert {"time on the page", "this hour of the week"} <= set(found)


@pytest.mark.parametrize(
    ("factor", "says"),
    [(1.3, "more often"), (1.02, "as often"), (0.98, "as often"), (0.4, "less often")],
)
def test_a_factor_says_which_way_it_turns(factor: float, says: str) -> None:
    value, meaning = told(source=factor)["this source"]
    assert value == f"× {factor}"
    assert says in meaning


def test_earlier_calls_and_other_phones_are_told() -> None:
    found = told(not_credited=0.1, no_other_phone=0.0)
    assert "earlier calls" in found["not yet credited with a call"][1]
    assert "another phone" in found["no other phone called from it"][1]


def test_terms_of_a_known_caller_are_told_where_they_count() -> None:
    found = told(redial=0.0009, own_visitor=0.0001, new_cookie=1e-12)
    assert found["calls again"][0] == "+ 3.24 an hour"
    assert found["same visitor as before"][0] == "+ 0.36 an hour"
    assert "same person in a new browser" not in found


def test_every_part_of_a_rate_has_its_words() -> None:
    parts = {*posterior.Rate._fields, "shared", "rate"} - {"total", "holding"}
    assert parts <= set(words.WHY)


def test_what_is_unknown_is_shown_as_it_is() -> None:
    found = told(state="new_state", source=None, surprise="x" * 300)
    assert found["the visit"][0] == "new_state"
    assert found["this source"][0] == "None"
    assert len(found["surprise"][0]) == 200
