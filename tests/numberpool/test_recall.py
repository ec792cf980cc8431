"""A learner that reads a ledger again: in any chunks, from any moment, on from any model."""

from random import Random

import numpy as np
import pytest

from numberpool import exposure, posterior
from numberpool.exposure import HALF_LIFE
from numberpool.learner import Learner
from numberpool.model import Model
from numberpool.opening import DAY, Opening
from tests.numberpool.make import START

ZERO = START.timestamp()
NOW = ZERO + 30 * DAY


def holdings(count: int = 120) -> list[posterior.Holding]:
    """Visits of a month, of every kind; in the order of time."""
    draw = Random(3)
    found = []
    for n in range(count):
        since = ZERO + 29 * DAY * n / count
        last = since + draw.choice([5, 40, 600, 9000])
        seen = since + draw.choice([1, 4, 30])
        found.append(
            posterior.Holding(
                session_id=n,
                visitor_id=n,
                source_id=draw.choice(["yandex/cpc", "google/organic", "direct/none"]),
                device=draw.choice(["mobile", "desktop"]),
                since=since,
                last_sign_at=max(last, seen),
                seen_at=seen if n % 3 else None,
                clicked_at=seen if n % 7 == 1 else None,
                pinged_at=max(last, seen) if n % 2 else None,
                left_at=max(last, seen) + 3 if n % 5 else None,
                first_left_at=max(last, seen) + 3 if n % 5 else None,
            )
        )
    return found


def learned(learner: Learner) -> Model:
    """From a few calls that belong to nobody."""
    for n in range(12):
        at = ZERO + (2 + n) * 2 * DAY
        answer = posterior.weigh(
            [one for one in holdings() if one.since < at][-20:],
            number="a",
            at=at,
            numbers=3,
            memory=posterior.Memory(),
            model=learner.model,
            opening=learner.opening,
        )
        learner.called(
            answer, posterior.Memory(), at=at, numbers=3, number="a", caller=f"+7{n}"
        )
    return learner.learn(NOW)


def rates(model: Model) -> np.ndarray:
    return np.array([model.rates[name] for name in posterior.STATES])


@pytest.mark.parametrize("chunk", [1, 7, 120])
def test_a_ledger_read_in_chunks_teaches_what_the_stream_did(chunk: int) -> None:
    stream, ledger = Learner(), Learner()
    for one in holdings():
        stream.shown(one)
        if one.seen_at is not None:
            stream.revealed()
    ledger.revealed()
    some = holdings()
    for start in range(0, len(some), chunk):
        ledger.recall(some[start : start + chunk], at=NOW, after=ZERO)

    told, read = learned(stream), learned(ledger)

    assert rates(read) == pytest.approx(rates(told))
    assert read.noise == pytest.approx(told.noise)
    assert read.source_factors == pytest.approx(told.source_factors)


def test_the_order_of_a_ledger_does_not_matter() -> None:
    some = holdings()
    models = []
    for order in (some, some[::-1]):
        learner = Learner()
        learner.revealed()
        learner.recall(order, at=NOW, after=ZERO)
        models.append(learned(learner))

    assert rates(models[0]) == pytest.approx(rates(models[1]))


@pytest.mark.parametrize("days", [0.5, 3, 14.3, 29])
def test_what_is_left_out_before_a_moment_is_what_was_counted_until_then(
    days: float,
) -> None:
    some, cut = holdings(), ZERO + days * DAY
    sources = {one.source_id: n for n, one in enumerate(some[:30])}
    opening = Opening(timezone=START.tzinfo)

    def count(until: float, **more: float) -> np.ndarray:
        sessions = exposure.Sessions.of(some, sources, reveals=True)
        return exposure.count(
            sessions, until=until, opening=opening, sources=30, **more
        )

    before = count(cut) * 0.5 ** ((NOW - cut) / HALF_LIFE)

    assert count(NOW, after=cut) + before == pytest.approx(count(NOW))
    assert count(NOW, after=cut).sum() < count(NOW).sum()


def test_a_learner_goes_on_from_a_stored_model() -> None:
    first = Learner()
    first.recall(holdings(), at=NOW, after=ZERO)
    model = learned(first)

    second = Learner(model=model)

    assert second.model is model
    assert second.opening == first.opening
