"""A next hop that remembers every letter byte for byte and answers as it is told to."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A letter as it arrived."""

    mail_from: str  # '<>' for the null sender
    options: list[str]
    recipients: list[str]
    content: bytes


class _Protocol(SMTP):
    line_length_limit = 1 << 22

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.opened(transport)


@dataclass
class NextHop:
    """Listens on a free port of 127.0.0.1 within `async with`.

    `replies["MAIL" | "RCPT" | "DATA"]` holds answers to give before it says yes again.
    """

    taken: list[Taken] = field(default_factory=list)
    replies: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    connections: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "NextHop":
        loop = asyncio.get_running_loop()
        self._transports: list[Any] = []
        self._server = await loop.create_server(
            lambda: _Protocol(self, hostname="hop.example", loop=loop),
            "127.0.0.1",
            self.port,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)

    def opened(self, transport: asyncio.BaseTransport) -> None:
        self.connections += 1
        self._transports.append(transport)

    async def handle_MAIL(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.replies["MAIL"]:
            return self.replies["MAIL"].pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.replies["RCPT"]:
            return self.replies["RCPT"].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.replies["DATA"]:
            return self.replies["DATA"].pop(0)
        assert isinstance(envelope.original_content, bytes | bytearray)
        self.taken.append(
            Taken(
                mail_from=str(envelope.mail_from),
                options=list(envelope.mail_options),
                recipients=list(envelope.rcpt_tos),
                content=bytes(envelope.original_content),
            )
        )
        return "250 2.0.0 taken"
