"""Seconds of exposure against the state of a session at each moment, which scores calls."""

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from numberpool import exposure, posterior
from numberpool.model import BINS, HORIZON
from numberpool.opening import Opening

START = 1_793_620_800.0  # a Monday noon
OPENING = Opening(
    timezone=ZoneInfo("Europe/Moscow"),
    weekend=tuple(0.1 + hour / 24 for hour in range(24)),
)
STEP = 5.0


@st.composite
def holdings(draw):
    """A session as it may have gone: signs of life, a reveal, a click, a leave."""
    stay = draw(st.integers(0, 120)) * STEP
    seen = draw(st.none() | st.integers(0, int(stay / STEP)).map(lambda n: n * STEP))
    clicked = draw(st.none() | st.integers(0, int(stay / STEP)).map(lambda n: n * STEP))
    if clicked is not None:
        seen = clicked if seen is None else min(seen, clicked)
    left = draw(st.none() | st.just(stay + STEP))
    early = [n * STEP for n in range(int(stay / STEP))]  # shown again after it
    pinged = draw(st.none() | st.just(stay))
    if pinged is not None and clicked is not None:
        # Only the latest ping is recorded: the first after a click came within a beat.
        pinged = min(stay, clicked + draw(st.integers(1, 6)) * STEP)

    def moment(seconds):
        return None if seconds is None else START + seconds

    return posterior.Holding(
        session_id=1,
        visitor_id=1,
        source_id="a",
        device=draw(st.sampled_from(["mobile", "desktop"])),
        since=START,
        last_sign_at=START + stay,
        seen_at=moment(seen),
        clicked_at=moment(clicked),
        pinged_at=moment(pinged),
        left_at=moment(left),
        first_left_at=moment(draw(st.sampled_from([left, None, *early]))),
    )


def counted(holding, until):
    sessions = exposure.Sessions.of([holding], {"a": 0}, reveals=True)
    (found,) = exposure.count(sessions, until=until, opening=OPENING, sources=1)
    return found / 0.5 ** ((until - holding.since) / exposure.HALF_LIFE)


def stepped(holding, until):
    """The same by asking for the session's state every few seconds, as a call would."""
    found = np.zeros((len(exposure.ROWS), BINS))
    for moment in np.arange(START + STEP / 2, until, STEP):
        known = posterior.known_by(holding, moment)
        where, reference = posterior.state(known, moment)
        delay = moment - reference
        if delay >= HORIZON:
            continue
        seconds, factor = delay, 1.0
        if delay >= posterior.OPENING_FROM:
            factor = OPENING.rate(moment)
            seconds = max(posterior.OPENING_FROM, OPENING.seconds(reference, moment))
        band = None
        if where in posterior.GONE:
            band = posterior.band(replace(holding, seen_at=known.seen_at))
        row = exposure.ROW[where, band]
        found[row, posterior.delay_bin(seconds)] += factor * STEP
    return found


@settings(max_examples=60, deadline=None)
@given(holdings(), st.sampled_from([600, 2400, 9000, 40_000]))
def test_exposure_is_the_time_spent_in_each_state(holding, seconds):
    until = START + seconds
    found, asked = counted(holding, until), stepped(holding, until)
    # A bin's border and the first ping after a click fall within a beat.
    assert found.sum() == pytest.approx(asked.sum(), rel=0.02, abs=2 * STEP)
    assert np.abs(found - asked).max() <= exposure.BEAT + 4 * STEP
    assert np.abs(found - asked).sum() <= 2 * exposure.BEAT + 0.02 * seconds + 10 * STEP


def test_nobody_is_exposed_for_longer_than_calls_come():
    holding = posterior.Holding(
        session_id=1, visitor_id=1, source_id="a", device="mobile",
        since=START, last_sign_at=START, seen_at=START,
    )  # fmt: skip
    at_the_end = counted(holding, START + HORIZON)
    assert counted(holding, START + 3 * HORIZON) == pytest.approx(at_the_end)


def test_an_older_session_counts_for_less():
    holding = posterior.Holding(
        session_id=1, visitor_id=1, source_id="a", device="mobile",
        since=START, last_sign_at=START,
    )  # fmt: skip
    sessions = exposure.Sessions.of([holding], {"a": 0}, reveals=True)

    def total(until):
        clock = Opening(timezone=UTC)
        return exposure.count(sessions, until=until, opening=clock, sources=1).sum()

    late = START + 2 * HORIZON
    assert total(late + exposure.HALF_LIFE) == pytest.approx(total(late) / 2)


def test_a_site_without_reveals_shows_its_number_at_the_visit():
    holding = posterior.Holding(
        session_id=1, visitor_id=1, source_id="a", device="mobile",
        since=START, last_sign_at=START,
    )  # fmt: skip
    sessions = exposure.Sessions.of([holding], {"a": 0}, reveals=False)
    (found,) = exposure.count(sessions, until=START + 20, opening=OPENING, sources=1)
    assert found[exposure.ROW["seen_here/mobile", None]].sum() == pytest.approx(
        20, rel=1e-3
    )
    assert found.sum() == pytest.approx(20, rel=1e-3)
