"""The SMTP server: what all conversations share, and how they begin and end.

Runs in the process's own loop, which is that of its database pool.
"""

import asyncio
import contextlib
import ssl
from functools import partial

from mailrelay.connection import Connection
from mailrelay.conversation import Conversation
from mailrelay.limits import DEFAULT, Limits, Peers
from mailrelay.reception import Reception
from mailrelay.refusals import Refusals
from tracker.config import Network

LAST_WORDS = 5.0  # seconds a letter under way has when the server stops
LAST_COMMIT = 1.0  # seconds for commits nobody waits for any more


class Relay:
    """What all conversations share."""

    def __init__(
        self,
        reception: Reception,
        *,
        host: str,
        marker_key: bytes,
        limits: Limits = DEFAULT,
        trusted: tuple[Network, ...] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.reception = reception
        self.host = host
        self.marker_key = marker_key
        self.limits = limits
        self.trusted = trusted
        self.tls = tls
        self.peers = Peers(limits)
        self.refusals = Refusals()
        self.held = 0  # bytes of all messages being received
        self.stopping = False
        self.conversations: set[Connection] = set()

    async def listen(self, address: str, port: int) -> asyncio.Server:
        """Start to answer on that address, in the running loop."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            partial(Conversation, self, loop), address, port, backlog=1024
        )

    async def stop(self, server: asyncio.Server) -> None:
        """Close the door; letters under way have a few seconds to be answered."""
        self.stopping = True
        server.close()
        for conversation in list(self.conversations):
            conversation.dismiss()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LAST_WORDS
        while self.conversations and loop.time() < deadline:
            await asyncio.wait(
                [one.ended for one in self.conversations],
                timeout=deadline - loop.time(),
            )
        for conversation in list(self.conversations):
            conversation.cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_COMMIT):
                await self.reception.finish()
