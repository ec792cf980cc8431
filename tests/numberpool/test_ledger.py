"""The leases on record: what may be shown, what is known of it, and the live state made anew."""

import asyncio
import itertools
import random
from datetime import timedelta

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numberpool import ledger, lending, model
from tests.numberpool import make

SITE = 1
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = make.at(12 * 3600)


async def set_up(db, size=2, *, name="main", **terms):
    """A pool with its numbers, as provisioning writes them."""
    pool_id = await db.fetchval(
        "INSERT INTO pools (site_id, name, replaces) VALUES ($1, $2, '{}') RETURNING id", SITE, name
    )  # fmt: skip
    pool = make.pool(size, id=pool_id, **terms)
    await add_numbers(db, pool)
    return pool


async def add_numbers(db, pool):
    await db.executemany(
        "INSERT INTO numbers (site_id, number, kind, pool_id, position) VALUES ($1, $2, 'dynamic', $3, $4) ON CONFLICT DO NOTHING",
        [(SITE, number, pool.id, position) for position, number in pool.numbers],
    )


def grant(pool, n, *, position=0, since=NOON, epoch=0, **changes):
    usual = dict(
        site_id=SITE, number=make.number(position), since=since, session_id=make.session(n),
        visitor_id=make.visitor(n), pool_id=pool.id, source_id=5, device="mobile",
        last_sign_at=since, epoch=epoch,
    )  # fmt: skip
    return ledger.Grant(**usual | changes)


def sign(n, at, **changes):
    return ledger.Sign(site_id=SITE, session_id=make.session(n), at=at, **changes)


async def lease(db, n):
    (one,) = await ledger.of_session(db, site_id=SITE, session_id=make.session(n))
    return one


async def lend(valkey, pool, n, at, **changes):
    want = lending.Want(
        pool=pool, session=make.session(n), visitor=make.visitor(n), **changes
    )
    (loan,) = await lending.lend(valkey, [want], at)
    return loan


async def visit(db, valkey, pool, n, at, **changes):
    """A visit as `tracker.visits` settles it: lent, then granted. The loan that stands."""
    loan = await lend(valkey, pool, n, at, **changes)
    if loan.number is not None:
        asked = grant(
            pool, n, number=loan.number, since=at, epoch=loan.epoch, shared=loan.shared,
            seen_at=at if changes.get("reading") else None,
        )  # fmt: skip
        assert await ledger.grant(db, [asked]) == {(make.session(n), loan.number)}
    return loan


# Grants


async def test_a_grant_becomes_a_lease(db):
    pool = await set_up(db)
    assert await ledger.grant(db, [grant(pool, 1)]) == {
        (make.session(1), make.number(0))
    }
    one = await lease(db, 1)
    assert (one.since, one.source_id, one.shared, one.seen_at) == (NOON, 5, False, None)


async def test_a_grant_of_an_older_or_newer_epoch_is_void(db):
    pool = await set_up(db)
    await db.execute("UPDATE pools SET epoch = 3")
    asked = [grant(pool, n, epoch=n) for n in (2, 3, 4)]
    assert await ledger.grant(db, asked) == {(make.session(3), make.number(0))}
    assert await db.fetchval("SELECT count(*) FROM leases") == 1


async def test_a_grant_for_a_pool_that_is_gone_is_void(db):
    pool = await set_up(db)
    await db.execute("DELETE FROM pools")
    assert await ledger.grant(db, [grant(pool, 1)]) == set()


async def test_a_session_keeps_the_number_it_was_granted_first(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1)])
    again = grant(pool, 1, position=1, since=NOON + MINUTE, seen_at=NOON + MINUTE)
    assert await ledger.grant(db, [again]) == {(make.session(1), make.number(0))}
    one = await lease(db, 1)
    assert one.since == NOON
    assert one.last_sign_at == one.seen_at == NOON + MINUTE


async def test_one_batch_may_grant_to_one_session_twice(db):
    pool = await set_up(db)
    asked = [
        grant(pool, 1),
        grant(pool, 1, seen_at=NOON, clicked_at=NOON),
        grant(pool, 2, position=1),
    ]
    assert await ledger.grant(db, asked) == {
        (make.session(1), make.number(0)),
        (make.session(2), make.number(1)),
    }
    assert (await lease(db, 1)).clicked_at == NOON


async def test_no_grants_are_no_trouble(db):
    assert await ledger.grant(db, []) == set()
    await ledger.sign(db, [])
    assert await ledger.of_sessions(db, []) == {}


# Signs


async def test_what_a_session_does_is_written_into_its_lease(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1), grant(pool, 2)])
    at = [NOON + n * MINUTE for n in range(9)]

    await ledger.sign(
        db,
        [
            sign(1, at[3], seen=True),
            sign(1, at[2], seen=True),
            sign(1, at[5], clicked=True),
            sign(1, at[4], clicked=True),
            sign(1, at[6], pinged=True),
            sign(1, at[8], left=True),
            sign(1, at[7], left=True),
            sign(9, at[8], pinged=True),
        ],
    )

    one = await lease(db, 1)
    assert (one.seen_at, one.clicked_at) == (at[2], at[5])
    assert (one.pinged_at, one.left_at, one.last_sign_at) == (at[6], at[8], at[6])
    assert one.first_left_at == at[7]
    assert (await lease(db, 2)).last_sign_at == NOON


async def test_signs_told_late_or_twice_change_nothing(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1)])
    news = [sign(1, NOON + n * MINUTE, pinged=True, seen=n == 1) for n in (3, 1)]
    await ledger.sign(db, news)
    before = await lease(db, 1)
    await ledger.sign(db, news[1:])
    assert await lease(db, 1) == before


async def test_a_click_alone_means_that_the_number_was_seen(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1)])
    await ledger.sign(db, [sign(1, NOON + MINUTE, clicked=True)])
    assert (await lease(db, 1)).seen_at == NOON + MINUTE


async def test_seeing_one_number_is_not_seeing_the_other(db):
    main, other = await set_up(db), await set_up(db, name="other")
    await ledger.grant(db, [grant(main, 1), grant(other, 1, position=1)])
    await ledger.sign(db, [sign(1, NOON + MINUTE, seen=True, number=make.number(1))])
    leases = await ledger.of_session(db, site_id=SITE, session_id=make.session(1))
    assert {one.number: one.seen_at for one in leases} == {
        make.number(0): None,
        make.number(1): NOON + MINUTE,
    }
    assert {one.last_sign_at for one in leases} == {NOON + MINUTE}


async def test_processes_that_sign_for_the_same_sessions_do_not_block_each_other(pool):
    async with pool.acquire() as db:
        lent = await set_up(db)
        await ledger.grant(db, [grant(lent, n) for n in range(50)])

    async def beats(order):
        for step in range(10):
            at = NOON + step * MINUTE
            await ledger.sign(pool, [sign(n, at, pinged=True) for n in order])

    await asyncio.gather(beats(range(50)), beats(range(49, -1, -1)))

    assert (await lease(pool, 7)).pinged_at == NOON + 9 * MINUTE


told = st.builds(
    dict,
    at=st.integers(-300, 3000).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    pinged=st.booleans(),
    seen=st.booleans(),
    clicked=st.booleans(),
    left=st.booleans(),
    number=st.sampled_from(["", make.number(0), make.number(1)]),
)
_sessions = itertools.count(5000, 2)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(st.data(), st.lists(told, min_size=1, max_size=8))
async def test_beats_in_any_order_and_any_number_of_times_give_the_same_ledger(
    db, data, signs
):
    lent = await set_up(db, name=f"pool{next(_sessions)}")
    once, often = (n := next(_sessions)), n + 1
    await ledger.grant(db, [grant(lent, once), grant(lent, often)])
    shuffled = data.draw(
        st.permutations(signs + data.draw(st.lists(st.sampled_from(signs))))
    )

    await ledger.sign(db, [sign(once, **one) for one in signs])
    before = await lease(db, often)
    for one in shuffled:
        await ledger.sign(db, [sign(often, **one)])
        after = await lease(db, often)
        assert never_shorter(before, after)
        before = after

    names = (
        "last_sign_at",
        "seen_at",
        "clicked_at",
        "pinged_at",
        "left_at",
        "first_left_at",
    )
    same = [
        [getattr(await lease(db, n), name) for name in names] for n in (once, often)
    ]
    assert same[0] == same[1]


def never_shorter(before, after):
    """No later word takes back a sign of life, or makes a number seen later."""
    later = ("last_sign_at", "clicked_at", "pinged_at", "left_at")
    return all(
        getattr(before, name) is None or getattr(before, name) <= getattr(after, name)
        for name in later
    ) and (before.seen_at is None or before.seen_at >= after.seen_at)


async def test_the_leases_of_several_sessions_are_read_together(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1), grant(pool, 2, position=1)])
    asked = [(SITE, make.session(n)) for n in (1, 2, 3)] + [(2, make.session(1))]
    found = await ledger.of_sessions(db, asked)
    assert {
        session: [one.number for one in leases] for session, leases in found.items()
    } == {
        make.session(1): [make.number(0)],
        make.session(2): [make.number(1)],
    }


# The live state made anew


async def test_an_empty_ledger_gives_an_empty_live_state(pool, valkey):
    lent = await set_up(pool)
    assert await ledger.rebuild(pool, valkey, lent, NOON) == 1
    assert (await visit(pool, valkey, lent, 1, NOON)).number == make.number(0)
    assert await pool.fetchval("SELECT epoch FROM pools") == 1


async def test_a_live_holder_is_not_disturbed_after_valkey_was_emptied(pool, valkey):
    lent = await set_up(pool)
    await ledger.rebuild(pool, valkey, lent, NOON)
    await visit(pool, valkey, lent, 1, NOON)
    await valkey.flushall()
    with pytest.raises(lending.NotLoaded):
        await visit(pool, valkey, lent, 2, NOON + MINUTE)

    await ledger.rebuild(pool, valkey, lent, NOON + MINUTE)

    assert (await visit(pool, valkey, lent, 2, NOON + MINUTE)).number == make.number(1)
    assert (await visit(pool, valkey, lent, 3, NOON + MINUTE)).number is None
    assert (await visit(pool, valkey, lent, 1, NOON + MINUTE)).number == make.number(0)


async def test_a_grant_from_before_a_rebuild_is_void(pool, valkey):
    lent = await set_up(pool, 1)
    await ledger.rebuild(pool, valkey, lent, NOON)
    loan = await lend(valkey, lent, 1, NOON)
    await valkey.flushall()
    await ledger.rebuild(pool, valkey, lent, NOON)
    await visit(pool, valkey, lent, 2, NOON)

    late = grant(lent, 1, number=loan.number, epoch=loan.epoch)

    assert await ledger.grant(pool, [late]) == set()


async def test_a_rebuild_waits_for_the_grants_in_flight(pool, valkey):
    lent = await set_up(pool, 1)
    await ledger.rebuild(pool, valkey, lent, NOON)
    loan = await lend(valkey, lent, 1, NOON)
    async with pool.acquire() as visits:
        transaction = visits.transaction()
        await transaction.start()
        asked = grant(lent, 1, number=loan.number, epoch=loan.epoch)
        assert await ledger.grant(visits, [asked])
        await valkey.flushall()
        rebuilding = asyncio.create_task(ledger.rebuild(pool, valkey, lent, NOON))
        await until(lambda: waits_for_a_lock(pool))
        assert not rebuilding.done()
        await transaction.commit()
    await rebuilding
    (held,) = await lending.snapshot(valkey, lent)
    assert held.session == make.session(1)


async def until(condition):
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0)


async def waits_for_a_lock(db):
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )


async def test_many_rebuilders_at_once_are_one_rebuild(pool, valkey):
    lent = await set_up(pool)
    epochs = await asyncio.gather(
        *(ledger.rebuild(pool, valkey, lent, NOON) for _ in range(8))
    )
    assert epochs == [1] * 8


async def test_a_load_whose_transaction_failed_is_gone_past(pool, valkey):
    lent = await set_up(pool, 1)
    await ledger.rebuild(pool, valkey, lent, NOON)
    # Loaded, but the database never heard of it: whatever it lends is void …
    assert await make.load(valkey, lent, epoch=2)
    loan = await lend(valkey, lent, 1, NOON)
    asked = grant(lent, 1, number=loan.number, epoch=loan.epoch)
    assert await ledger.grant(pool, [asked]) == set()
    # … and the next rebuild takes neither its state nor its epoch.
    assert await ledger.rebuild(pool, valkey, lent, NOON) == 3
    assert await ledger.grant(pool, [asked]) == set()
    assert (await visit(pool, valkey, lent, 2, NOON)).number == make.number(0)


async def test_a_database_that_was_set_back_is_caught_up(pool, valkey):
    lent = await set_up(pool, 1)
    await make.load(valkey, lent, epoch=40)
    assert await ledger.rebuild(pool, valkey, lent, NOON) == 41
    await visit(pool, valkey, lent, 1, NOON)


async def test_without_the_database_nothing_is_loaded(pool, valkey):
    lent = await set_up(pool)
    pool.terminate()
    with pytest.raises(Exception, match="clos"):
        await ledger.rebuild(pool, valkey, lent, NOON)
    assert await valkey.dbsize() == 0


async def test_without_valkey_the_epoch_stays(pool):
    lent = await set_up(pool)
    client = redis.asyncio.Redis(host="127.0.0.1", port=1, retry=None)
    with pytest.raises(redis.exceptions.ConnectionError):
        await ledger.rebuild(pool, client, lent, NOON)
    await client.aclose()
    assert await pool.fetchval("SELECT epoch FROM pools") == 0


async def test_a_pool_that_is_not_set_up_cannot_be_rebuilt(pool, valkey):
    with pytest.raises(ledger.PoolGone):
        await ledger.rebuild(pool, valkey, make.pool(), NOON)


async def test_numbers_that_are_added_and_retired_take_effect_at_once(pool, valkey):
    lent = await set_up(pool, 1)
    await ledger.rebuild(pool, valkey, lent, NOON)
    await visit(pool, valkey, lent, 1, NOON)
    more = make.pool(2, id=lent.id)
    await add_numbers(pool, more)
    with pytest.raises(lending.NotLoaded):
        await lend(valkey, more, 2, NOON)
    await ledger.rebuild(pool, valkey, more, NOON)
    assert (await visit(pool, valkey, more, 2, NOON)).number == make.number(1)
    # A process that has not heard of it goes on, with the numbers that are true now.
    assert (await visit(pool, valkey, lent, 1, NOON)).number == make.number(0)

    await pool.execute("UPDATE numbers SET retired_at = $1 WHERE position = 0", NOON)
    left = make.pool(id=lent.id, numbers=more.numbers[1:])
    await ledger.rebuild(pool, valkey, left, NOON + HOUR)

    assert (await visit(pool, valkey, left, 3, NOON + HOUR)).number == make.number(1)
    kept = await lend(valkey, left, 1, NOON + HOUR, keep=make.number(0))
    assert kept.number == make.number(0)  # his page still shows it


async def test_a_number_rests_and_wakes_with_its_holder_and_its_clocks(pool, valkey):
    lent = await set_up(pool)
    await ledger.rebuild(pool, valkey, lent, NOON)
    await visit(pool, valkey, lent, 1, NOON, reading=True)
    await pool.execute("UPDATE numbers SET resting = true WHERE position = 0")
    rested = make.pool(id=lent.id, resting=frozenset({make.number(0)}))
    with pytest.raises(lending.NotLoaded):
        await lend(valkey, rested, 1, NOON + MINUTE)
    await ledger.rebuild(pool, valkey, rested, NOON + MINUTE)

    assert (await lend(valkey, rested, 1, NOON + MINUTE)).number == make.number(0)
    later = NOON + HOUR
    assert (await visit(pool, valkey, rested, 2, later)).number == make.number(1)
    assert (await visit(pool, valkey, rested, 3, later)).number is None
    # A process that has not heard yet does not lend it either.
    assert (await lend(valkey, lent, 4, NOON + 2 * MINUTE)).number is None
    held = await lending.snapshot(valkey, rested)
    assert held[0].session == make.session(1)
    assert held[0].last_seen == NOON + MINUTE

    await pool.execute("UPDATE numbers SET resting = false")
    await ledger.rebuild(pool, valkey, lent, later)
    assert (await visit(pool, valkey, lent, 5, later)).number == make.number(0)


async def test_a_process_that_never_hears_does_not_rebuild_for_ever(pool, valkey):
    lent = await set_up(pool, 2)
    deaf = make.pool(1, id=lent.id)
    epoch = await ledger.rebuild(pool, valkey, deaf, NOON)
    assert (await lend(valkey, deaf, 1, NOON + MINUTE)).epoch == epoch
    assert await ledger.rebuild(pool, valkey, deaf, NOON + MINUTE) == epoch
    assert await ledger.rebuild(pool, valkey, lent, NOON + MINUTE) == epoch


async def test_a_rebuilt_state_is_the_state_that_was_lost(pool, valkey):
    lent = await set_up(pool, 5)
    chance = random.Random(7)
    now = NOON
    await ledger.rebuild(pool, valkey, lent, now)
    shown = []
    for n in range(60):
        now += timedelta(seconds=chance.choice([5, 20, 60, 200] if n < 50 else [5]))
        loan = await visit(pool, valkey, lent, n, now, reading=chance.random() < 0.5)
        if loan.number:
            shown.append(n)
        for one in chance.sample(shown, min(2, len(shown))):
            seen = chance.random() < 0.5
            await ledger.sign(pool, [sign(one, now, pinged=True, seen=seen)])
            beat = lending.Sign(
                pool_id=lent.id, session=make.session(one), at=now, seen=seen
            )
            await lending.touch(valkey, [beat])
    before = await lending.snapshot(valkey, lent)
    assert any(one.shared for one in before)

    await valkey.flushall()
    await ledger.rebuild(pool, valkey, lent, now)

    assert await lending.snapshot(valkey, lent) == before
    later = now + 10 * MINUTE
    beats = [
        lending.Sign(pool_id=lent.id, session=make.session(n), at=later) for n in shown
    ]
    await lending.touch(valkey, beats)  # sessions are known again, holders or not
    after = await lending.snapshot(valkey, lent)
    assert {one.last_sign for one in after} == {later}
    assert {one.last_seen for one in after} == {later}


# Who may have called


async def found(db, at=NOON, **changes):
    holdings = await ledger.holders(
        db, site_id=SITE, number=make.number(0), at=at, **changes
    )
    return [one.session_id.int - make.session(0).int for one in holdings]


async def test_on_a_site_without_reveals_all_holders_count_as_having_seen_it(db):
    pool = await set_up(db)
    await ledger.grant(
        db, [grant(pool, n, since=NOON - n * MINUTE) for n in range(1, 9)]
    )
    asked = dict(site_id=SITE, number=make.number(0), at=NOON, seen=6, unseen=2)
    assert len(await ledger.holders(db, **asked)) == 2
    assert len(await ledger.holders(db, **asked, reveals=False)) == 6


async def test_a_tap_does_not_show_that_a_site_sends_reveals(db):
    pool = await set_up(db)
    many = range(1, 1 + model.ENOUGH_UNSEEN)
    await ledger.grant(db, [grant(pool, n, since=NOON - n * MINUTE) for n in many])

    async def reveals():
        busy = await ledger.traffic(
            db, site_id=SITE, numbers=[make.number(0)], at=NOON + MINUTE
        )
        return busy.reveals

    assert not await reveals()
    await ledger.sign(db, [sign(1, NOON, seen=True, clicked=True)])
    assert not await reveals()
    await ledger.sign(db, [sign(2, NOON, seen=True)])
    assert await reveals()


async def test_the_holders_of_a_number_are_told_latest_first(db):
    pool = await set_up(db)
    await ledger.grant(
        db,
        [
            grant(pool, 1, since=NOON - 3 * MINUTE, seen_at=NOON - 2 * MINUTE),
            grant(pool, 2, since=NOON - MINUTE),
            grant(pool, 3, since=NOON + MINUTE),
            grant(pool, 4, since=NOON - 14 * DAY),
            grant(pool, 5, position=1),
            grant(pool, 6, since=NOON),
        ],
    )
    assert await found(db) == [6, 2, 1]


async def test_each_kind_of_holder_has_its_own_limit(db):
    pool = await set_up(db)
    asked = [
        grant(
            pool,
            n,
            since=NOON - n * MINUTE,
            seen_at=NOON - n * MINUTE if n % 2 else None,
        )
        for n in range(1, 21)
    ]
    await ledger.grant(db, asked)
    assert await found(db, seen=3, unseen=2) == [1, 2, 3, 4, 5]


async def test_those_tied_to_the_caller_are_found_whatever_their_place(db):
    pool = await set_up(db)
    await ledger.grant(
        db,
        [
            *[grant(pool, n, since=NOON - n * MINUTE, seen_at=NOON - n * MINUTE) for n in range(1, 9)],
            grant(pool, 20, since=NOON - 20 * DAY),
        ],
    )  # fmt: skip
    assert await found(db, seen=1) == [1]
    tied = await found(
        db, seen=1, sessions=[make.session(5), make.session(20)], visitors=[make.visitor(7)]
    )  # fmt: skip
    assert tied == [1, 5, 7, 20]


async def test_a_reveal_of_later_is_not_yet_known(db):
    pool = await set_up(db)
    await ledger.grant(db, [grant(pool, 1, since=NOON - 2 * MINUTE)])
    await ledger.sign(
        db, [sign(1, NOON + MINUTE, seen=True, clicked=True, pinged=True)]
    )
    (one,) = await ledger.holders(db, site_id=SITE, number=make.number(0), at=NOON)
    assert (one.seen_at, one.clicked_at, one.pinged_at) == (None, None, None)
    assert one.last_sign_at == NOON.timestamp()


async def test_the_traffic_of_a_pool_is_told_from_a_sample(db):
    pool = await set_up(db)
    numbers = [make.number(n) for n in range(40)]
    asked = [
        grant(pool, n, position=n % 20, since=NOON - (n + 1) * HOUR) for n in range(48)
    ]
    await ledger.grant(db, asked)
    busy = await ledger.traffic(db, site_id=SITE, numbers=numbers, at=NOON)
    assert busy.sessions_per_second == pytest.approx(2 * 48 / (48 * 3600))
    assert busy.reveals  # too few to tell
    await ledger.grant(db, [grant(pool, 100 + n, since=NOON - HOUR) for n in range(2)])
    silent = await ledger.traffic(db, site_id=SITE, numbers=numbers, at=NOON)
    assert not silent.reveals
    await ledger.sign(db, [sign(3, NOON, seen=True)])
    assert (await ledger.traffic(db, site_id=SITE, numbers=numbers, at=NOON)).reveals


async def test_a_pool_that_was_never_shown_has_no_traffic(db):
    nothing = await ledger.traffic(db, site_id=SITE, numbers=[], at=NOON)
    assert nothing.sessions_per_second == 0 and nothing.reveals
