"""PostgreSQL as our own child process, on a socket that only we can reach.

It is the system of record and as durable as it is anywhere: it waits for the disk, and
recovers after a crash however long that takes.
"""

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from tracker import embedded, orphans, processes
from tracker.errors import TrackerError
from tracker.processes import Program

log = logging.getLogger(__name__)

DATABASE = "skvoz"
MAJOR = "18"
GIGABYTE = 1 << 30
STATUS_LINE = (
    7  # of postmaster.pid, from zero (PostgreSQL: src/include/utils/pidfile.h)
)
GRACE = 60.0  # seconds an earlier run's PostgreSQL has to finish by itself
QUICK = 10.0  # seconds until processes that were told to end at once are gone


class WrongData(TrackerError):
    """The data folder holds what this release cannot use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A PostgreSQL whose data are in `folder`."""

    folder: Path
    sockets: Path
    user: str | None
    quiet: bool = False  # for a short command: only what stops the server is said

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    def program(self, environment: Mapping[str, str]) -> Program:
        """The server; fast shutdown on SIGINT, at once on SIGQUIT."""
        arguments = [part for item in self._options() for part in ("-c", item)]
        return Program(
            name="postgres",
            command=(self._path("postgres"), "-D", str(self.folder), *arguments),
            environment=environment,
            folder=self.folder,
            user=self.user,
            steps=((signal.SIGINT, 2.5), (signal.SIGQUIT, 0.5)),
            at_our_death=signal.SIGINT,
        )

    def _options(self) -> tuple[str, ...]:
        sockets = str(self.sockets).replace('"', '""')
        return (
            "listen_addresses=",
            f'unix_socket_directories="{sockets}"',
            "unix_socket_permissions=0700",
            "max_connections=100",
            f"shared_buffers={_shared_buffers()}",
            "wal_compression=on",
            "jit=off",  # our statements are short: compiling them takes longer
            "timezone=UTC",
            "log_timezone=UTC",
            "log_checkpoints=off",
            f"log_min_messages={'fatal' if self.quiet else 'warning'}",
            "log_line_prefix=%m postgres[%p] ",
        )

    async def prepare(self, environment: Mapping[str, str]) -> None:
        """Make what is missing and end what is left of an earlier run."""
        embedded.own_folder(self.sockets, self.user)
        if not self.folder.exists():
            await self._create(environment)
        embedded.let_in(self.folder, self.user)
        version = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR:
            raise WrongData(
                f"{self.folder} was written by PostgreSQL {version}, this release brings "
                f"{MAJOR}: dump it with the release that wrote it, and restore the dump here"
            )
        await self._end_earlier()

    def is_ready(self, pid: int | None) -> bool:
        """Whether the server with this process id takes connections, as it says itself."""
        lines = self._status()
        mine = pid is not None and lines[:1] == [str(pid)]
        return mine and lines[STATUS_LINE : STATUS_LINE + 1] == ["ready"]

    async def open(self) -> None:
        """Make our database in a server that is ready."""
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            known = "SELECT true FROM pg_database WHERE datname = $1"
            if not await connection.fetchval(known, DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    async def _create(self, environment: Mapping[str, str]) -> None:
        """Run initdb beside, and move the result into place only when it is whole."""
        embedded.let_run(embedded.postgres_programs(), self.user)
        beside = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        embedded.own_folder(beside, self.user)
        command = (
            *(self._path("initdb"), "-D", str(beside), "-U", "postgres"),
            # Nobody else can enter the folder of the socket, the only way in.
            *("-A", "trust", "-E", "UTF8", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        )
        program = Program(
            name="initdb",
            command=command,
            environment=environment,
            folder=beside,
            user=self.user,
            at_our_death=signal.SIGKILL,
        )
        process = await processes.start(program, stdout=asyncio.subprocess.DEVNULL)
        try:
            code = await process.wait()
        finally:
            await processes.stop(process, program.steps)
        if code != 0:
            raise WrongData(f"{self.folder} could not be made: initdb says why above")
        beside.rename(self.folder)

    async def _end_earlier(self) -> None:
        """Stop a server, or what is left of one, that still uses these data."""
        lines = self._status()
        pid = int(lines[0]) if lines and lines[0].isdigit() else 0
        if pid and orphans.alive(pid):
            if not self._is_server(pid):
                # Another program has that id by now, and PostgreSQL would take it for one.
                (self.folder / "postmaster.pid").unlink(missing_ok=True)
            else:
                log.warning("earlier PostgreSQL is still there", extra={"pid": pid})
                orphans.tell([pid], signal.SIGINT)
                if not await orphans.gone([pid], GRACE):
                    orphans.tell([pid], signal.SIGQUIT)
                    await orphans.gone([pid], QUICK)
        if left := orphans.in_folder(self.folder):
            orphans.tell(left, signal.SIGQUIT)
            if not await orphans.gone(left, QUICK):
                await orphans.end(left)

    def _is_server(self, pid: int) -> bool:
        """Whether that process is a PostgreSQL server of this folder; if unknown, yes."""
        try:
            told = (orphans.PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return True
        return os.fsencode(self.folder) in told.split(b"\0")

    def _status(self) -> list[str]:
        try:
            text = (self.folder / "postmaster.pid").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _path(self, name: str) -> str:
        return str(embedded.postgres_programs() / name)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets))}"


def _shared_buffers() -> str:
    """Modest: the operating system's own cache does the rest."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return "256MB" if memory >= 4 * GIGABYTE else "128MB"
