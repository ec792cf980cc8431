"""One SMTP connection: its limits, its timer, its loop of commands, its end.

Built on aiosmtpd's protocol. The loop is our own, because every reply needs an enhanced
code, and because a client that only closes its own half still gets its answers. What each
command does is in `conversation`.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiosmtpd.smtp import SMTP

from mailrelay import replies
from mailrelay.limits import Peer, peer
from mailrelay.replies import Refusal
from tracker.errors import TrackerError, Unavailable, UnknownAddress

if TYPE_CHECKING:
    from mailrelay.server import Relay

log = logging.getLogger(__name__)

Command = Callable[[Any, str | None], Awaitable[None]]


class Connection(SMTP):
    """What a conversation stands on; `commands` are the conversation's."""

    line_length_limit = 64 * 1024  # the reader's buffer; DATA is read in chunks of it
    commands: ClassVar[Mapping[str, Command]] = {}

    def __init__(self, relay: "Relay", loop: asyncio.AbstractEventLoop) -> None:
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
        self.secure = False
        self._who: Peer | None = None  # None: not let in
        self._deadline = 0.0
        self._idle = False  # waiting for a command
        self._errors = 0
        self._unknown = 0

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
        return not self.secure

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
        method = self.commands.get(name)
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

    def take_over(self, transport: Any) -> None:
        """Go on inside TLS."""
        self.transport = transport
        self._reader._transport = transport  # type: ignore[attr-defined]
        self._writer._transport = transport  # type: ignore[attr-defined]
        self._reader._paused = False  # type: ignore[attr-defined]
        self.secure = True
