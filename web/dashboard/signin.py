"""Signing in and out, and the choice of language."""

import logging

from aiohttp import web

from tracker import errors, users
from web import auth, keys, limits, pages
from web.dashboard.view import View
from web.words import N_

log = logging.getLogger(__name__)

# Guessing: a house may share one address, so that gets more tries than one account does.
OF_ADDRESS = (30, 600)  # tries, seconds
OF_EMAIL = (10, 600)
OF_LINKS = (30, 600)

WRONG = N_("The email or the password is not right.")
TOO_MANY = N_("Too many attempts. Wait ten minutes and try again.")
USED = N_("This link has been used or has run out. Ask for a new one.")


async def show(view: View) -> web.StreamResponse:
    """GET /sign-in"""
    target = auth.safe_next(view.query.get("next"))
    if view.login is not None:
        return view.go(target)
    return _form(view, target)


async def enter(view: View) -> web.StreamResponse:
    """POST /sign-in"""
    email, password = _text(view, "email"), _text(view, "password")
    target = auth.safe_next(_text(view, "next"))
    try:
        await _limit(view, email)
    except errors.TooMany as error:
        response = _form(view, target, email=email, problem=TOO_MANY, status=429)
        response.headers["Retry-After"] = str(int(error.after.total_seconds()) + 1)
        return response
    user = await users.check(view.db, email, password)
    if user is None:
        log.info("sign-in refused")
        return _form(view, target, email=email, problem=WRONG, status=403)
    return await _welcome(view, user, target)


async def _limit(view: View, email: str) -> None:
    most, seconds = OF_ADDRESS
    await limits.check(view.request, "sign-in", most=most, seconds=seconds)
    most, seconds = OF_EMAIL
    who = users.digest(email.strip().lower()).hex()[:32]  # no address in Valkey
    await limits.check(view.request, "sign-in-as", most=most, seconds=seconds, who=who)


def _form(
    view: View, target: str, *, email: str = "", problem: str = "", status: int = 200
) -> web.Response:
    return view.render(
        "signin.html",
        status=status,
        next=target,
        email=email[:254],
        problem=view.say(problem) if problem else "",
    )


async def link(view: View) -> web.StreamResponse:
    """GET /sign-in/{token}: a button, because previews of links open them too."""
    token = view.request.match_info["token"]
    if not await users.link_works(view.db, token, at=view.at):
        return _form(view, "/", problem=USED, status=403)
    return view.render("link.html")


async def use_link(view: View) -> web.StreamResponse:
    """POST /sign-in/{token}"""
    most, seconds = OF_LINKS
    await limits.check(view.request, "sign-in-link", most=most, seconds=seconds)
    token = view.request.match_info["token"]
    user = await users.use_link(view.db, token, at=view.at)
    if user is None:
        return _form(view, "/", problem=USED, status=403)
    return await _welcome(view, user, "/")


async def _welcome(view: View, user: users.User, target: str) -> web.Response:
    response = view.go(target)
    await auth.sign_in(view.request, response, user.id)
    log.info("signed in", extra={"user": user.id})
    return response


async def leave(view: View) -> web.StreamResponse:
    """POST /sign-out"""
    response = view.go("/sign-in")
    await auth.sign_out(view.request, response)
    return response


async def language(view: View) -> web.StreamResponse:
    """POST /language"""
    locale = _text(view, "locale")
    response = view.go(auth.safe_next(_text(view, "next")))
    if locale in pages.LOCALES:
        auth.keep_language(view.request, response, locale)
        if view.login is not None:
            await users.set_locale(view.db, view.login.user.id, locale)
    return response


async def home(view: View) -> web.StreamResponse:
    """GET /: the first site's journal."""
    if not view.sites:
        await view.request.app[keys.DIRECTORY].look_again()
    if not view.sites:
        return view.render("nothing.html")
    return view.go(f"/{view.sites[0].key}/contacts")


def _text(view: View, name: str) -> str:
    value = view.form.get(name, "")
    return value.replace("\0", "")[:2000] if isinstance(value, str) else ""
