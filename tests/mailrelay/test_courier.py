"""One try against servers that misbehave."""

import asyncio

from mailrelay import courier, hops
from mailrelay.courier import Parcel
from mailrelay.outcomes import Outcome
from tests.mailrelay import raw

LETTER = b"Subject: x\r\n\r\nhi\r\n"


async def _carry(port: int, **changes: object) -> Outcome:
    parcel = Parcel(
        **{
            "mail_from": "a@b.example",
            "recipient": "c@d.example",
            "message": LETTER,
            **changes,
        }  # type: ignore[arg-type]
    )
    return await courier.carry(
        parcel, hops.parse(f"smtp://127.0.0.1:{port}"), host="me.example"
    )


async def _until_data(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    ehlo: bytes = b"250 x\r\n",
) -> list[bytes]:
    writer.write(b"220 x\r\n")
    said = []
    while True:
        said.append(await reader.readuntil(b"\r\n"))
        if said[-1].startswith(b"DATA"):
            writer.write(b"354 go\r\n")
            return said
        writer.write(ehlo if said[-1].startswith(b"EHLO") else b"250 ok\r\n")


async def test_a_server_that_hangs_up_is_tried_later() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        return

    async with raw.server(handle) as port:
        outcome = await _carry(port)
    assert (outcome.taken, outcome.permanent, outcome.unreachable) == (
        False,
        False,
        True,
    )

    outcome = await _carry(port)  # nobody listens now
    assert (outcome.stage, outcome.unreachable) == ("connect", True)


async def test_one_that_hangs_up_after_the_dot_is_tried_again() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _until_data(reader, writer)
        await reader.readuntil(b"\r\n.\r\n")

    async with raw.server(handle) as port:
        outcome = await _carry(port)
    assert (outcome.stage, outcome.taken, outcome.permanent) == ("dot", False, False)


async def test_one_that_refuses_before_the_end_is_heard() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _until_data(reader, writer)
        await reader.read(1)
        writer.write(b"552 5.3.4 too much\r\n")
        await writer.drain()
        while await reader.read(65536):
            continue

    async with raw.server(handle) as port:
        outcome = await _carry(port, message=b"x" * 20_000_000 + b"\r\n")
    assert (outcome.stage, outcome.code, outcome.permanent) == ("dot", 552, True)


async def test_the_announced_size_of_a_server_spares_the_way() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _until_data(reader, writer, ehlo=b"250-x\r\n250 SIZE 10\r\n")

    async with raw.server(handle) as port:
        outcome = await _carry(port)
    assert outcome.permanent
    assert outcome.error == "larger than the next hop takes (10 bytes)"


async def test_what_goes_over_the_wire_is_the_letter_stuffed() -> None:
    heard: list[bytes] = []

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        heard.extend(await _until_data(reader, writer))
        heard.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 2.0.0 ok\r\n")
        await reader.readline()

    async with raw.server(handle) as port:
        outcome = await _carry(port, message=b".a\r\n..\r\nb.\r\n.\r\n", mail_from="")
    assert outcome.taken
    assert heard[1] == b"MAIL FROM:<>\r\n"
    assert heard[-1] == b"..a\r\n...\r\nb.\r\n..\r\n.\r\n"


async def test_an_old_server_without_ehlo_is_spoken_to_plainly() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _until_data(reader, writer, ehlo=b"502 what\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 ok\r\n")
        await reader.readline()

    async with raw.server(handle) as port:
        assert (await _carry(port)).taken


async def test_an_address_that_cannot_be_said_is_no_reason_to_crash() -> None:
    for changes in ({"recipient": "a\r\nb@c.example"}, {"recipient": "иван@c.example"}):

        async def handle(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await _until_data(reader, writer)

        async with raw.server(handle) as port:
            outcome = await _carry(port, **changes)
        assert outcome.permanent
        assert outcome.stage == "local"
