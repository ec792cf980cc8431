"""The envelope and the trace block for the way on; everything below stays as it came. Pure.

A letter leaves as our header block plus the bytes that were received. The only change ever
made to those is to line ends that could be taken for commands (SMTP smuggling): a bare LF
becomes CRLF, a bare CR too, or a space where it stands in the header block.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

TOKEN = 20  # characters of a return path's token: 100 random bits
RETURN = "rp-"
MARKER = "X-Track-Id"
SEAL = 16  # bytes of a marker's HMAC-SHA256

_HEAD_END = re.compile(rb"(\r?\n)\r?\n")
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MARKED = re.compile(
    rb"^x-track-id:[ \t]*([0-9a-f]{32})\.(\d{1,10})\.(\d{1,19})\.([0-9a-f]{32})[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
_UNSAFE = re.compile(r"[^A-Za-z0-9.:\[\]_-]")
_UNSAFE_ADDRESS = re.compile(r"[^\x21-\x7e]|[<>()\\\"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What our marker in a header says: this letter already went to that mailbox."""

    forward_id: UUID
    site_id: int
    mailbox_id: int  # 0: the administrator's


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What our Received field tells (RFC 5321 section 4.4)."""

    helo: str
    peer: str  # an IP address
    host: str  # our own name
    protocol: str  # SMTP, ESMTP, ESMTPS
    inbox_id: UUID
    recipient: str  # '' when there were several
    at: datetime


def head(message: bytes) -> bytes:
    """The top header block, its last line's end included."""
    if message.startswith((b"\r\n", b"\n")):
        return b""
    found = _HEAD_END.search(message)
    return message if found is None else message[: found.end(1)]


def hops(block: bytes) -> int:
    """How many servers a header block says it has passed."""
    return len(_RECEIVED.findall(block))


def mark(key: bytes, it: Mark) -> str:
    """The marker's value, which nobody else can make."""
    text = f"{it.forward_id.hex}.{it.site_id}.{it.mailbox_id}"
    return f"{text}.{_seal(key, text)}"


def marks(key: bytes, block: bytes) -> list[Mark]:
    """Our own genuine markers in a header block; look-alikes are passed over."""
    if b"rack-" not in block and b"RACK-" not in block:  # nearly always
        return []
    found = []
    for groups in _MARKED.findall(block):
        forward, site, mailbox, seal = (
            group.decode("ascii").lower() for group in groups
        )
        if hmac.compare_digest(seal, _seal(key, f"{forward}.{site}.{mailbox}")):
            found.append(
                Mark(
                    forward_id=UUID(forward), site_id=int(site), mailbox_id=int(mailbox)
                )
            )
    return found


def _seal(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256)[:SEAL].hex()


def trace(facts: Trace, marker: str) -> bytes:
    """The fields that go in front of a forwarded letter."""
    helo = _UNSAFE.sub("", facts.helo)[:255] or "unknown"
    peer = _UNSAFE.sub("", facts.peer)[:64]
    literal = f"IPv6:{peer}" if ":" in peer else peer
    recipient = _UNSAFE_ADDRESS.sub("", facts.recipient)[:320]
    lines = [
        f"{MARKER}: {marker}",
        f"Received: from {helo} ([{literal}])",
        f"\tby {facts.host} with {facts.protocol} id {facts.inbox_id.hex}",
    ]
    if recipient:
        lines.append(f"\tfor <{recipient}>")
    lines[-1] += ";"
    lines.append(f"\t{format_datetime(facts.at)}")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def mint_token() -> str:
    """A return path's token: lower-case base 32, so that no server minds it."""
    return base64.b32encode(secrets.token_bytes(13)).decode().lower()[:TOKEN]


def return_path(mail_from: str, token: str, domain: str) -> str:
    """Whom the next hop tells of trouble; the null sender stays null (RFC 5321, 4.5.5)."""
    return f"{RETURN}{token}@{domain}" if mail_from else ""


def returned_token(local: str) -> str | None:
    """The token of a folded local part that has the form of a return path."""
    token = local.removeprefix(RETURN)
    if (
        token == local
        or len(token) != TOKEN
        or not token.isascii()
        or not token.isalnum()
    ):
        return None
    return token


def canonical(message: bytes) -> bytes:
    """The same message without a stray CR or LF; usually the very same bytes."""
    ends = message.count(b"\r\n")
    if ends == message.count(b"\n") and ends == message.count(b"\r"):
        return message
    message = _BARE_LF.sub(b"\r\n", message)
    top = head(message)
    body = message[len(top) :]
    # In the header a space: a new line there would be a new field.
    return _BARE_CR.sub(b" ", top) + _BARE_CR.sub(b"\r\n", body)


def stuffed(message: bytes) -> bytes:
    """As it goes over the wire, final dot included; takes canonical bytes."""
    if message.startswith(b"."):
        message = b"." + message
    message = message.replace(b"\r\n.", b"\r\n..")
    whole = not message or message.endswith(b"\r\n")
    return message + (b".\r\n" if whole else b"\r\n.\r\n")


def is_8bit(message: bytes) -> bool:
    """Whether it needs BODY=8BITMIME (RFC 6152)."""
    return not message.isascii()
