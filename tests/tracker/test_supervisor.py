"""`skvoz run` with real engines: started, killed, started again."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from tests.tracker import houses
from tests.tracker.houses import House, wait_for
from tracker import orphans

pytestmark = pytest.mark.xdist_group("supervisor")  # one makes the data for all


@pytest.fixture(scope="module")
def lived_in() -> Iterator[Path]:
    """Data that a server has started on once and was stopped."""
    with houses.house() as first:
        first.start()
        assert first.stop() == 0
        yield first.data


@pytest.fixture
def house(lived_in: Path) -> Iterator[House]:
    with houses.house(lived_in) as built:
        yield built


@pytest.fixture
def new_house() -> Iterator[House]:
    with houses.house() as built:
        yield built


def ask(house: House, statement: str) -> object:
    """One statement to its database."""

    async def work() -> object:
        connection = await asyncpg.connect(house.addresses.database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(work())


def can_ask(house: House) -> bool:
    try:
        return ask(house, "SELECT 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


def can_ping(house: House) -> bool:
    client = redis.Redis.from_url(house.addresses.redis_url)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()


def test_one_command_starts_everything_and_one_signal_stops_it(house):
    house.start()

    assert house.answers()
    assert can_ask(house)
    assert can_ping(house)
    link = re.search(r"http://localhost:\d+/sign-in/([\w-]{43})", house.said)
    assert link
    assert ask(house, "SELECT count(*) FROM signin_links WHERE expires_at > now()") == 2

    began = time.monotonic()
    assert house.stop() == 0
    assert time.monotonic() - began < 10
    assert house.children() == set()
    assert not (house.data / "engines.json").exists()


def test_a_second_run_on_the_same_data_says_so_and_leaves(house):
    house.start()

    second = house.command("run")

    assert house.process is not None
    assert second.returncode == 1
    assert f"already running on this data (pid {house.process.pid})" in second.stderr
    assert house.answers()


def test_commands_use_the_database_of_the_running_server(house):
    house.start()

    added = house.command("user", "add", "anna@acme.example")

    assert added.returncode == 0, added.stderr
    assert (
        ask(house, "SELECT count(*) FROM users WHERE email = 'anna@acme.example'") == 1
    )


def test_a_killed_engine_or_part_comes_back_by_itself(house):
    house.start()
    ask(house, "CREATE TABLE kept AS SELECT 1 AS one")
    postmaster = house.postmaster()
    [valkey] = orphans.in_folder(house.data / "run")
    parts = orphans.marked(house.data)

    orphans.tell({postmaster, valkey, *parts}, signal.SIGKILL)

    wait_for(lambda: house.postmaster() not in (0, postmaster), "another PostgreSQL")
    wait_for(lambda: can_ask(house), "PostgreSQL")
    wait_for(lambda: can_ping(house), "Valkey")
    wait_for(house.answers, "web")
    wait_for(lambda: len(orphans.marked(house.data)) == len(parts), "all parts")
    assert ask(house, "SELECT one FROM kept") == 1
    assert house.stop() == 0


def test_after_a_kill_of_everything_it_starts_again_with_what_was_committed(house):
    house.start()
    ask(house, "CREATE TABLE kept AS SELECT 1 AS one")

    house.kill_all()
    house.start()

    assert ask(house, "SELECT one FROM kept") == 1
    assert house.answers()


def test_killed_alone_it_takes_its_children_along_and_starts_again_at_once(house):
    house.start()
    ask(house, "CREATE TABLE kept AS SELECT 1 AS one")
    assert house.process is not None

    house.process.kill()
    house.process.wait()
    house.start()

    assert ask(house, "SELECT one FROM kept") == 1
    house.process.kill()
    house.process.wait()
    wait_for(lambda: not house.children(), "the children are gone")


def test_a_part_that_will_not_stop_does_not_hold_it_up(lived_in):
    with houses.house(lived_in, STUBBORN="yes") as house:
        house.start()

        began = time.monotonic()
        assert house.stop() == 0

        assert time.monotonic() - began < 10
        assert house.children() == set()


def test_told_to_stop_while_it_starts_it_leaves_nothing_behind(new_house):
    house = new_house
    with house.log.open("wb") as log:
        house.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tracker.stand_in", "run"],
            env=house.environment,
            stdout=log,
            stderr=log,
        )
    wait_for(lambda: (house.data / "postgres.new").exists(), "initdb begins")

    assert house.stop() == 0

    assert house.children() == set()
    house.start()
    assert house.answers()


def test_a_port_that_is_taken_is_named_with_the_remedy(new_house):
    house = new_house
    with socket.socket() as other:
        other.bind(("127.0.0.1", house.port))
        other.listen()

        refused = house.command("run")

    assert refused.returncode == 2
    assert f"port {house.port} is in use" in refused.stderr
    assert "SKVOZ_HTTP_PORT" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (house.data / "postgres").exists()


def test_with_both_addresses_set_no_engine_is_started(database_url, redis_url):
    with houses.house(DATABASE_URL=database_url, REDIS_URL=redis_url) as house:
        house.start()

        assert house.addresses.database_url == database_url
        assert not (house.data / "postgres").exists()
        assert orphans.in_folder(house.data / "run") == set()
        assert house.answers()
        assert house.stop() == 0


def test_with_one_address_set_only_the_other_engine_is_started(redis_url):
    with houses.house(REDIS_URL=redis_url) as house:
        house.start()

        assert house.addresses.redis_url == redis_url
        assert can_ask(house)
        assert orphans.in_folder(house.data / "run") == set()


def test_a_database_that_cannot_be_reached_is_told_without_its_password(redis_url):
    url = f"postgresql://me:hidden@127.0.0.1:{houses.free_port()}/skvoz"
    with houses.house(DATABASE_URL=url, REDIS_URL=redis_url) as house:
        refused = house.command("run")

    assert refused.returncode == 2
    assert "PostgreSQL cannot be reached" in refused.stderr
    assert "hidden" not in refused.stderr
    assert "Traceback" not in refused.stderr
