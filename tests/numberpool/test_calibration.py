"""Bins of certainty, their error and what chance allows."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import calibration
from numberpool.calibration import Checked

CHECKED = st.lists(
    st.builds(Checked, st.floats(0, 1, allow_nan=False), st.booleans()), max_size=200
)


def many(weight: float, calls: int, right: int) -> list[Checked]:
    return [Checked(weight, n < right) for n in range(calls)]


def test_worked_example_14() -> None:
    told = [(0.95, True), (0.92, True), (0.91, False), (0.55, True), (0.52, False)]

    found = calibration.calibrate(Checked(*one) for one in told)

    assert [(one.low, one.calls, one.right) for one in found.bins] == [
        (0.5, 2, 1),
        (0.9, 3, 2),
    ]
    assert found.error == pytest.approx(0.170, abs=0.0005)


def test_a_weight_on_an_edge_belongs_above_it_and_one_is_in_the_last_bin() -> None:
    found = calibration.calibrate(Checked(n / 10, True) for n in range(11))

    assert [one.calls for one in found.bins] == [1] * 9 + [2]


def test_without_calls_there_is_no_error_rather_than_none_at_all() -> None:
    found = calibration.calibrate([])

    assert (found.calls, found.error, found.share_right) == (0, None, None)
    assert found.mean_weight is None
    assert found.off == ()


@pytest.mark.parametrize("weight", [-0.01, 1.01, float("nan")])
def test_what_is_no_probability_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        calibration.calibrate([Checked(weight, True)])


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3
@pytest.mark.parametrize(
    ("right", "calls", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_that_of_the_literature(
    right: int, calls: int, low: float, high: float
) -> None:
    assert calibration.wilson(right, calls) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("right", "calls"), [(0, 0), (3, 2), (-1, 2)])
def test_counts_that_do_not_fit_are_refused(right: int, calls: int) -> None:
    with pytest.raises(ValueError, match="fit"):
        calibration.wilson(right, calls)


def test_a_bin_that_chance_does_not_explain_is_told_with_its_direction() -> None:
    found = calibration.calibrate(
        many(0.95, 40, 30) + many(0.65, 40, 26) + many(0.25, 40, 25)
    )

    assert [(one.low, one.off) for one in found.bins] == [(0.2, -1), (0.6, 0), (0.9, 1)]
    assert [one.low for one in found.off] == [0.2, 0.9]


def test_one_wrong_among_the_surest_calls_may_be_chance_though_the_interval_is_missed() -> (
    None
):
    (one,) = calibration.calibrate(many(0.996, 34, 33)).bins

    assert one.mean_weight > one.interval.high
    assert one.off == 0


def test_none_of_them_counts_in_the_error_but_is_held_against_no_bin() -> None:
    none = [Checked(0.35, False, none=True)] * 60

    found = calibration.calibrate(many(0.35, 30, 11) + none)
    alone = calibration.calibrate(none)

    assert found.none == 60
    assert found.error == pytest.approx(0.35 - 11 / 90)
    assert (found.off, alone.off) == ((), ())
    assert not alone.bins[0].enough


@pytest.mark.parametrize(
    ("times", "calls", "chance", "likely"),
    [
        (33, 34, 0.996, 1 - 0.996**34),
        (3, 10, 0.5, 0.171875),
        (6, 10, 0.5, 0.828125),
        (0, 100, 0.02, 0.98**100),
        (0, 5, 0.0, 1.0),
        (4, 5, 1.0, 0.0),
        (5, 5, 1.0, 1.0),
    ],
)
def test_how_likely_something_happens_that_seldom(
    times: int, calls: int, chance: float, likely: float
) -> None:
    assert calibration.at_most(times, calls, chance) == pytest.approx(likely, abs=1e-6)


def test_too_few_calls_are_never_held_against_it() -> None:
    few = calibration.calibrate(many(0.95, calibration.ENOUGH - 1, 0))
    enough = calibration.calibrate(many(0.95, calibration.ENOUGH, 0))

    assert few.off == ()
    assert len(enough.off) == 1


@given(CHECKED)
def test_every_call_is_in_the_one_bin_of_its_weight(checked: list[Checked]) -> None:
    found = calibration.calibrate(checked)

    assert found.calls == len(checked)
    assert found.right == sum(one.right for one in checked)
    for one in found.bins:
        within = [
            told
            for told in checked
            if one.low <= told.weight < one.high or told.weight == one.high == 1
        ]
        assert one.calls == len(within)
        assert one.low - 1e-12 <= one.mean_weight <= one.high + 1e-12


@given(CHECKED)
def test_the_error_is_at_least_the_whole_gap_and_at_most_one(
    checked: list[Checked],
) -> None:
    found = calibration.calibrate(checked)
    if not checked:
        return
    gap = abs(fsum(one.weight - one.right for one in checked)) / len(checked)

    assert found.error is not None
    assert gap - 1e-9 <= found.error <= 1


@given(CHECKED, st.randoms())
def test_the_order_of_calls_does_not_matter(checked: list[Checked], chance) -> None:
    shuffled = list(checked)
    chance.shuffle(shuffled)

    assert calibration.calibrate(shuffled) == calibration.calibrate(checked)


@given(
    st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
)
def test_the_interval_holds_the_share_and_mirrors_that_of_the_wrong_ones(
    counts: tuple[int, int],
) -> None:
    right, calls = counts
    low, high = calibration.wilson(right, calls)
    other = calibration.wilson(calls - right, calls)

    assert 0 <= low <= right / calls <= high <= 1
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-9)
