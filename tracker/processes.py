"""Child processes: started so that they end with us, kept running, stopped in good time.

A `Keeper` is had for each engine and each part; a `Crew` is those who stop together.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracker import launch
from tracker.errors import TrackerError

log = logging.getLogger(__name__)

FIRST_WAIT = 0.2  # seconds before a program that ended is started again …
LONGEST_WAIT = 30.0  # … doubled with each end up to this …
HEALTHY = 60.0  # … and forgotten once it has run this long

STDERR = 2  # where our children's lines go, as they are; standard output is for results

Step = tuple[signal.Signals, float]  # a signal, and how many seconds it is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run, and how it is asked to stop."""

    name: str
    command: tuple[str, ...]  # the first is a path
    environment: Mapping[str, str]
    folder: Path | None = None  # where it runs; None: where we do
    user: str | None = None
    steps: tuple[Step, ...] = ((signal.SIGTERM, 6.0),)  # then SIGKILL
    at_our_death: signal.Signals = signal.SIGKILL  # sent by the kernel


async def start(
    program: Program, *, stdout: int = STDERR
) -> asyncio.subprocess.Process:
    """Start it in a session of its own: Ctrl-C in our terminal is for us alone."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", launch.__file__),  # nothing but the standard library: it is quick
        *(str(os.getpid()), str(int(program.at_our_death)), program.user or ""),
        *program.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        env=dict(program.environment),
        cwd=program.folder,
        start_new_session=True,
    )


async def stop(process: asyncio.subprocess.Process, steps: Sequence[Step]) -> None:
    """Ask with one signal after another, and kill what is still there."""
    for number, patience in steps:
        if process.returncode is not None:
            return
        process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            log.warning("process did not stop in time", extra={"pid": process.pid})
    if process.returncode is None:
        process.kill()
        await process.wait()


async def nothing() -> None:
    """The preparation of a program that needs none."""


class Keeper:
    """Keeps one program running; `failures` counts its ends since it last was healthy."""

    def __init__(
        self, program: Program, prepare: Callable[[], Awaitable[None]] = nothing
    ) -> None:
        self.program = program
        self.failures = 0
        self._prepare = prepare  # awaited before every start
        self._process: asyncio.subprocess.Process | None = None
        self._began = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def start(self) -> None:
        """Start it once; raises what the preparation raises, and OSError."""
        await self._prepare()
        self._process = await start(self.program)
        self._began = asyncio.get_running_loop().time()

    async def keep(self) -> None:
        """Start it again whenever it ends, until cancelled."""
        while True:
            if self._process is not None:
                await self._mourn(self._process)
            await asyncio.sleep(
                min(FIRST_WAIT * 2 ** min(self.failures - 1, 10), LONGEST_WAIT)
            )
            try:
                await self.start()
            except (OSError, TrackerError) as error:
                self.failures += 1
                log.error(
                    "part cannot start",
                    extra={"part": self.program.name, "reason": str(error)},
                )

    async def stop(self) -> None:
        """End it, within the patience of its steps."""
        if self._process is not None:
            await stop(self._process, self.program.steps)

    async def _mourn(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self._process = None
        now = asyncio.get_running_loop().time()
        self.failures = 1 if now - self._began >= HEALTHY else self.failures + 1
        log.warning(
            "part ended and is started again",
            extra={"part": self.program.name, "code": code, "ends": self.failures},
        )


class Crew:
    """Keepers at work, stopped together."""

    def __init__(self) -> None:
        self._keepers: list[Keeper] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, keeper: Keeper) -> None:
        """Start its program and keep it running; raises what `Keeper.start` raises."""
        self._keepers.append(keeper)
        await keeper.start()
        self._tasks.append(asyncio.create_task(keeper.keep()))

    async def watch(self) -> None:
        """Wait; keeping ends only by a bug, which is raised."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Keep nothing any more, and end all of them at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers))
