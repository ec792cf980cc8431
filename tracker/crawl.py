"""Reads pages of a site as a polite stranger would, and nothing but pages of that site.

The addresses come from an owner, and pages may redirect: so every address on the way must
belong to the site's domains, and be reached at a public network address (a site whose own
domain is localhost, at this machine's). `robots.txt` is honoured (RFC 9309), requests go one
after another with a pause, and every size and time is bounded.
"""

import asyncio
import ipaddress
import re
import socket
import zlib
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import aiohttp

from tracker import own_pages
from tracker.destinations import wire
from tracker.errors import TrackerError

NAME = "SkvozBot"  # what robots.txt may name
CONNECT = 5.0  # seconds to reach a server
PAGE = 15.0  # seconds for one answer
MOST = 2 * 1024 * 1024  # bytes read of a page, and as many after unpacking
MOST_ROBOTS = 500 * 1024  # bytes; RFC 9309 asks for at least as many
HOPS = 5  # redirections
PAUSE = 1.0  # seconds between requests
LONGEST_PAUSE = 10.0  # seconds; robots.txt may ask for more in vain
TYPES = ("text/html", "application/xhtml+xml", "text/plain")
REDIRECTS = (301, 302, 303, 307, 308)

# Python knows many more codings, some of them no charsets at all.
_KNOWN_CHARSET = re.compile(
    r"utf-?16|windows-125[0-8]|cp125[0-8]|koi8-[ru]|iso-8859-[1-9]|cp866", re.I
)
_CHARSET = re.compile(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I)


class PageNotRead(TrackerError):
    """A page could not be read, or must not be; the text says why.

    `gone` tells that there is no such page any more.
    """

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Crawler:
    """One round through a site's pages; `async with` opens its lines."""

    domains: Collection[str]
    agent: str  # User-Agent, by `agent()`
    pause: float = PAUSE
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)
    _robots: dict[str, RobotFileParser | PageNotRead] = field(
        default_factory=dict, repr=False
    )
    _asked: bool = field(default=False, repr=False)

    async def __aenter__(self) -> Self:
        self._public = await self._stack.enter_async_context(_session(wire.is_public))
        self._local = await self._stack.enter_async_context(_session(_is_loopback))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def page(self, url: str) -> str:
        """The page's HTML; raises PageNotRead."""
        for _ in range(HOPS + 1):
            await self._check_robots(url)
            answer = await self._ask(url, MOST)
            if answer.status not in REDIRECTS:
                return _read(answer)
            url = urljoin(url, answer.headers.get("Location", ""))
        raise PageNotRead("leads on and on")

    async def _check_robots(self, url: str) -> None:
        if trouble := own_pages.problem(url, self.domains):
            raise PageNotRead(f"leads away: {trouble}")
        place = own_pages.origin(url)
        if place not in self._robots:
            try:
                self._robots[place] = await self._read_robots(f"{place}/robots.txt")
            except PageNotRead as error:
                self._robots[place] = PageNotRead(f"robots.txt: {error}")
        robots = self._robots[place]
        if isinstance(robots, PageNotRead):
            raise robots
        if not robots.can_fetch(NAME, url):
            raise PageNotRead("robots.txt does not allow it")
        asked = float(robots.crawl_delay(NAME) or 0)
        if self.pause:
            self.pause = max(self.pause, min(asked, LONGEST_PAUSE))

    async def _read_robots(self, url: str) -> RobotFileParser:
        """Whoever has none allows everything; who cannot tell, nothing (RFC 9309 2.3.1)."""
        robots = RobotFileParser()
        for _ in range(HOPS + 1):
            if own_pages.problem(url, self.domains):
                break  # another's robots.txt: as if there were none
            answer = await self._ask(url, MOST_ROBOTS)
            if answer.status in REDIRECTS:
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status >= 500:
                raise PageNotRead(f"HTTP {answer.status}")
            found = answer.status == 200
            text = _unpacked(answer).decode("utf-8", "replace") if found else ""
            robots.parse(text.splitlines())
            return robots
        robots.parse([])
        return robots

    async def _ask(self, url: str, most: int) -> _Answer:
        """One request, after a pause; raises PageNotRead."""
        if self._asked:
            await asyncio.sleep(self.pause)
        self._asked = True
        host = (urlsplit(url).hostname or "").lower()
        http = self._local if own_pages.is_local(host) else self._public
        try:
            async with http.get(
                url,
                allow_redirects=False,
                headers={"User-Agent": self.agent, "Accept-Encoding": "gzip"},
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) >= most:
                        response.close()
                        break
                return _Answer(response.status, response.headers, bytes(body[:most]))
        except TimeoutError:
            raise PageNotRead("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PageNotRead(_trouble(error)) from error


def agent(public_url: str) -> str:
    """The User-Agent: a name, and an address where its owner is found."""
    return f"Mozilla/5.0 (compatible; {NAME}/1.0; +{public_url})"


def _session(accept: Any) -> aiohttp.ClientSession:
    """A client without memory that connects only to addresses that `accept` takes."""

    def factory(info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        # Checked at connect time, so a name that changes its address meanwhile is caught.
        family, type_, protocol, _, address = info
        if not accept(str(address[0])):
            raise wire.PrivateHost("the host stands in a private network")
        return socket.socket(family=family, type=type_, proto=protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=2, socket_factory=factory),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=PAGE, sock_connect=CONNECT),
        auto_decompress=False,  # we unpack ourselves, no further than MOST
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _trouble(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error}"[:200]
    return f"no connection: {type(error).__name__}"


def _read(answer: _Answer) -> str:
    if answer.status != 200:
        gone = answer.status in (404, 410)
        raise PageNotRead(f"HTTP {answer.status}", gone=gone)
    kind, _, parameters = answer.headers.get("Content-Type", "").partition(";")
    if kind.strip().lower() not in TYPES:
        raise PageNotRead(f"is no page but {kind.strip()[:60] or 'of no known type'}")
    body = _unpacked(answer)
    return body.decode(_charset(parameters, body), "replace")


def _unpacked(answer: _Answer) -> bytes:
    """The body without its coding, no longer than what is read at most."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return answer.body
    if coding not in ("gzip", "x-gzip"):
        raise PageNotRead(f"is packed in a way that was not asked for: {coding[:40]}")
    try:
        return zlib.decompressobj(wbits=31).decompress(answer.body, MOST)
    except zlib.error:
        raise PageNotRead("is packed, and cannot be unpacked") from None


def _charset(parameters: str, body: bytes) -> str:
    """By the header, else by the page itself; UTF-8 where neither says a known one."""
    told = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", parameters, re.I)
    inner = _CHARSET.search(body[:2048])
    name = told[1] if told else inner[1].decode() if inner else ""
    return name if _KNOWN_CHARSET.fullmatch(name) else "utf-8"
