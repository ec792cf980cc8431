"""The script that sites embed, each with its own configuration in it.

Built once a site and set-up, compressed once, and answered from memory with an ETag. The
configuration's shape is written down in `web/snippet/README.md`.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import brotli
import msgspec
from aiohttp import hdrs, web

from tracker.errors import TrackerError, UnknownAddress
from tracker.sites import Site
from web import keys

BUILT = Path(__file__).parent / "static" / "snippet" / "snippet.min.js"
FRESH = 300  # seconds a browser keeps it without asking
KEPT = 256  # sites' scripts in memory


class NotBuilt(TrackerError):
    """The page assets were not built."""


@dataclass(frozen=True, slots=True)
class Script:
    """One site's script in every encoding."""

    etag: str
    plain: bytes
    gzip: bytes
    brotli: bytes


def routes() -> list[web.RouteDef]:
    return [web.get("/s/{site}.js", snippet)]


async def snippet(request: web.Request) -> web.Response:
    """The site's script; unchanged answers 304."""
    site = await _site(request)
    script = _script(
        _source(), _configuration(site, request.app[keys.SETTINGS].public_url)
    )
    headers = {
        hdrs.ETAG: script.etag,
        hdrs.CACHE_CONTROL: f"public, max-age={FRESH}, stale-while-revalidate=86400",
        hdrs.VARY: "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if script.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
    body = script.plain
    for name, encoded in (("br", script.brotli), ("gzip", script.gzip)):
        if name in accepted:
            headers[hdrs.CONTENT_ENCODING] = name
            body = encoded
            break
    return web.Response(
        body=body, headers=headers, content_type="text/javascript", charset="utf-8"
    )


async def _site(request: web.Request) -> Site:
    directory = request.app[keys.DIRECTORY]
    key = request.match_info["site"]
    site = directory.site(key)
    if site is None:
        await directory.look_again()
        site = directory.site(key)
    if site is None:
        raise UnknownAddress("there is no such site")
    return site


def _configuration(site: Site, public_url: str) -> bytes:
    numbers = {
        *site.pool_of,
        *(one for static in site.statics for one in static.replaces),
    }
    return msgspec.json.encode(
        {
            "site": site.key,
            "api": public_url,
            "numbers": sorted(numbers),
            "emails": sorted({one for box in site.mailboxes for one in box.replaces}),
            "consent": "auto",
        }
    )


@lru_cache(maxsize=1)
def _source() -> bytes:
    try:
        return BUILT.read_bytes().strip().removesuffix(b";")
    except FileNotFoundError:
        raise NotBuilt("the snippet is not built; run `make install`") from None


@lru_cache(maxsize=KEPT)
def _script(source: bytes, configuration: bytes) -> Script:
    # "</" cannot end a script element that somebody pastes this into.
    plain = b"(" + source + b")(" + configuration.replace(b"</", b"<\\/") + b");\n"
    return Script(
        etag=f'"{hashlib.sha256(plain).hexdigest()[:20]}"',
        plain=plain,
        gzip=gzip.compress(plain, 9, mtime=0),
        brotli=brotli.compress(plain),
    )
