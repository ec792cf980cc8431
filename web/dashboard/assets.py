"""Style sheets and scripts: read once, compressed once, cached by browsers for good.

An asset's address carries a hash of its content, so a new version is a new address. The
folder is read anew only when a file's time of change differs.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import brotli
from aiohttp import web

STATIC = Path(__file__).parent.parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in every coding a browser may want."""

    type: str
    tag: str  # a hash of the content
    bodies: dict[str, bytes]  # by Content-Encoding; "" is the plain one


def address(path: str) -> str:
    """Where a page finds the asset, e.g. `/static/dashboard.css?v=1f0c…`."""
    found = find(path)
    return f"/static/{path}?v={found.tag}" if found else f"/static/{path}"


def find(path: str) -> Asset | None:
    """The asset; None for anything that is not a file of a known type in the folder."""
    kind = TYPES.get(Path(path).suffix)
    # A segment that begins with a dot would climb out, or is nobody's business.
    if kind is None or any(part.startswith(".") for part in path.split("/")):
        return None
    try:
        file = (STATIC / path).resolve()
        if not file.is_relative_to(STATIC):
            return None
        return _load(file, kind, file.stat().st_mtime_ns)
    except (OSError, ValueError):  # ValueError: a null byte
        return None


@lru_cache(maxsize=64)
def _load(file: Path, kind: str, changed: int) -> Asset:
    body = file.read_bytes()
    bodies = {"": body}
    if not kind.startswith(("image/png", "font/")):
        bodies["br"] = brotli.compress(body, quality=5)
        bodies["gzip"] = gzip.compress(body, 6)
    return Asset(kind, hashlib.sha256(body).hexdigest()[:16], bodies)


async def serve(request: web.Request) -> web.Response:
    """GET /static/…"""
    found = find(request.match_info["path"])
    if found is None:
        return web.Response(status=404, text="no such file\n")
    headers = {
        "ETag": f'"{found.tag}"',
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": FOREVER if request.query.get("v") == found.tag else ASK_AGAIN,
    }
    if found.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    accepted = request.headers.get("Accept-Encoding", "")
    coding = next(
        (one for one in ("br", "gzip") if one in accepted and one in found.bodies), ""
    )
    if coding:
        headers["Content-Encoding"] = coding
    return web.Response(
        body=found.bodies[coding], headers=headers | {"Content-Type": found.type}
    )
