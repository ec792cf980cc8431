"""The queue to the mailboxes, row by row."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from tests.make import NOON
from tracker import db as database
from tracker import ids, letters

MINUTE = timedelta(minutes=1)


def _owed(n: int = 1, **changes: object) -> letters.Owed:
    one = letters.Owed(
        site_id=1,
        id=ids.mint(1, NOON),
        inbox_id=UUID(int=n),
        digest=bytes([n]) * 32,
        recipient="info-k7f3q2mx9t@track.example",
        mailbox_id=1,
        mail_from="ivan@client.example",
        return_token=f"token{n}",
        at=NOON,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


async def _claim(db: database.Db, **changes: object) -> list[letters.Forward]:
    wanted = {"at": NOON, "lease": MINUTE, "most": 10, **changes}
    return await letters.claim(db, **wanted)  # type: ignore[arg-type]


async def test_a_letter_is_owed_once(db: database.Connection) -> None:
    one = _owed()
    again = replace(
        one, id=ids.mint(1, NOON), return_token="other", inbox_id=UUID(int=9)
    )

    assert await letters.owe(db, [one]) == {one.id}
    assert await letters.owe(db, [again, _owed(2)]) != {again.id}
    key = (1, one.digest, one.recipient)
    assert await letters.known(db, [key, (2, *key[1:])]) == {key: one.inbox_id}
    assert await db.fetchval("SELECT count(*) FROM forwards") == 2


async def test_the_commit_waits_for_the_disk_even_where_the_default_does_not(
    db: database.Connection,
) -> None:
    await db.execute("SET synchronous_commit = off")
    async with db.transaction():
        await letters.owe(db, [_owed()])
        assert await db.fetchval("SHOW synchronous_commit") == "on"
    assert await db.fetchval("SHOW synchronous_commit") == "off"


async def test_a_claim_is_a_lease(db: database.Connection) -> None:
    one = _owed()
    await letters.owe(db, [one])

    (claimed,) = await _claim(db)
    assert (claimed.id, claimed.attempts) == (one.id, 1)
    assert await _claim(db) == []
    await letters.extend(db, [claimed], until=NOON + 3 * MINUTE)
    assert await _claim(db, at=NOON + 2 * MINUTE) == []
    assert [it.attempts for it in await _claim(db, at=NOON + 3 * MINUTE)] == [2]


async def test_what_is_given_back_was_not_tried(db: database.Connection) -> None:
    await letters.owe(db, [_owed()])
    claimed = await _claim(db)

    await letters.release(db, claimed, due=NOON)

    assert [one.attempts for one in await _claim(db)] == [1]


async def test_busy_mailboxes_and_letters_in_hand_are_left_alone(
    db: database.Connection,
) -> None:
    one, two, boss = (
        _owed(1),
        _owed(2, mailbox_id=2),
        _owed(3, site_id=0, mailbox_id=None),
    )
    await letters.owe(db, [one, two, boss])

    found = await _claim(db, busy=[(1, 2), (0, 0)])
    assert [it.id for it in found] == [one.id]
    found = await _claim(db, at=NOON + 2 * MINUTE, under_way=[one.id])
    assert {it.id for it in found} == {two.id, boss.id}


async def test_tries_are_told_in_order_whatever_a_server_says(
    db: database.Connection,
) -> None:
    await letters.owe(db, [_owed()])
    (claimed,) = await _claim(db)
    nasty = letters.Attempt(
        at=NOON,
        seconds=1,
        request="mx:25",
        code=451,
        answer="a\0\udcff",
        error="x\0" * 2000,
    )
    await letters.settle(db, claimed, nasty, due=NOON + MINUTE)
    taken = letters.Attempt(at=NOON + MINUTE, seconds=1, request="mx:25", code=250)
    await letters.settle(db, claimed, taken, due=None)

    tries = await letters.attempts(db, 1, claimed.id)
    assert [(one["n"], one["code"], one["answer"]) for one in tries] == [
        (1, 451, "a?"),
        (2, 250, ""),
    ]
    row = await db.fetchrow("SELECT state, sent_at, last_error FROM forwards")
    assert row is not None
    assert dict(row) == {"state": "sent", "sent_at": NOON + MINUTE, "last_error": None}


async def test_stuck_are_the_old_the_dead_and_the_bounced(
    db: database.Connection,
) -> None:
    old, young, dead, sent = (_owed(n, at=NOON + n * MINUTE) for n in range(1, 5))
    await letters.owe(db, [old, young, dead, sent])
    claimed = {one.id: one for one in await _claim(db, at=NOON + 10 * MINUTE)}
    failed = letters.Attempt(
        at=NOON + 10 * MINUTE, seconds=0, request="mx:25", error="no"
    )
    await letters.settle(db, claimed[dead.id], failed, due=None)
    taken = letters.Attempt(at=NOON + 10 * MINUTE, seconds=0, request="mx:25")
    await letters.settle(db, claimed[sent.id], taken, due=None)
    await letters.bounced(db, sent.return_token, at=NOON + 11 * MINUTE)

    stuck = await letters.stuck(db, at=NOON + 16 * MINUTE + timedelta(seconds=30))
    assert [(one.id, one.state) for one in stuck] == [
        (old.id, "owed"), (dead.id, "dead"), (sent.id, "sent"),
    ]  # fmt: skip
    assert await letters.stuck(db, at=NOON, site_id=2) == []
    backlog = await letters.backlog(db)
    assert (backlog.owed, backlog.dead) == (2, 1)
    assert (backlog.oldest_at, backlog.died_at) == (old.at, failed.at)

    assert await letters.retry(db, at=NOON + 20 * MINUTE, site_id=1) == 3
    assert len(await _claim(db, at=NOON + 20 * MINUTE)) == 3


async def test_a_return_path_is_good_for_thirty_days(db: database.Connection) -> None:
    await letters.owe(db, [_owed()])

    assert await letters.returned(db, "token1", at=NOON + timedelta(days=29)) == 1
    assert await letters.returned(db, "token1", at=NOON + timedelta(days=31)) is None
    assert await letters.returned(db, "token2", at=NOON) is None
