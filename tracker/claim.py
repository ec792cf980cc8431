"""Who is at work on a data folder: one process at a time, known by a locked file.

`skvoz run` also leaves the addresses of its engines there, for the other commands.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tracker.errors import TrackerError


class Taken(TrackerError):
    """Another process is at work on the data; `command` is `run` when it is the server."""

    def __init__(self, pid: str, command: str) -> None:
        what = "already running" if command == "run" else f"at work ({command})"
        super().__init__(f"skvoz is {what} on this data (pid {pid})")
        self.command = command


class CannotWrite(TrackerError):
    """The data folder cannot be made or written."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engines of a running server are reached."""

    pid: int
    database_url: str
    redis_url: str


@contextmanager
def of(data: Path, command: str) -> Iterator[None]:
    """Hold the folder for this command; raises Taken, CannotWrite.

    The lock goes with the process, however it ends; its children do not inherit it.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = (data / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise CannotWrite(
            f"{data}: {error.strerror}; set SKVOZ_DATA to a folder that can be written"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid, _, holder = file.read(100).strip().partition(" ")
            raise Taken(pid or "unknown", holder or "run") from None
        file.truncate(0)
        file.write(f"{os.getpid()} {command}\n")
        file.flush()
        yield


def publish(data: Path, addresses: Addresses) -> None:
    """Tell other commands where the engines are; readable by us alone."""
    beside = _path(data).with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_bytes(msgspec.json.encode(addresses))
    beside.replace(_path(data))


def withdraw(data: Path) -> None:
    """The engines are no longer there."""
    _path(data).unlink(missing_ok=True)


def published(data: Path) -> Addresses | None:
    """What the running server told; None while it is still starting."""
    try:
        return msgspec.json.decode(_path(data).read_bytes(), type=Addresses)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _path(data: Path) -> Path:
    return data / "engines.json"
