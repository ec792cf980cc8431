"""Codes of sessions: short enough for any link, found in whatever a bot hands back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests import make
from tracker import ids

moments = st.datetimes(
    datetime(2024, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)
)
site_ids = st.integers(1, 2**24 - 1)


@given(site_ids, moments)
def test_a_code_has_22_characters_and_leads_back_to_its_session(site_id, at):
    session = ids.mint(site_id, at)

    code = ids.code(session)

    assert len(code) == 22
    assert set(code) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    assert ids.find_code(code, site_id) == session


@given(site_ids, moments, st.text(max_size=40), st.text(max_size=40))
def test_a_code_is_found_whatever_stands_around_it(site_id, at, before, behind):
    session = ids.mint(site_id, at)

    assert ids.find_code(before + ids.code(session) + behind, site_id) == session


@given(site_ids, site_ids, moments)
def test_another_sites_code_is_no_code(site_id, other, at):
    code = ids.code(ids.mint(site_id, at))

    assert (ids.find_code(f"/start {code}", other) is None) == (site_id != other)


@given(st.text(alphabet="abcXYZ019_-", max_size=200))
def test_words_are_no_codes(text):
    assert ids.find_code(text, 7) is None


def test_what_messengers_hand_back_is_read():
    session = ids.mint(7, make.NOON + timedelta(seconds=1))
    code = ids.code(session)

    for told in (
        f"/start {code}",
        f"promo_{code}",
        f"Добрый день!\n\nНомер обращения: {code}",
        f"({code}).",
    ):
        assert ids.find_code(told, 7) == session
