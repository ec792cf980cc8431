"""The script against the rules written down plainly, over random traffic."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numberpool import lending
from tests.numberpool import make

NEVER = float("-inf")
_pool_ids = itertools.count(1000)


@dataclass
class Number:
    """One number as the rules see it."""

    last_sign: float = NEVER
    last_seen: float = NEVER
    session: int | None = None
    visitor: int | None = None
    shared: bool = False


@dataclass
class Held:
    number: int
    shared: bool
    seen: bool = False


@dataclass
class Rules:
    """Section "Allocation" of the method, in the plainest Python there is."""

    size: int
    share: bool
    late: str
    rest: int
    numbers: list[Number] = field(default_factory=list)
    held: dict[int, Held] = field(default_factory=dict)

    def __post_init__(self):
        self.numbers = [Number() for _ in range(self.size)]

    def want(self, session, visitor, reading, now):
        """(number or None, shared)"""
        if session not in self.held:
            n, shared = self.choose(visitor, reading, now)
            if n is None:
                return None, False
            one = self.numbers[n]
            one.session, one.visitor, one.shared = session, visitor, shared
            one.last_sign = now
            self.held[session] = Held(n, shared)
        self.sign(session, reading, now)
        return self.held[session].number, self.held[session].shared

    def choose(self, visitor, reading, now):
        idle = [n for n, one in enumerate(self.numbers) if now - one.last_sign > 150]
        for n, one in enumerate(self.numbers):
            if one.visitor == visitor:
                return n, one.shared and n not in idle
        best = min(idle, key=lambda n: self.numbers[n].last_seen, default=None)
        if reading or self.late == "never":
            if best is None and self.share and self.size:
                return min(
                    range(self.size), key=lambda n: self.numbers[n].last_sign
                ), True
            return best, False
        if best is None or self.late == "always":
            return None, False
        rested = now - self.numbers[best].last_seen >= self.rest
        return (best if rested else None), False

    def sign(self, session, seen, now):
        held = self.held.get(session)
        if held is None:
            return
        held.seen = held.seen or seen
        one = self.numbers[held.number]
        if one.session == session:
            one.last_sign = now
        if held.seen:
            one.last_seen = now


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
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from(["peak", "peak", "always", "never"]),
    st.sampled_from([0, 0, 200, 5000]),
)
async def test_the_script_does_what_the_rules_say(
    valkey, actions, size, share, late, rest
):
    terms = dict(share=share, late=late, rest=rest)
    pool = make.pool(size, id=next(_pool_ids), **terms)
    await make.load(valkey, pool)
    rules = Rules(size=size, **terms)
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
            n, shared = rules.want(session, session % VISITORS, reading, now)
            expected = None if n is None else make.number(n)
            assert (loan.number, loan.shared) == (expected, shared)
            assert loan.fresh == (n is not None)
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
                rules.sign(session, seen, now)
                sign = lending.Sign(
                    pool_id=pool.id, session=make.session(session), at=make.at(now), seen=seen
                )  # fmt: skip
                await lending.touch(valkey, [sign])

    for held, one in zip(
        await lending.snapshot(valkey, pool), rules.numbers, strict=True
    ):
        session = None if one.session is None else make.session(one.session)
        assert (held.session, held.shared) == (session, one.shared)
        assert held.last_sign == moment(one.last_sign)
        assert held.last_seen == moment(one.last_seen)


def moment(seconds):
    return None if seconds == NEVER else make.at(seconds)


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
        before, sign = alive.get(loan.number, (None, NEVER))
        if before not in (None, visitor) and now - sign <= 150:
            assert loan.shared
            shared_ones += 1
        else:
            assert not loan.shared or before == visitor
        alive[loan.number] = (visitor, now)
    assert (shared_ones > 0) == (size < 40)
