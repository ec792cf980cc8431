"""Processes that an earlier run left behind on the same data.

When the supervisor is killed the kernel ends its children (`tracker.launch`); this finds
what is still there nevertheless: on a machine that cannot do so, or in the moment between.
Engines are known by their working folder, parts by a mark in their environment. Where there
is no /proc, or it may not be read, the answer is: none.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Collection, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

MARK = "SKVOZ_SUPERVISED"  # set in the environment of every part to the data's path
LOOK_AGAIN = 0.05  # seconds
PROC = Path("/proc")


def in_folder(folder: Path) -> set[int]:
    """Those whose working folder this is."""
    return {pid for pid in _others() if _working_folder(pid) == folder}


def marked(data: Path) -> set[int]:
    """Parts of an earlier run on this data."""
    mark = os.fsencode(f"{MARK}={data}")
    return {pid for pid in _others() if mark in _environment(pid).split(b"\0")}


def tell(pids: Collection[int], number: signal.Signals) -> None:
    """Send the signal to those who are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2][1:2] != b"Z"
    except OSError:
        return not PROC.is_dir()


async def gone(pids: Collection[int], patience: float) -> bool:
    """Wait until all of them are gone, for so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while any(alive(pid) for pid in pids):
        if loop.time() > deadline:
            return False
        await asyncio.sleep(LOOK_AGAIN)
    return True


async def end(pids: Collection[int], patience: float = 10.0) -> None:
    """Kill those who keep nothing that matters."""
    if pids:
        log.warning("processes of an earlier run ended", extra={"count": len(pids)})
        tell(pids, signal.SIGKILL)
        await gone(pids, patience)


def _others() -> Iterator[int]:
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield int(entry.name)


def _working_folder(pid: int) -> Path | None:
    try:
        return (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def _environment(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""
