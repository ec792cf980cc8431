"""Secrets at rest: settings of connections are sealed with the server's own key.

The key is `SKVOZ_SECRET_KEY`, or a file made on the first start under `SKVOZ_DATA`.
AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce before the sealed bytes.
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tracker import config
from tracker.errors import TrackerError

NONCE = 12


class WrongKey(TrackerError):
    """The sealed settings were written under another secret key."""


class Seal:
    """Seals values, and derives the keys of other duties from the same secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._cipher = AESGCM(self.key("settings"))

    def key(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HMAC-SHA256 of its name)."""
        return hmac.digest(self._secret, purpose.encode(), hashlib.sha256)

    def close(self, value: Any) -> bytes:
        """A JSON value, sealed."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._cipher.encrypt(nonce, msgspec.json.encode(value), None)

    def open(self, sealed: bytes) -> Any:
        """The value again; raises WrongKey."""
        try:
            plain = self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], None)
        except InvalidTag:
            raise WrongKey(
                "sealed settings do not open: SKVOZ_SECRET_KEY, or secret.key under "
                "SKVOZ_DATA, is not the one they were saved with"
            ) from None
        return msgspec.json.decode(plain)


@lru_cache(maxsize=4)
def of(settings: config.Settings) -> Seal:
    """The seal of this server."""
    return Seal(settings.secret_key or _kept(settings.data / "secret.key"))


def _kept(path: Path) -> str:
    """The key file's text; made on first use, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
    return path.read_text(encoding="ascii").strip()
