"""The system under test, as anybody sees it: the command, a file in and a file out."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.attribution import answers, events
from tests.benchmarks.attribution.events import Event

COMMAND = Path(sys.executable).with_name("skvoz")
PATIENCE = 900  # seconds


def replay(happened: list[Event], numbers: int) -> answers.Run:
    """What `skvoz replay` answers, and how long it took, its start included.

    Raises `Broken` when the command fails or its answers break the format.
    """
    with tempfile.TemporaryDirectory(prefix="skvoz-bench-") as folder:
        told, answered = (
            Path(folder, "events.jsonl"),
            Path(folder, "attributions.jsonl"),
        )
        events.write(told, happened)
        began = time.perf_counter()
        done = subprocess.run(
            [COMMAND, "replay", "--numbers", str(numbers),
             "--events", told, "--out", answered],
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        if done.returncode:
            raise answers.Broken(f"skvoz replay: {done.stderr.strip()[-500:]}")
        return answers.Run(answers.read(answered), seconds)
