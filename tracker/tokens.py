"""Tokens: what a script shows to the REST API instead of a password.

256 random bits behind a prefix that secret scanners can know; its SHA-256 alone is kept.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from tracker import db as database
from tracker.errors import BadInput
from tracker.users import digest

PREFIX = "skv_"
SCOPES = {
    "read": "read contacts, deals, costs and reports",
    "write": "write deals and costs, replay deliveries",
    "contacts": "send contacts from a server, without a page's origin",
}
USED_AGAIN = timedelta(
    minutes=1
)  # the last use is written down no more often than this
ID_LENGTH = 12  # hex digits of the hash by which people name a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token allows."""

    id: str  # the beginning of its hash; not secret
    site_id: int
    name: str
    scopes: frozenset[str]
    created_at: datetime
    last_used_at: datetime | None


async def add(
    db: database.Db,
    site_id: int,
    *,
    scopes: Collection[str],
    name: str = "",
    at: datetime,
) -> str:
    """A new token, told this once; raises BadInput for an unknown scope or none."""
    if not scopes or not set(scopes) <= SCOPES.keys():
        raise BadInput(f"must be among {', '.join(SCOPES)}", field="scope")
    token = PREFIX + secrets.token_urlsafe(32)
    await db.execute(
        """
        INSERT INTO tokens (token_hash, site_id, name, scopes, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        digest(token),
        site_id,
        name.strip()[:200],
        sorted(set(scopes)),
        at,
    )
    return token


async def find(db: database.Db, token: str, *, at: datetime) -> Token | None:
    """What this token allows; None when it is unknown or revoked."""
    if not token.startswith(PREFIX):
        return None
    hashed = digest(token)
    row = await db.fetchrow("SELECT * FROM tokens WHERE token_hash = $1", hashed)
    if row is None:
        return None
    if row["last_used_at"] is None or at - row["last_used_at"] >= USED_AGAIN:
        await db.execute(
            "UPDATE tokens SET last_used_at = $2 WHERE token_hash = $1", hashed, at
        )
    return _token(row)


async def of_site(db: database.Db, site_id: int) -> list[Token]:
    """A site's tokens, oldest first."""
    rows = await db.fetch(
        "SELECT * FROM tokens WHERE site_id = $1 ORDER BY created_at, token_hash",
        site_id,
    )
    return [_token(row) for row in rows]


async def revoke(db: database.Db, site_id: int, id_: str) -> bool:
    """Make it worthless at once; whether there was one of this id."""
    rows = await db.fetch(
        """
        DELETE FROM tokens
         WHERE site_id = $1 AND left(encode(token_hash, 'hex'), $3) = $2
        RETURNING site_id
        """,
        site_id,
        id_.lower(),
        ID_LENGTH,
    )
    return bool(rows)


def _token(row: asyncpg.Record) -> Token:
    return Token(
        id=row["token_hash"].hex()[:ID_LENGTH],
        site_id=row["site_id"],
        name=row["name"],
        scopes=frozenset(row["scopes"]),
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )
