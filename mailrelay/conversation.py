"""The commands of the conversation: refuse at RCPT, keep at DATA, yes only after the commit.

The reading of DATA is our own: real mail has lines of any length, and only CRLF.CRLF ends it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from mailrelay import addresses, replies, rewrite
from mailrelay.connection import Command, Connection
from mailrelay.reception import Arrival, Recipient
from mailrelay.replies import Refusal

if TYPE_CHECKING:
    from mailrelay.server import Relay

END = b"\r\n.\r\n"
CHUNK = 256 * 1024  # bytes of DATA taken at a time
HANDSHAKE = 30.0  # seconds for TLS


class Conversation(Connection):
    """One client from greeting to farewell."""

    def __init__(self, relay: "Relay", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(relay, loop)
        self._helo = ""
        self._esmtp = False
        self._sender: str | None = None
        self._recipients: dict[str, Recipient] = {}

    def _forget(self) -> None:
        self._sender = None
        self._recipients = {}

    async def smtp_HELO(self, hostname: str | None) -> None:
        self._greet(hostname, esmtp=False)
        await self.push(f"250 {self.relay.host}")

    async def smtp_EHLO(self, hostname: str | None) -> None:
        self._greet(hostname, esmtp=True)
        offers = [
            self.relay.host,
            "PIPELINING",
            f"SIZE {self.relay.limits.size}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
        ]
        if self.relay.tls is not None and not self.secure:
            offers.append("STARTTLS")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        await self.push("\r\n".join(lines))

    def _greet(self, hostname: str | None, *, esmtp: bool) -> None:
        if not hostname:
            raise Refusal(replies.SYNTAX)
        self._forget()
        self._helo = hostname
        self._esmtp = esmtp

    async def smtp_MAIL(self, argument: str | None) -> None:
        if not self._helo:
            raise Refusal(replies.HELO_FIRST)
        if self._sender is not None:
            raise Refusal(replies.NESTED)
        path = addresses.parse(argument, "FROM:", malformed=replies.BAD_SENDER)
        self._check_parameters(path.parameters)
        assert self._who is not None
        if not self.relay.peers.message(self._who, self.loop.time()):
            raise Refusal(replies.TOO_MANY_MESSAGES)
        self._sender = path.address
        await self.push(replies.SENDER_OK)

    def _check_parameters(self, parameters: dict[str, str]) -> None:
        for name, value in parameters.items():
            if name == "SIZE":
                if not value.isdigit():
                    raise Refusal(replies.SYNTAX)
                if len(value) > 15 or int(value) > self.relay.limits.size:
                    raise Refusal(replies.TOO_LARGE)
            elif name == "BODY":
                if value not in ("7BIT", "8BITMIME"):
                    raise Refusal(replies.BAD_BODY)
            else:
                raise Refusal(replies.BAD_PARAMETER)
        if self.relay.held > self.relay.limits.held:
            raise Refusal(replies.STORAGE_FULL)

    async def smtp_RCPT(self, argument: str | None) -> None:
        if self._sender is None:
            raise Refusal(replies.MAIL_FIRST)
        path = addresses.parse(argument, "TO:", malformed=replies.BAD_RECIPIENT)
        if path.parameters:
            raise Refusal(replies.BAD_PARAMETER)
        if not path.address:
            raise Refusal(replies.BAD_RECIPIENT)
        if len(self._recipients) >= self.relay.limits.recipients:
            raise Refusal(replies.TOO_MANY_RECIPIENTS)
        recipient = await self.relay.reception.recipient(
            path.address, null=not self._sender, at=datetime.now(UTC)
        )
        self._recipients[recipient.address] = recipient
        await self.push(replies.RECIPIENT_OK)

    async def smtp_DATA(self, argument: str | None) -> None:
        if argument:
            raise Refusal(replies.SYNTAX)
        if not self._recipients:
            raise Refusal(
                replies.RCPT_FIRST if self._sender is not None else replies.MAIL_FIRST
            )
        await self.push(replies.GO_AHEAD)
        sender, recipients = self._sender or "", tuple(self._recipients.values())
        self._forget()
        content = await self._content()
        # The deadlines of reading are over; saving has its own.
        self._reset_timeout()
        self.relay.held += len(content)
        try:
            id_ = await self._keep(content, sender, recipients)
        finally:
            self.relay.held -= len(content)
        await self.push(replies.queued(id_))

    async def _keep(
        self, content: bytes, sender: str, recipients: tuple[Recipient, ...]
    ) -> UUID:
        self._check_header(rewrite.head(content), recipients)
        arrival = Arrival(
            content=content,
            mail_from=sender,
            recipients=recipients,
            peer=self._who.address if self._who else "",
            helo=self._helo,
            protocol="ESMTPS" if self.secure else "ESMTP" if self._esmtp else "SMTP",
            at=datetime.now(UTC),
        )
        return await self.relay.reception.keep(arrival)

    async def _content(self) -> bytes:
        """The message with its dots un-stuffed; only CRLF.CRLF ends it."""
        limits, started = self.relay.limits, self.loop.time()
        buffer = bytearray(b"\r\n")  # so that a first line of a dot ends it too
        received = searched = held = 0
        too_large = False
        try:
            while (end := buffer.find(END, searched)) < 0:
                if received > limits.size:  # read on: the reply comes after the dot
                    too_large = True
                    del buffer[:-4]
                if received > 2 * limits.size:
                    raise Refusal(replies.TOO_LARGE, closing=True)
                searched = max(0, len(buffer) - 4)
                self._deadline_of_data(started, received)
                chunk = await self._reader.read(CHUNK)
                if not chunk:
                    raise asyncio.IncompleteReadError(b"", None)
                received += len(chunk)
                buffer += chunk
                self.relay.held += len(buffer) - held
                held = len(buffer)
            # What follows the dot is the next command.
            self._reader._buffer[:0] = buffer[end + len(END) :]  # type: ignore[attr-defined]
            if too_large or end > limits.size:
                raise Refusal(replies.TOO_LARGE)
            del buffer[end + 2 :]
            return bytes(buffer.replace(b"\r\n.", b"\r\n")[2:])
        finally:
            self.relay.held -= held

    def _deadline_of_data(self, started: float, received: int) -> None:
        limits, now = self.relay.limits, self.loop.time()
        until = min(
            now + limits.data_idle,
            started + limits.data_total,
            started + limits.grace + received / limits.least_rate,
        )
        self._reset_timeout(max(until - now, 0.001))

    def _check_header(self, head: bytes, recipients: tuple[Recipient, ...]) -> None:
        if len(head) > self.relay.limits.header:
            raise Refusal(replies.HEADER_TOO_LARGE)
        if rewrite.hops(head) >= self.relay.limits.hops:
            raise Refusal(replies.LOOP)
        marks = rewrite.marks(self.relay.marker_key, head)
        been = {(mark.site_id, mark.mailbox_id) for mark in marks}
        if len(marks) > 1 or any(
            (one.site_id, one.mailbox_id or 0) in been for one in recipients
        ):
            raise Refusal(replies.LOOP)

    async def smtp_RSET(self, argument: str | None) -> None:
        self._forget()
        await self.push(replies.OK)

    async def smtp_NOOP(self, argument: str | None) -> None:
        await self.push(replies.OK)

    async def smtp_QUIT(self, argument: str | None) -> None:
        raise Refusal(replies.BYE, closing=True)

    async def smtp_VRFY(self, argument: str | None) -> None:
        await self.push(replies.CANNOT_VERIFY)

    async def smtp_HELP(self, argument: str | None) -> None:
        await self.push(replies.HELP)

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        if argument:
            raise Refusal(replies.SYNTAX)
        if self.relay.tls is None or self.secure:
            raise Refusal(replies.NOT_OFFERED)
        assert self.transport is not None
        # What was sent in the clear after the command is dropped (RFC 3207 section 4.2).
        self._wire.pause_reading()
        self._reader._buffer.clear()  # type: ignore[attr-defined]
        self._writer.write(replies.READY_FOR_TLS.encode() + b"\r\n")
        try:
            transport = await self.loop.start_tls(
                self._wire,
                self,
                self.relay.tls,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE,
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise ConnectionError("no TLS") from error
        self.take_over(transport)
        self._helo = ""  # as if nothing had been said
        self._forget()

    async def _not_here(self, argument: str | None) -> None:
        raise Refusal(replies.NOT_OFFERED)

    commands: ClassVar[Mapping[str, Command]] = {
        "HELO": smtp_HELO,
        "EHLO": smtp_EHLO,
        "MAIL": smtp_MAIL,
        "RCPT": smtp_RCPT,
        "DATA": smtp_DATA,
        "RSET": smtp_RSET,
        "NOOP": smtp_NOOP,
        "QUIT": smtp_QUIT,
        "VRFY": smtp_VRFY,
        "HELP": smtp_HELP,
        "STARTTLS": smtp_STARTTLS,
        "AUTH": _not_here,
        "EXPN": _not_here,
        "ETRN": _not_here,
    }
