"""What every page of the dashboard starts from, and the door in front of it.

`guarded` signs the reader in or sends him to do so, finds the site of the address, checks
the token of a form, and turns foreseen troubles into pages. A handler takes a `View` and
answers with `view.render(...)`.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import redis.exceptions
from aiohttp import web
from multidict import MultiDict, MultiMapping

from tracker import alerts, db, errors, users
from tracker.alerts import Alert
from tracker.sites import Site
from web import auth, formats, keys, pages
from web.dashboard import alert_words, assets

log = logging.getLogger(__name__)

UTC_ZONE = ZoneInfo("UTC")
STATUS = {
    errors.BadInput: 400,
    errors.NotAuthenticated: 401,
    errors.BadSignature: 403,
    errors.ForeignOrigin: 403,
    errors.UnknownAddress: 404,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}


@dataclass(kw_only=True)
class View:
    """One request to the dashboard: who asks, about which site, in which language."""

    request: web.Request
    login: users.Login | None
    locale: str
    csrf: str
    site: Site | None = None
    form: MultiMapping[Any] = field(default_factory=MultiDict)
    nonce: str = field(default_factory=pages.nonce)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    alerts: list[Alert] = field(default_factory=list)  # of the site, those that stand

    @property
    def db(self) -> db.Pool:
        return self.request.app[keys.POOL]

    @property
    def here(self) -> Site:
        """The site of the address; pages without one do not ask."""
        if self.site is None:
            raise errors.UnknownAddress("no such site")
        return self.site

    @property
    def public_url(self) -> str:
        """The server's address as the world sees it."""
        return self.request.app[keys.SETTINGS].public_url

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark; the first of each name."""
        found = self.request.query
        return {name: found[name][:300] for name in found}

    @property
    def sites(self) -> list[Site]:
        """Every site, by name."""
        known = self.request.app[keys.DIRECTORY].now.by_id.values()
        return sorted(known, key=lambda site: site.name.lower())

    @cached_property
    def fmt(self) -> formats.Formats:
        if self.site is None:
            return pages.fmt(self.locale, UTC_ZONE, "USD")
        return pages.fmt(self.locale, self.site.timezone, self.site.currency)

    @property
    def notices(self) -> list[Alert]:
        """The alerts that nobody has dismissed."""
        return [one for one in self.alerts if one.dismissed_at is None]

    @property
    def partial(self) -> bool:
        """Whether htmx asks and takes only a part of the page."""
        return self.request.headers.get("HX-Request") == "true"

    def path(self, url: str) -> str:
        """A page's address without the host and without tags, as people know it."""
        parts = urlsplit(url)
        return (parts.path or "/") if parts.scheme else url

    def told(self, alert: Alert) -> alert_words.Told:
        """What an alert says, in the reader's language."""
        return alert_words.told(alert, self.fmt, self.say)

    def say(self, text: str) -> str:
        """A text of the code in the reader's language."""
        return pages.translations(self.locale).gettext(text)

    def render(
        self, template: str, *, status: int = 200, **context: Any
    ) -> web.Response:
        """The page."""
        body = self.text(template, **context)
        return pages.html(body, nonce=self.nonce, status=status)

    def text(self, template: str, **context: Any) -> str:
        """A template filled in, for a page or a part of one."""
        return pages.text(
            template,
            self.locale,
            view=self,
            fmt=self.fmt,
            site=self.site,
            asset=assets.address,
            **context,
        )

    def go(self, target: str) -> web.Response:
        """Send the browser on after a form; 303 so that it asks with GET."""
        return web.Response(status=303, headers={"Location": target})


Handler = Callable[[View], Awaitable[web.StreamResponse]]
Plain = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler, *, public: bool = False) -> Plain:
    """The handler behind its door; `public` ones do not ask who you are."""

    async def enter(request: web.Request) -> web.StreamResponse:
        view = View(
            request=request, login=None, locale=auth.language(request, None), csrf=""
        )
        try:
            return await _enter(view, handler, public=public)
        except errors.TrackerError as error:
            return _trouble(view, error)
        except redis.exceptions.RedisError as error:
            return _away(view, error)
        except db.AWAY as error:
            return _away(view, error)

    return enter


async def _enter(view: View, handler: Handler, *, public: bool) -> web.StreamResponse:
    request = view.request
    view.login = await auth.login(request)
    view.locale = auth.language(request, view.login)
    if view.login is None and not public:
        return _to_sign_in(view)
    secret = "" if view.login else auth.form_secret(request)
    view.csrf = view.login.csrf if view.login else auth.form_token(request, secret)
    if request.method == "POST":
        view.form = await _form(request)
        auth.check_csrf(request, view.form, view.csrf)
    if key := request.match_info.get("site"):
        view.site = request.app[keys.DIRECTORY].site(key)
        if view.site is None:
            raise errors.UnknownAddress("no such site")
        if not view.partial:
            view.alerts = await alerts.standing(view.db, view.site.id)
    response = await handler(view)
    if secret and not response.prepared:
        auth.keep_form_secret(request, response, secret)
    return response


async def _form(request: web.Request) -> MultiMapping[Any]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise errors.BadInput("this is not a form of ours")
    try:
        return await request.post()
    except (ValueError, LookupError) as error:  # an unknown charset
        raise errors.BadInput("this form cannot be read") from error


def _to_sign_in(view: View) -> web.Response:
    request = view.request
    if view.partial:  # htmx must not put the sign-in form into a corner of the page
        return web.Response(status=401, headers={"HX-Redirect": "/sign-in"})
    if request.method != "GET" or request.headers.get("Accept") == "text/event-stream":
        raise errors.NotAuthenticated("sign in first")
    return view.go("/sign-in?" + urlencode({"next": request.path_qs}))


def _trouble(view: View, error: errors.TrackerError) -> web.Response:
    status = next(
        (code for kind, code in STATUS.items() if isinstance(error, kind)), 500
    )
    response = view.render(
        "problem.html", status=status, code=status, message=str(error)
    )
    if isinstance(error, errors.TooMany):
        response.headers["Retry-After"] = str(int(error.after.total_seconds()) or 1)
    return response


def _away(view: View, error: Exception) -> web.Response:
    log.warning("dashboard waits for a store", extra={"error": type(error).__name__})
    response = view.render("problem.html", status=503, code=503, message="")
    response.headers["Retry-After"] = "5"
    return response
