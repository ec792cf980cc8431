"""The command `skvoz` as a shell runs it, on a test's own database."""

import os
import subprocess
import sys
from pathlib import Path


def environment(database_url: str, folder: Path) -> dict[str, str]:
    """This process's, with the settings of a server whose data is in that folder."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "SKVOZ_DATA": str(folder / "data"),
        "SKVOZ_SECRET_KEY": "only for tests",
    }


def skvoz(
    environment: dict[str, str], *arguments: str, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """What the command answered."""
    return subprocess.run(
        [sys.executable, "-m", "tracker.cli", *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
