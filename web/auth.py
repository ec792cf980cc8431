"""Who is reading the dashboard: the session cookie, CSRF tokens and the language.

The cookie holds a random token whose hash is kept by `tracker.users`; signing out makes it
worthless at once. Every form carries a token: that of the sign-in, or, before anybody has
signed in, one made from a cookie of the form itself.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiohttp import web
from multidict import MultiMapping

from tracker import users
from tracker.errors import BadSignature
from web import keys, pages

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
LANGUAGE = "skvoz-language"
YEAR = 365 * 24 * 3600
LONGEST_TOKEN = 200  # characters of a cookie that are looked at


def secure(request: web.Request) -> bool:
    """Whether people reach us by https, so that cookies may insist on it."""
    return request.app[keys.SETTINGS].public_url.startswith("https://")


def _name(request: web.Request, name: str) -> str:
    # __Host- (RFC 6265bis 4.1.3.2): no other host under our domain can set it.
    return f"__Host-{name}" if secure(request) else name


async def login(request: web.Request) -> users.Login | None:
    """Who has signed in, by the cookie; None when nobody."""
    token = request.cookies.get(_name(request, "skvoz"), "")
    if not token or len(token) > LONGEST_TOKEN:
        return None
    return await users.login(request.app[keys.POOL], token, at=datetime.now(UTC))


async def sign_in(
    request: web.Request, response: web.StreamResponse, user_id: int
) -> None:
    """Open a session and give its cookie."""
    token = await users.sign_in(request.app[keys.POOL], user_id, at=datetime.now(UTC))
    _set(request, response, "skvoz", token, int(users.LOGIN_LASTS.total_seconds()))


async def sign_out(request: web.Request, response: web.StreamResponse) -> None:
    """Close the session and take its cookie back."""
    token = request.cookies.get(_name(request, "skvoz"), "")
    await users.sign_out(request.app[keys.POOL], token[:LONGEST_TOKEN])
    response.del_cookie(_name(request, "skvoz"), path="/", secure=secure(request))


def form_secret(request: web.Request) -> str:
    """The random value behind the tokens of forms shown before signing in."""
    return request.cookies.get(_name(request, "skvoz-form"), "")[
        :LONGEST_TOKEN
    ] or secrets.token_urlsafe(16)


def keep_form_secret(
    request: web.Request, response: web.StreamResponse, secret: str
) -> None:
    """Let the browser bring the value back with the form."""
    _set(request, response, "skvoz-form", secret, 24 * 3600)


def form_token(request: web.Request, secret: str) -> str:
    """The CSRF token of a form shown before signing in."""
    key = request.app[keys.SEAL].key("forms")
    return hmac.digest(key, secret.encode(), hashlib.sha256).hex()


def check_csrf(request: web.Request, form: MultiMapping[object], expected: str) -> None:
    """Raises BadSignature unless the request was made by our own page."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in (
        "same-origin",
        "none",
    ):
        raise BadSignature("this form was sent from another site")
    given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "")
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(), expected.encode()
    ):
        raise BadSignature("this page was open too long; load it again and repeat")


def language(request: web.Request, who: users.Login | None) -> str:
    """The reader's own choice, else the browser's."""
    chosen = request.cookies.get(LANGUAGE) or (who.user.locale if who else None) or ""
    if chosen in pages.LOCALES:
        return chosen
    return pages.negotiate(request.headers.get("Accept-Language", ""))


def keep_language(
    request: web.Request, response: web.StreamResponse, locale: str
) -> None:
    """Remember the choice in this browser."""
    response.set_cookie(
        LANGUAGE, locale, max_age=YEAR, path="/", samesite="Lax", httponly=True
    )


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a path of ours and nothing else."""
    if not target or len(target) > 2000 or not target.startswith("/"):
        return "/"
    # Browsers read a backslash as a slash and drop control characters: //host is elsewhere.
    if target[1:2] in ("/", "\\") or any(sign < " " for sign in target):
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def _set(
    request: web.Request,
    response: web.StreamResponse,
    name: str,
    value: str,
    seconds: int,
) -> None:
    response.set_cookie(
        _name(request, name),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=secure(request),
    )
