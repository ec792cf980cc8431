"""What a learner makes of traffic whose truth is known."""

import numpy as np
import pytest

from numberpool import delays, learning
from numberpool.model import STAYS, day_one
from numberpool.posterior import STATES, Answer, LastCall
from numberpool.replay import Replay, run
from tests.benchmarks.attribution import shapes, traffic
from tests.benchmarks.attribution.events import write


def test_the_worked_example_of_a_factor():
    assert learning.factor(6.3, 2.1, 3.0) == pytest.approx(1.823529, abs=1e-6)
    assert learning.factor(0.0, 5.0, 4.0) == pytest.approx(0.444444, abs=1e-6)


def test_a_call_to_a_number_he_was_never_shown_tells_what_the_first_one_was():
    last = LastCall(at=0.0, number=1, weights={"s1": 0.6}, none=0.4)

    def odds(none):
        return learning.hindsight(
            Answer(candidates=(), none=none, noise=0.0, model=""), last
        )

    assert odds(0.4) == pytest.approx(1)
    assert odds(0.8) == pytest.approx(4 / (2 / 3))
    assert odds(0.0) < 0.01 < 100 < odds(1.0)


def test_figures_that_say_nothing_are_those_of_day_one():
    rates = day_one(noise=0).rates
    table = delays.table(delays.DAY_ONE)
    for place, name in enumerate(STATES):
        assert table[place] == pytest.approx(rates[name])


def test_the_best_figures_are_found_on_a_hill():
    top = np.array([0.6, -0.3, 0.9, 0.0, 0.2, -0.1, 0.4, -0.5, 0.3])
    wide = np.full(len(top), 100.0)
    found = delays.best(
        lambda x: -50 * float(((x - top) ** 2).sum()), delays.DAY_ONE, wide
    )
    assert found == pytest.approx(top, abs=0.1)


def test_a_prior_holds_figures_that_the_calls_say_nothing_of():
    found = delays.best(lambda _: 0.0, delays.USUAL, delays.SPREAD)
    assert found == pytest.approx(delays.USUAL)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The model of a simulated site after four weeks."""
    path = tmp_path_factory.mktemp("traffic") / "events.jsonl"
    write(path, traffic.make(shapes.SHAPES["everyday"], seed=11, days=28)[1])
    site = Replay(20)
    with path.open("rb") as told:
        for _ in run(told, site):
            pass
    return site.learner.model


def test_a_readier_source_is_found_out(learned):
    factors = learned.source_factors
    assert factors["yandex/cpc"] > 1.05 > 0.9 > factors["vk/social"]


def test_who_stayed_longer_is_the_likelier_to_call_later(learned):
    for stays in (learned.engagement[:STAYS], learned.engagement[STAYS:]):
        short, *_, long = stays
        assert long > 3 * short


def test_a_model_tells_from_how_many_calls_it_was_learned(learned):
    model = learned
    assert model.calls > 50
    assert not model.provisional
    assert day_one(noise=0).provisional
