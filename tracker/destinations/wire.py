"""The line to the outside that one attempt speaks over.

A `Wire` sends requests no faster than the peer allows, follows no redirect, reads no more
than it needs, refuses private hosts where the server's settings say so, and remembers what
was asked and answered, without secrets, for the attempt's row.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import msgspec

from tracker.destinations.base import Unanswered
from tracker.errors import DeliveryFailed

CONNECT = 5.0  # seconds to reach a peer
TOTAL = 30.0  # seconds for one exchange
MOST = 64 * 1024  # bytes read of an answer
KEPT = 8 * 1024  # characters kept of what was asked, and of what was answered
ERROR = 300  # characters of an answer quoted in an error
LONGEST_AFTER = timedelta(hours=24)  # a peer that asks for more is not believed
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateHost(OSError):
    """The address belongs to a private network, and the settings forbid those."""


def session(*, private_hosts: bool) -> aiohttp.ClientSession:
    """The client all attempts share: no cookies, no proxies, bounded waits."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=64, socket_factory=None if private_hosts else _public_only
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TOTAL, sock_connect=CONNECT),
        headers={"User-Agent": "skvoz"},
    )


def _public_only(
    info: tuple[int, int, int, str, tuple[Any, ...]],
) -> socket.socket:
    """A socket for an address that name resolution gave, if it is a public one.

    Checked at connect time, so a name that changes its address in between is caught.
    """
    family, type_, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateHost("the host stands in a private network")
    return socket.socket(family=family, type=type_, proto=protocol)


def is_public(address: str) -> bool:
    """Whether an IP address is reachable for everyone; embedded IPv4 counts as itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class Pace:
    """A token bucket: `burst` at once, then `rate` a second."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    async def turn(self) -> None:
        """Wait until the next request may go; turns are given in the order asked."""
        wait = self.take(asyncio.get_running_loop().time())
        if wait > 0:
            await asyncio.sleep(wait)

    def take(self, now: float) -> float:
        """Take the next turn; seconds until it comes, by the clock that tells `now`."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self.rate)


class Paces:
    """The buckets of all hosts; connections of one host share one."""

    def __init__(self) -> None:
        self._by_host: dict[str, Pace] = {}

    def of(self, host: str, *, rate: float, burst: int) -> Pace:
        pace = self._by_host.get(host)
        if pace is None or (pace.rate, pace.burst) != (rate, burst):
            pace = self._by_host[host] = Pace(rate=rate, burst=burst)
        return pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a peer answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return msgspec.json.decode(self.text)
        except (msgspec.DecodeError, RecursionError):
            return None

    @property
    def after(self) -> timedelta | None:
        """How long Retry-After asks to wait: seconds, or a date against the answer's own."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return min(timedelta(seconds=int(text[:9])), LONGEST_AFTER)
        try:
            wait = parsedate_to_datetime(text) - parsedate_to_datetime(
                self.headers.get("Date", "")
            )
        except (ValueError, TypeError):
            return None
        return max(timedelta(), min(wait, LONGEST_AFTER))


@dataclass(slots=True)
class Wire:
    """What one attempt asked, was answered and learnt."""

    http: aiohttp.ClientSession
    paces: Paces
    secrets: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    code: int | None = None  # the last answer's status
    learnt: dict[tuple[str, UUID], str | None] = field(default_factory=dict)

    def remember(self, kind: str, local_id: UUID, remote_id: str | None) -> None:
        """The destination's id of our object; None: it has none any more."""
        self.learnt[kind, local_id] = remote_id

    async def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | aiohttp.FormData | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        shown: str = "",
        rate: float = 50.0,
        burst: int = 50,
        longest: float = TOTAL,
        most: int = MOST,
    ) -> Answer:
        """One request and its answer, whatever its status.

        `shown` stands for the body in the attempt's row; seconds in `longest`, bytes in
        `most`. Raises Unanswered when it may have arrived, DeliveryFailed when it did not.
        """
        await self.paces.of(_host(url), rate=rate, burst=burst).turn()
        query = "?" + "&".join(f"{k}={v}" for k, v in params.items()) if params else ""
        self.asked.append(self.clean(f"{method} {url}{query}\n{shown}".strip()))
        self.code = None
        try:
            async with self.http.request(
                method,
                url,
                data=body,
                headers=headers,
                params=params,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=longest, sock_connect=CONNECT),
            ) as response:
                self.code = response.status
                text = await _text(response, most)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._trouble(error) from error
        self.answered.append(self.clean(f"{response.status}\n{text}".strip()))
        return Answer(status=response.status, headers=response.headers, text=text)

    def _trouble(self, error: Exception) -> DeliveryFailed:
        if isinstance(error, aiohttp.ClientConnectorError):
            inner = error.os_error
            if isinstance(inner, PrivateHost):
                return DeliveryFailed(
                    f"{inner}; SKVOZ_PRIVATE_HOSTS=yes would allow it", broken=True
                )
            return DeliveryFailed(self.clean(f"no connection: {inner}"))
        if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
            return DeliveryFailed("the address is not a valid one", broken=True)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return DeliveryFailed("no connection in time")
        if isinstance(error, TimeoutError):
            return Unanswered("no answer in time")
        return Unanswered(self.clean(f"{type(error).__name__}: {error}"))

    def clean(self, text: str) -> str:
        """The text without the connection's secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "•••")
        return text.replace("\0", "")

    @property
    def request(self) -> str:
        """All that was asked, as the attempt's row keeps it."""
        return _bounded(self.asked)

    @property
    def answer(self) -> str:
        """All that was answered, as the attempt's row keeps it."""
        return _bounded(self.answered)


def refused(answer: Answer, *, what: str = "") -> DeliveryFailed:
    """The failure that a status means where the peer says nothing more exact."""
    status = answer.status
    text = what or " ".join(answer.text.split())[:ERROR]
    message = f"HTTP {status}: {text}" if text else f"HTTP {status}"
    if status in (401, 402, 403):
        return DeliveryFailed(message, broken=True)
    if status in (408, 425, 429) or status >= 500:
        return DeliveryFailed(message, after=answer.after)
    return DeliveryFailed(message, permanent=True)


def secrets_of(values: Iterable[str]) -> tuple[str, ...]:
    """What must not be shown, the longest first; too short to be one are left out."""
    return tuple(sorted({v for v in values if len(v) >= 6}, key=len, reverse=True))


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


async def _text(response: aiohttp.ClientResponse, most: int) -> str:
    """At most so many bytes of the body; the rest is never read."""
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk
        if len(kept) >= most:
            response.close()
            break
    return bytes(kept[:most]).decode("utf-8", "replace")


def _bounded(parts: list[str]) -> str:
    """Everything where it fits; else of each exchange its beginning."""
    text = "\n\n".join(parts)
    if len(text) <= KEPT:
        return text
    share = max(200, KEPT // len(parts) - 4)
    short = (part if len(part) <= share else part[:share] + " …" for part in parts)
    return "\n\n".join(short)[:KEPT]
