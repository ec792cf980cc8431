"""One try to hand one letter to its next hop. No database, no retries: an `Outcome`.

The commands are sent one by one through aiosmtplib's connection; the message itself we write
ourselves, because it must leave byte for byte and a big one must not stop the event loop.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from mailrelay import outcomes, rewrite
from mailrelay.hops import Hop
from mailrelay.outcomes import Outcome, Stage

# RFC 5321 section 4.5.3.2, but for the greeting: 5 minutes there would hold up the queue.
CONNECT = 60.0
COMMAND = 300.0
DATA = 120.0
DOT = 600.0  # and more for a big letter, at …
LEAST_RATE = 50_000  # … bytes a second
FAREWELL = 2.0
BLOCK = 64 * 1024  # bytes written before others get their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A letter ready to go: our trace block and the canonical bytes."""

    mail_from: str  # '' for the null sender
    recipient: str
    message: bytes


class _Failed(Exception):
    """The try is over; carries its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


async def carry(parcel: Parcel, hop: Hop, *, host: str) -> Outcome:
    """Try once; `host` is our own name. Never raises, but when cancelled."""
    if not (parcel.recipient.isascii() and parcel.mail_from.isascii()):
        return outcomes.impossible("an address is not ASCII, which needs SMTPUTF8")
    outcome = await _carry(parcel, hop, host, encrypt=True)
    if outcome.stage == "tls" and not outcome.taken and hop.encryption == "offered":
        # Encryption was only a wish: a broken one must not hold the letter up.
        outcome = await _carry(parcel, hop, host, encrypt=False)
    return outcome


async def _carry(parcel: Parcel, hop: Hop, host: str, *, encrypt: bool) -> Outcome:
    client = aiosmtplib.SMTP(
        hostname=hop.host,
        port=hop.port,
        local_hostname=host,
        use_tls=hop.encryption == "tls",
        start_tls=False,
        tls_context=_context(verify=hop.verify),
        timeout=COMMAND,
    )
    try:
        await _open(client, hop, encrypt=encrypt)
        return await _hand_over(client, parcel)
    except _Failed as failed:
        return failed.outcome
    except ValueError as error:  # control characters in an address
        return outcomes.impossible(str(error))
    finally:
        client.close()


@lru_cache(maxsize=2)
def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _open(client: aiosmtplib.SMTP, hop: Hop, *, encrypt: bool) -> None:
    first: Stage = "tls" if hop.encryption == "tls" else "connect"
    async with _at(first):
        await client.connect(timeout=CONNECT)
    async with _at("greet"):
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()
    offered = client.supports_extension("starttls")
    if hop.encryption == "starttls" or (
        hop.encryption == "offered" and offered and encrypt
    ):
        async with _at("tls"):
            await client.starttls(timeout=CONNECT)
        async with _at("greet"):
            await client.ehlo()
    if hop.user:
        async with _at("auth"):
            if client.get_transport_info("sslcontext") is None:
                raise SMTPException("a password is not sent without encryption")
            await client.login(hop.user, hop.password)


async def _hand_over(client: aiosmtplib.SMTP, parcel: Parcel) -> Outcome:
    limit = client.esmtp_extensions.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(parcel.message):
        return outcomes.impossible(f"larger than the next hop takes ({limit} bytes)")
    options = []
    if limit or client.supports_extension("size"):
        options.append(f"SIZE={len(parcel.message)}".encode())
    if client.supports_extension("8bitmime") and rewrite.is_8bit(parcel.message):
        options.append(b"BODY=8BITMIME")
    await _command(
        client, "mail", b"MAIL", f"FROM:<{parcel.mail_from}>".encode(), *options
    )
    await _command(client, "rcpt", b"RCPT", f"TO:<{parcel.recipient}>".encode())
    await _command(client, "data", b"DATA", expect=354, patience=DATA)
    async with _at("dot"):
        answer = await _send(client, rewrite.stuffed(parcel.message))
    if answer.code // 100 != 2:
        raise _Failed(outcomes.refused("dot", answer.code, answer.message))
    await _farewell(client)
    return outcomes.taken(answer.code, answer.message)


async def _command(
    client: aiosmtplib.SMTP,
    stage: Stage,
    *words: bytes,
    expect: int = 2,
    patience: float = COMMAND,
) -> None:
    async with _at(stage):
        answer = await client.execute_command(*words, timeout=patience)
    if answer.code != expect and answer.code // 100 != expect:
        raise _Failed(outcomes.refused(stage, answer.code, answer.message))


async def _send(client: aiosmtplib.SMTP, wire: bytes) -> aiosmtplib.SMTPResponse:
    """Write the message and wait for the answer to its dot."""
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("connection lost")
    # Listening begins first: a server may refuse before it has heard the end.
    patience = DOT + len(wire) / LEAST_RATE
    answer = asyncio.create_task(protocol.read_response(timeout=patience))
    try:
        for start in range(0, len(wire), BLOCK):
            await asyncio.sleep(0)
            if answer.done():
                break
            protocol.write(wire[start : start + BLOCK])
        return await answer
    finally:
        answer.cancel()


async def _farewell(client: aiosmtplib.SMTP) -> None:
    """The letter is theirs whatever becomes of QUIT."""
    try:
        await client.quit(timeout=FAREWELL)
    except (SMTPException, OSError, TimeoutError):
        return


@asynccontextmanager
async def _at(stage: Stage) -> AsyncIterator[None]:
    """Turn whatever goes wrong into the outcome of that stage."""
    try:
        yield
    except SMTPResponseException as error:
        raise _Failed(
            outcomes.refused(stage, error.code, str(error.message))
        ) from error
    except (SMTPException, OSError, TimeoutError, EOFError) as error:
        told = " ".join(str(error).split())[:300] or type(error).__name__
        raise _Failed(outcomes.broken(stage, told)) from error
