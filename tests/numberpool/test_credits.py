"""What calls were credited to, and what is known when the next one comes."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from numberpool import credits, ledger, model, posterior
from numberpool.opening import Opening
from numberpool.past import Past
from tests.numberpool import make
from tests.numberpool.test_ledger import NOON, SITE, grant, set_up

CALLER, OTHER = "+79161234567", "+79167654321"
NEW_CALL = UUID(int=1)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def answer(weights, none=0.0):
    """An answer with these weights by session number."""
    return posterior.Answer(
        candidates=tuple(candidate(n, weight) for n, weight in weights.items()),
        none=none,
        noise=0.0,
        model="test",
    )


def candidate(n, weight):
    one = posterior.Holding(
        session_id=make.session(n), visitor_id=make.visitor(n), source_id=5, device="mobile",
        since=NOON, last_sign_at=NOON,
    )  # fmt: skip
    rate = posterior.Rate(weight, one, "", 0, 0, 0, 0, 0, 0, 0, 0)
    return posterior.Candidate(
        session_id=one.session_id, visitor_id=one.visitor_id, source_id=5, weight=weight, rate=rate
    )  # fmt: skip


async def credit(
    db, pool, weights, *, none=0.0, caller=CALLER, at=NOON, call=None, position=0
):
    await credits.credit(
        db,
        site_id=SITE,
        pool_id=pool.id,
        call_id=call or uuid4(),
        number=make.number(position),
        caller=caller,
        at=at,
        answer=answer(weights, none),
    )


async def memory(db, pool, *, caller=CALLER, at=NOON + DAY, call=NEW_CALL):
    _, found = await credits.evidence(
        db,
        site_id=SITE,
        pool_id=pool.id,
        number=make.number(0),
        caller=caller,
        at=at,
        call_id=call,
    )
    return found


@pytest.fixture
async def lent(db):
    """A pool whose first number sessions 1 to 3 hold."""
    pool = await set_up(db)
    await ledger.grant(
        db, [grant(pool, n, since=NOON - n * MINUTE, seen_at=NOON - n * MINUTE) for n in (1, 2, 3)]
    )  # fmt: skip
    return pool


async def test_a_phone_that_never_called_has_no_memory(db, lent):
    assert await memory(db, lent) == posterior.Memory()
    assert await memory(db, lent, caller=None) == posterior.Memory(withheld=True)


async def test_the_last_call_is_remembered_with_its_weights(db, lent):
    await credit(db, lent, {2: 0.9}, at=NOON - DAY)
    await credit(db, lent, {1: 0.7, 2: 0.2, 3: 0.0005}, none=0.0995, position=1)
    found = await memory(db, lent)
    assert found.last == posterior.LastCall(
        at=NOON.timestamp(),
        number=make.number(1),
        weights={make.session(1): 0.7, make.session(2): 0.2},
        none=0.0995,
    )
    assert found.own == {make.visitor(1): 0.7, make.visitor(2): 0.9}
    assert found.credited[make.session(2)] == pytest.approx(0.9)
    assert found.other == {}


async def test_a_call_that_was_nobodys_is_remembered_too(db, lent):
    await credit(db, lent, {}, none=1.0)
    found = await memory(db, lent)
    assert found.last is not None
    assert (found.last.none, found.last.weights, found.own) == (1.0, {}, {})


async def test_other_phones_of_a_visitor_are_told_by_the_largest_weight(db, lent):
    await credit(db, lent, {1: 0.3}, caller=OTHER)
    await credit(db, lent, {1: 0.6}, caller="+79160000000", at=NOON + MINUTE)
    await credit(db, lent, {2: 0.9}, caller=None)
    found = await memory(db, lent)
    assert found.other == {make.visitor(1): 0.6}  # a withheld one is no known phone
    assert found.last is None
    assert found.credited == {
        make.session(1): pytest.approx(1 - 0.7 * 0.4),
        make.session(2): pytest.approx(0.9),
    }


async def test_a_phone_that_calls_again_claims_a_visit_once(db, lent):
    past = Past()
    for minute, weights in enumerate([{1: 0.5, 2: 0.3}, {1: 0.8}, {1: 0.7, 3: 0.2}]):
        at = NOON + minute * MINUTE
        await credit(db, lent, weights, at=at)
        past.credit(answer(weights, 0.0), caller=CALLER, number="a", at=at.timestamp())
    await credit(db, lent, {1: 0.5}, caller=OTHER)
    past.credit(answer({1: 0.5}, 0.0), caller=OTHER, number="a", at=NOON.timestamp())

    for found in (await memory(db, lent, caller=None), past.memory(None)):
        assert found.credited == {
            make.session(1): pytest.approx(1 - 0.2 * 0.5),
            make.session(2): pytest.approx(0.3),
            make.session(3): pytest.approx(0.2),
        }


async def test_only_what_came_before_counts(db, lent):
    await credit(db, lent, {1: 0.8}, at=NOON)
    assert await memory(db, lent, at=NOON) == posterior.Memory()
    assert (await memory(db, lent, at=NOON + MINUTE)).last is not None


async def test_a_call_weighed_again_does_not_remember_itself(db, lent):
    call = uuid4()
    await credit(db, lent, {1: 0.8}, call=call)
    assert await memory(db, lent, call=call) == posterior.Memory()


async def test_a_call_is_credited_once(db, lent):
    call = uuid4()
    await credit(db, lent, {1: 0.8}, none=0.2, call=call)
    await credit(db, lent, {2: 0.5}, none=0.5, call=call)
    rows = await db.fetch("SELECT session_id, weight FROM credits")
    assert {row["session_id"]: row["weight"] for row in rows} == {
        make.session(1): 0.8,
        credits.NIL: 0.2,
    }


async def test_calls_to_another_pool_are_no_acquaintance(db, lent):
    other = await set_up(db, name="other")
    await credit(db, other, {1: 0.8})
    found = await memory(db, lent)
    assert found.last is None
    assert found.credited == {make.session(1): pytest.approx(0.8)}


async def test_a_redial_finds_the_session_of_the_first_call(db, lent):
    """From the ledger to the answer: first a call, then the same phone again."""

    async def call(at, caller):
        holdings, known = await credits.evidence(
            db, site_id=SITE, pool_id=lent.id, number=make.number(0), caller=caller, at=at
        )  # fmt: skip
        weighed = posterior.weigh(
            holdings,
            number=make.number(0),
            at=at.timestamp(),
            numbers=2,
            memory=known,
            model=model.day_one(noise=1e-6),
            opening=Opening(timezone=NOON.tzinfo),
        )
        await credits.credit(
            db, site_id=SITE, pool_id=lent.id, call_id=uuid4(), number=make.number(0),
            caller=caller, at=at, answer=weighed,
        )  # fmt: skip
        return weighed

    await ledger.sign(
        db,
        [ledger.Sign(site_id=SITE, session_id=make.session(3), at=NOON, clicked=True)],
    )
    first = await call(NOON + timedelta(seconds=8), CALLER)
    assert first.candidates[0].session_id == make.session(3)
    assert first.candidates[0].weight > 0.9

    again = await call(NOON + 10 * MINUTE, CALLER)
    assert again.candidates[0].session_id == make.session(3)
    assert again.candidates[0].weight > 0.9
    assert again.candidates[0].why["redial"] > 0

    stranger = await call(NOON + 11 * MINUTE, OTHER)
    assert stranger.candidates[0].session_id != make.session(3)
