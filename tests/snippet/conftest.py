"""The snippet's pure modules in a real Node that stays up for a worker's tests."""

import json
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from web import snippet_build, snippet_config

DRIVER = Path(__file__).with_name("driver.mjs")
SPELLING = snippet_build.ROOT / "web/snippet/core/spelling.js"
PATIENCE = (
    60  # seconds; a megabyte takes one, unless the work grows faster than the text
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """spelling.js, asked by JSON lines."""

    process: "subprocess.Popen[str]"

    def ask(self, **question: Any) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        assert _speaks(stdout), f"no answer within {PATIENCE} s"
        return json.loads(stdout.readline())

    def swap(
        self, text: str, own: str, to: str, display: str = "<display>"
    ) -> tuple[str, list[str]]:
        """The text with one number in place of the other, and what was taken for it."""
        answer = self.ask(
            do="swap", text=text, **{"from": own, "to": to}, display=display
        )
        return answer["text"], answer["bodies"]

    def found(self, text: str, own: str) -> list[str]:
        """What is taken for that number."""
        return self.swap(text, own, own)[1]


def _speaks(stdout: IO[str]) -> bool:
    """One answer a question: nothing is ever left in the buffer above the pipe."""
    return bool(select.select([stdout], [], [], PATIENCE)[0])


@pytest.fixture(scope="session")
def spelling() -> Iterator[Spelling]:
    process = subprocess.Popen(
        [
            *snippet_build.find_node().node,
            str(DRIVER),
            str(SPELLING),
            json.dumps(snippet_config.KEYS),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        yield Spelling(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
