"""The SMTP conversation: refuse at RCPT, keep at DATA, answer yes only after the commit.

Built on aiosmtpd's protocol; the commands and the reading of DATA are our own, because every
reply needs an enhanced code, real mail has lines of any length, and a client that closes
early must neither lose its letter nor stop the saving of it. Runs in the process's own loop.
"""

import asyncio
import contextlib
import logging
import ssl
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, cast
from uuid import UUID

from aiosmtpd.smtp import SMTP

from mailrelay import addresses, replies, rewrite
from mailrelay.limits import DEFAULT, Limits, Peer, Peers, peer
from mailrelay.reception import Arrival, Reception, Recipient
from mailrelay.refusals import Refusals
from mailrelay.replies import Refusal
from tracker.config import Network
from tracker.errors import TrackerError, Unavailable, UnknownAddress

log = logging.getLogger(__name__)

END = b"\r\n.\r\n"
CHUNK = 256 * 1024  # bytes of DATA taken at a time
HANDSHAKE = 30.0  # seconds for TLS
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
        self.conversations: set[Conversation] = set()

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


class Conversation(SMTP):
    """One client from greeting to farewell."""

    line_length_limit = 64 * 1024  # the reader's buffer; DATA is read in chunks of it

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            None,
            data_size_limit=relay.limits.size,
            hostname=relay.host,
            ident="ESMTP",
            timeout=relay.limits.idle,
            loop=loop,
        )
        self.relay = relay
        self.ended: asyncio.Future[None] = loop.create_future()
        self._who: Peer | None = None  # None: not let in
        self._deadline = 0.0
        self._idle = False  # waiting for a command
        self._errors = 0
        self._unknown = 0
        self._helo = ""
        self._esmtp = False
        self._secure = False
        self._sender: str | None = None
        self._recipients: dict[str, Recipient] = {}

    # The connection ------------------------------------------------------------------

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.relay.conversations.discard(self)
        if self._who is not None:
            self.relay.peers.leave(self._who)
            self._who = None
        if not self.ended.done():
            self.ended.set_result(None)

    def eof_received(self) -> bool | None:
        """A client that only closes its own half still gets its answers."""
        self._reader.feed_eof()
        return not self._secure

    def dismiss(self) -> None:
        """The server is stopping: at once when idle, else after the command under way."""
        if self._idle:
            self._close(replies.SHUTTING_DOWN)

    def cut(self) -> None:
        """End it now."""
        if self.transport is not None:
            self._wire.abort()

    @property
    def _wire(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def _close(self, reply: str) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._wire.write(reply.encode("ascii") + b"\r\n")
            self._wire.close()

    # One timer a connection: moving the deadline is cheaper than arming anew each time.

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._deadline = self.loop.time() + (duration or self._timeout_duration)
        if self._timeout_handle is None:
            self._timeout_cb()
        elif self._deadline < self._timeout_handle.when():
            self._timeout_handle.cancel()
            self._timeout_cb()

    def _timeout_cb(self) -> None:
        if self.loop.time() >= self._deadline:
            self._close(replies.TOO_SLOW)
            # A client that does not read would keep the connection open for ever.
            self.loop.call_later(1.0, self.cut)
            return
        self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    # The conversation ----------------------------------------------------------------

    async def _handle_client(self) -> None:
        try:
            if self._let_in():
                await self.push(f"220 {self.relay.host} ESMTP")
                await self._converse()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            log.debug("connection lost")
        finally:
            if self.transport is not None:
                self.transport.close()

    def _let_in(self) -> bool:
        assert self.transport is not None
        name = self.transport.get_extra_info("peername")
        who = peer(str(name[0]) if name else "", self.relay.trusted)
        if self.relay.stopping:
            self._close(replies.SHUTTING_DOWN)
            return False
        if not self.relay.peers.enter(who, self.loop.time()):
            self.relay.refusals.note(replies.TOO_MANY_CONNECTIONS)
            self._close(replies.TOO_MANY_CONNECTIONS)
            return False
        self._who = who
        self.relay.conversations.add(self)
        return True

    async def _converse(self) -> None:
        while self.transport is not None and not self.transport.is_closing():
            if self.relay.stopping:
                self._close(replies.SHUTTING_DOWN)
                return
            self._reset_timeout()
            try:
                await self._command()
            except Refusal as refusal:
                self.relay.refusals.note(refusal.reply)
                if refusal.closing:
                    self._close(refusal.reply)
                    return
                await self.push(refusal.reply)
            except UnknownAddress:
                await self._not_known()
            except Unavailable:
                await self.push(replies.OUR_TROUBLE)
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                raise
            except TrackerError as error:
                log.warning(
                    "conversation troubled", extra={"kind": type(error).__name__}
                )
                await self.push(replies.OUR_TROUBLE)
            except Exception:  # a bug: the sender tries again, and so may we
                log.exception("conversation crashed")
                await self.push(replies.OUR_TROUBLE)

    async def _command(self) -> None:
        line = await self._line()
        word, _, rest = line.partition(b" ")
        name = word.upper().decode("ascii", "replace")
        method = self._COMMANDS.get(name)
        if method is None:
            raise self._error(replies.UNRECOGNISED)
        try:
            argument = rest.strip().decode("ascii") if rest else None
        except UnicodeDecodeError:
            raise self._error(replies.NON_ASCII) from None
        if argument and "\0" in argument:
            raise self._error(replies.SYNTAX)
        try:
            await method(self, argument or None)
        except Refusal as refusal:
            if refusal.reply.startswith(("500", "501", "503", "555")):
                raise self._error(refusal.reply) from None
            raise

    async def _line(self) -> bytes:
        self._idle = True
        try:
            line: bytes = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            await self._skip_line(overrun)
            raise self._error(replies.LINE_TOO_LONG) from None
        finally:
            self._idle = False
        if len(line) > self.relay.limits.command:
            raise self._error(replies.LINE_TOO_LONG)
        return line.rstrip(b"\r\n")

    async def _skip_line(self, overrun: asyncio.LimitOverrunError) -> None:
        """Drop the rest of a line that is far too long, however it comes."""
        while True:
            await self._reader.readexactly(overrun.consumed)
            try:
                await self._reader.readuntil(b"\n")
                return
            except asyncio.LimitOverrunError as more:
                overrun = more

    def _error(self, reply: str) -> Refusal:
        self._errors += 1
        if self._errors >= self.relay.limits.errors and not self._trusted:
            return Refusal(replies.TOO_MANY_ERRORS, closing=True)
        return Refusal(reply)

    @property
    def _trusted(self) -> bool:
        return self._who is not None and self._who.trusted

    async def _not_known(self) -> None:
        self._unknown += 1
        self.relay.refusals.note(replies.UNKNOWN)
        if self._unknown >= self.relay.limits.unknown and not self._trusted:
            self.relay.refusals.note(replies.TOO_MANY_UNKNOWN)
            self._close(replies.TOO_MANY_UNKNOWN)
            return
        await self.push(replies.UNKNOWN)

    async def push(self, status: str | bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("connection lost")
        if isinstance(status, str):
            status = status.encode("ascii")
        self._writer.write(status + b"\r\n")
        await self._writer.drain()

    # Commands ------------------------------------------------------------------------

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
        if self.relay.tls is not None and not self._secure:
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
            protocol="ESMTPS" if self._secure else "ESMTP" if self._esmtp else "SMTP",
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
        if self.relay.tls is None or self._secure:
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
        self._take_over(transport)

    def _take_over(self, transport: Any) -> None:
        """Go on inside TLS as if nothing had been said."""
        self.transport = transport
        self._reader._transport = transport  # type: ignore[attr-defined]
        self._writer._transport = transport  # type: ignore[attr-defined]
        self._reader._paused = False  # type: ignore[attr-defined]
        self._secure = True
        self._helo = ""
        self._forget()

    async def _not_here(self, argument: str | None) -> None:
        raise Refusal(replies.NOT_OFFERED)

    _COMMANDS: ClassVar = {
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
