"""The script against the rules written down plainly, over random traffic."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numberpool import allocation, lending
from tests.numberpool import make

_pool_ids = itertools.count(1000)
FOREVER = allocation.NEVER

SESSIONS, VISITORS = 12, 5
session_numbers = st.integers(0, SESSIONS - 1)
steps = st.tuples(
    st.just("step"), st.sampled_from([1, 10, 60, 100, 149, 150, 151, 400, 3600])
)
wants = st.tuples(st.just("want"), session_numbers, st.booleans())
signs = st.tuples(st.just("sign"), session_numbers, st.booleans())
cuts = st.tuples(st.just("cut"))
traffic = st.lists(st.one_of(wants, wants, signs, steps, steps, cuts), max_size=60)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(
    traffic,
    st.lists(st.booleans(), max_size=4),
    st.booleans(),
    st.sampled_from(["peak", "peak", "always", "never"]),
    st.sampled_from([0, 0, 200, 5000]),
)
async def test_the_script_does_what_the_rules_say(
    valkey, actions, resting, share, late, rest
):
    """`resting`: of each number; for the rules the resting ones are not there."""
    terms = dict(share=share, late=late, rest=rest)
    awake = [n for n, rests in enumerate(resting) if not rests]
    asleep = frozenset(make.number(n) for n, rests in enumerate(resting) if rests)
    pool = make.pool(len(resting), id=next(_pool_ids), resting=asleep, **terms)
    await make.load(valkey, pool)
    rules = allocation.Allocator(len(awake), **terms)
    now = 0
    batch = []

    async def settle():
        """The wants of one moment go to the script together, and are compared."""
        if not batch:
            return
        asked = [
            lending.Want(
                pool=pool,
                session=make.session(session),
                visitor=make.visitor(session % VISITORS),
                reading=reading,
            )
            for session, reading in batch
        ]
        loans = await lending.lend(valkey, asked, make.at(now))
        for (session, reading), loan in zip(batch, loans, strict=True):
            held = rules.want(session, session % VISITORS, now, reading=reading)
            if held is None:
                assert (loan.number, loan.shared, loan.fresh) == (None, False, False)
            else:
                expected = make.number(awake[held.number])
                assert (loan.number, loan.shared) == (expected, held.shared)
                assert loan.fresh
        batch.clear()

    for action in [*actions, ("cut",)]:
        match action:
            case ("want", session, reading):
                batch.append((session, reading))
            case ("cut",):
                await settle()
            case ("step", seconds):
                await settle()
                now += seconds
            case ("sign", session, seen):
                await settle()
                rules.sign(session, now, seen=seen)
                await lending.touch(valkey, [sign(pool, session, now, seen=seen)])

    snapshot = await lending.snapshot(valkey, pool)
    assert len(snapshot) == len(resting)
    for n, place in enumerate(awake):
        held, session = snapshot[place], rules.holder[n]
        assert held.session == (None if session is None else make.session(session))
        assert held.shared == rules.shared[n]
        assert held.last_sign == moment(rules.last_sign[n])
        assert held.last_seen == moment(rules.last_seen[n])


def sign(pool, session, seconds, *, seen):
    return lending.Sign(
        pool_id=pool.id, session=make.session(session), at=make.at(seconds), seen=seen
    )


def moment(seconds):
    return None if seconds == FOREVER else make.at(seconds)


late_signs = st.tuples(
    st.just("late"), session_numbers, st.booleans(), st.integers(0, 2000)
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(
    st.lists(st.one_of(wants, wants, signs, late_signs, steps), max_size=50),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["peak", "always", "never"]),
)
async def test_no_living_holders_number_goes_to_another_unmarked_and_no_clock_goes_back(
    valkey, actions, size, share, late
):
    pool = make.pool(size, id=next(_pool_ids), share=share, late=late)
    await make.load(valkey, pool)
    now = 0
    shown = {}  # session -> (number, shared)
    holder = {}  # number -> the session it was shown to last
    signed = {}  # session -> its latest sign of life
    clocks = {}
    for action in actions:
        match action:
            case ("step", seconds):
                now += seconds
            case ("sign", session, seen):
                await lending.touch(valkey, [sign(pool, session, now, seen=seen)])
                signed[session] = now
            case ("late", session, seen, ago):  # a beat that was long under way
                await lending.touch(valkey, [sign(pool, session, now - ago, seen=seen)])
                signed[session] = max(signed.get(session, now - ago), now - ago)
            case ("want", session, reading):
                want = lending.Want(
                    pool=pool,
                    session=make.session(session),
                    visitor=make.visitor(session % VISITORS),
                    reading=reading,
                )
                (loan,) = await lending.lend(valkey, [want], make.at(now))
                if session in shown:
                    assert (loan.number, loan.shared) == shown[session]
                elif loan.number is not None:
                    before = holder.get(loan.number)
                    if before is not None and now - signed[before] <= 150:
                        assert loan.shared or before % VISITORS == session % VISITORS
                    assert share or not loan.shared
                    shown[session] = (loan.number, loan.shared)
                    holder[loan.number] = session
                signed[session] = now
        for held in await lending.snapshot(valkey, pool):
            sign_before, seen_before = clocks.get(held.number, (None, None))
            same_holder = held.session == clocks.get((held.number, "holder"))
            assert not same_holder or never_back(sign_before, held.last_sign)
            assert never_back(seen_before, held.last_seen)
            clocks[held.number] = (held.last_sign, held.last_seen)
            clocks[held.number, "holder"] = held.session


def never_back(before, after):
    return before is None or (after is not None and after >= before)


@pytest.mark.parametrize("size", [1, 3, 40])
async def test_a_number_whose_holder_is_alive_goes_to_another_only_as_shared(
    valkey, size
):
    pool = make.pool(size)
    await make.load(valkey, pool)
    alive = {}  # number -> (visitor, moment of the holder's last sign)
    shared_ones = 0
    for n in range(400):
        now, visitor = n * 7, n % 97
        want = lending.Want(
            pool=pool, session=make.session(n), visitor=make.visitor(visitor), reading=n % 3 == 0
        )  # fmt: skip
        (loan,) = await lending.lend(valkey, [want], make.at(now))
        if loan.number is None:
            continue
        before, sign = alive.get(loan.number, (None, FOREVER))
        if before not in (None, visitor) and now - sign <= 150:
            assert loan.shared
            shared_ones += 1
        else:
            assert not loan.shared or before == visitor
        alive[loan.number] = (visitor, now)
    assert (shared_ones > 0) == (size < 40)
