"""The dashboard on real stores, and a reader who has signed in."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.web.dashboard import make
from tracker import config, sites, users
from tracker import db as database
from tracker.seal import Seal
from web import dashboard, keys, middlewares

Client = TestClient[web.Request, web.Application]


def build(
    pool: database.Pool, valkey: redis.asyncio.Redis, seal: Seal, **settings: str
) -> web.Application:
    """An application with the dashboard's addresses alone."""
    app = web.Application(middlewares=[middlewares.errors_to_answers])
    app[keys.SETTINGS] = config.read(settings)
    app[keys.POOL] = pool
    app[keys.REDIS] = valkey
    app[keys.SEAL] = seal
    app[keys.DIRECTORY] = sites.Directory(pool, seal)
    app.add_routes(dashboard.routes())
    dashboard.setup(app)
    return app


@pytest.fixture
async def app(
    pool: database.Pool, valkey: redis.asyncio.Redis, seal: Seal
) -> web.Application:
    return build(pool, valkey, seal)


@pytest.fixture
async def world(pool: database.Pool, seal: Seal) -> make.World:
    """A site without any contact, and a user."""
    world = await make.site(pool, seal)
    await make.user(world)
    return world


@pytest.fixture
async def server(app: web.Application, world: make.World) -> AsyncIterator[TestServer]:
    await app[keys.DIRECTORY].load()
    server = TestServer(app)
    await server.start_server(shutdown_timeout=1)
    yield server
    await server.close()


@pytest.fixture
async def stranger(server: TestServer) -> AsyncIterator[Client]:
    """A browser nobody has signed in with; does not follow redirections by itself."""
    jar = aiohttp.CookieJar(unsafe=True)
    client: Client = TestClient(
        server, cookie_jar=jar, headers={"Accept-Language": "en"}
    )
    yield client
    await client.close()


@pytest.fixture
async def reader(stranger: Client, world: make.World) -> Client:
    """The same browser, signed in."""
    assert world.user is not None
    token = await users.sign_in(world.db, world.user.id, at=datetime.now(UTC))
    stranger.session.cookie_jar.update_cookies({"skvoz": token}, stranger.make_url("/"))
    return stranger
