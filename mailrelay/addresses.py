"""The arguments of MAIL and RCPT (RFC 5321 section 4.1.2), as servers really send them. Pure.

Angle brackets may be missing and a source route is dropped (RFC 5321 appendix C); a quoted
local part is taken whole. Local parts longer than 64 octets exist and are let through.
"""

import re
from dataclasses import dataclass

from mailrelay import replies

# A local part, quoted or plain, and a domain; no character that could end a command.
_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>|([^<>"\s]+)', re.ASCII)
_PARAMETER = re.compile(r"([A-Z0-9][A-Z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?\Z")
MAX_PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class Path:
    """An address with the parameters that came with it."""

    address: str  # '' for the null sender
    parameters: dict[str, str]  # names in capitals


def parse(argument: str | None, keyword: str, *, malformed: str) -> Path:
    """`FROM:<a@b> SIZE=1` or `TO:<a@b>`; raises Refusal with the right reply."""
    if argument is None or argument[: len(keyword)].upper() != keyword:
        raise replies.Refusal(replies.SYNTAX)
    rest = argument[len(keyword) :].lstrip(" ")
    match = _PATH.match(rest)
    if match is None:
        raise replies.Refusal(malformed)
    tail = rest[match.end() :]
    if tail and not tail.startswith(" "):
        raise replies.Refusal(malformed)
    bare = match.group(2)
    address = _without_route(match.group(1) if bare is None else bare)
    if address.startswith("@") or address.endswith("@"):
        raise replies.Refusal(malformed)
    return Path(address, _parameters(tail))


def _without_route(path: str) -> str:
    """`@one,@two:user@three` names user@three."""
    if path.startswith("@") and ":" in path:
        return path.split(":", 1)[1]
    return path


def _parameters(text: str) -> dict[str, str]:
    words = text.split()
    if len(words) > MAX_PARAMETERS:
        raise replies.Refusal(replies.BAD_PARAMETER)
    found = {}
    for word in words:
        match = _PARAMETER.match(word.upper())
        if match is None:
            raise replies.Refusal(replies.SYNTAX)
        found[match.group(1)] = match.group(2) or ""
    return found


def fold(address: str) -> tuple[str, str]:
    """Local part and domain as they are compared: lower-case, no final dot."""
    local, _, domain = address.rpartition("@")
    if not local:  # `postmaster` needs no domain
        return domain.lower(), ""
    return local.lower(), domain.lower().rstrip(".")
