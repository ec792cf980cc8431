"""A site's own pages: which addresses they may have, and which numbers stand in them. Pure.

The page is taken as text, not as a tree: as it stands (attributes, scripts and structured
data with it), with `%2B` and the like resolved, and once more without its tags, because
"8 (495) <b>100-00-01</b>" is one number to whoever reads it. All of it takes time in
proportion to the length of the page, whatever stands there.
"""

import html
import re
from collections.abc import Collection, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from numberpool import phones

MOST_DIGITS = 15  # ITU-T E.164
TAIL = 7  # digits by which a number is looked for before it is read
LONGEST = 2000  # characters of an address
PORTS = (None, 80, 443)
LOCAL = ("localhost", "127.0.0.1")  # a site under development, and those of tests

_DIGITS = re.compile(r"[0-9]+")
_FILLERS = re.compile(r"[\s().\-\u2010-\u2015\u2212/]{1,6}")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)?[^<>]*>")
_INLINE = frozenset(
    {
        "a", "abbr", "b", "big", "em", "font", "i", "ins", "mark", "nobr", "small", "span",
        "strong", "sub", "sup", "u", "wbr",
    }
)  # fmt: skip
BREAK = "|"  # stands where one text ends and another begins


# Addresses ------------------------------------------------------------------------------


def problem(url: str, domains: Collection[str]) -> str:
    """Why this address is not a page of the site; empty when it is one."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except ValueError:  # an unknown name is one too
        return "is no address"
    if len(url) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with https:// or http:// and a host"
    if parts.username is not None or parts.password is not None:
        return "must have no name and password"
    if not belongs(host, domains):
        return f"{host} is none of the site's domains"
    if port not in PORTS and not is_local(host):
        return "must stand on the usual port"
    return ""


def belongs(host: str, domains: Collection[str]) -> bool:
    """Whether the host is one of the domains or below one."""
    return any(host == one or host.endswith(f".{one}") for one in domains)


def is_local(host: str) -> bool:
    """Whether the name means this very machine."""
    return host in LOCAL or host.endswith(".localhost")


def origin(url: str) -> str:
    """What robots.txt is asked for: scheme, host and port."""
    parts: SplitResult = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


# Numbers --------------------------------------------------------------------------------


def standing(page: str, wanted: Collection[str], country: str) -> set[str]:
    """Which of these numbers (E.164) stand in the page's HTML, however they are spelled.

    `country` says how numbers without a country code are read.
    """
    tails = {number[-TAIL:] for number in wanted}
    shown = html.unescape(_without_comments(page))
    texts = {shown, unquote(shown), html.unescape(_without_tags(page))}
    read = {
        phones.e164(spelled, country)
        for text in texts
        for spelled in _spelled(text, tails)
    }
    return {number for number in read if number in wanted and number is not None}


def _without_comments(page: str) -> str:
    first, *rest = page.split("<!--")
    return first + "".join(one.partition("-->")[2] for one in rest)


def _without_tags(page: str) -> str:
    """The text that is read: inline tags leave nothing, others end the line."""
    return _TAG.sub(
        lambda tag: "" if (tag[1] or "").lower() in _INLINE else BREAK,
        _without_comments(page),
    )


def _spelled(text: str, tails: Collection[str]) -> Iterator[str]:
    """Pieces of the text that may be a number which ends as one of `tails` does."""
    groups: list[
        tuple[int, str]
    ] = []  # of the run so far: where each begins, its digits
    end = 0
    for found in _DIGITS.finditer(text):
        if not (groups and _FILLERS.fullmatch(text, end, found.start())):
            groups = []
        groups.append((found.start(), found[0]))
        groups = groups[-MOST_DIGITS:]
        end = found.end()
        digits = ""
        for start, group in reversed(groups):
            digits = group + digits
            if len(digits) > MOST_DIGITS:
                break
            if len(digits) >= TAIL and digits[-TAIL:] in tails:
                plus = start > 0 and text[start - 1] == "+"
                yield text[start - plus : end]
