"""Raw bytes → the facts of a letter. Pure, bounded, and never an exception.

Works on a copy; the letter itself goes on as it came. The stdlib parser is used with
`compat32`, which takes anything; all decoding is our own (`charsets`), for real headers are
raw 8-bit, cut inside characters, or name charsets that do not exist.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any, TypeAlias

from mailrelay import charsets, kinds, texts
from tracker.letters import Attachment

log = logging.getLogger(__name__)

MOST_PARTS = 1000
DEEPEST = 100
MOST_FIELDS = 10_000
MOST_FILES = 50
MOST_TEXT = 512 * 1024  # bytes of a part's text that are decoded
HEAD = 256 * 1024  # bytes of header looked at when the whole cannot be parsed
LINES = 40  # of text kept
TEXT = 4000  # characters of text kept
SUBJECT = 500
NAME = 200
ADDRESS = 320
MESSAGE_ID = 500
FILE = 255

_Message: TypeAlias = "Message[str, str]"

# Beyond ASCII anything goes: raw bytes stand here as surrogates.
_ADDRESS = re.compile(
    r"([^\s<>()\[\],;:\\\"@]{1,128}@[A-Za-z0-9\u0080-\U0010ffff]"
    r"(?:[A-Za-z0-9_.\u0080-\U0010ffff-]{0,250}[A-Za-z0-9\u0080-\U0010ffff])?)"
)
_COMMENT = re.compile(r"\(([^()]*)\)")
_QUOTED = re.compile(r"\\(.)")
_BREAK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a letter says of itself; every text cleaned and bounded."""

    kind: str
    from_address: str = ""
    from_name: str = ""
    reply_to: str = ""
    subject: str = ""
    message_id: str = ""
    text: str = ""
    phones: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def facts(raw: bytes, *, mail_from: str = "", region: str = "RU") -> Facts:
    """The facts, as many as can be had: from the whole, the header, or the envelope."""
    for copy in (raw, header(raw)):
        try:
            return _facts(copy, mail_from, region)
        except Exception as error:  # hostile bytes find every bug of every parser
            log.warning("letter not parsed whole", extra={"kind": type(error).__name__})
    return of_envelope(mail_from)


def header(raw: bytes) -> bytes:
    """The header block alone, bounded."""
    found = _BREAK.search(raw, 0, HEAD)
    return raw[: found.start() if found else HEAD] + b"\r\n\r\n"


def of_envelope(mail_from: str) -> Facts:
    """What is known when the message cannot be read."""
    return Facts(
        kind="human" if mail_from else "bounce",
        from_address=charsets.clean(mail_from, ADDRESS).lower(),
    )


def _facts(raw: bytes, mail_from: str, region: str) -> Facts:
    message = BytesParser(policy=policy.compat32).parsebytes(raw)
    parts = list(_parts(message))
    hint = _charset(message, parts)
    fields = _fields(message)
    sender, name = _sender(fields, mail_from, hint)
    files = tuple(_files(parts, hint))[:MOST_FILES]
    body = _body(parts)
    own = texts.unquoted(body)
    subject = charsets.clean(charsets.words(_one(fields, "subject"), hint), SUBJECT)
    kind = kinds.of(
        {key: charsets.words(values[0]) for key, values in fields.items()},
        types=[_type(part) for part in parts],
        files=[file.name for file in files],
        null_sender=not mail_from,
        sender=sender,
        text=body,
    )
    return Facts(
        kind=kind,
        from_address=sender,
        from_name=name,
        reply_to=_reply_to(fields, hint),
        subject=subject,
        message_id=charsets.clean(
            charsets.words(_one(fields, "message-id")), MESSAGE_ID
        ),
        text=_first_lines(own),
        phones=texts.phones(f"{subject}\n{own}", region),
        attachments=files,
    )


def _parts(message: _Message) -> Iterator[_Message]:
    """The parts, the top one first, without those inside an attached letter."""
    waiting = [(message, 0)]
    given = 0
    while waiting and given < MOST_PARTS:
        part, depth = waiting.pop()
        yield part
        given += 1
        inner: Any = part.get_payload()
        attached = part is not message and part.get_content_maintype() == "message"
        if isinstance(inner, list) and depth < DEEPEST and not attached:
            waiting.extend((one, depth + 1) for one in reversed(inner[:MOST_PARTS]))


def _fields(message: _Message) -> dict[str, list[str]]:
    """The values of each top field by its lower-case name, as they came."""
    found: dict[str, list[str]] = {}
    for name, value in list(message.raw_items())[:MOST_FIELDS]:
        found.setdefault(name.lower(), []).append(str(value))
    return found


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]


def _type(part: _Message) -> tuple[str, dict[str, str]]:
    return part.get_content_type(), _parameters(part, "content-type")


def _parameters(part: _Message, name: str) -> dict[str, str]:
    """A field's parameters, their RFC 2231 pieces joined; nothing when it is nonsense."""
    try:
        pairs: Any = part.get_params([], header=name)
        return {str(key).lower(): _parameter(value) for key, value in pairs[1:] if key}
    except Exception:  # the stdlib raises this and that on odd parameters
        return {}


def _parameter(value: Any) -> str:
    if isinstance(value, tuple):  # charset, language, percent-decoded bytes as Latin-1
        charset, _, text = value
        return charsets.decode(text.encode("latin-1", "replace"), charset or "")
    return charsets.words(str(value))


def _charset(message: _Message, parts: list[_Message]) -> str:
    """The charset the letter's text names; a hint for raw 8-bit headers."""
    for part in parts:
        if part.get_content_maintype() == "text":
            return _parameters(part, "content-type").get("charset", "")
    return ""


def _sender(fields: dict[str, list[str]], mail_from: str, hint: str) -> tuple[str, str]:
    """The first From that holds an address, else the envelope's; with its name."""
    for value in fields.get("from", [])[:5]:
        address, name = mailbox(value, hint)
        if address:
            return address, name
    name = mailbox(_one(fields, "from"), hint)[1]
    return charsets.clean(mail_from, ADDRESS).lower(), name


def mailbox(value: str, hint: str = "") -> tuple[str, str]:
    """The first address of a field, lower-case, and the name before or in brackets after it."""
    # The address is looked for before words are decoded: an encoded name may hold another.
    raw = value[: charsets.LONGEST]
    opened = re.search(r"<([^<>]*)>", raw)
    address = _ADDRESS.search(opened.group(1) if opened else "") or _ADDRESS.search(raw)
    if opened:
        shown = raw[: opened.start()]
    else:
        comment = _COMMENT.search(raw)
        shown = comment.group(1) if comment else "" if address else raw
    name = charsets.words(shown, hint).strip().strip("\"'").strip()
    return (
        charsets.clean(charsets.words(address.group(1)), ADDRESS).lower()
        if address
        else "",
        charsets.clean(_QUOTED.sub(r"\1", name), NAME),
    )


def _reply_to(fields: dict[str, list[str]], hint: str) -> str:
    """The one address of Reply-To; website forms put the person there."""
    value = _one(fields, "reply-to")
    bracketed = re.findall(r"<[^<>]*>", value[: charsets.LONGEST])
    if len(bracketed) > 1 or (not bracketed and len(_ADDRESS.findall(value)) > 1):
        return ""
    return mailbox(value, hint)[0]


def _files(parts: list[_Message], hint: str) -> Iterator[Attachment]:
    for part in parts:
        if part.is_multipart() and part.get_content_maintype() != "message":
            continue
        disposition = _one(_fields(part), "content-disposition").strip().lower()
        name = _parameters(part, "content-disposition").get("filename", "")
        name = name or _parameters(part, "content-type").get("name", "")
        attached_letter = (
            part is not parts[0] and part.get_content_maintype() == "message"
        )
        if not (name or disposition.startswith("attachment") or attached_letter):
            continue
        yield Attachment(
            name=charsets.clean(re.split(r"[/\\]", name)[-1], FILE),
            type=charsets.clean(part.get_content_type(), 100),
            size=_size(part),
        )


def _size(part: _Message) -> int:
    """About how many bytes the file has; without decoding it."""
    inner = part.get_payload()
    if not isinstance(inner, str):
        return 0
    encoding = _one(_fields(part), "content-transfer-encoding").strip().lower()
    if encoding == "base64":
        return (len(inner) - inner.count("\n") - inner.count("\r")) * 3 // 4
    return len(inner)


def _body(parts: list[_Message]) -> str:
    """The text of the first plain part, else of the first HTML part."""
    html = ""
    for part in parts:
        disposition = _one(_fields(part), "content-disposition").strip().lower()
        if disposition.startswith("attachment") or part.is_multipart():
            continue
        if part.get_content_type() == "text/plain" and (text := _text(part)).strip():
            return text
        if part.get_content_type() == "text/html" and not html:
            html = _text(part)
    return texts.of_html(html) if html else ""


def _text(part: _Message) -> str:
    parameters = _parameters(part, "content-type")
    payload: Any = part.get_payload(decode=True)
    raw = payload[:MOST_TEXT] if isinstance(payload, bytes) else b""
    text = charsets.decode(raw, parameters.get("charset", ""))
    if parameters.get("format", "").lower() == "flowed":
        text = re.sub(r"(?m)(?<!^--) \r?\n(?!>)", " ", text)
    return text


def _first_lines(text: str) -> str:
    kept = charsets.clean_lines(text, TEXT).split("\n-- \n")[0].split("\n--\n")[0]
    return "\n".join(kept.split("\n")[:LINES])
