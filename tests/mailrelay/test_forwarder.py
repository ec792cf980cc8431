"""On to the mailbox: tried, tried again, given up, told about."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mailrelay import forwarder as forwarding
from mailrelay import outcomes
from mailrelay.alerts import Watch
from mailrelay.forwarder import Administrator, Forwarder, Relaying
from tests import make, outage
from tests.fakes.smtp import NextHop
from tests.mailrelay import raw
from tests.mailrelay.town import DOMAIN, LETTER, Town
from tests.make import NOON
from tracker import letters

MINUTE = timedelta(minutes=1)


async def _walk(town: Town, tries: int) -> None:
    """Let the clock run from one due moment to the next."""
    at = datetime.now(UTC)
    for _ in range(tries):
        await town.forward(at=at)
        due = await town.pool.fetchval(
            "SELECT min(due_at) FROM forwards WHERE state = 'owed'"
        )
        at = max(at, due or at)


async def test_a_hop_that_says_later_three_times_gets_the_letter_the_fourth(
    town: Town,
) -> None:
    town.hop.replies["DATA"] = ["451 4.7.1 greylisted"] * 3
    await town.send(await town.alias())

    await _walk(town, 4)

    assert len(town.hop.taken) == 1
    assert town.hop.taken[0].recipients == ["info@acme.example"]
    row = await town.pool.fetchrow("SELECT * FROM forwards")
    assert row is not None
    assert (row["state"], row["attempts"]) == ("sent", 4)
    tries = await letters.attempts(town.pool, row["site_id"], row["id"])
    assert [one["code"] for one in tries] == [451, 451, 451, 250]
    assert tries[0]["error"] == "letter refused: 451 4.7.1 greylisted"
    assert tries[3]["error"] is None
    assert tries[3]["request"] == f"127.0.0.1:{town.hop.port}"


async def test_a_letter_whose_content_is_refused_is_dead_at_once_and_can_be_retried(
    town: Town,
) -> None:
    town.hop.replies["DATA"] = ["550 5.7.1 looks like spam"]
    await town.send(await town.alias())
    await town.forward()

    assert await town.states() == ["dead"]
    (stuck,) = await letters.stuck(town.pool, at=datetime.now(UTC))
    assert (stuck.state, stuck.last_code) == ("dead", 550)
    assert stuck.last_error == "letter refused: 550 5.7.1 looks like spam"

    assert await letters.retry(town.pool, at=datetime.now(UTC), id_=stuck.id) == 1
    await town.forward()
    assert await town.states() == ["sent"]
    assert [one.content.endswith(LETTER) for one in town.hop.taken] == [True]


async def test_a_mailbox_that_is_refused_is_held_for_a_day_then_dead(
    town: Town,
) -> None:
    town.hop.replies["RCPT"] = ["550 5.1.1 no such user"] * 99
    await town.send(await town.alias())

    await _walk(town, 2)
    assert await town.states() == ["owed"]
    await _walk(town, 40)

    assert await town.states() == ["dead"]
    row = await town.pool.fetchrow("SELECT created_at, due_at FROM forwards")
    assert row is not None
    assert (
        timedelta(hours=24) <= row["due_at"] - row["created_at"] < timedelta(hours=25)
    )


async def test_a_hop_that_is_down_for_six_hours_costs_nothing_but_time(
    town: Town,
) -> None:
    await town.hop.__aexit__(None, None, None)
    for n in range(3):
        await town.send(await town.alias(), letter=b"Subject: %d\r\n\r\n" % n)
    at = datetime.now(UTC)
    for minutes in range(0, 360, 10):
        await town.forward(at=at + minutes * MINUTE)
    assert await town.states() == ["owed"] * 3

    async with NextHop(port=town.hop.port) as hop:
        for minutes in range(360, 720, 10):
            await town.forward(at=at + minutes * MINUTE)

    assert len(hop.taken) == 3
    assert await town.states() == ["sent"] * 3


async def test_a_hop_that_cannot_be_reached_is_probed_by_one_letter_at_a_time(
    town: Town,
) -> None:
    await town.hop.__aexit__(None, None, None)
    alias = await town.alias()
    for n in range(8):
        await town.send(alias, letter=b"Subject: %d\r\n\r\n" % n)
    at = datetime.now(UTC)
    await town.forward(at=at)
    tries = await town.pool.fetchval("SELECT count(*) FROM attempts")

    await town.forward(at=at + 1 * MINUTE + timedelta(seconds=30))
    probed = await town.pool.fetchval("SELECT count(*) FROM attempts")

    assert 3 <= tries < 8  # some were under way when the first failed, not all
    assert probed == tries + 1


async def test_8bit_letters_say_so(town: Town) -> None:
    alias = await town.alias()
    await town.send(alias, letter="Subject: привет\r\n\r\n".encode())
    await town.send(alias, letter=b"Subject: ascii\r\n\r\n")
    await town.forward()

    said = {
        ("BODY=8BITMIME" in one.options, one.content.isascii())
        for one in town.hop.taken
    }
    assert said == {(True, False), (False, True)}


async def test_each_recipient_gets_his_copy_and_none_is_told_of_the_other(
    town: Town,
) -> None:
    one, two = await town.alias(), await town.alias()
    await town.send(one, two)
    await town.forward()

    assert len(town.hop.taken) == 2
    for taken in town.hop.taken:
        assert one.encode() not in taken.content
        assert two.encode() not in taken.content
    assert len({taken.mail_from for taken in town.hop.taken}) == 2


async def test_a_process_that_died_leaves_letters_that_come_due_again(
    town: Town,
) -> None:
    await town.send(await town.alias())
    now = datetime.now(UTC)
    claimed = await letters.claim(town.pool, at=now, lease=forwarding.LEASE, most=10)
    assert len(claimed) == 1

    await town.forward(at=now + timedelta(seconds=1))
    assert town.hop.taken == []
    await town.forward(at=now + forwarding.LEASE + timedelta(seconds=1))
    assert len(town.hop.taken) == 1


async def test_stopping_gives_back_what_was_not_finished(town: Town) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw.server(silent) as port:
        forwarder = await _with_hop(town, f"smtp://127.0.0.1:{port}")
        await town.send(await town.alias())
        assert await forwarder.turn(at=datetime.now(UTC)) == 1

        await forwarder.stop(0.2)

    row = await town.pool.fetchrow("SELECT state, attempts, due_at FROM forwards")
    assert row is not None
    assert (row["state"], row["attempts"]) == ("owed", 0)
    assert row["due_at"] <= datetime.now(UTC)


async def _with_hop(town: Town, address: str) -> Forwarder:
    await town.pool.execute(
        "UPDATE mailboxes SET next_hop = $1", make.SEAL.close(address)
    )
    await town.directory.load()
    return Forwarder(town.pool, town.directory, town.relaying)


@pytest.mark.parametrize(
    "address", ["ftp://x", "smtp://", "smtp://host:99999", "nonsense"]
)
async def test_a_next_hop_that_makes_no_sense_waits_to_be_mended(
    town: Town, address: str
) -> None:
    forwarder = await _with_hop(town, address)
    await town.send(await town.alias())
    await forwarder.turn(at=datetime.now(UTC))
    await forwarder.settled()

    row = await town.pool.fetchrow("SELECT state, last_error FROM forwards")
    assert row is not None
    assert row["state"] == "owed"
    assert "smtp://mx.company.example:25" in row["last_error"]


async def test_a_password_is_not_sent_in_the_clear(town: Town) -> None:
    forwarder = await _with_hop(town, town.hop.address.replace("//", "//user:secret@"))
    await town.send(await town.alias())
    await forwarder.turn(at=datetime.now(UTC))
    await forwarder.settled()

    assert town.hop.taken == []
    row = await town.pool.fetchrow("SELECT state, last_error FROM forwards")
    assert row is not None
    assert row["state"] == "owed"
    assert (
        row["last_error"]
        == "sign-in refused: a password is not sent without encryption"
    )


async def test_without_an_administrator_his_letters_are_kept_and_seen(
    town: Town,
) -> None:
    nobody = Relaying(
        domain=DOMAIN,
        host="x.example",
        marker_key=b"k",
        administrator=Administrator(address="", next_hop=""),
    )
    forwarder = Forwarder(town.pool, town.directory, nobody)
    await town.send(f"abuse@{DOMAIN}")
    await forwarder.turn(at=datetime.now(UTC))
    await forwarder.settled()

    (stuck,) = await letters.stuck(town.pool, at=datetime.now(UTC))
    assert stuck.state == "dead"
    assert stuck.last_error is not None
    assert "SKVOZ_ADMIN_EMAIL" in stuck.last_error


async def test_it_forwards_by_itself_and_goes_on_after_an_outage(
    town: Town, database_url: str
) -> None:
    alias = await town.alias()
    work = asyncio.create_task(town.forwarder.run())
    town.reception.on_kept(town.forwarder.wake)
    await town.send(alias)
    await _until(lambda: len(town.hop.taken) == 1)
    async with outage.of(database_url):
        pass  # every connection is gone
    async with asyncio.timeout(20):  # put off while the connections are made anew
        while not (await town.send(alias, letter=b"Subject: after\r\n\r\n")).startswith(
            "250"
        ):
            await asyncio.sleep(0.02)
    await _until(lambda: len(town.hop.taken) == 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await town.forwarder.settled()


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


class TestAlerts:
    async def test_the_administrator_is_told_once_a_threshold(self, town: Town) -> None:
        start = datetime.now(UTC)
        watch = Watch(town.pool, town.relaying, at=start)
        await town.send(await town.alias())

        told = []
        for minutes in (1, 14, 16, 30, 90, 239, 241, 300, 1441, 2000):
            if await watch.look(at=start + minutes * MINUTE):
                told.append(minutes)

        assert told == [16, 241, 1441]
        alert = town.hop.taken[0]
        assert alert.mail_from == "<>"
        assert alert.recipients == ["boss@acme.example"]
        assert b"\r\nAuto-Submitted: auto-generated\r\n" in alert.content
        assert b"not tried yet" in alert.content
        assert b"client.example" not in alert.content

    async def test_deaths_are_told_at_most_once_an_hour(self, town: Town) -> None:
        start = datetime.now(UTC)
        watch = Watch(town.pool, town.relaying, at=start)
        told = []
        for n in range(4):
            town.hop.replies["DATA"] = ["554 5.6.0 bad"]
            await town.send(await town.alias(), letter=b"Subject: %d\r\n\r\n" % n)
            at = start + n * 25 * MINUTE + timedelta(seconds=5)
            await town.forward(at=at)
            if await watch.look(at=at):
                told.append(n)

        assert told == [0, 3]


@pytest.mark.parametrize(
    ("stage", "code", "answer", "dead", "life", "unreachable"),
    [
        ("connect", 421, "4.3.2 busy", False, outcomes.LIFE, True),
        ("connect", 554, "5.7.1 your address is listed", False, outcomes.LIFE, True),
        ("greet", 550, "5.7.1 bad name", False, outcomes.LIFE, True),
        ("auth", 535, "5.7.8 wrong password", False, outcomes.LIFE, True),
        ("mail", 550, "5.7.23 SPF", False, outcomes.LIFE, False),
        ("rcpt", 450, "4.2.1 later", False, outcomes.LIFE, False),
        ("rcpt", 550, "5.1.1 unknown", False, outcomes.HOLD, False),
        ("rcpt", 550, "no enhanced code", False, outcomes.HOLD, False),
        ("rcpt", 552, "5.2.2 full", False, outcomes.LIFE, False),
        ("dot", 452, "4.2.2 full", False, outcomes.LIFE, False),
        ("dot", 552, "5.2.2 full", False, outcomes.LIFE, False),
        ("dot", 552, "5.3.4 too large", True, outcomes.LIFE, False),
        ("dot", 550, "5.7.26 DMARC", True, outcomes.LIFE, False),
        ("data", 554, "no", True, outcomes.LIFE, False),
    ],
)
def test_what_a_refusal_means(
    stage: outcomes.Stage,
    code: int,
    answer: str,
    dead: bool,
    life: timedelta,
    unreachable: bool,
) -> None:
    outcome = outcomes.refused(stage, code, answer)

    assert (outcome.permanent, outcome.life, outcome.unreachable) == (
        dead,
        life,
        unreachable,
    )


def test_waits_grow_and_end_after_five_days() -> None:
    outcome = outcomes.broken("connect", "refused")
    at, waits = NOON, []
    for attempts in range(1, 100):
        due = outcomes.next_try(
            outcome, attempts=attempts, created_at=NOON, at=at, jitter=0
        )
        if due is None:
            break
        waits.append((due - at) / MINUTE)
        at = due

    assert waits[:10] == [1, 2, 5, 10, 15, 30, 60, 120, 180, 180]
    assert at == NOON + timedelta(days=5)


def test_waits_are_spread_by_a_tenth() -> None:
    outcome = outcomes.broken("connect", "refused")
    for jitter, seconds in ((-1.0, 54), (1.0, 66)):
        due = outcomes.next_try(
            outcome, attempts=1, created_at=NOON, at=NOON, jitter=jitter
        )
        assert due == NOON + timedelta(seconds=seconds)
