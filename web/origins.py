"""Whose page asks: the site by its key, its own pages by their origin, people by their browser.

What every door for pages looks at before it believes a word.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from tracker import bots, tags
from tracker.errors import ForeignOrigin, UnknownAddress
from tracker.sites import Site
from web import keys, limits

REGION = 100  # characters of a region's name


async def site_of(request: web.Request, key: str) -> Site:
    """The site by the key in its snippet; raises UnknownAddress."""
    directory = request.app[keys.DIRECTORY]
    found = directory.site(key)
    if found is None:
        await directory.look_again()
        found = directory.site(key)
    if found is None:
        raise UnknownAddress("there is no such site; look at the key in the snippet")
    return found


def check(request: web.Request, site: Site) -> None:
    """Raises ForeignOrigin for a page that is not the site's own."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return  # not a page of another site: browsers always tell
    if not is_own(origin, site.domains):
        raise ForeignOrigin("this page is not one of the site's domains")


@lru_cache(maxsize=4096)
def is_own(address: str, domains: tuple[str, ...]) -> bool:
    """Whether an origin or an address lies on one of the domains or below it."""
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return False
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def region(request: web.Request) -> str:
    """Where the visitor is, if a listed proxy says so."""
    header = request.app[keys.SETTINGS].region_header
    return tags.clean(limits.told_by_proxy(request, header), REGION)


def is_bot(request: web.Request) -> bool:
    """Whether this is no visitor: a crawler, a link preview, a page made ready unseen."""
    if limits.is_local(request):
        return False  # somebody tries things out by hand
    headers = request.headers
    purpose = headers.get("Sec-Purpose") or headers.get("Purpose") or ""
    return bots.is_bot(headers.get(hdrs.USER_AGENT, ""), purpose)
