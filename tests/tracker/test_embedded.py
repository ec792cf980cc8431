"""The embedded engines: where they live, and what an earlier run may have left."""

import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from tests.tracker import houses
from tracker import embedded, engines, orphans
from tracker.embedded import Unsafe
from tracker.engines import EngineFailed
from tracker.postgres import WrongData
from tracker.processes import Crew

pytestmark = pytest.mark.xdist_group("embedded")  # one makes the data for all


def silent(text: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Where data that were made once are kept."""
    folder = houses.quick_folder("skvoz-made-")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
async def data(made: Path) -> AsyncIterator[Path]:
    """A folder of data on which a server was started and stopped before."""
    if not made.exists():
        crew = Crew()
        made.mkdir()
        await engines.start_postgres(crew, made, silent)
        await crew.stop()
    folder = houses.quick_folder("skvoz-data-")
    subprocess.run(["cp", "-a", made, folder / "data"], check=True)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    crew = Crew()
    yield crew
    await crew.stop()


async def ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def owner(path: Path) -> str | None:
    """Whom to start a program as, for it to be like the server's own."""
    user = embedded.postgres_user()
    embedded.let_in(path, user)
    assert user is None or pwd.getpwuid(path.stat().st_uid).pw_name == user
    return user


async def test_the_server_is_durable_and_only_its_owner_reaches_it(data, crew):
    url = await engines.start_postgres(crew, data, silent)

    for name, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }.items():
        assert await ask(url, f"SHOW {name}") == value
    assert await ask(url, "SELECT lower('ЗВОНОК')") == "звонок"
    assert (data / "run").stat().st_mode & 0o777 == 0o700
    assert (data / "postgres").stat().st_mode & 0o777 == 0o700


async def test_a_data_path_too_long_for_a_socket_works_all_the_same(data, crew):
    deep = data.parent / ("long" * 20) / ("deep" * 10)
    deep.parent.mkdir()
    data.rename(deep)
    sockets = embedded.socket_folder(deep)
    assert deep not in sockets.parents

    try:
        url = await engines.start_postgres(crew, deep, silent)
        assert await ask(url, "SELECT 1") == 1
        valkey = await engines.start_valkey(crew, deep, silent)
        assert str(sockets) in valkey
    finally:
        await crew.stop()
        shutil.rmtree(sockets)


async def test_a_server_that_an_earlier_run_left_is_stopped_first(data, crew):
    user = owner(data / "postgres")
    command = [embedded.postgres_programs() / "postgres", "-D", data / "postgres"]
    options = [
        "-c",
        "listen_addresses=",
        "-c",
        f"unix_socket_directories={data / 'run'}",
    ]
    earlier = subprocess.Popen(
        [*command, *options],
        user=user,
        cwd=data / "postgres",
        stderr=subprocess.DEVNULL,
    )
    with earlier:
        try:
            while not (data / "run/.s.PGSQL.5432").exists():
                assert earlier.poll() is None

            url = await engines.start_postgres(crew, data, silent)

            assert await ask(url, "SELECT 1") == 1
            assert earlier.wait(10) == 0  # in good order
        finally:
            earlier.kill()


async def test_a_stale_lock_that_names_another_program_by_now_does_not_hold_it_up(
    data, crew
):
    user = owner(data / "postgres")
    sleep = [shutil.which("sleep") or "/bin/sleep", "600"]
    with subprocess.Popen(sleep, user=user, cwd="/") as stranger:
        try:
            stale = data / "postgres/postmaster.pid"
            stale.write_text(
                f"{stranger.pid}\n{data / 'postgres'}\n1\n5432\n\n\n0 0\nready\n"
            )

            url = await engines.start_postgres(crew, data, silent)

            assert await ask(url, "SELECT 1") == 1
            assert orphans.alive(stranger.pid)
        finally:
            stranger.kill()


async def test_data_of_another_major_release_are_left_alone(data, crew):
    (data / "postgres/PG_VERSION").write_text("15\n")

    with pytest.raises(WrongData, match=r"PostgreSQL 15, this release brings 18: dump"):
        await engines.start_postgres(crew, data, silent)


async def test_a_server_that_only_ends_is_given_up_with_a_word(data, crew, monkeypatch):
    monkeypatch.setattr(engines, "TOO_OFTEN", 2)
    (data / "postgres/global/pg_control").unlink()

    with pytest.raises(EngineFailed, match="postgres does not start"):
        await engines.start_postgres(crew, data, silent)


async def test_valkey_keeps_nothing_on_disk_and_forgets_nothing_at_random(data, crew):
    url = await engines.start_valkey(crew, data, silent)

    client = redis.asyncio.Redis.from_url(url, decode_responses=True)
    try:
        terms = await client.config_get("*")
    finally:
        await client.aclose()
    assert terms["save"] == ""
    assert terms["appendonly"] == "no"
    assert terms["maxmemory-policy"] == "noeviction"
    assert terms["port"] == "0"


def test_the_socket_folder_is_short_for_every_path():
    for length in (1, 50, 100, 1000):
        data = Path("/srv") / ("д" * length)
        assert len(os.fsencode(embedded.socket_folder(data))) <= embedded.LONGEST_FOLDER
    one, other = (embedded.socket_folder(Path("/srv") / (name * 200)) for name in "ab")
    assert one != other


def test_a_folder_that_is_somebody_elses_link_is_not_used(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")

    with pytest.raises(Unsafe, match="remove it"):
        embedded.own_folder(tmp_path / "link", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_belongs_to_another_user_is_not_used(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 54321, -1)

    with pytest.raises(Unsafe, match="belongs to somebody else"):
        embedded.own_folder(folder, None)


def test_programs_installed_under_a_strict_umask_are_opened_for_the_system_user(
    tmp_path,
):
    programs = tmp_path / "pginstall/bin"
    programs.mkdir(parents=True, mode=0o700)
    program, text = programs / "postgres", tmp_path / "pginstall/share"
    program.touch(0o700)
    text.touch(0o600)
    programs.parent.chmod(0o700)

    embedded.let_run(programs, embedded.SYSTEM_USER)

    assert program.stat().st_mode & 0o777 == 0o755
    assert text.stat().st_mode & 0o777 == 0o644
    assert programs.parent.stat().st_mode & 0o055 == 0o055


def test_the_programs_are_there_and_of_the_release_we_name():
    version = subprocess.run(
        [embedded.postgres_programs() / "postgres", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert " 18." in version
    assert embedded.valkey_program().is_file()
