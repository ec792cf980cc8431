"""Next hops: where a mailbox's letters are handed on, written as an address. Pure.

    smtp://host[:25]              encrypted when the server offers it, whatever its certificate
    smtp+starttls://host[:587]    encrypted with a certificate that fits, or not at all
    smtps://host[:465]            the same, encrypted from the start
    ?verify=no                    the certificate is not looked at

A user and password may stand before the host; they are never sent in the clear.
"""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tracker.errors import BadInput

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
EXAMPLE = "smtp://mx.company.example:25"

Encryption = Literal["offered", "starttls", "tls"]
_ENCRYPTION: dict[str, Encryption] = {
    "smtp": "offered",
    "smtp+starttls": "starttls",
    "smtps": "tls",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One mail server and how it is talked to."""

    host: str
    port: int
    encryption: Encryption
    verify: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """Without secrets, for people."""
        return f"{self.host}:{self.port}"


def parse(address: str) -> Hop:
    """The hop; raises BadInput with the remedy."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise BadInput(f"must look like {EXAMPLE}", field="next_hop") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadInput(f"must look like {EXAMPLE}", field="next_hop")
    query = parse_qs(parts.query)
    return Hop(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        encryption=_ENCRYPTION[parts.scheme],
        verify=parts.scheme != "smtp" and query.get("verify") != ["no"],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
