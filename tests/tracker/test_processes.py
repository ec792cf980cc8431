"""Child processes: kept running, stopped in good time, gone when we are."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tracker.houses import wait_for
from tracker import orphans, processes
from tracker.errors import TrackerError
from tracker.processes import Crew, Keeper, Program

ENVIRONMENT = dict(os.environ)


def program(code: str, *arguments: str, **changes: object) -> Program:
    return Program(
        name="test",
        command=(sys.executable, "-c", code, *arguments),
        environment=ENVIRONMENT,
        **changes,  # type: ignore[arg-type]
    )


APPEND = "import sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n')"
IGNORE = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)


async def until(condition, what: str) -> None:
    await asyncio.to_thread(wait_for, condition, what)


async def test_what_ends_is_started_again_each_time_after_a_longer_wait(tmp_path):
    starts = tmp_path / "starts"
    starts.touch()
    crew = Crew()
    keeper = Keeper(program(APPEND, str(starts)))

    await crew.start(keeper)
    await until(lambda: starts.read_text().count("\n") >= 4, "four starts")
    await crew.stop()

    moments = [float(line) for line in starts.read_text().splitlines()]
    waits = [later - sooner for sooner, later in itertools.pairwise(moments)][:3]
    assert waits[0] >= 0.2
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8
    assert keeper.failures >= 3


async def test_what_cannot_be_prepared_is_tried_again(tmp_path):
    tries = itertools.count()

    async def prepare() -> None:
        if next(tries) in (1, 2):
            raise TrackerError("not yet")

    started = tmp_path / "started"
    started.touch()
    crew = Crew()
    await crew.start(Keeper(program(APPEND, str(started)), prepare))
    await until(lambda: started.read_text().count("\n") >= 2, "a second start")
    await crew.stop()

    assert next(tries) >= 4


async def test_one_who_does_not_stop_when_asked_is_killed(tmp_path):
    ready = tmp_path / "ready"
    stubborn = program(IGNORE, str(ready), steps=((signal.SIGTERM, 0.2),))
    crew = Crew()
    keeper = Keeper(stubborn)
    await crew.start(keeper)
    await until(ready.exists, "it ignores the signal")
    pid = keeper.pid
    assert pid is not None

    await crew.stop()

    assert not orphans.alive(pid)
    assert keeper.pid is None


async def test_a_program_that_is_not_there_ends_with_127(capfd):
    missing = Program(name="x", command=("/nowhere/at/all",), environment=ENVIRONMENT)

    process = await processes.start(missing)

    assert await process.wait() == 127
    assert "/nowhere/at/all cannot be run" in capfd.readouterr().err


PARENT = """
import asyncio, os, sys, time
from tracker import processes
async def main():
    code = "import time; time.sleep(600)"
    command = (sys.executable, "-c", code)
    child = processes.Program(name="child", command=command, environment=dict(os.environ))
    process = await processes.start(child)
    print(process.pid, flush=True)
    await process.wait()
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_a_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert orphans.alive(child)

        parent.kill()

    wait_for(lambda: not orphans.alive(child), "the child is gone")


async def test_a_child_is_deaf_to_the_ctrl_c_of_our_terminal():
    process = await processes.start(program("import time; time.sleep(600)"))
    try:
        assert os.getpgid(process.pid) != os.getpgid(0)
    finally:
        await processes.stop(process, ())


def test_those_of_an_earlier_run_are_found_by_mark_and_by_folder(tmp_path: Path):
    folder = tmp_path.resolve()
    other = folder / "other"
    other.mkdir()
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    mark = {**ENVIRONMENT, orphans.MARK: str(folder)}
    with (
        subprocess.Popen(sleep, env=mark, stdout=subprocess.PIPE) as marked,
        subprocess.Popen(sleep, cwd=folder, stdout=subprocess.PIPE) as within,
        subprocess.Popen(sleep, cwd=other, stdout=subprocess.PIPE) as elsewhere,
    ):
        try:
            for one in (marked, within, elsewhere):
                assert one.stdout is not None
                one.stdout.readline()

            assert orphans.marked(folder) == {marked.pid}
            assert orphans.in_folder(folder) == {within.pid}
        finally:
            for one in (marked, within, elsewhere):
                one.kill()


async def test_waiting_for_the_gone_ends_in_time_and_zombies_are_gone():
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"]
    ) as one:
        began = time.monotonic()
        assert not await orphans.gone([one.pid], 0.1)
        assert time.monotonic() - began < 5

        one.kill()  # nobody has asked for its exit code yet

        assert await orphans.gone([one.pid], 10)
