"""Any one process is killed again and again under load: nothing that was promised is lost."""

import asyncio
import json
import os
import random
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import asyncpg
import psutil

from tests import whole
from tests.fakes.smtp import NextHop
from tests.fakes.webhook import SECRET, Receiver

KILLS = 20
DRAIN = 120.0  # seconds until everything is read and forwarded
RECOVERY = 60.0  # seconds until all doors must answer again
OWN = "+74950000000"
SITE = """
[site]
key = "acme"
name = "ACME"
domains = ["acme.example"]

[[pool]]
name = "main"
replaces = ["+74950000000"]
numbers = [{numbers}]
forward_to = "+74950000000"

[[mailbox]]
replaces = ["info@acme.example"]
forward_to = "info@acme.example"
next_hop = "{next_hop}"

[[telephony]]
name = "pbx"
kind = "generic"
key = "a-key-that-nobody-guesses"
token = "secret-of-the-pbx"

[[destination]]
name = "crm"
kind = "webhook"
url = "{crm}"
secret = "{secret}"
"""


@dataclass
class Promises:
    """What the server said yes to."""

    leases: list[tuple[str, str]] = field(default_factory=list)  # session, number
    calls: list[str] = field(default_factory=list)  # callers
    letters: list[str] = field(default_factory=list)  # message ids
    forms: list[str] = field(default_factory=list)  # contact ids


class Load:
    """Visitors, callers and writers, until told to stop; refusals are tried again."""

    def __init__(self, http: aiohttp.ClientSession, address: str, smtp_port: int):
        self.http, self.address, self.smtp_port = http, address, smtp_port
        self.kept = Promises()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        work = [self.visit, self.visit, self.call, self.write, self.form]
        await asyncio.gather(*(self.repeat(one) for one in work))

    async def repeat(self, work: Any) -> None:
        while not self.stopped.is_set():
            try:
                await asyncio.wait_for(work(), 10)
            except (
                OSError,
                TimeoutError,
                aiohttp.ClientError,
                aiosmtplib.SMTPException,
            ):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.02)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        async with self.http.post(self.address + path, json=body) as answer:
            return await answer.json() if answer.status in (200, 202) else None

    async def visit(self) -> dict[str, Any]:
        body = {
            "site": "acme",
            "url": "https://acme.example/?utm_source=yandex&utm_medium=cpc",
            "replaces": [OWN, "info@acme.example"],
        }
        shown = await self.post("/v1/visits", body) or {}
        for one in shown.get("numbers", []):
            if one["kind"] == "dynamic":
                self.kept.leases.append((shown["session"], one["number"]))
        return shown

    async def call(self) -> None:
        caller = f"+7916{secrets.randbelow(10**7):07d}"
        event = {"call_id": caller, "from": caller, "to": "+74951000001"}
        path = "/hooks/generic/a-key-that-nobody-guesses?token=secret-of-the-pbx"
        if await self.post(path, {"event": "ringing", **event}) is not None:
            self.kept.calls.append(caller)
        await self.post(path, {"event": "ended", "duration": 5, **event})

    async def write(self) -> None:
        shown = await self.visit()
        if not shown.get("emails"):
            return
        address = shown["emails"][0]["address"]
        mark = secrets.token_hex(8)
        letter = (
            f"From: {mark}@client.example\r\nTo: {address}\r\n"
            f"Message-ID: <{mark}@client.example>\r\nSubject: hello\r\n\r\nhello\r\n"
        )
        await aiosmtplib.send(
            letter.encode(),
            sender=f"{mark}@client.example",
            recipients=[address],
            hostname="127.0.0.1",
            port=self.smtp_port,
            timeout=5,
        )
        self.kept.letters.append(mark)

    async def form(self) -> None:
        form = {"site": "acme", "id": secrets.token_hex(8), "name": "Ivan"}
        answer = await self.post("/v1/contacts", form)
        if answer is not None:
            self.kept.forms.append(answer["contact"])


def parts(supervisor: int) -> list[psutil.Process]:
    """Everything that the supervisor keeps running, the engines too."""
    return psutil.Process(supervisor).children()


@asynccontextmanager
async def running(folder: Path, hop: str, crm: str) -> AsyncIterator[tuple[int, Load]]:
    """`skvoz run` on data of its own with its own engines."""
    http_port, smtp_port = whole.free_port(), whole.free_port()
    environment = {
        **os.environ,
        "SKVOZ_DATA": str(folder / "data"),
        "SKVOZ_HTTP_PORT": str(http_port),
        "SKVOZ_SMTP_PORT": str(smtp_port),
        "SKVOZ_HTTP_HOST": "127.0.0.1",
        "SKVOZ_SMTP_HOST": "127.0.0.1",
        "SKVOZ_TRUSTED_NETWORKS": "127.0.0.0/8",
        "SKVOZ_LOG_LEVEL": "ERROR",
    }
    for name in ("DATABASE_URL", "REDIS_URL"):
        environment.pop(name, None)
    numbers = ", ".join(f'"+7495100{n:04d}"' for n in range(1, 301))
    file = folder / "acme.toml"
    file.write_text(SITE.format(numbers=numbers, next_hop=hop, crm=crm, secret=SECRET))
    skvoz = (sys.executable, "-m", "tracker.cli")
    with (folder / "log").open("wb") as log:
        supervisor = await asyncio.create_subprocess_exec(
            *skvoz, "run", env=environment, stdout=log, stderr=log
        )
        try:
            async with aiohttp.ClientSession() as http:
                load = Load(http, f"http://127.0.0.1:{http_port}", smtp_port)
                await ready(load)
                apply = await asyncio.create_subprocess_exec(
                    *skvoz, "apply", str(file), env=environment, stdout=log, stderr=log
                )
                assert await apply.wait() == 0
                yield supervisor.pid, load
            supervisor.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(supervisor.wait(), 10) == 0
        finally:
            if supervisor.returncode is None:
                supervisor.kill()
                await supervisor.wait()


async def ready(load: Load) -> None:
    """Until the doors and the stores answer."""

    async def look() -> bool:
        try:
            async with load.http.get(load.address + "/readyz") as answer:
                stores = answer.status == 200
            _, writer = await asyncio.open_connection("127.0.0.1", load.smtp_port)
            writer.close()
        except (OSError, aiohttp.ClientError):
            return False
        return stores

    async with asyncio.timeout(RECOVERY):
        while not await look():
            await asyncio.sleep(0.05)


async def test_any_process_killed_under_load_loses_nothing_that_was_promised(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    async with (
        NextHop() as hop,
        Receiver() as crm,
        running(tmp_path, hop.address, crm.url) as (supervisor, load),
    ):
        under_load = asyncio.create_task(load.run())
        killed: Counter[str] = Counter()
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            victim = chance.choice(parts(supervisor))
            killed[victim.name()] += 1
            victim.kill()
            await ready(load)
        load.stopped.set()
        await under_load
        kept = load.kept
        assert min(map(len, (kept.leases, kept.calls, kept.letters, kept.forms))) > 5

        engines = json.loads((tmp_path / "data" / "engines.json").read_text())
        database = await asyncpg.connect(engines["database_url"])
        await expect_kept(database, kept, hop)
        await database.close()


async def expect_kept(
    database: asyncpg.Connection, kept: Promises, hop: NextHop
) -> None:
    """Each promise once, as soon as the queues are empty."""

    async def drained() -> bool:
        waiting = await database.fetchval(
            "SELECT (SELECT count(*) FROM unread)"
            " + (SELECT count(*) FROM forwards WHERE state = 'owed')"
        )
        return bool(waiting == 0)

    deadline = asyncio.get_running_loop().time() + DRAIN
    while not await drained():
        if asyncio.get_running_loop().time() > deadline:
            unread = await database.fetch(
                "SELECT u.*, i.door, i.kind FROM unread u JOIN inbox i ON i.id = u.inbox_id"
            )
            owed = await database.fetch("SELECT * FROM forwards WHERE state = 'owed'")
            raise AssertionError(f"unread {unread[:5]} owed {owed[:5]}")
        await asyncio.sleep(0.2)
    leases = await database.fetch("SELECT session_id::text, number FROM leases")
    assert set(kept.leases) <= {tuple(row) for row in leases}

    rows = await database.fetch("SELECT id::text, kind, caller, email FROM contacts")
    calls = Counter(row["caller"] for row in rows if row["kind"] == "call")
    assert [one for one in kept.calls if calls[one] != 1] == []
    writers = Counter(row["email"] for row in rows if row["kind"] == "email")
    marks = [f"{mark}@client.example" for mark in kept.letters]
    assert [one for one in marks if writers[one] != 1] == []
    assert set(kept.forms) <= {row["id"] for row in rows}

    arrived = b"".join(taken.content for taken in hop.taken)
    assert [mark for mark in kept.letters if mark.encode() not in arrived] == []
