"""The relay, its database, its next hop, and a client that speaks SMTP by hand."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailrelay.forwarder import Forwarder, Relaying
from mailrelay.limits import Limits
from mailrelay.parsing import Parser
from mailrelay.reading import Letters
from mailrelay.reception import Reception
from mailrelay.server import Relay
from numberpool import aliases
from tests.fakes.smtp import NextHop
from tests.make import NOON
from tracker import db as database
from tracker import inbox, sites
from tracker.config import Network

DOMAIN = "track.example"
HOST = "relay.track.example"
IVAN = "ivan@client.example"
LETTER = b"From: Ivan <ivan@client.example>\r\nSubject: price\r\n\r\nHow much?\r\n"


@dataclass
class Town:
    pool: database.Pool
    hop: NextHop
    directory: sites.Directory
    relaying: Relaying
    forwarder: Forwarder
    parser: Parser
    port: int = 0

    async def open(self, limits: Limits, trusted: tuple[Network, ...] = ()) -> None:
        self.reception = Reception(self.pool, self.directory, domain=DOMAIN, host=HOST)
        self.relay = Relay(
            self.reception,
            host=HOST,
            marker_key=self.relaying.marker_key,
            limits=limits,
            trusted=trusted,
        )
        self.server = await self.relay.listen("127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self.relay.stop(self.server)

    async def alias(self, *, retired: bool = False, **whose: Any) -> str:
        """A minted address of the site's mailbox."""
        (site,) = self.directory.now.by_id.values()
        made = aliases.mint("info")
        minting = aliases.Minting(
            token=made.token,
            site_id=site.id,
            mailbox_id=site.mailboxes[0].id,
            base=made.base,
            minted_at=NOON,
            **whose,
        )
        await aliases.keep(self.pool, [minting])
        if retired:
            await aliases.retire(self.pool, site_id=site.id, token=made.token, at=NOON)
        return f"{made.local_part}@{DOMAIN}"

    async def talk(self) -> "Talk":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        talk = Talk(reader, writer)
        assert (await talk.reply()).startswith("220 ")
        await talk.say("EHLO client.example")
        return talk

    async def send(
        self, *to: str, letter: bytes = LETTER, mail_from: str = IVAN
    ) -> str:
        """Send one letter; the relay's last word."""
        talk = await self.talk()
        try:
            return await talk.letter(*to, letter=letter, mail_from=mail_from)
        finally:
            await talk.close()

    async def forward(self, *, at: datetime | None = None) -> None:
        """Try everything that is due at that moment."""
        while await self.forwarder.turn(at=at or datetime.now(UTC)):
            await self.forwarder.settled()

    async def read(self) -> None:
        """Read everything that was kept."""
        letters = Letters(self.directory, self.parser)
        reader = inbox.Reader(self.pool, door="mail", read=letters.read)
        while await reader.read_due(at=datetime.now(UTC)):
            continue

    async def kept(self) -> list[bytes]:
        rows = await self.pool.fetch("SELECT body FROM inbox ORDER BY id")
        return [row["body"] for row in rows]

    async def states(self) -> list[str]:
        rows = await self.pool.fetch("SELECT state FROM forwards ORDER BY id")
        return [row["state"] for row in rows]


class Talk:
    """One SMTP conversation, command by command."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """The next reply's last line, or '' when the server has hung up."""
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 15)).decode("ascii")
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    async def say(self, line: str) -> str:
        await self.raw(line.encode() + b"\r\n")
        return await self.reply()

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def letter(
        self, *to: str, letter: bytes = LETTER, mail_from: str = IVAN
    ) -> str:
        """MAIL, RCPT, DATA and the letter, stuffed; the last reply, or the first refusal."""
        for line in (
            f"MAIL FROM:<{mail_from}>",
            *(f"RCPT TO:<{one}>" for one in to),
            "DATA",
        ):
            reply = await self.say(line)
            if reply[:1] not in "23":
                return reply
        await self.raw((b"\r\n" + letter).replace(b"\r\n.", b"\r\n..")[2:])
        await self.raw(b".\r\n")
        return await self.reply()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
