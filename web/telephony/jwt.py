"""JSON Web Tokens signed by a shared secret (RFC 7519, HS256), as providers send them.

Pure. No other algorithm is believed, whatever a token says of itself. Whether the claims
are of now, and of the right account, is for the caller to judge.
"""

import base64
import binascii
import hmac
from hashlib import sha256
from typing import Any

import msgspec

from tracker.errors import BadSignature

LONGEST = 4096  # characters; what carries more is no token of a webhook


def claims(token: str, secret: str) -> dict[str, Any]:
    """What a token signed with this secret says; raises BadSignature."""
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    if len(token) > LONGEST or _object(head).get("alg") != "HS256":
        raise BadSignature("the token is none, or not signed by HS256")
    expected = hmac.digest(secret.encode(), f"{head}.{body}".encode(), sha256)
    if not hmac.compare_digest(expected, _decoded(signature)):
        raise BadSignature("the token's signature does not fit")
    return _object(body)


def _object(part: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_decoded(part), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadSignature("the token is none") from None


def _decoded(part: str) -> bytes:
    try:
        raw = part.encode() + b"=" * (-len(part) % 4)
        return base64.b64decode(raw, altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadSignature("the token is none") from None
