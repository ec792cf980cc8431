"""A referrer, read and recognised.

Takes the address a browser says it came from apart, and finds in `source_tables` which
search engine, network, messenger or ad system stands behind the host. Pure. Referrer
policies cut most addresses down to the origin, so a missing path is normal.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import idna

from tracker import source_tables, tags
from tracker.source_tables import Origin, Portal

MAX_HOST = 253  # DNS
SHORT = 100  # characters of an address whose reading is remembered
MAX_LABELS = 8  # of a host, counted from the end; no known host is deeper

_ADDRESS = re.compile(
    r"(https?|android-app)://"
    r"(?:[^/?#\\@]*@)?"  # user information
    r"([\w.-]{1,253}|\[[0-9a-f:.]{2,45}\])"
    r"(?::\d{0,5})?(?=[/?#\\]|$)"
    r"([^?#]*)(?:\?([^#]*))?",
    re.IGNORECASE,
)
_GENERAL_DOMAINS = frozenset({"com", "net", "org", "cat"})
_SECOND_LEVEL = frozenset({"com", "co", "org", "net", "it", "edu"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """The page, or the Android app, that a visitor came from."""

    written: str  # the host as it was sent, in lower case
    host: str  # the host as it is compared; of an app, its package name
    path: str
    query: str
    app: bool


def parse(address: str) -> Referrer | None:
    """The referrer in that address; None for anything but web pages and apps."""
    # Most are cut to the origin, so a few hundred of them are nearly all there are.
    return _parse_short(address) if len(address) <= SHORT else _parse(address)


@lru_cache(maxsize=4096)
def _parse_short(address: str) -> Referrer | None:
    return _parse(address)


def _parse(address: str) -> Referrer | None:
    if not (found := _ADDRESS.match(tags.clean(address, tags.MAX_ADDRESS))):
        return None
    scheme, written, path, query = found.groups()
    app = scheme[0] in "aA"
    written = written.lower()
    host = written if app else normal(written)
    if not host or host[0] in ".-" or ".." in host or len(host) > MAX_HOST:
        return None
    return Referrer(written=written, host=host, path=path, query=query or "", app=app)


@lru_cache(maxsize=4096)
def normal(host: str) -> str:
    """A host as we compare it: lower case, Unicode, no final dot, no `www.`."""
    host = host.lower().removesuffix(".")
    if "xn--" in host:
        with suppress(UnicodeError):  # no name that could be registered: left as it is
            host = idna.decode(host)
    bare = host.removeprefix("www.")
    return bare if "." in bare else host


def is_within(referrer: Referrer, domains: Collection[str]) -> bool:
    """Is it one of these domains, or a subdomain of one?"""
    if referrer.app:
        return referrer.host in domains
    names = _names(referrer.host)
    return any(normal(domain.removeprefix("*.")) in names for domain in domains)


def is_excluded(referrer: Referrer, excluded: Collection[str] = ()) -> bool:
    """Payment pages, sign-in pages and tools: known ones, and those an owner named."""
    if not referrer.app and not source_tables.EXCLUDED.isdisjoint(
        _names(referrer.host)
    ):
        return True
    return is_within(referrer, excluded)


def origin(referrer: Referrer) -> Origin | None:
    """Who stands behind the referrer; None for an ordinary link on a site."""
    if referrer.app:
        return _app_origin(referrer)
    found = _find(referrer.host)
    if isinstance(found, Portal):
        section = referrer.path[1:].partition("/")[0].lower()
        if not section:
            return found.front
        return found.sections.get(section, found.elsewhere)
    return found


def advertiser(host: str) -> Origin | None:
    """The ad system behind a host of the redirector table."""
    known = source_tables.AD_HOSTS
    return next((known[name] for name in _names(normal(host)) if name in known), None)


def _app_origin(referrer: Referrer) -> Origin | None:
    if referrer.host == source_tables.QUICK_SEARCH and "discover" in referrer.path:
        return source_tables.DISCOVER
    return source_tables.PACKAGES.get(referrer.host)


@lru_cache(maxsize=4096)
def _find(host: str) -> Origin | Portal | None:
    portals = source_tables.PORTALS
    if portal := portals.get(host) or portals.get(_wild(host)):
        return portal
    hosts = source_tables.HOSTS
    return next((hosts[name] for name in _names(host) if name in hosts), None)


@lru_cache(maxsize=4096)
def _names(host: str) -> tuple[str, ...]:
    """Every name a table may know the host by, longest first.

    `mail.yandex.com.tr` → itself, `mail.yandex.*`, `yandex.com.tr`, `yandex.*` …
    Labels are bounded because the answers are cached.
    """
    host = ".".join(host.split(".")[-MAX_LABELS:])
    pairs = zip(_suffixes(host), _suffixes(_wild(host)), strict=False)
    return tuple(name for pair in pairs for name in pair)


def _suffixes(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]


def _wild(host: str) -> str:
    """The host with `*` for its top-level domain, where `*` may stand for it."""
    labels = host.split(".")
    country = len(labels[-1]) == 2 and labels[-1].isalpha()
    if not country and labels[-1] not in _GENERAL_DOMAINS:
        return host
    two_part = country and len(labels) > 2 and labels[-2] in _SECOND_LEVEL
    return ".".join([*labels[: -2 if two_part else -1], "*"])
