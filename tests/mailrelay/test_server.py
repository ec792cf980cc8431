"""The conversation, on real sockets and a real PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mailrelay import rewrite
from mailrelay.limits import Limits
from numberpool import aliases
from tests import outage
from tests.mailrelay.town import DOMAIN, HOST, IVAN, LETTER, Town
from tracker import sites

SMUGGLED = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<boss@acme.example>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n"
SEVEN = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\0.\r\n",
]


async def test_it_says_who_it_is_and_what_it_offers(town: Town) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", town.port)
    writer.write(b"EHLO x\r\nQUIT\r\n")
    said = (await reader.read()).decode().split("\r\n")
    writer.close()

    assert said[0] == f"220 {HOST} ESMTP"
    assert "250-PIPELINING" in said
    assert "250-8BITMIME" in said
    assert f"250-SIZE {35 * 1024 * 1024}" in said
    assert "250 ENHANCEDSTATUSCODES" in said
    assert not any("AUTH" in line or "STARTTLS" in line for line in said)
    assert said[-2] == "221 2.0.0 bye"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("MAIL FROM:<>", "250 2.1.0"),
        ("mail from: <a@b.example> SIZE=100 BODY=8BITMIME", "250 2.1.0"),
        ("MAIL FROM:a@b.example", "250 2.1.0"),
        ("MAIL FROM:<a@b.example> SIZE=99999999999", "552 5.3.4"),
        ("MAIL FROM:<a@b.example> FOO=1", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> BODY=BINARY", "501 5.5.4"),
        ("MAIL FROM <a@b.example>", "501 5.5.2"),
        ("MAIL FROM:<a b@c>", "553 5.1.7"),
        ("MAIL FROM:<иван@client.example>", "550 5.6.7"),
        ("MAIL", "501 5.5.2"),
        ("RCPT TO:<x@track.example>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("VRFY ivan", "252 2.5.2"),
        ("EXPN all", "502 5.5.1"),
        ("AUTH PLAIN AAAA", "502 5.5.1"),
        ("HELP", "214 2.0.0"),
        ("NOOP hello", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("STARTTLS", "502 5.5.1"),
        ("GET / HTTP/1.1", "500 5.5.2"),
        ("", "500 5.5.2"),
        ("MAIL FROM:<" + "a" * 3000 + "@b.example>", "500 5.5.2"),
        ("MAIL FROM:<" + "a" * 300_000 + "@b.example>", "500 5.5.2"),
    ],
)
async def test_each_command_has_its_answer_with_an_enhanced_code(
    town: Town, line: str, answer: str
) -> None:
    talk = await town.talk()

    assert (await talk.say(line)).startswith(answer + " ")
    assert (await talk.say("NOOP")).startswith("250 ")
    await talk.close()


async def test_a_recipient_is_refused_at_once_with_the_reason(town: Town) -> None:
    alias = await town.alias()
    retired = await town.alias(retired=True)
    wrong = alias.replace("@", "2@")
    never_minted = "info-" + _valid_token() + f"@{DOMAIN}"

    for address, answer in (
        ("someone@elsewhere.example", "550 5.7.1"),
        (f"user%elsewhere.example@{DOMAIN}", "550 5.1.1"),
        (wrong, "550 5.1.1"),
        (never_minted, "550 5.1.1"),
        (retired, "550 5.1.1"),
        ("", "553 5.1.3"),
        (f"rp-{'a' * 20}@{DOMAIN}", "550 5.7.1"),
    ):
        talk = await town.talk()
        await talk.say("MAIL FROM:<a@b.example>")
        assert (await talk.say(f"RCPT TO:<{address}>")).startswith(answer + " "), (
            address
        )
        assert (await talk.say("DATA")).startswith("503 5.5.1 ")
        await talk.close()


def _valid_token() -> str:
    return aliases.mint("info").token


async def test_case_separator_route_and_a_final_dot_do_not_hide_an_alias(
    town: Town,
) -> None:
    alias = await town.alias()
    local, _, domain = alias.partition("@")
    talk = await town.talk()
    await talk.say("MAIL FROM:<a@b.example>")
    for address in (
        alias.upper(),
        f"{local.replace('-', '+')}@{domain}",
        f"@relay.example:{alias}",
        f"{alias}.",
    ):
        assert (await talk.say(f"RCPT TO:<{address}>")).startswith("250 2.1.5 "), (
            address
        )
    await talk.close()


async def test_a_letter_is_on_disk_when_its_sender_is_told_so(town: Town) -> None:
    alias = await town.alias()

    answer = await town.send(alias)

    row = await town.pool.fetchrow("SELECT id, meta, body FROM inbox")
    assert row is not None
    assert answer == f"250 2.0.0 queued as {row['id']}"
    assert row["body"] == LETTER
    meta = row["meta"] if isinstance(row["meta"], dict) else json.loads(row["meta"])
    assert meta["mail_from"] == IVAN
    assert [one["address"] for one in meta["recipients"]] == [alias]
    assert await town.states() == ["owed"]


async def test_a_resent_letter_is_answered_as_before_and_kept_once(town: Town) -> None:
    alias, other = await town.alias(), await town.alias()

    first = await town.send(alias)
    again = await town.send(alias)
    with_another = await town.send(alias, other)

    assert first == again
    assert with_another == first
    assert len(await town.kept()) == 2  # the second only for the other recipient
    assert await town.states() == ["owed", "owed"]


async def test_parallel_copies_of_one_letter_are_one(town: Town) -> None:
    alias = await town.alias()

    answers = await asyncio.gather(*(town.send(alias) for _ in range(10)))

    assert len(set(answers)) == 1
    assert len(await town.kept()) == 1


async def test_many_letters_at_once_each_get_their_own_answer(town: Town) -> None:
    alias = await town.alias()
    bodies = [b"Subject: %d\r\n\r\nx\r\n" % n for n in range(20)]

    answers = await asyncio.gather(*(town.send(alias, letter=one) for one in bodies))

    rows = await town.pool.fetch("SELECT id, body FROM inbox")
    by_id = {str(row["id"]): row["body"] for row in rows}
    assert [by_id[answer.split()[-1]] for answer in answers] == bodies


@pytest.mark.parametrize(
    "letter",
    [
        b"Subject: long\r\n\r\n" + b"x" * 70_000 + b"\r\n",
        b"Subject: a\0b\r\n\r\nnul\0\r\n",
        b"Subject: \xf7\xcf\xd0\xd2\xcf\xd3\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nend\r\n",
        b".leading dot\r\n",
        b"",
        b"\r\n\r\n\r\n",
        b"Subject: blanks  \r\n\tfolded \r\n\r\n\r\n\r\n",
        b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 100_000,
    ],
    ids=["70KB line", "NUL", "KOI8-R", "dots", "dot first", "empty", "blank", "folds", "1.7MB"],
)  # fmt: skip
async def test_it_arrives_byte_for_byte_below_our_trace(
    town: Town, letter: bytes
) -> None:
    alias = await town.alias()

    assert (await town.send(alias, letter=letter)).startswith("250 2.0.0 ")
    await town.forward()

    (taken,) = town.hop.taken
    assert await town.kept() == [letter]
    assert taken.content.endswith(letter)
    trace = taken.content[: len(taken.content) - len(letter)].decode()
    assert trace.startswith("X-Track-Id: ")
    assert "\r\nReceived: from client.example ([127.0.0.1])\r\n" in trace
    assert f"by {HOST} with ESMTP id " in trace
    assert f"for <{alias}>" in trace
    assert trace.endswith("\r\n")


async def test_the_dot_may_come_in_pieces(town: Town) -> None:
    alias = await town.alias()
    talk = await town.talk()
    for line in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{alias}>", "DATA"):
        await talk.say(line)
    for byte in b"Subject: x\r\n\r\nhi\r\n..\r\n.\r\nNOOP\r\n":
        await talk.raw(bytes([byte]))
        await asyncio.sleep(0)

    assert (await talk.reply()).startswith("250 2.0.0 queued as ")
    assert (await talk.reply()) == "250 2.0.0 OK"
    await talk.close()
    assert await town.kept() == [b"Subject: x\r\n\r\nhi\r\n.\r\n"]


@pytest.mark.parametrize("end", SEVEN)
async def test_a_smuggled_second_letter_stays_text_to_the_far_end(
    town: Town, end: bytes
) -> None:
    alias = await town.alias()
    letter = (
        b"Subject: one\r\n\r\nhi" + end + SMUGGLED.replace("\r\n.\r\n", "\r\n").encode()
    )

    assert (await town.send(alias, letter=letter)).startswith("250 2.0.0 ")
    await town.forward()

    (taken,) = town.hop.taken
    assert taken.recipients == ["info@acme.example"]
    assert b"evil" in taken.content
    ends = taken.content.count(b"\r\n")
    assert taken.content.count(b"\n") == taken.content.count(b"\r") == ends
    assert await town.kept() == [letter]  # as it came


async def test_the_null_sender_comes_in_and_goes_out(town: Town) -> None:
    alias = await town.alias()

    assert (await town.send(alias, mail_from="")).startswith("250 2.0.0 ")
    await town.forward()

    assert [one.mail_from for one in town.hop.taken] == ["<>"]


async def test_a_letter_to_postmaster_goes_to_the_administrator(town: Town) -> None:
    for n, address in enumerate(
        (f"postmaster@{DOMAIN}", f"abuse@{HOST}", "Postmaster")
    ):
        letter = b"Subject: %d\r\n\r\nhelp\r\n" % n
        assert (await town.send(address, letter=letter)).startswith("250 2.0.0 ")
    await town.forward()

    assert [one.recipients for one in town.hop.taken] == [["boss@acme.example"]] * 3


async def test_a_bounce_is_taken_only_on_a_return_path_that_left_here(
    town: Town,
) -> None:
    alias = await town.alias()
    await town.send(alias)
    await town.forward()
    path = town.hop.taken[0].mail_from
    assert path.startswith("rp-")
    assert path.endswith(f"@{DOMAIN}")

    assert (await town.send(path)).startswith("550 5.7.1 ")  # not from the null sender
    forged = "rp-" + "b" * 20 + f"@{DOMAIN}"
    assert (await town.send(forged, mail_from="")).startswith("550 5.7.1 ")
    bounce = b"From: MAILER-DAEMON@x\r\nSubject: failure\r\n\r\nno\r\n"
    assert (await town.send(path.upper(), letter=bounce, mail_from="")).startswith(
        "250 "
    )
    await town.read()

    rows = await town.pool.fetch("SELECT bounced_at FROM forwards ORDER BY id")
    assert rows[0]["bounced_at"] is not None
    # Only the letter itself is a contact.
    assert await town.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_an_expired_return_path_is_refused(town: Town) -> None:
    await town.send(await town.alias())
    token = await town.pool.fetchval(
        "UPDATE forwards SET created_at = $1 RETURNING return_token",
        datetime.now(UTC) - timedelta(days=31),
    )

    answer = await town.send(f"rp-{token}@{DOMAIN}", mail_from="")

    assert answer.startswith("550 5.7.1 ")


async def test_a_letter_that_went_round_through_its_mailbox_is_refused(
    town: Town,
) -> None:
    alias = await town.alias()
    await town.send(alias)
    await town.forward()

    answer = await town.send(alias, letter=town.hop.taken[0].content)

    assert answer.startswith("554 5.4.6 ")
    assert len(await town.kept()) == 1


async def test_a_forged_marker_is_no_loop(town: Town) -> None:
    letter = b"X-Track-Id: " + b"0" * 32 + b".1.1." + b"0" * 32 + b"\r\n" + LETTER

    assert (await town.send(await town.alias(), letter=letter)).startswith("250 2.0.0 ")


async def test_a_letter_with_too_many_stations_is_refused(town: Town) -> None:
    alias = await town.alias()

    assert (
        await town.send(alias, letter=b"Received: x\r\n" * 150 + LETTER)
    ).startswith("554 5.4.6 ")
    assert (await town.send(alias, letter=b"Received: x\r\n" * 99 + LETTER)).startswith(
        "250 "
    )


async def test_without_postgresql_it_says_try_later_and_recovers_by_itself(
    town: Town, database_url: str
) -> None:
    alias, other = await town.alias(), await town.alias()
    talk = await town.talk()
    await talk.say("MAIL FROM:<a@b.example>")
    await talk.say(f"RCPT TO:<{alias}>")
    async with outage.of(database_url):
        assert (await talk.say(f"RCPT TO:<{other}>")).startswith("451 4.3.0 ")
        await talk.say("DATA")
        await talk.raw(LETTER + b".\r\n")
        assert (await talk.reply()).startswith("451 4.3.0 ")

    assert (await talk.letter(alias, other)).startswith("250 2.0.0 ")
    await talk.close()
    assert await town.states() == ["owed", "owed"]


async def test_an_alias_is_not_called_unknown_because_the_set_up_is(town: Town) -> None:
    alias = await town.alias()
    known, town.directory.now = town.directory.now, sites.EMPTY
    town.directory._looked = (
        asyncio.get_running_loop().time()
    )  # not to be read anew now

    assert (await town.send(alias)).startswith("451 4.3.0 ")
    town.directory.now = known
    assert (await town.send(alias)).startswith("250 2.0.0 ")


async def test_an_alias_of_a_site_that_was_taken_away_is_unknown(town: Town) -> None:
    alias = await town.alias()
    town.directory.now = sites.EMPTY
    await town.pool.execute("DELETE FROM sites")

    assert (await town.send(alias)).startswith("550 5.1.1 ")


async def test_a_client_that_leaves_before_the_answer_has_its_letter_kept_once(
    town: Town,
) -> None:
    alias = await town.alias()
    talk = await town.talk()
    for line in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{alias}>", "DATA"):
        await talk.say(line)
    await talk.raw(LETTER + b".\r\n")
    talk.writer.transport.abort()

    assert (await town.send(alias)).startswith("250 2.0.0 ")
    assert len(await town.kept()) == 1


async def test_a_client_that_closes_its_half_still_gets_its_answers(town: Town) -> None:
    alias = await town.alias()
    reader, writer = await asyncio.open_connection("127.0.0.1", town.port)
    writer.write(
        f"EHLO x\r\nMAIL FROM:<{IVAN}>\r\nRCPT TO:<{alias}>\r\nDATA\r\n".encode()
        + LETTER
        + b".\r\nQUIT\r\n"
    )
    writer.write_eof()

    said = (await asyncio.wait_for(reader.read(), 15)).decode()
    writer.close()

    assert "250 2.0.0 queued as " in said
    assert said.endswith("221 2.0.0 bye\r\n")


class TestLimits:
    async def test_a_hundred_recipients_are_taken_and_no_more(self, town: Town) -> None:
        talk = await town.talk()
        await talk.say("MAIL FROM:<a@b.example>")
        said = [await talk.say(f"RCPT TO:<{await town.alias()}>") for _ in range(120)]
        await talk.close()

        assert [line[:9] for line in said[:100]] == ["250 2.1.5"] * 100
        assert [line[:9] for line in said[100:]] == ["452 4.5.3"] * 20

    async def test_who_tries_addresses_is_shown_the_door(self, town: Town) -> None:
        talk = await town.talk()
        await talk.say("MAIL FROM:<a@b.example>")
        said = [await talk.say(f"RCPT TO:<guess{n}@{DOMAIN}>") for n in range(5)]

        assert [line[:9] for line in said] == ["550 5.1.1"] * 4 + ["421 4.7.0"]
        assert await talk.reply() == ""
        await talk.close()

    async def test_what_was_refused_is_counted(self, town: Town) -> None:
        for address in ("a@b.example", f"guess@{DOMAIN}", "a@b.example"):
            await town.send(address)
        now = datetime.now(UTC)
        await town.relay.refusals.write(town.pool, at=now)
        await town.send("a@b.example")
        await town.relay.refusals.write(town.pool, at=now)

        rows = await town.pool.fetch(
            "SELECT door, reason, count FROM refusals ORDER BY 2"
        )
        assert [tuple(row) for row in rows] == [
            ("mail", "550 5.1.1 no such address here", 1),
            ("mail", "550 5.7.1 relaying denied", 3),
        ]

    async def test_ten_bad_commands_end_it(self, town: Town) -> None:
        talk = await town.talk()
        said = [await talk.say("NONSENSE") for _ in range(10)]

        assert [line[:9] for line in said] == ["500 5.5.2"] * 9 + ["421 4.7.0"]
        assert await talk.reply() == ""
        await talk.close()

    @pytest.mark.parametrize("limits", [Limits(size=1000)])
    async def test_a_letter_that_is_too_large_is_read_to_its_end_and_refused(
        self, town: Town
    ) -> None:
        alias = await town.alias()
        talk = await town.talk()

        assert (await talk.letter(alias, letter=b"x" * 1500 + b"\r\n")).startswith(
            "552 5.3.4 "
        )
        assert (await talk.letter(alias)).startswith("250 2.0.0 ")
        await talk.close()
        assert len(await town.kept()) == 1

    @pytest.mark.parametrize("limits", [Limits(size=1000)])
    async def test_one_that_never_ends_is_cut_off(self, town: Town) -> None:
        talk = await town.talk()
        for line in (
            "MAIL FROM:<a@b.example>",
            f"RCPT TO:<{await town.alias()}>",
            "DATA",
        ):
            await talk.say(line)
        await talk.raw(b"x" * 5000)

        assert (await talk.reply()).startswith("552 5.3.4 ")
        await talk.close()

    @pytest.mark.parametrize("limits", [Limits(header=1000)])
    async def test_a_header_without_end_is_refused(self, town: Town) -> None:
        letter = b"X: y\r\n" * 300

        assert (await town.send(await town.alias(), letter=letter)).startswith(
            "552 5.3.4 "
        )

    @pytest.mark.parametrize("limits", [Limits(grace=0.2, least_rate=1000)])
    async def test_a_letter_that_trickles_in_is_cut_off(self, town: Town) -> None:
        talk = await town.talk()
        for line in (
            "MAIL FROM:<a@b.example>",
            f"RCPT TO:<{await town.alias()}>",
            "DATA",
        ):
            await talk.say(line)
        await talk.raw(b"Subject: slow\r\n")

        assert (await talk.reply()).startswith("421 4.4.2 ")
        assert await talk.reply() == ""
        await talk.close()

    @pytest.mark.parametrize("limits", [Limits(idle=0.2)])
    async def test_silence_between_commands_ends_it(self, town: Town) -> None:
        talk = await town.talk()

        assert (await talk.reply()).startswith("421 4.4.2 ")
        await talk.close()

    @pytest.mark.parametrize("limits", [Limits(per_address=3)])
    async def test_one_address_has_so_many_connections(self, town: Town) -> None:
        talks = [await town.talk() for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", town.port)
        refused = (await reader.read()).decode()
        writer.close()
        for talk in talks:
            await talk.close()

        assert refused.startswith("421 4.7.0 ")

    @pytest.mark.parametrize("limits", [Limits(messages_per_minute=2)])
    @pytest.mark.parametrize("trusted", [False, True])
    async def test_one_address_sends_so_many_letters_unless_trusted(
        self, town: Town, trusted: bool
    ) -> None:
        said = []
        talk = await town.talk()
        for _ in range(6):
            said.append((await talk.say("MAIL FROM:<a@b.example>"))[:9])
            await talk.say("RSET")
        await talk.close()

        assert ("450 4.7.1" in said) is not trusted


async def test_at_the_end_the_idle_are_told_and_a_letter_under_way_is_finished(
    town: Town,
) -> None:
    alias = await town.alias()
    idle, busy = await town.talk(), await town.talk()
    for line in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{alias}>", "DATA"):
        await busy.say(line)
    await busy.raw(b"Subject: last\r\n\r\n")
    stopping = asyncio.create_task(town.relay.stop(town.server))

    assert (await idle.reply()).startswith("421 4.3.2 ")
    await busy.raw(b"words\r\n.\r\n")
    assert (await busy.reply()).startswith("250 2.0.0 queued as ")
    assert (await busy.reply()).startswith("421 4.3.2 ")
    await stopping
    await idle.close()
    await busy.close()
    assert await town.kept() == [b"Subject: last\r\n\r\nwords\r\n"]


def test_the_marker_is_ours_alone() -> None:
    it = rewrite.Mark(forward_id=UUID(int=7), site_id=1, mailbox_id=2)
    field = f"X-Track-Id: {rewrite.mark(b'a' * 32, it)}\r\n".encode()

    assert rewrite.marks(b"a" * 32, field) == [it]
    assert rewrite.marks(b"b" * 32, field) == []
