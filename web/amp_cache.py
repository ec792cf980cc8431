"""The addresses under which AMP caches show copies of a site's pages; pure.

A cache gives each site a subdomain made of its name, so that copies of different sites are
different origins. https://amp.dev/documentation/guides-and-tutorials/learn/amp-caches-and-cors/amp-cache-urls
"""

import base64
import hashlib
from functools import lru_cache
from urllib.parse import urlsplit

# Those of https://cdn.ampproject.org/caches.json: Google's and Bing's.
CACHES = ("cdn.ampproject.org", "www.bing-amp.com")
LONGEST_LABEL = 63  # characters, RFC 1035


@lru_cache(maxsize=4096)
def holds(origin: str, page: str) -> bool:
    """Whether the origin is a cache's own for copies of this page's site."""
    try:
        told, host = urlsplit(origin), urlsplit(page).hostname or ""
    except ValueError:
        return False
    label, _, cache = (told.hostname or "").partition(".")
    return told.scheme == "https" and cache in CACHES and label in labels(host)


def labels(host: str) -> frozenset[str]:
    """The subdomains that stand for the host: the readable one, and that of hard cases."""
    digest = hashlib.sha256(host.encode()).digest()
    hard = base64.b32encode(digest).decode().rstrip("=").lower()
    readable = _readable(host)
    return frozenset({hard, readable} if len(readable) <= LONGEST_LABEL else {hard})


def _readable(host: str) -> str:
    """`acme-shop.example` becomes `acme--shop-example`."""
    try:
        name = host.encode("ascii").decode("idna")
    except UnicodeError:
        name = host
    name = name.replace("-", "--").replace(".", "-")
    if name[2:4] == "--":  # would look as if it were punycode
        name = f"0-{name}-0"
    if name.isascii():
        return name
    return f"xn--{name.encode('punycode').decode()}"
