"""Takes one test's database away, and gives it back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def of(database_url: str) -> AsyncIterator[None]:
    """Inside, nobody is or gets connected to that database."""
    before, _, rest = database_url.partition("@/")
    name, _, options = rest.partition("?")
    admin = await asyncpg.connect(f"{before}@/postgres?{options}")
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
        name,
    )
    try:
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()
