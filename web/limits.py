"""Who asks, and how often he may.

Counts are kept in Valkey, shared by all web processes; while it is away each process counts
for itself, so that a limit is never gone.
"""

import time
from collections import OrderedDict
from datetime import timedelta
from ipaddress import ip_address

import redis.asyncio
from aiohttp import web

from numberpool import nodes
from tracker import config
from tracker.errors import TooMany
from web import keys

REMEMBERED = 20_000  # counters a process keeps for itself
FORWARDED = 512  # characters of X-Forwarded-For that are looked at

_own: OrderedDict[tuple[str, int], int] = OrderedDict()


def peer(request: web.Request) -> str:
    """The address that asks; a listed proxy is believed about whom it speaks for."""
    settings = request.app[keys.SETTINGS]
    address = request.remote or ""
    if not settings.proxies or not _within(address, settings.proxies):
        return address
    hops = request.headers.get("X-Forwarded-For", "")[-FORWARDED:].split(",")
    for hop in reversed([hop.strip() for hop in hops]):
        if hop and not _within(hop, settings.proxies):
            return hop
    return address


def told_by_proxy(request: web.Request, header: str) -> str:
    """What a listed proxy says in this header; empty when somebody else asks.

    A proxy that adds its own after what a stranger sent is believed in the last one.
    """
    values = request.headers.getall(header, ())
    if not values or not _within(
        request.remote or "", request.app[keys.SETTINGS].proxies
    ):
        return ""
    return str(values[-1])


def is_local(request: web.Request) -> bool:
    """Somebody on this very machine, not a proxy that speaks for others."""
    return (
        request.remote in ("127.0.0.1", "::1")
        and "X-Forwarded-For" not in request.headers
    )


async def check(
    request: web.Request, what: str, *, most: int, seconds: int, who: str | None = None
) -> None:
    """Count one more for this peer (or for `who`); raises TooMany over `most` in the period."""
    address = peer(request)
    if who is None and _within(address, request.app[keys.SETTINGS].trusted_networks):
        return
    await hit(
        request.app[keys.REDIS], f"{what}:{who or address}", most=most, seconds=seconds
    )


async def hit(
    valkey: redis.asyncio.Redis, key: str, *, most: int, seconds: int
) -> None:
    """Count one more under the key; raises TooMany when that is over `most` a period."""
    period = int(time.time()) // seconds
    name = f"limit:{key}:{period}"
    try:
        async with valkey.pipeline(transaction=False) as pipe:
            pipe.incr(name)
            pipe.expire(name, seconds + 1)
            count = int((await pipe.execute())[0])
    except nodes.TROUBLE:
        count = _count_here(key, period)
    if count > most:
        after = timedelta(seconds=seconds - time.time() % seconds)
        raise TooMany("too many requests; try again later", after=after)


def _count_here(key: str, period: int) -> int:
    count = _own.pop((key, period), 0) + 1
    _own[key, period] = count
    if len(_own) > REMEMBERED:
        _own.popitem(last=False)
    return count


class Quick:
    """Counts in this process only, for doors too busy to ask Valkey each time."""

    def __init__(self, *, most: int, seconds: int) -> None:
        self._most = most
        self._seconds = seconds
        self._period = 0
        self._counts: dict[str, int] = {}
        self._trusted: set[str] = set()

    def check(self, request: web.Request) -> None:
        """Raises TooMany when this peer is over the limit of the period."""
        period = int(time.monotonic()) // self._seconds
        if period != self._period:
            self._period, self._counts, self._trusted = period, {}, set()
        address = peer(request)
        count = self._counts.get(address, 0) + 1
        self._counts[address] = count
        if count <= self._most or address in self._trusted:
            return
        if not _within(address, request.app[keys.SETTINGS].trusted_networks):
            raise TooMany(
                "too many requests; try again later",
                after=timedelta(seconds=self._seconds),
            )
        self._trusted.add(address)


def _within(address: str, networks: tuple[config.Network, ...]) -> bool:
    if not networks:
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)
