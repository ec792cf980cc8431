"""Replay: the worked example of lending, its refusals, and what it must never look at."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numberpool import replay

VISIT = dict(type="visit", device="mobile", source="yandex/cpc")


def visit(t, n, **changes):
    return dict(VISIT, t=t, session=f"s{n}", visitor=f"v{n}") | changes


def sign(t, kind, n):
    return dict(t=t, type=kind, session=f"s{n}")


def call(t, n, dialer, **changes):
    session = None if dialer is None else f"s{dialer}"
    usual = dict(
        t=t, type="call", call=f"c{n}", caller=f"+7900000{n:04d}", dialer=session
    )
    return usual | changes


def lines(*events):
    return [json.dumps(one).encode() for one in events]


def played(*events, numbers=2, bad=None, **terms):
    return list(replay.run(lines(*events), replay.Replay(numbers, **terms), bad))


EXAMPLE = (
    visit(0, 1), visit(10, 2), sign(20, "reveal", 1), sign(40, "leave", 1), sign(40, "ping", 2),
    visit(60, 3), sign(70, "leave", 3), visit(300, 4), visit(310, 5), visit(320, 6),
    sign(330, "reveal", 6),
)  # fmt: skip


def test_the_worked_example_of_two_numbers():
    calls = [call(331, n, n) for n in (1, 2, 3, 4, 5, 6)]
    found = [one.number for one in played(*EXAMPLE, *calls)]
    zero, one = "+78000000000", "+78000000001"
    assert found == [zero, one, None, one, zero, one]


def test_a_call_is_laid_to_who_looked_at_its_number_just_now():
    (answer,) = played(*EXAMPLE, call(340, 1, 6))
    assert answer.candidates[0].session == "s6"
    assert answer.candidates[0].weight > 0.9
    assert sum(one.weight for one in answer.candidates) <= 1


def test_without_a_dialer_the_slot_tells_the_number():
    (answer,) = played(*EXAMPLE, call(340, 1, None, slot=5))
    assert answer.number == "+78000000001"


def test_a_number_is_not_shared_where_the_owner_forbids_it():
    (answer,) = played(*EXAMPLE, call(340, 1, 6), share=False)
    assert (answer.number, answer.candidates) == (None, [])


def test_unknown_types_and_fields_are_ignored():
    told = [dict(t=1, type="weather", device=7), visit(2, 1, colour="red")]
    assert played(*told, sign(3, "reveal", 1), call(9, 1, 1))[0].number is not None


def test_nothing_but_the_number_depends_on_who_dialled():
    others = [visit(n, n) for n in range(1, 9)]
    looks = [sign(10 + n, "reveal", n) for n in range(1, 9)]
    pool = dict(numbers=1)
    answers = [
        played(*others, *looks, call(60, 1, dialer), **pool)[0].candidates
        for dialer in range(1, 9)
    ]
    assert all(one == answers[0] for one in answers)


@pytest.mark.parametrize(
    ("events", "line", "reason"),
    [
        ([visit(5, 1), visit(4, 2)], 2, "t is 4.0, after 5.0"),
        ([visit(-1, 1)], 1, "t is negative"),
        ([sign(1, "ping", 1)], 1, "session 's1' is unknown"),
        ([call(1, 1, 7)], 1, "session 's7' is unknown"),
        ([visit(1, 1), call(2, 1, 1), call(3, 1, 1)], 3, "call 'c1' has come before"),
        ([call(1, 1, None)], 1, "needs a slot"),
        ([dict(t=1, type="visit", session="s1")], 1, "visitor is missing"),
        ([visit(1, 1, device="fridge")], 1, "device"),
        ([dict(type="visit", session="s", visitor="v")], 1, "`t`"),
    ],
)
def test_a_bad_line_is_named(events, line, reason):
    with pytest.raises(replay.BadLine, match=reason) as refused:
        played(*events)
    assert refused.value.line == line


def test_bad_lines_are_left_out_and_told_on_request():
    bad = []
    told = [*lines(visit(1, 1), sign(2, "reveal", 1)), b"{oops", b""]
    told += lines(sign(3, "ping", 99), call(9, 1, 1))
    (answer,) = replay.run(told, replay.Replay(2), bad)
    assert answer.candidates[0].session == "s1"
    assert [one.line for one in bad] == [3, 5]


def test_a_pool_has_at_least_one_number():
    for size in (0, -3, 10**9):
        with pytest.raises(ValueError, match="numbers must be from 1"):
            replay.Replay(size)


kinds = st.sampled_from(["visit", "ping", "leave", "reveal", "tel_click", "call"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(kinds, st.integers(0, 6), st.integers(0, 4000)), max_size=60),
    st.integers(1, 4),
)
def test_any_history_is_answered_alike_twice_with_weights_that_are_probabilities(
    steps, numbers
):
    events, known, now = [], set(), 0.0
    for n, (kind, session, wait) in enumerate(steps):
        now += wait
        if kind == "visit":
            known.add(session)
            events.append(visit(now, session, visitor=f"v{session % 3}"))
        elif kind == "call":
            dialer = session if session in known else None
            events.append(call(now, n, dialer, slot=session, caller=f"+7{session}"))
        elif session in known:
            events.append(sign(now, kind, session))
    first, second = played(*events, numbers=numbers), played(*events, numbers=numbers)
    assert first == second
    for answer in first:
        weights = [one.weight for one in answer.candidates]
        assert all(0 < one <= 1 for one in weights)
        assert weights == sorted(weights, reverse=True)
        assert sum(weights) <= 1 + 1e-9
