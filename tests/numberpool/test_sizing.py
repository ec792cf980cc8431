"""Erlang B, which sizes are tried, and what is advised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import sizing
from numberpool.sizing import Size


def size(numbers: int, found: float) -> Size:
    return Size(
        numbers=numbers, own=1, shared=0, blocked=0, erlang=0, found=found, right=found,
        sure=found, error=0, wrong_calls=0,
    )  # fmt: skip


def curve(*found: tuple[int, float]) -> list[Size]:
    return [size(numbers, share) for numbers, share in found]


@pytest.mark.parametrize(
    ("load", "numbers", "blocked"),
    [
        (10, 10, 0.214582),
        (10, 18, 0.007142),
        (20, 12, 0.451789),
        (18.3333, 28, 0.008515),
        (5, 0, 1.0),
        (0, 3, 0.0),
    ],
)
def test_erlang_b_is_the_share_that_finds_no_idle_number(
    load: float, numbers: int, blocked: float
) -> None:
    assert sizing.erlang_b(numbers, load) == pytest.approx(blocked, abs=5e-7)


def test_a_number_is_busy_while_it_is_seen_and_two_and_a_half_minutes_more() -> None:
    assert sizing.load(30, 150) == 2.5
    assert sizing.erlang_b(8, 2.5) == pytest.approx(0.003, abs=5e-4)


@given(st.integers(0, 5000), st.floats(0, 1e6))
def test_the_sizes_that_are_tried_surround_todays(current: int, visits: float) -> None:
    sizes = sizing.to_try(current, visits)

    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 1 and sizes[-1] <= sizing.MOST_NUMBERS
    assert 3 <= len(sizes) <= 12
    if current:
        wanted = [current * part for part in (0.75, 1, 1.25, 2, 3)]
        assert {max(min(round(n), sizing.MOST_NUMBERS), 1) for n in wanted} <= set(
            sizes
        )


def test_it_advises_the_size_from_which_ten_more_numbers_find_few_more() -> None:
    advice = sizing.advise(curve((10, 0.60), (20, 0.75), (30, 0.77), (40, 0.78)))

    # From 20 to 30 are 2 points, from 21 to 31 are 1.9.
    assert advice.reason == "knee"
    assert advice.numbers == 21
    assert advice.gain < sizing.LEAST_GAIN


def test_a_dip_by_chance_does_not_end_the_search() -> None:
    dip = curve((10, 0.50), (20, 0.60), (30, 0.59), (40, 0.75), (50, 0.80), (90, 0.81))

    assert sizing.advise(dip).numbers > 40


def test_a_curve_that_still_climbs_at_its_end_is_not_settled() -> None:
    climbing = curve((10, 0.2), (40, 0.5))

    advice = sizing.advise(climbing)

    assert (advice.numbers, advice.reason) == (40, "unsettled")
    assert sizing.larger(climbing) == 64


@pytest.mark.parametrize(
    ("goal", "numbers", "reason"),
    [
        (0.70, 20, "goal"),
        (0.65, 15, "goal"),
        (0.30, 10, "goal"),
        (0.95, 30, "goal_unreached"),
    ],
)
def test_a_goal_is_met_with_the_fewest_numbers(
    goal: float, numbers: int, reason: str
) -> None:
    advice = sizing.advise(curve((10, 0.6), (20, 0.7), (30, 0.8)), goal)

    assert (advice.numbers, advice.reason) == (numbers, reason)


points = st.dictionaries(
    st.integers(1, 300), st.floats(0, 1), min_size=1, max_size=12
).map(lambda found: curve(*found.items()))


@given(points, st.none() | st.floats(0.01, 0.99))
def test_whatever_the_curve_the_advice_lies_on_it(
    sizes: list[Size], goal: float | None
) -> None:
    tried = {one.numbers: one.found for one in sizes}

    advice = sizing.advise(sizes, goal)
    settled = sizing.settled(sizes, goal)

    assert min(tried) <= advice.numbers <= max(tried)
    assert settled.numbers in tried and settled.found == tried[settled.numbers]
    if advice.reason == "goal":
        assert any(found >= goal for found in tried.values())
