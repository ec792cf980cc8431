"""`python -m mailrelay` as the supervisor runs it."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests import make, outage
from tests.fakes.smtp import NextHop
from tests.mailrelay.town import DOMAIN, Talk, Town
from tracker import seal as sealing


@asynccontextmanager
async def _running(url: str, folder: Path, port: int) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mailrelay",
        env={
            **os.environ,
            "DATABASE_URL": url,
            "SKVOZ_DATA": str(folder),
            "SKVOZ_SECRET_KEY": "only for tests",
            "SKVOZ_MAIL_DOMAIN": DOMAIN,
            "SKVOZ_SMTP_HOST": "127.0.0.1",
            "SKVOZ_SMTP_PORT": str(port),
        },
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _listening(process: Process) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"mail relay listening" not in (line := await process.stderr.readline()):
            assert line, "it ended"


async def _talk(port: int) -> Talk:
    talk = Talk(*await asyncio.open_connection("127.0.0.1", port))
    assert (await talk.reply()).startswith("220 ")
    await talk.say("EHLO x")
    return talk


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def test_it_starts_without_postgresql_and_ends_cleanly(
    town: Town, database_url: str, tmp_path: Path
) -> None:
    assert make.SEAL.key("x") == sealing.Seal("only for tests").key("x")
    alias, port = await town.alias(), _free_port()
    async with (
        outage.of(database_url),
        _running(database_url, tmp_path, port) as process,
    ):
        await _listening(process)
        talk = await _talk(port)
        await talk.say("MAIL FROM:<a@b.example>")
        assert (await talk.say(f"RCPT TO:<{alias}>")).startswith("451 4.3.0 ")
        process.send_signal(signal.SIGTERM)
        assert (await talk.reply()).startswith("421 4.3.2 ")
        await talk.close()
        assert await asyncio.wait_for(process.wait(), 9) == 0


async def test_killed_right_after_its_promise_it_keeps_it(
    town: Town, hop: NextHop, database_url: str, tmp_path: Path
) -> None:
    alias, port = await town.alias(), _free_port()
    async with _running(database_url, tmp_path, port) as process:
        await _listening(process)
        talk = await _talk(port)
        for n in range(5):
            answer = await talk.letter(
                alias, letter=b"Subject: %d\r\n\r\nwords\r\n" % n
            )
            assert answer.startswith("250 2.0.0 queued as ")
        process.kill()
        await process.wait()
        await talk.close()
    # What the dead process had claimed comes due when its leases end.
    for queue in ("forwards", "unread"):
        await town.pool.execute(f"UPDATE {queue} SET due_at = least(due_at, now())")
    async with _running(database_url, tmp_path, port) as process:
        await _listening(process)
        async with asyncio.timeout(30):
            while await town.states() != ["sent"] * 5:
                await asyncio.sleep(0.05)
            while await town.pool.fetchval("SELECT count(*) FROM contacts") != 5:
                await asyncio.sleep(0.05)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 9) == 0

    subjects = {one.content.split(b"Subject: ")[1][:1] for one in hop.taken}
    assert subjects == {b"0", b"1", b"2", b"3", b"4"}


async def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    async with _running("", tmp_path, _free_port()) as process:
        _, told = await process.communicate()

    assert process.returncode == 1
    assert b"mailrelay: DATABASE_URL" in told
    assert b"Traceback" not in told
