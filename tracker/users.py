"""The people who use the dashboard: their passwords, sign-ins and one-time links.

Secrets that a browser holds are 256 random bits; we keep their SHA-256 alone, so a copy of
the database opens nothing, and they are found by an index instead of being compared.
Passwords are argon2id hashes (RFC 9106), made in a thread because each takes a while.
"""

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tracker import db as database
from tracker.errors import BadInput

LOGIN_LASTS = timedelta(days=30)
LINK_LASTS = timedelta(minutes=15)
SHORTEST_PASSWORD = 8  # characters (NIST SP 800-63B)
LONGEST_PASSWORD = 1000
LONGEST_EMAIL = 254  # RFC 5321 with its erratum 1690

_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\[\]\\]+")
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in."""

    id: int
    email: str
    name: str
    locale: str | None  # of the pages; None: the browser's
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A browser that is signed in."""

    user: User
    csrf: str  # stands in every form that changes something
    expires_at: datetime


_COLUMNS = "users.id, users.email, users.name, users.locale, users.created_at"


async def add(
    db: database.Db,
    email: str,
    *,
    name: str = "",
    password: str | None = None,
    at: datetime,
) -> User:
    """A new person, without a password unless one is given; raises BadInput."""
    email = normal(email)
    hashed = await hash_password(password) if password is not None else None
    try:
        row = await db.fetchrow(
            f"""
            INSERT INTO users (email, name, password_hash, created_at)
            VALUES ($1, $2, $3, $4) RETURNING {_COLUMNS}
            """,
            email,
            name.strip()[:200],
            hashed,
            at,
        )
    except asyncpg.UniqueViolationError:
        raise BadInput(f"{email} is there already", field="email") from None
    assert row is not None
    return User(**row)


async def find(db: database.Db, email: str) -> User | None:
    """The person with this address, however it is capitalised."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM users WHERE email = $1", email.strip().lower()
    )
    return User(**row) if row else None


async def everyone(db: database.Db) -> list[User]:
    """All people, in the order they came."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM users ORDER BY id")
    return [User(**row) for row in rows]


async def remove(db: database.Db, email: str) -> bool:
    """Take a person and all his sign-ins away; whether there was one."""
    gone = await db.fetchval(
        "DELETE FROM users WHERE email = $1 RETURNING id", email.strip().lower()
    )
    return gone is not None


async def set_password(db: database.Db, user_id: int, password: str) -> None:
    """A new password; every browser has to sign in again. Raises BadInput."""
    hashed = await hash_password(password)
    await db.execute(
        """
        WITH signed_out AS (DELETE FROM logins WHERE user_id = $1)
        UPDATE users SET password_hash = $2 WHERE id = $1
        """,
        user_id,
        hashed,
    )


async def set_locale(db: database.Db, user_id: int, locale: str | None) -> None:
    """The language of this person's pages."""
    await db.execute("UPDATE users SET locale = $2 WHERE id = $1", user_id, locale)


async def check(db: database.Db, email: str, password: str) -> User | None:
    """The person, if the password is his; takes equally long when there is none."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS}, password_hash FROM users WHERE email = $1",
        email.strip().lower()[:LONGEST_EMAIL],
    )
    kept = row["password_hash"] if row else None
    fits = await asyncio.to_thread(_fits, kept, password[:LONGEST_PASSWORD])
    if row is None or kept is None or not fits:
        return None
    if _hasher.check_needs_rehash(kept):
        fresh = await hash_password(password)
        await db.execute(
            "UPDATE users SET password_hash = $2 WHERE id = $1", row["id"], fresh
        )
    return User(**{name: row[name] for name in User.__slots__})


def _fits(kept: str | None, password: str) -> bool:
    try:
        return _hasher.verify(kept or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """Checked when there is no such person, so that the answer takes as long as any."""
    return _hasher.hash(secrets.token_hex())


async def hash_password(password: str) -> str:
    """Its argon2id hash; raises BadInput when it is too short or endless."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
            field="password",
        )
    return await asyncio.to_thread(_hasher.hash, password)


async def sign_in(
    db: database.Db, user_id: int, *, at: datetime, lasts: timedelta = LOGIN_LASTS
) -> str:
    """The token for the browser's cookie; what has run out is swept on the way."""
    token = secrets.token_urlsafe(32)
    await db.execute("DELETE FROM logins WHERE expires_at <= $1", at)
    await db.execute(
        """
        INSERT INTO logins (token_hash, user_id, csrf, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        digest(token),
        user_id,
        secrets.token_urlsafe(32),
        at,
        at + lasts,
    )
    return token


async def login(db: database.Db, token: str, *, at: datetime) -> Login | None:
    """Who this browser is, while its sign-in lasts."""
    row = await db.fetchrow(
        f"""
        SELECT {_COLUMNS}, csrf, expires_at
          FROM logins JOIN users ON users.id = user_id
         WHERE token_hash = $1 AND expires_at > $2
        """,
        digest(token),
        at,
    )
    if row is None:
        return None
    user = User(**{name: row[name] for name in User.__slots__})
    return Login(user=user, csrf=row["csrf"], expires_at=row["expires_at"])


async def sign_out(db: database.Db, token: str) -> None:
    """End this browser's sign-in."""
    await db.execute("DELETE FROM logins WHERE token_hash = $1", digest(token))


async def make_link(
    db: database.Db, user_id: int, *, at: datetime, lasts: timedelta = LINK_LASTS
) -> str:
    """The token of a link that signs this person in once."""
    token = secrets.token_urlsafe(32)
    await db.execute("DELETE FROM signin_links WHERE expires_at <= $1", at)
    await db.execute(
        "INSERT INTO signin_links (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
        digest(token),
        user_id,
        at + lasts,
    )
    return token


def link_address(public_url: str, token: str) -> str:
    """Where a browser goes with a token of `make_link`."""
    return f"{public_url}/sign-in/{token}"


async def link_works(db: database.Db, token: str, *, at: datetime) -> bool:
    """Whether the link could be used now; looking does not use it up."""
    known = await db.fetchval(
        "SELECT true FROM signin_links WHERE token_hash = $1 AND expires_at > $2",
        digest(token),
        at,
    )
    return bool(known)


async def use_link(db: database.Db, token: str, *, at: datetime) -> User | None:
    """The person of the link, which is used up by asking, even by two at once."""
    row = await db.fetchrow(
        f"""
        WITH used AS (
            DELETE FROM signin_links WHERE token_hash = $1
            RETURNING user_id, expires_at
        )
        SELECT {_COLUMNS} FROM used JOIN users ON users.id = user_id
         WHERE expires_at > $2
        """,
        digest(token),
        at,
    )
    return User(**row) if row else None


async def anybody_signed_in(db: database.Db) -> bool:
    """Whether somebody has a way in: a password, or a browser that is signed in."""
    found = await db.fetchval(
        """
        SELECT EXISTS (SELECT FROM logins)
            OR EXISTS (SELECT FROM users WHERE password_hash IS NOT NULL)
        """
    )
    return bool(found)


def normal(email: str) -> str:
    """The address as it is kept; raises BadInput."""
    email = email.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise BadInput("must be an address like anna@acme.example", field="email")
    return email


def digest(token: str) -> bytes:
    """What we keep of a secret that somebody else holds."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
