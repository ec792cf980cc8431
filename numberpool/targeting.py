"""Whom a pool is for: by source, landing page, region, device, or a share of all visitors.

Pure. Everything an owner names must fit; of several values of one kind, any. Patterns may
hold `*` for any text, and case does not matter.
"""

from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

DEVICES = ("desktop", "mobile")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern for a source; what is empty fits any."""

    source: str = ""
    medium: str = ""
    campaign: str = ""

    def fits(self, facts: "Facts") -> bool:
        """Whether all that is named is so."""
        return (
            (not self.source or alike(self.source, facts.source))
            and (not self.medium or alike(self.medium, facts.medium))
            and (not self.campaign or alike(self.campaign, facts.campaign))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a session is chosen a pool by; the same for its whole life."""

    source: str
    medium: str
    campaign: str
    path: str  # of the page it began on, unquoted
    region: str  # as a trusted proxy told; empty: unknown
    device: str  # desktop, mobile
    visitor: UUID


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a pool is for; what is left out fits everybody."""

    sources: tuple[Origin, ...] = ()
    paths: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    traffic: float = 1.0  # share of the visitors that the rest fits

    def fits(self, facts: Facts, pool: str) -> bool:
        """Whether a session is for the pool of this name."""
        return (
            (not self.sources or any(one.fits(facts) for one in self.sources))
            and (not self.paths or any(alike(one, facts.path) for one in self.paths))
            and (not self.regions or _among(self.regions, facts.region))
            and (not self.devices or facts.device in self.devices)
            and (self.traffic >= 1 or lot(facts.visitor, pool) < self.traffic)
        )

    def told(self) -> dict[str, object]:
        """What is named, as the owner writes it."""
        found: dict[str, object] = {}
        if self.sources:
            found["sources"] = [
                {
                    name: text
                    for name, text in msgspec.structs.asdict(one).items()
                    if text
                }
                for one in self.sources
            ]
        for name in ("paths", "regions", "devices"):
            if patterns := getattr(self, name):
                found[name] = list(patterns)
        if self.traffic < 1 or not found:
            found["traffic"] = self.traffic
        return found


def lot(visitor: UUID, pool: str) -> float:
    """A number from 0 to 1, always the same for a visitor and a pool's name.

    The name is in it so that two pools with a tenth each get different tenths.
    """
    digest = blake2b(visitor.bytes, key=pool.encode()[:64], digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def path_of(url: str) -> str:
    """The path of a page's address, readable; empty where there is none to be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return unquote(parts.path) or ("/" if parts.netloc else "")


def alike(pattern: str, text: str) -> bool:
    """Whether the text is as the pattern says; `*` stands for any text, even none.

    Linear in the text: what a stranger sends cannot make it slow.
    """
    head, *rest = pattern.casefold().split("*")
    text = text.casefold()
    if not rest:
        return text == head
    *middle, tail = rest
    if not text.startswith(head) or len(text) < len(head) + len(tail):
        return False
    if not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _among(patterns: tuple[str, ...], text: str) -> bool:
    return bool(text) and any(alike(one, text) for one in patterns)
