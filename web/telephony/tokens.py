"""The token in a hook's address, for providers that sign nothing.

Pure. The address itself holds a key that nobody guesses; `?token=` is a second secret that
the owner chooses and changes without a new address. It is never kept with the request.
"""

import hmac
from urllib.parse import urlencode

from tracker.errors import BadSignature
from web.telephony.base import Hook


def check(hook: Hook, token: str) -> None:
    """Whether the request carries the token, if there is one; raises BadSignature."""
    if token:
        compare(dict(hook.params).get("token", ""), token)


def compare(sent: str, token: str) -> None:
    """In constant time; raises BadSignature."""
    if not hmac.compare_digest(token.encode(), sent.encode()):
        raise BadSignature("the token does not fit")


def address(hook: Hook, name: str, token: str) -> str:
    """Where the provider sends what it tells under this name."""
    query = f"?{urlencode({'token': token})}" if token else ""
    return f"{hook.address}/{name}{query}"
