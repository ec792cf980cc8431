"""The page about the script on the site: the line to paste, its settings, and whether it works."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import idna
import msgspec
from aiohttp import web

from tracker import installed, provision_text
from tracker.installed import Seen
from tracker.sites import Site
from web import origins
from web.dashboard.view import View
from web.words import N_

TRY = "skvoz_test=1&skvoz_debug=1"
SCHEMES = ("http", "https")
MOST_TRIES = 5  # pages to try it on


class Meaning(NamedTuple):
    """A setting and what it does."""

    table: str
    name: str
    means: str


MEANINGS = (
    Meaning("snippet", "consent", N_("When something may be stored and a visitor's own number shown. auto: at once. wait: after skvoz('consent', true). tcf, google: as the page's consent platform or Google consent mode tells")),
    Meaning("snippet", "privacy_signals", N_("Do Not Track and Global Privacy Control count as a refusal")),
    Meaning("snippet", "within", N_("CSS selector: numbers are replaced only inside these elements")),
    Meaning("snippet", "skip", N_("CSS selector: never inside these; the same as data-skvoz=\"off\" on an element")),
    Meaning("snippet", "forms", N_("Forms that are sent become contacts by themselves")),
    Meaning("snippet", "fields", N_("Further fields of forms: name on the page = name in the contact")),
    Meaning("snippet", "messengers", N_("Links to messengers carry the visit, so that a bot can tell it")),
    Meaning("snippet", "chats", N_("Numbers in links to WhatsApp and Viber are replaced too: only if the tracking numbers have accounts there")),
    Meaning("snippet", "pictures", N_("Numbers in marked pictures and pseudo-elements are replaced")),
    Meaning("snippet", "session_cookie", N_("The visit also stands in the cookie skvoz_session, for pages rendered by a server")),
    Meaning("snippet", "ga4", N_("GA4 measurement id, where a page has several")),
    Meaning("snippet", "address", N_("An address of your own under which pages reach this server")),
    Meaning("widget", "callback", N_("A button in the corner that asks for a phone number and calls back")),
    Meaning("widget", "messenger", N_("Messenger buttons in the same corner")),
    Meaning("widget", "hours", N_("When somebody calls back, in the site's time zone; empty: always")),
    Meaning("widget", "side", N_("The corner: right or left")),
    Meaning("widget", "colour", N_("Of the button; empty: the page's own")),
    Meaning("widget", "greeting", N_("The words above the form, by language")),
    Meaning("widget", "policy", N_("Where you say how you process personal data: the form asks for consent to it")),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting as it stands."""

    meaning: Meaning
    value: str | bool  # as in the file; empty: not set


async def show(view: View) -> web.Response:
    """GET /{site}/snippet"""
    site, seen = view.here, await installed.latest(view.db, view.here.id)
    address = site.reached(view.public_url)
    parts = urlsplit(address)
    return view.render(
        "snippet.html",
        tab="snippet",
        seen=seen,
        address=address,
        origin=f"{parts.scheme}://{parts.netloc}",
        line=f'<script async src="{address}/s/{site.key}.js"></script>',
        settings=list(settings(site)),
        file="\n".join(provision_text.script(_rules(site))).rstrip(),
        domains=[_readable(one) for one in site.domains],
        tries=list(tries(view, seen)),
    )


async def check(view: View) -> web.Response:
    """GET /{site}/snippet/check: nothing unless a page told of itself since what is shown."""
    seen = await installed.latest(view.db, view.here.id)
    if seen is None or not _is_news(seen, view.query.get("since", "")):
        return web.Response(status=204)
    return view.render("_snippet_check.html", seen=seen)


def settings(site: Site) -> Iterator[Setting]:
    """Every setting in the order of the page."""
    rules = _rules(site)
    for meaning in MEANINGS:
        yield Setting(meaning=meaning, value=_told(rules[meaning.table][meaning.name]))


def tries(view: View, seen: Seen | None) -> Iterator[str]:
    """Addresses to try the script on: where it ran last, then the site's domains."""
    if view.here.demo:
        yield f"{view.public_url}/demo/?{TRY}"
        return
    found = [f"https://{_readable(domain)}" for domain in view.here.domains]
    if seen and (last := _origin(seen.url, view.here.domains)):
        found.insert(0, last)
    for origin in list(dict.fromkeys(found))[:MOST_TRIES]:
        yield f"{origin}/?{TRY}"


def _origin(url: str, domains: tuple[str, ...]) -> str:
    """Where a page stands; empty unless that is the site: whoever visits may tell anything."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    own = parts.scheme in SCHEMES and origins.is_own(url, domains)
    return f"{parts.scheme}://{parts.hostname}" if own else ""


def _is_news(seen: Seen, shown: str) -> bool:
    try:
        return seen.at > datetime.fromisoformat(shown)
    except (ValueError, TypeError):  # nothing was shown, or a moment without a zone
        return True


def _rules(site: Site) -> dict[str, Any]:
    """Both tables with every field."""
    return {
        "snippet": msgspec.to_builtins(site.rules.snippet),
        "widget": msgspec.to_builtins(site.rules.widget),
    }


def _told(value: object) -> str | bool:
    match value:
        case bool() | str():
            return value
        case dict():
            return ", ".join(f"{name} = {one}" for name, one in value.items())
        case list():
            return ", ".join(one["kind"] for one in value)
        case _:
            raise TypeError(value)


def _readable(domain: str) -> str:
    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain
