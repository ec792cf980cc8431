import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import asyncpg
import pytest

from tests.conftest import NOON, Postgres
from tests.fakes import Trouble
from tests.fakes.webhook import SECRET, Receiver
from tests.tracker.owing import House, Owed
from tracker import db as database
from tracker import worker as workers
from tracker.seal import Seal, WrongKey
from tracker.sites import EMPTY, Directory
from tracker.worker import Loop, Worker

PATIENCE = 20.0
GONE = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def hook(receiver: Receiver) -> dict[str, str]:
    return {"kind": "webhook", "url": receiver.url, "secret": SECRET}


@pytest.fixture
def worker(house: House, http: aiohttp.ClientSession) -> Worker:
    return Worker(house.pool, house.directory, http)


async def running(worker: Worker, work: Callable[[], Awaitable[None]]) -> float:
    """Do it while the worker runs; returns how long stopping took, in seconds."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        await work()
    finally:
        stop.set()
        began = time.monotonic()
        await asyncio.wait_for(task, PATIENCE)
    return time.monotonic() - began


async def test_what_becomes_owed_while_it_runs_is_delivered(
    house: House, worker: Worker
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))

        async def work() -> None:
            first = await house.contact(at=datetime.now(UTC))
            await house.contact(like=first, at=datetime.now(UTC))
            await until(lambda: len(crm.messages) == 2)

        await running(worker, work)

    assert await house.states() == ["delivered", "delivered"]


async def test_a_loop_that_crashes_comes_again_and_does_not_stop_the_others(
    house: House, worker: Worker, monkeypatch, caplog
):
    turns = []

    async def crash(worker: Worker, at: datetime) -> None:
        turns.append(at)
        raise ZeroDivisionError

    loops = (Loop(name="bad", run=crash, period=0.01), *workers.LOOPS)
    monkeypatch.setattr(workers, "LOOPS", loops)
    monkeypatch.setattr(workers, "PAUSE", 0.01)
    async with Receiver() as crm:
        await house.open(crm=hook(crm))

        async def work() -> None:
            await until(lambda: len(turns) >= 2)
            await house.contact(at=datetime.now(UTC))
            await until(lambda: len(crm.messages) == 1)

        await running(worker, work)

    assert "worker loop crashed" in caplog.text


async def test_a_stop_breaks_off_what_hangs_and_gives_the_claim_back(
    house: House, worker: Worker, monkeypatch
):
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        crm.fail(Trouble(hang=True))

        async def work() -> None:
            await house.contact(at=datetime.now(UTC))
            await claimed(house)

        took = await running(worker, work)
        assert took < 5
        row = await house.pool.fetchrow("SELECT * FROM deliveries")
        assert row is not None
        assert (row["state"], row["claimed_until"]) == ("owed", None)
        assert row["due_at"] <= datetime.now(UTC)
        await house.carry(datetime.now(UTC))
        assert len(crm.messages) == 1


async def claimed(house: House) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await house.pool.fetchval(
        "SELECT true FROM deliveries WHERE claimed_until IS NOT NULL"
    ):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_postgresql_coming_late_is_waited_for(
    postgres: Postgres, seal: Seal, http: aiohttp.ClientSession, monkeypatch
):
    monkeypatch.setattr(workers, "PAUSE", 0.01)
    name = "late_for_the_worker"
    pool = await database.open_lazily(postgres.url(name))
    directory = Directory(pool, seal)
    admin = await asyncpg.connect(postgres.url("postgres"))
    try:

        async def work() -> None:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE template_skvoz")
            await until(lambda: directory.now is not EMPTY)

        await running(Worker(pool, directory, http), work)
    finally:
        pool.terminate()
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def test_connections_that_are_cut_are_made_anew(house: House, worker: Worker):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))

        async def work() -> None:
            await house.contact(at=datetime.now(UTC))
            await until(lambda: len(crm.messages) == 1)
            admin = await asyncpg.connect(**await address(house))
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await admin.close()
            made = await again(lambda: house.contact(at=datetime.now(UTC)))
            await until(lambda: len(crm.taken) == 2)
            assert made.contact

        await running(worker, work)


async def address(house: House) -> dict[str, str]:
    row = await house.pool.fetchrow(
        "SELECT current_database() AS database, "
        "current_setting('unix_socket_directories') AS host"
    )
    assert row is not None
    return {**row, "user": "postgres"}


async def again(work: Callable[[], Awaitable[Owed]]) -> Owed:
    """Do it until the pool has seen that its connections are gone."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await work()
        except GONE:
            assert time.monotonic() < deadline


async def test_settings_sealed_with_another_key_end_the_worker(
    house: House, http: aiohttp.ClientSession
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        other = Directory(house.pool, Seal("another key"))
        with pytest.raises(WrongKey):
            await Worker(house.pool, other, http).run(asyncio.Event())


async def test_the_months_to_come_have_their_partitions(house: House, worker: Worker):
    await workers.make_partitions(worker, datetime(2031, 5, 5, tzinfo=UTC))
    names = {
        row["relname"]
        for row in await house.pool.fetch(
            "SELECT relname FROM pg_class WHERE relname LIKE 'sessions_2031%'"
        )
    }
    assert {"sessions_2031_04", "sessions_2031_05", "sessions_2031_08"} <= names


async def test_a_call_that_nobody_ended_is_taken_for_ended_and_told(
    house: House, worker: Worker
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        await house.contact(kind="call", owe=False)
        await workers.tend_calls(worker, NOON)
        assert await house.states() == []
        later = NOON.replace(hour=23)
        await workers.tend_calls(worker, later)
        await house.carry(later)

    assert crm.types == ["contact.updated"]
    assert crm.messages[0].data["call"]["ended"] is True


async def test_the_process_delivers_and_ends_at_sigterm(
    house: House, database_url: str, tmp_path
):
    async with Receiver() as crm:
        await house.open(crm=hook(crm))
        environment = {
            "DATABASE_URL": database_url,
            "SKVOZ_DATA": str(tmp_path),
            "SKVOZ_SECRET_KEY": "only for tests",
            "PATH": "",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tracker",
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        await house.contact(at=datetime.now(UTC))
        try:
            await until(lambda: len(crm.messages) == 1)
        finally:
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert process.returncode == 0, errors.decode()
    assert time.monotonic() - began < 8
    assert b"Traceback" not in errors


async def test_without_a_database_the_process_says_what_is_missing():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tracker",
        env={"PATH": ""},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().startswith("DATABASE_URL: is not set")
