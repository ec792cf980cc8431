"""From a kept letter to a contact."""

import sys
from uuid import uuid4

import pytest

from mailrelay import messages, parsing
from mailrelay.parsing import Parser
from tests import make
from tests.mailrelay.town import LETTER, Town
from tracker import ids


async def _contacts(town: Town) -> list[dict[str, object]]:
    rows = await town.pool.fetch("SELECT * FROM contacts ORDER BY seq")
    return [dict(row) for row in rows]


async def test_a_letter_becomes_a_contact_of_its_alias(town: Town) -> None:
    letter = (
        "From: =?utf-8?B?0JjQstCw0L0=?= <Ivan@Client.example>\r\n"
        "Subject: price\r\nMessage-ID: <1@client.example>\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Мой номер 8 916 123-45-67, ваш {make.OWN}\r\n"
    ).encode()
    alias = await town.alias()
    await town.send(alias, letter=letter)
    await town.read()

    (contact,) = await _contacts(town)
    assert contact["kind"] == "email"
    assert contact["alias"] == alias
    assert contact["name"] == "Иван"
    row = await town.pool.fetchrow("SELECT * FROM letters")
    assert row is not None
    assert (row["subject"], row["from_address"], row["from_name"]) == (
        "price",
        "ivan@client.example",
        "Иван",
    )
    keys = await town.pool.fetch("SELECT kind, value FROM person_keys ORDER BY kind")
    assert [(key["kind"], key["value"]) for key in keys] == [
        ("email", "ivan@client.example"),
        ("phone", "+79161234567"),
    ]
    assert await town.pool.fetchval("SELECT count(*) FROM unread") == 0


async def test_a_letter_read_twice_is_one_contact(town: Town) -> None:
    await town.send(await town.alias())
    await town.pool.execute("CREATE TABLE again AS SELECT * FROM unread")
    await town.read()
    await town.pool.execute("INSERT INTO unread SELECT * FROM again")
    await town.read()

    assert len(await _contacts(town)) == 1


async def test_two_aliases_of_one_letter_are_two_contacts(town: Town) -> None:
    await town.send(await town.alias(), await town.alias())
    await town.read()

    assert len(await _contacts(town)) == 2


@pytest.mark.parametrize(
    "field",
    [b"Auto-Submitted: auto-replied", b"List-Id: <x.example>", b"Precedence: bulk"],
)
async def test_a_machine_is_forwarded_but_no_contact(town: Town, field: bytes) -> None:
    await town.send(await town.alias(), letter=field + b"\r\n" + LETTER)
    await town.read()
    await town.forward()

    assert await _contacts(town) == []
    assert len(town.hop.taken) == 1
    assert await town.pool.fetchval("SELECT count(*) FROM unread") == 0


async def test_what_the_alias_meant_is_frozen_when_the_letter_comes(town: Town) -> None:
    session = ids.mint(1, make.NOON)
    alias = await town.alias(session_id=session)
    await town.send(alias)
    await town.pool.execute("UPDATE aliases SET session_id = $1", uuid4())

    (meta,) = [row["meta"] for row in await town.pool.fetch("SELECT meta FROM inbox")]
    assert meta["recipients"][0]["session"] == str(session)


class TestTheReadersProcess:
    async def test_it_reads_one_after_another(self) -> None:
        parser = Parser()
        try:
            for n in range(3):
                raw = b"Subject: %d\r\n\r\n" % n
                found = await parser.facts(raw, mail_from="a@b.example", region="RU")
                assert found.subject == str(n)
        finally:
            await parser.close()

    async def test_one_that_hangs_is_killed_and_the_next_is_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: object
    ) -> None:
        slow = tmp_path / "slow.py"  # type: ignore[operator]
        slow.write_text("#!/bin/sh\nexec sleep 1000\n")
        slow.chmod(0o755)
        parser = Parser(patience=0.2)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(slow))
            found = await parser.facts(
                b"Subject: x\r\n\r\n", mail_from="a@b.example", region="RU"
            )
            assert found == messages.of_envelope("a@b.example")
        parser._patience = parsing.PATIENCE
        found = await parser.facts(
            b"Subject: y\r\n\r\n", mail_from="a@b.example", region="RU"
        )
        await parser.close()

        assert found.subject == "y"

    async def test_one_that_died_is_replaced(self) -> None:
        parser = Parser()
        await parser.facts(b"", mail_from="", region="RU")
        assert parser._child is not None
        parser._child.kill()
        await parser._child.wait()
        found = await parser.facts(
            b"Subject: x\r\n\r\nwords\r\n", mail_from="a@b", region="RU"
        )
        await parser.close()

        assert found.subject == "x"
