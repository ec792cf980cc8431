"""A whole mail relay, listening, on the test's own database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import pytest
import uvloop

from mailrelay.forwarder import Administrator, Forwarder, Relaying
from mailrelay.limits import Limits
from mailrelay.parsing import Parser
from tests import make
from tests.fakes.smtp import NextHop
from tests.mailrelay.town import DOMAIN, HOST, Town
from tracker import db as database
from tracker import sites


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with NextHop() as hop:
        yield hop


@pytest.fixture
def limits() -> Limits:
    """Override with a parametrize or a fixture of the test's own."""
    return Limits()


@pytest.fixture
def trusted() -> bool:
    """Whether the tests' own address is exempt from limits by peer."""
    return False


@pytest.fixture
async def town(
    pool: database.Pool, hop: NextHop, limits: Limits, trusted: bool
) -> AsyncIterator[Town]:
    await make.site(pool, next_hop=hop.address)
    directory = sites.Directory(pool, make.SEAL)
    await directory.load()
    relaying = Relaying(
        domain=DOMAIN,
        host=HOST,
        marker_key=b"k" * 32,
        administrator=Administrator(address="boss@acme.example", next_hop=hop.address),
    )
    parser = Parser()
    town = Town(
        pool=pool,
        hop=hop,
        directory=directory,
        relaying=relaying,
        forwarder=Forwarder(pool, directory, relaying),
        parser=parser,
    )
    await town.open(limits, trusted=(ip_network("127.0.0.0/8"),) if trusted else ())
    yield town
    await town.close()
    await parser.close()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the relay runs in."""
    return {"uvloop": uvloop.new_event_loop}
