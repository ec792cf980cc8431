"""A whole `skvoz run` in a process of its own, as an administrator starts and kills it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker import claim, embedded, orphans

ROOM = 1 << 30  # bytes; the largest test has three databases at once
PATIENCE = 90.0  # seconds; a busy machine with a slow disk takes its time


def wait_for(
    condition: Callable[[], object], what: str, patience: float = PATIENCE
) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def quick_folder(prefix: str) -> Path:
    """A temporary folder, in memory where there is room: the disk is not what we test."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if roomy else None))


class House:
    """One data folder, and the server that runs on it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.log = folder / "log"
        self.environment = {
            **{key: value for key, value in os.environ.items() if "_URL" not in key},
            "SKVOZ_DATA": str(self.data),
            "SKVOZ_HTTP_HOST": "127.0.0.1",
            "SKVOZ_HTTP_PORT": str(self.port),
            "SKVOZ_SMTP_PORT": str(free_port()),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tests.tracker.stand_in", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.tracker.stand_in", "run"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self.ended or "Skvoz is ready" in self.said, "ready")
        assert not self.ended, self.said

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def addresses(self) -> claim.Addresses:
        found = claim.published(self.data)
        assert found is not None
        return found

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/healthz", timeout=5
            ):
                return True
        except OSError:
            return False

    def postmaster(self) -> int:
        """The process id of its PostgreSQL; 0 while there is none."""
        try:
            return int((self.data / "postgres/postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return 0

    def children(self) -> set[int]:
        """Everything that was started for these data."""
        return (
            orphans.in_folder(self.data / "postgres")
            | orphans.in_folder(embedded.socket_folder(self.data))
            | orphans.marked(self.data)
        )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        assert self.process is not None
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill_all(self) -> None:
        """What a power cut leaves."""
        assert self.process is not None
        doomed = self.children()
        self.process.kill()
        orphans.tell(doomed, signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def house(like: Path | None = None, **environment: str) -> Iterator[House]:
    """A house whose data are a copy of those of an earlier one, which saves seconds."""
    folder = quick_folder("skvoz-house-")
    built = House(folder, **environment)
    if like is not None:
        subprocess.run(["cp", "-a", like, built.data], check=True)
    try:
        yield built
    finally:
        if built.process is not None and not built.ended:
            built.stop()  # in good order: a killed PostgreSQL leaves shared memory behind
        wait_for(lambda: not built.children(), "its processes are gone")
        shutil.rmtree(folder, ignore_errors=True)
