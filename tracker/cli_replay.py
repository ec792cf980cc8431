"""`skvoz replay`: recorded or simulated traffic through the real lending and posterior."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from numberpool import replay
from tracker import console
from tracker.errors import BadInput

CHUNK = 4096  # lines between two looks at the progress
LONGEST = 64 * 1024  # bytes of a line


class Late(StrEnum):
    """When to wait for the reveal before a number is given."""

    ALWAYS = "always"
    PEAK = "peak"
    NEVER = "never"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay_)


def replay_(
    numbers: Annotated[
        int, typer.Option(metavar="N", help="how many numbers the pool has")
    ],
    events: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="visits, beats and calls, a JSON object a line, in the order of time",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="the answers, a line a call")
    ],
    share: Annotated[
        Switch, typer.Option(help="share a number when none is idle")
    ] = Switch.ON,
    late: Annotated[Late, typer.Option(help="when to wait for the reveal")] = Late.PEAK,
    rest: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="how long a number is unseen before it is given at once",
        ),
    ] = 0.0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="leave bad lines out and tell how many")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False,
) -> None:
    """Run recorded or simulated traffic through the real lending, learning and posterior.

    By the events' own clock, without servers. Each answer uses only what stands above its
    call. A bad line ends the run, named by its number, and nothing is written.
    """
    try:
        pool = replay.Replay(
            numbers, share=share is Switch.ON, late=late.value, rest=rest
        )
    except ValueError as error:
        raise BadInput(str(error), field="numbers") from None
    bad: list[replay.BadLine] | None = [] if skip_bad else None
    began = time.monotonic()
    draft = out.with_name(out.name + ".part")
    try:
        with events.open("rb") as told, draft.open("wb") as written, _progress() as bar:
            lines = _Lines(told, events.stat().st_size, bar)
            calls = _write(replay.run(lines, pool, bad), written)
        draft.replace(out)
    except replay.BadLine as error:
        raise BadInput(str(error), field="events") from None
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    seconds = time.monotonic() - began
    if as_json:
        report = {
            "lines": lines.count,
            "calls": calls,
            "skipped": len(bad or ()),
            "seconds": round(seconds, 3),
            "model": pool.learner.model.version,
        }
        console.result(msgspec.json.encode(report).decode())
        return
    for one in (bad or ())[:10]:
        console.complain(str(one))
    if bad:
        console.say(f"{len(bad)} lines were left out.")
    rate = lines.count / max(seconds, 1e-9)
    console.say(
        f"{lines.count} lines, {calls} calls, {rate:,.0f} lines a second: {out}"
    )


class _Lines:
    """The lines of a file, counted, with the progress told now and then."""

    def __init__(self, file: BinaryIO, size: int, bar: Progress) -> None:
        self._file = file
        self._bar = bar
        self._task = bar.add_task("Replaying", total=size)
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        while line := self._file.readline(LONGEST):
            self.count += 1
            done += len(line)
            yield line
            if self.count % CHUNK == 0:
                self._bar.update(self._task, completed=done)


def _write(answers: Iterator[replay.Attribution], file: BinaryIO) -> int:
    encoder, calls = msgspec.json.Encoder(), 0
    for answer in answers:
        file.write(encoder.encode(answer) + b"\n")
        calls += 1
    return calls


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console.words,
        transient=True,
    )
