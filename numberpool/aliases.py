"""Email addresses minted for sessions: made, recognised, found, retired.

An alias is `base-token@domain`: the base looks like the mailbox it stands for, the token is
nine random symbols and a check symbol. It belongs to one session and one mailbox for ever
and is never given out again, so that no letter is laid to a stranger.

The check is a sum modulo 27 with weights 1 and 2 in turn. Both are coprime to 27 and so is
their difference, hence every single wrong symbol and every swap of two neighbours shows.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import product
from uuid import UUID

import msgspec

from numberpool import db as sql
from numberpool import entropy

ALPHABET = "23456789bcdfghjkmnpqrstvwxz"  # no look-alikes, and no vowels: no words
RANDOM = (
    9  # symbols, 43 bits: a guess among ten million aliases hits one time in 760 000
)
LENGTH = RANDOM + 1
SEPARATOR = "-"
LONGEST_BASE = 20
LONGEST_LOCAL_PART = 128  # RFC 5321 says 64; some systems prepend to it

_VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}
# A token is made of three triples, because a look-up is cheaper than nine choices.
_TRIPLES = ["".join(three) for three in product(ALPHABET, repeat=RANDOM // 3)]
_INNER = [a + 2 * b + c for a, b, c in product(range(27), repeat=3)]  # weighted sums
_OUTER = [2 * a + b + 2 * c for a, b, c in product(range(27), repeat=3)]
_SEPARATORS = re.compile(r"[.\-+_=]")
_FOLD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh address, not yet anybody's."""

    base: str
    token: str

    @property
    def local_part(self) -> str:
        return f"{self.base}{SEPARATOR}{self.token}" if self.base else self.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Minting:
    """A row for `keep`: whose this address shall be."""

    token: str
    site_id: int
    mailbox_id: int
    base: str
    minted_at: datetime
    session_id: UUID | None = None
    source_id: int | None = None  # for an address that belongs to a source instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Whose a minted address is."""

    token: str
    site_id: int
    mailbox_id: int
    session_id: UUID | None
    source_id: int | None
    base: str
    minted_at: datetime
    retired: bool  # blocked by hand: refuse letters to it

    @property
    def local_part(self) -> str:
        return Alias(base=self.base, token=self.token).local_part


def mint(base: str) -> Alias:
    """A random address that looks like the mailbox `base` (an address or its local part)."""
    number = entropy.below(len(_TRIPLES) ** 3)
    number, last = divmod(number, len(_TRIPLES))
    first, middle = divmod(number, len(_TRIPLES))
    random = _TRIPLES[first] + _TRIPLES[middle] + _TRIPLES[last]
    weighted = _OUTER[first] + _INNER[middle] + _OUTER[last]
    return Alias(
        base=natural_base(base), token=random + ALPHABET[-weighted % len(ALPHABET)]
    )


@lru_cache(maxsize=1024)
def natural_base(mailbox: str) -> str:
    """The beginning of the aliases of a mailbox: "Info.Sales+x@acme.example" → "info.sales"."""
    local = mailbox.partition("@")[0].partition("+")[0].translate(_FOLD)
    words = re.sub(r"[^a-z0-9.]", "", local).split(".")
    return ".".join(word for word in words if word)[:LONGEST_BASE].rstrip(".")


def check_symbol(symbols: str) -> str:
    """The symbol that makes `symbols` a valid token when put behind them."""
    return ALPHABET[-_weighted(symbols + ALPHABET[0]) % len(ALPHABET)]


def valid(token: str) -> bool:
    """Whether this can be a token (folded): the right symbols, the right check."""
    return (
        len(token) == LENGTH
        and all(symbol in _VALUE for symbol in token)
        and _weighted(token) % len(ALPHABET) == 0
    )


def _weighted(symbols: str) -> int:
    """Weights 1, 2, 1, 2 … from the last symbol to the first."""
    return sum(_VALUE[one] * (1 + n % 2) for n, one in enumerate(reversed(symbols)))


def parse(local_part: str) -> str | None:
    """The token at the end of a local part, folded; None when there is no valid one.

    Whatever separator was shown, any of ``. - + _ =`` is taken: people and software mangle.
    """
    if len(local_part) > LONGEST_LOCAL_PART:
        return None
    token = _SEPARATORS.split(local_part)[-1].translate(_FOLD)
    return token if valid(token) else None


def mints(asked: str) -> str:
    """The INSERT that writes the rows of `asked`, a member of a WITH list before it.

    `asked` has the columns of `Minting`. It returns the tokens that were written. A token
    that was there already is not written (it is somebody else's): mint another.
    """
    return f"""
        INSERT INTO aliases (token, site_id, mailbox_id, session_id, source_id, base, minted_at)
        SELECT token, site_id, mailbox_id, session_id, source_id, base, minted_at FROM {asked}
        ON CONFLICT DO NOTHING
        RETURNING token
    """


_MINT = f"""
    WITH asked AS (
        SELECT *
          FROM unnest($1::text[], $2::int[], $3::bigint[], $4::uuid[], $5::bigint[],
                      $6::text[], $7::timestamptz[])
               AS asked (token, site_id, mailbox_id, session_id, source_id, base, minted_at)
    )
    {mints("asked")}
"""


async def keep(db: sql.Db, mintings: Sequence[Minting]) -> set[str]:
    """Write minted aliases by themselves; the tokens that stand."""
    rows = (
        (one.token, one.site_id, one.mailbox_id, one.session_id, one.source_id, one.base, one.minted_at)
        for one in mintings
    )  # fmt: skip
    stood = await db.fetch(_MINT, *sql.columns(rows, 7))
    return {row["token"] for row in stood}


_FOUND = """
    SELECT token, site_id, mailbox_id, session_id, source_id, base, minted_at,
           retired_at IS NOT NULL AS retired
      FROM aliases
"""


async def find(db: sql.Db, token: str) -> Found | None:
    """Whose alias this is, retired ones too; a token that cannot be one costs no query."""
    if not valid(token):
        return None
    row = await db.fetchrow(f"{_FOUND} WHERE token = $1", token)
    return Found(**row) if row else None


async def find_all(db: sql.Db, tokens: Sequence[str]) -> dict[str, Found]:
    """Whose each of these valid tokens is; those nobody has are missing."""
    rows = await db.fetch(f"{_FOUND} WHERE token = ANY ($1::text[])", list(tokens))
    return {row["token"]: Found(**row) for row in rows}


async def of_sessions(
    db: sql.Db, sessions: Iterable[tuple[int, UUID]]
) -> dict[UUID, list[Found]]:
    """The aliases of these sessions (site id, session id) that are not retired."""
    rows = await db.fetch(
        f"""
        {_FOUND}
          JOIN (SELECT DISTINCT * FROM unnest($1::int[], $2::uuid[])
               ) AS asked (site_id, session_id) USING (site_id, session_id)
         WHERE retired_at IS NULL
         ORDER BY minted_at, token
        """,
        *sql.columns(sessions, 2),
    )
    found: dict[UUID, list[Found]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append(Found(**row))
    return found


async def retire(db: sql.Db, *, site_id: int, token: str, at: datetime) -> bool:
    """Refuse letters to this alias from now on; False when the site has no such alias."""
    done = await db.fetchval(
        """
        UPDATE aliases SET retired_at = coalesce(retired_at, $3::timestamptz)
         WHERE site_id = $1 AND token = $2
        RETURNING true
        """,
        site_id,
        token,
        at,
    )
    return bool(done)
