"""The script that sites embed, each with its own configuration and parts in it.

Built once a site and set-up, compressed once, and answered from memory with an ETag. What
stands in it is decided by `snippet_config`.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import brotli
import msgspec
from aiohttp import hdrs, web

from tracker.errors import TrackerError, UnknownAddress
from web import keys, origins, snippet_config

BUILT = Path(__file__).parent / "static" / "snippet"
CORE = "core"
FRESH = 300  # seconds a browser keeps it without asking
KEPT = 256  # scripts in memory


class NotBuilt(TrackerError):
    """The page assets were not built."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script in every encoding."""

    etag: str
    plain: bytes
    gzip: bytes
    brotli: bytes


def routes() -> list[web.RouteDef]:
    return [
        web.get("/s/{site}.js", snippet),
        web.get("/s/{site}/{name}.js", apart),
    ]


async def snippet(request: web.Request) -> web.Response:
    """The site's script; unchanged answers 304."""
    site = await origins.site_of(request, request.match_info["site"])
    told = snippet_config.configuration(site, request.app[keys.SETTINGS].public_url)
    plain = assembled(
        built(CORE),
        msgspec.json.encode(told),
        tuple(map(built, snippet_config.parts(site))),
    )
    return _answer(request, plain)


async def apart(request: web.Request) -> web.Response:
    """What the script loads by itself once the page stands: the widget, the debug panel."""
    site = await origins.site_of(request, request.match_info["site"])
    name = request.match_info["name"]
    if not snippet_config.is_apart(site, name):
        raise UnknownAddress("there is no such script")
    return _answer(request, b"(" + built(name) + b")(window.skvoz.S);\n")


def assembled(core: bytes, configuration: bytes, parts: tuple[bytes, ...]) -> bytes:
    """The script of one site; nothing in it ends a script element that it is pasted into."""
    arguments = configuration.replace(b"</", b"<\\/"), b"[" + b",".join(parts) + b"]"
    return b"(" + core + b")(" + b",".join(arguments) + b");\n"


@cache
def built(name: str) -> bytes:
    """A script as it was built: one function expression."""
    try:
        return (BUILT / f"{name}.min.js").read_bytes().strip().removesuffix(b";")
    except FileNotFoundError:
        raise NotBuilt("the snippet is not built; run `make install`") from None


def _answer(request: web.Request, plain: bytes) -> web.Response:
    script = _encoded(plain)
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


@lru_cache(maxsize=KEPT)
def _encoded(plain: bytes) -> Script:
    return Script(
        etag=f'"{hashlib.sha256(plain).hexdigest()[:20]}"',
        plain=plain,
        gzip=gzip.compress(plain, 9, mtime=0),
        brotli=brotli.compress(plain),
    )
