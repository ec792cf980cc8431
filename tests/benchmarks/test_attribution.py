"""The attribution benchmark itself: its scores, its traffic, its lending and its oracle."""

import math
import random

import numpy as np
import pytest

from tests.benchmarks.attribution import (
    answers,
    baselines,
    kinds,
    lending,
    report,
    scores,
    traffic,
    trial,
)
from tests.benchmarks.attribution.answers import Answer, Broken, Candidate
from tests.benchmarks.attribution.events import Event
from tests.benchmarks.attribution.oracle import Oracle
from tests.benchmarks.attribution.shapes import SHAPES
from tests.benchmarks.attribution.site import MONDAY, settle
from tests.benchmarks.attribution.spreads import DAY, Spread

FAMILIES = ("lognormal", "gamma", "weibull", "loglogistic")


def visit(at: float, session: str, source: str = "a/b") -> Event:
    return Event(at, "visit", session, f"visitor of {session}", "desktop", source)


def call(at: float, name: str, dialer: str | None, slot: int | None = None) -> Event:
    return Event(at, "call", dialer, call=name, caller=f"+7{name}", slot=slot)


def answer(name: str, number: int | None, **weights: float) -> Answer:
    candidates = tuple(Candidate(*one) for one in weights.items())
    return Answer(name, answers.number_name(number), candidates)


@pytest.fixture(scope="module")
def everyday():
    """A fortnight of an ordinary site, exactly as its shape says."""
    rng = random.Random(7)
    site = settle(SHAPES["everyday"], days=14, rng=rng)
    return site, traffic.events_of(site, rng)


# Scores.


def test_calibration_is_that_of_the_worked_example():
    claims = [(0.95, 1), (0.92, 1), (0.91, 0), (0.55, 1), (0.52, 0)]

    assert scores.calibration(claims) == pytest.approx(0.170)


def test_log_loss_has_a_floor_and_brier_goes_from_nought_to_two():
    sure = {"s1": 1.0, None: 0.0}

    assert scores.log_loss(sure, "s1") == 0
    assert scores.log_loss(sure, "s2") == pytest.approx(math.log(1000))
    assert scores.brier(sure, "s1") == 0
    assert scores.brier(sure, "s2") == 2
    assert scores.brier({"s1": 0.7, None: 0.3}, None) == pytest.approx(0.98)


def test_one_run_is_scored_by_hand():
    events = [
        visit(0, "s1", "ads/cpc"), visit(1, "s2", "mail/email"), visit(2, "s3", "ads/cpc"),
        call(10, "c1", "s1"), call(11, "c2", "s2"), call(12, "c3", None, 0), call(13, "c4", "s3"),
    ]  # fmt: skip
    told = [
        answer("c1", 0, s1=0.8, s2=0.2),
        answer("c2", 0, s1=0.6, s2=0.3),
        answer("c3", 1, s1=0.1),
        answer("c4", None),
    ]

    score = scores.score(events, told)

    assert score.found == pytest.approx(1 / 3)
    assert score.accuracy == pytest.approx(2 / 4)
    assert score.log_loss == pytest.approx(-(math.log(0.8 * 0.3 * 0.9)) / 3)
    assert score.calibration == pytest.approx((0.2 + 0.6 + 0.1) / 3)
    assert score.by_source == pytest.approx((1.5 - 1 + 1 - 0.5) / 2)


def test_answers_must_stand_for_each_call_in_order():
    events = [visit(0, "s1"), call(1, "c1", "s1"), call(2, "c2", "s1")]

    for told in (["c1"], ["c2", "c1"], ["c1", "c2", "c2"]):
        with pytest.raises(Broken):
            scores.score(events, [answer(name, 0) for name in told])


@pytest.mark.parametrize(
    "bad",
    [
        answer("c1", 0, s1=0.2, s2=0.7),
        answer("c1", 0, s1=0.7, s2=0.4),
        answer("c1", 0, s1=1.2),
        answer("c1", 0, s1=0.0),
        answer("c1", None, s1=0.5),
        Answer("c1", "+78000000000", (Candidate("s1", 0.4), Candidate("s1", 0.3))),
    ],
    ids=["unsorted", "over one", "large", "nought", "static", "twice"],
)
def test_an_answer_that_breaks_the_format_is_refused(bad):
    with pytest.raises(Broken):
        answers.check(bad, "line 1")


def test_a_file_of_answers_is_read_back(tmp_path):
    path = tmp_path / "attributions.jsonl"
    line = '{"call":"c1","number":"+78000000003","candidates":[{"session":"s1","weight":0.93}]}\n'
    path.write_text(line)

    assert answers.read(path) == [answer("c1", 3, s1=0.93)]

    path.write_text(line + "{}\n")
    with pytest.raises(Broken, match="line 2"):
        answers.read(path)


def test_goals_are_missed_by_the_least_bit():
    goal = report.Goal("as much as", 0.12, 0.12, at_least=True)

    assert goal.met
    assert not report.Goal("as much as", 0.1199, 0.12, at_least=True).met
    assert not report.Goal("at most", 0.0301, 0.03).met


def test_calls_are_told_apart_by_how_they_came_about():
    events = [
        visit(0, "s1"), visit(1, "s2"), Event(10, "reveal", "s1"),
        call(309.9, "c1", "s1"), call(310, "c2", "s1"), call(320, "c3", "s2"),
        call(330, "c4", None, 1), visit(340, "s3"), Event(350, "tel_click", "s3"),
        call(650, "c5", "s3"),
    ]  # fmt: skip

    assert kinds.of_calls(events) == [
        "first call, within 5 min", kinds.REDIAL, kinds.UNTOLD, kinds.UNRELATED,
        "first call, 5 to 30 min",
    ]  # fmt: skip
    told = [
        answer("c1", 0, s1=0.6), answer("c2", 0, s2=0.6), answer("c3", 0, s2=0.3),
        answer("c4", 1, s1=0.4), answer("c5", None),
    ]  # fmt: skip
    assert kinds.right(events, told) == {
        "first call, within 5 min": [True], kinds.REDIAL: [False], kinds.UNTOLD: [False],
        kinds.UNRELATED: [True], "first call, 5 to 30 min": [False],
    }  # fmt: skip


# Lending.


def test_numbers_are_lent_as_in_the_worked_example():
    lent = lending.OldestSeen(2)

    def come(at: float, session: str) -> int | None:
        lent.visit(session, session, at)
        return lent.number.get(session)

    assert come(0, "s1") == 0
    assert come(10, "s2") == 1
    lent.sign("s1", 20, seen=True)
    lent.sign("s2", 40, seen=False)
    assert come(60, "s3") is None
    assert come(300, "s4") == 1
    assert come(310, "s5") == 0
    assert come(320, "s6") is None
    lent.sign("s6", 330, seen=True)
    assert lent.number["s6"] == 1


def test_a_held_number_is_refused_and_a_random_one_is_not():
    held, wild = lending.Held(1), lending.Random(1)
    for lent in (held, wild):
        lent.visit("s1", "v1", 0)
        lent.visit("s2", "v2", 1700)

    assert "s2" not in held.number
    assert wild.number == {"s1": 0, "s2": 0}


def test_a_visitor_gets_his_own_number_back():
    lent = lending.OldestFirst(3)
    for at, visitor in enumerate(["v1", "v2", "v1"]):
        lent.visit(f"s{at}", visitor, at)

    assert lent.number == {"s0": 0, "s1": 1, "s2": 0}


def test_rules_of_thumb_name_the_last_holder_or_the_last_visitor():
    events = [
        visit(0, "s1"), visit(1, "s2"), visit(2, "s3"), call(60, "c1", "s2"),
        call(61, "c2", None, 7), call(4000, "c3", "s1"),
    ]  # fmt: skip

    first = baselines.last_holder(lending.OldestFirst, events, 2)
    assert [one.candidates[0].session for one in first] == ["s2", "s2", "s3"]
    assert [one.number[-1] for one in first if one.number] == ["1", "1", "0"]

    last = baselines.last_visitor(events)
    assert [[c.session for c in one.candidates] for one in last] == [["s3"], ["s3"], []]


# Traffic.


@pytest.mark.parametrize("family", FAMILIES)
def test_draws_follow_the_density_they_are_weighed_with(family):
    spread, rng = Spread(family, 100, 1.3), random.Random(1)
    ranks = spread.share_by(np.array(sorted(spread.draw(rng) for _ in range(4000))))
    grid = np.geomspace(0.1, 3000, 4000)
    middles = (grid[1:] + grid[:-1]) / 2

    assert np.abs(ranks - np.linspace(0, 1, 4000)).max() < 0.03
    assert np.sum(spread.density(middles) * np.diff(grid)) == pytest.approx(
        spread.share_by(grid[-1:])[0] - spread.share_by(grid[:1])[0], abs=0.002
    )


def test_a_clock_is_read_as_it_was_set(everyday):
    clock = everyday[0].calling

    for at, seconds in [(0.0, 10.0), (5000.0, 86400.0), (3.3 * DAY, 5 * DAY)]:
        later = clock.after(MONDAY + at, seconds)
        told = clock.read(later) - clock.read(MONDAY + at)
        assert told == pytest.approx(seconds)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_events_are_in_order_and_complete(shape):
    site, events = traffic.make(shape, seed=3, days=3)
    opened: dict[str | None, float] = {}
    for event in events:
        if event.kind == "visit":
            assert event.session not in opened
            assert event.source in site.sources
            opened[event.session] = event.at
        elif event.session is not None:
            assert event.at >= opened[event.session]
        else:
            assert event.slot is not None
    calls = [event.call for event in events if event.kind == "call"]

    assert [event.at for event in events] == sorted(event.at for event in events)
    assert 0 < len(calls) == len(set(calls))
    assert events[-1].at < site.ends
    reveals = any(event.kind == "reveal" for event in events)
    assert reveals == (shape.name != "no reveals")


def test_a_seed_is_a_site():
    one, again, other = (
        traffic.make(SHAPES["noisy"], seed=seed, days=2)[1] for seed in (1, 1, 2)
    )

    assert one == again
    assert one != other


def test_no_two_people_share_a_phone(everyday):
    visitors = {e.session: e.visitor for e in everyday[1] if e.kind == "visit"}
    unrelated, related = set(), set()
    for event in everyday[1]:
        if event.kind == "call" and event.caller:
            (related if event.session in visitors else unrelated).add(event.caller)

    assert related
    assert unrelated
    assert not related & unrelated


# The oracle.


def test_the_oracle_beats_every_rule_of_thumb_and_means_what_it_says(everyday):
    done = trial.run(*everyday, 8, seed=7, ours=False)
    best = done.scores["oracle"]

    for name in report.BASELINES:
        assert best.found > done.scores[name].found + 0.05
        assert best.log_loss < done.scores[name].log_loss / 2
    assert best.calibration < 0.09
    assert best.by_source < 0.15


def test_the_oracle_answers_from_what_stands_above_the_call(everyday):
    site, events = everyday
    events = events[:8000]

    whole = Oracle(site, events, 5).answers()
    part = Oracle(site, events[:6000], 5).answers()

    assert 20 < len(part) < len(whole)
    assert whole[: len(part)] == part


def test_the_oracle_does_not_know_who_dialled(everyday):
    site, events = everyday
    events = events[:6000]
    numbers = 2
    lent, hidden = lending.OldestSeen(numbers), []
    for event in events:
        if event.kind != "call":
            baselines.tell(lent, event)
        elif (number := baselines.dialled(lent, event, numbers)) is not None:
            event = event._replace(session=None, slot=number)
        hidden.append(event)

    assert (
        Oracle(site, hidden, numbers).answers()
        == Oracle(site, events, numbers).answers()
    )


def test_the_tables_are_drawn(everyday, capsys):
    from rich.console import Console

    done = trial.run(*everyday, 20, seed=7, ours=False)
    report.show(Console(width=200), [done])

    shown = capsys.readouterr().out
    assert "everyday" in shown
    assert f"{done.scores['oracle'].found:.3f}" in shown
