"""A server with a site, and the line to the outside."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.tracker.owing import House
from tracker import db as database
from tracker.destinations import wire
from tracker.seal import Seal


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with wire.session(private_hosts=True) as session:
        yield session


@pytest.fixture
async def house(pool: database.Pool, seal: Seal, http: aiohttp.ClientSession) -> House:
    return House(pool, seal, http)
