"""What an owner sets up for one site, as one record: in the file, and in the database.

`provision_file` reads it from TOML and writes it again, `provision` makes the database
match it. All values are in their kept form: E.164, lower-case hosts and addresses.
"""

from dataclasses import dataclass, field
from typing import Any

from numberpool.targeting import Target
from tracker.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Numbers that share a purpose."""

    name: str
    replaces: tuple[str, ...]
    numbers: tuple[str, ...]
    forward_to: str | None = None
    share: bool = True
    late: str = "peak"
    rest: int = 0  # seconds
    overflow: str | None = None
    target: Target | None = None  # whom it is for; None: everybody
    resting: tuple[str, ...] = ()  # of its numbers: not lent anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """A number that belongs to a source."""

    number: str
    source: Source
    replaces: tuple[str, ...] = ()
    forward_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A real mailbox behind the aliases."""

    replaces: tuple[str, ...]
    forward_to: str
    next_hop: str = field(repr=False)  # may hold a password


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An account at a telephony provider, or a destination."""

    role: str  # telephony, destination
    name: str
    kind: str
    settings: dict[str, Any] = field(repr=False)  # secrets among them
    key: str | None = field(
        default=None, repr=False
    )  # None: the one it has, or a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """A site with everything that belongs to it."""

    key: str
    name: str
    domains: tuple[str, ...]
    timezone: str = "Europe/Moscow"
    currency: str = "RUB"
    rules: dict[str, Any] = field(default_factory=dict)  # those that differ from usual
    pools: tuple[Pool, ...] = ()
    statics: tuple[Static, ...] = ()
    mailboxes: tuple[Mailbox, ...] = ()
    connections: tuple[Connection, ...] = ()
