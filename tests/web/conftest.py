"""The web process as a client meets it, on real stores."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from aiohttp import test_utils

from tracker import config
from tracker import db as database
from web import app

Client = test_utils.TestClient[Any, Any]


@pytest.fixture
def proxies() -> str:
    """Whose word about others is believed."""
    return ""


@pytest.fixture
async def client(
    database_url: str,
    pool: database.Pool,
    redis_url: str,
    valkey: redis.asyncio.Redis,
    tmp_path: Path,
    proxies: str,
) -> AsyncIterator[Client]:
    settings = config.read(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SKVOZ_DATA": str(tmp_path),
            "SKVOZ_SECRET_KEY": "only for tests",
            "SKVOZ_PUBLIC_URL": "https://track.example",
            "SKVOZ_MAIL_DOMAIN": "track.acme.example",
            "SKVOZ_VISIT_PATIENCE_MS": "20000",  # the machine may be busy
            "SKVOZ_PROXIES": proxies,
        }
    )
    built = app.build(settings, pool, valkey)
    async with test_utils.TestClient(test_utils.TestServer(built)) as client:
        yield client
