"""Identifiers: session ids that tell their moment and site, and ids made from a natural key.

A session id is a UUID of version 8 (RFC 9562 section 5.8): 48 bits of Unix milliseconds,
24 bits of site number and 50 random bits. So a bare id finds its month's partition and its
site, and nobody can guess the id of another visitor. Links to messengers carry it as a code
of 22 characters, which a bot or an operator's line hands back.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from numberpool import entropy

NATURAL = UUID(
    "5b1c0a52-6f0e-4d6a-9c57-3a1b8f6f2d10"
)  # namespace of ids from natural keys
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
CODE = re.compile("(?=([A-Za-z0-9_-]{22}))")  # at any place: `promo_CODE` is one too


def mint(site_id: int, at: datetime) -> UUID:
    """A fresh id that sorts by time and names its site; `site_id` up to 16 777 215."""
    noise = int.from_bytes(entropy.take(7), "big") >> 6
    return _compose((at - EPOCH) // MILLISECOND, site_id, noise)


def visitor() -> UUID:
    """A fresh id of a browser: a random UUID (version 4)."""
    return UUID(bytes=entropy.take(16), version=4)


def floor(at: datetime) -> UUID:
    """The smallest id of that millisecond: the bound of a partition or of a period."""
    return _compose((at - EPOCH) // MILLISECOND, 0, 0)


def moment(id_: UUID) -> datetime:
    """When a minted id was made, to the millisecond."""
    return EPOCH + (id_.int >> 80) * MILLISECOND


def site(id_: UUID) -> int:
    """Which site a minted id belongs to; meaningless for ids that were not minted."""
    return (id_.int >> 64 & 0xFFF) << 12 | id_.int >> 50 & 0xFFF


def minted(id_: UUID) -> bool:
    """Whether the id has the form of `mint`."""
    return id_.version == 8


def code(id_: UUID) -> str:
    """The id in 22 characters that a link's parameter may have (base64url, RFC 4648)."""
    return urlsafe_b64encode(id_.bytes).rstrip(b"=").decode()


def find_code(text: str, site_id: int) -> UUID | None:
    """The site's session whose code stands in the text, whatever stands around it.

    What only looks like a code has one chance in a billion to name this very site.
    """
    for match in CODE.finditer(text):
        found = UUID(bytes=urlsafe_b64decode(f"{match[1]}=="))
        if minted(found) and site(found) == site_id:
            return found
    return None


def natural(site_id: int, *parts: str) -> UUID:
    """The one id that this natural key has, however often it is told."""
    return uuid5(NATURAL, "\x1f".join((str(site_id), *parts)))


def _compose(millis: int, site_id: int, noise: int) -> UUID:
    high = millis << 16 | 8 << 12 | site_id >> 12
    low = 0b10 << 62 | (site_id & 0xFFF) << 50 | noise
    return UUID(int=high << 64 | low)
