"""Letters are parsed in a process of their own, which may hang or die without harm.

A letter built to exhaust its reader must not stall acceptance, and a thread can neither be
stopped nor leaves others the interpreter; so `Parser` keeps one child (this module run as
`python -m mailrelay.parsing`), gives it one letter at a time over pipes, kills it when it
takes too long, and starts another. The child ends when its input does, so none outlives us.

A frame is a length in 4 bytes, big-endian, and as many bytes of msgpack.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import BinaryIO

import msgspec

from mailrelay import messages

log = logging.getLogger(__name__)

PATIENCE = 8.0  # seconds for one try, the child's start included; two fit into a claim
MEMORY = 2 << 30  # bytes of address space; a 35 MB letter takes a few hundred MB
LENGTH = 4
_DIED = (OSError, EOFError, RuntimeError)  # the last is uvloop's for a closed pipe


class Task(msgspec.Struct, frozen=True, array_like=True):
    """One letter to be read."""

    raw: bytes
    mail_from: str
    region: str


class Parser:
    """Turns raw letters into facts, one after another."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._child: Process | None = None
        self._turn = asyncio.Lock()

    async def facts(self, raw: bytes, *, mail_from: str, region: str) -> messages.Facts:
        """The facts; fewer of them when the letter is more than the child can take."""
        async with self._turn:
            for part in (raw, messages.header(raw)):
                try:
                    async with asyncio.timeout(self._patience):
                        return await self._ask(Task(part, mail_from, region))
                except (*_DIED, TimeoutError):
                    log.warning("letter was too much for its reader")
                    await self._end()
                except asyncio.CancelledError:
                    await self._end()  # its answer would be taken for the next letter's
                    raise
        return messages.of_envelope(mail_from)

    async def close(self) -> None:
        """End the child."""
        async with self._turn:
            await self._end()

    async def _ask(self, task: Task) -> messages.Facts:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mailrelay.parsing", stdin=PIPE, stdout=PIPE
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        frame = msgspec.msgpack.encode(task)
        child.stdin.write(len(frame).to_bytes(LENGTH, "big") + frame)
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH), "big")
        answer = await child.stdout.readexactly(length)
        return msgspec.msgpack.decode(answer, type=messages.Facts)

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """The child's whole life."""
    while len(length := tasks.read(LENGTH)) == LENGTH:
        frame = tasks.read(int.from_bytes(length, "big"))
        task = msgspec.msgpack.decode(frame, type=Task)
        found = messages.facts(task.raw, mail_from=task.mail_from, region=task.region)
        answer = msgspec.msgpack.encode(found)
        answers.write(len(answer).to_bytes(LENGTH, "big") + answer)
        answers.flush()


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal's ^C is the parent's affair
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
