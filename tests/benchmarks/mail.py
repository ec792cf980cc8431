"""How many letters a second the relay takes for good, against bare aiosmtpd.

Three processes: a server, PostgreSQL (its own, with fsync), and one client that keeps many
connections busy with the same 5 KB letter under changing numbers. Both servers are asked in
turn, several times; the middle of each counts.

    python -m tests.benchmarks.mail [seconds] [connections] [rounds]
"""

import asyncio
import json
import secrets
import statistics
import sys
import time
from functools import partial
from ipaddress import ip_network
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP

from mailrelay.reception import Reception
from mailrelay.server import Relay
from numberpool import aliases
from tests.benchmarks import stage
from tracker import db
from tracker.seal import Seal
from tracker.sites import Directory

DOMAIN = "track.example"
ALIASES = 2000
FILLER = ("Здравствуйте, сколько стоит доставка? " * 2 + "\r\n").encode() * 36


class Client(asyncio.Protocol):
    """One connection that sends letter after letter, pipelined as far as SMTP allows."""

    def __init__(
        self, recipients: list[str], done: list[float], trouble: list[str]
    ) -> None:
        self.recipients = recipients
        self.done = done
        self.trouble = trouble
        self.buffer = b""
        self.serial = 0
        self.began = 0.0
        self.name = secrets.token_hex(4)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.expected = [b"220"]

    def data_received(self, data: bytes) -> None:
        lines = (self.buffer + data).split(b"\r\n")
        self.buffer = lines.pop()
        for line in lines:
            if line[3:4] == b"-":
                continue
            code = self.expected.pop(0)
            if not line.startswith(code):
                self.transport.abort()
                self.trouble.append(f"expected {code!r}, got {line!r}")
                return
            if not self.expected:
                self.next(code)

    def next(self, code: bytes) -> None:
        if code == b"220":
            self.transport.write(b"EHLO bench.example\r\n")
            self.expected = [b"250"]
        elif code == b"354":
            self.transport.write(self.letter())
            self.expected = [b"250"]
        else:
            now = time.perf_counter()
            if self.serial:
                self.done.append(now - self.began)
            self.began = now
            self.serial += 1
            recipient = secrets.choice(self.recipients)
            envelope = f"MAIL FROM:<ivan@client.example> SIZE={len(FILLER)}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"
            self.transport.write(envelope.encode())
            self.expected = [b"250", b"250", b"354"]

    def letter(self) -> bytes:
        head = (
            f"From: Ivan <ivan@client.example>\r\nTo: info@acme.example\r\n"
            f"Subject: order {self.name} {self.serial}\r\n"
            f"Message-ID: <{self.name}.{self.serial}@client.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        )
        return head.encode() + FILLER + b".\r\n"


async def ask(
    port: int, seconds: float, connections: int, recipients: list[str]
) -> dict[str, float]:
    """Letters a second, and the 99th percentile of the time each took, in milliseconds."""
    loop = asyncio.get_running_loop()
    done: list[float] = []
    trouble: list[str] = []
    transports = []
    for _ in range(connections):
        transport, _ = await loop.create_connection(
            partial(Client, recipients, done, trouble), "127.0.0.1", port
        )
        transports.append(transport)
    await asyncio.sleep(0.5)  # warm
    done.clear()
    await asyncio.sleep(seconds)
    rate, times = len(done) / seconds, sorted(done)
    for transport in transports:
        transport.abort()
    if trouble:
        raise RuntimeError(trouble[0])
    return {"rate": rate, "p99_ms": times[int(len(times) * 0.99)] * 1000}


class Bare:
    """What aiosmtpd does when nothing is asked of it."""

    async def handle_DATA(self, *_: object) -> str:
        return "250 OK"


async def serve_bare(told: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Bare(), loop=loop, hostname=DOMAIN), "127.0.0.1", 0
    )
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


async def serve_ours(url: str, told: Connection) -> None:
    pool = await db.connect(url, least=0)
    seal = Seal("bench")
    directory = Directory(pool, seal)
    await directory.load()
    reception = Reception(pool, directory, domain=DOMAIN, host=DOMAIN)
    relay = Relay(
        reception,
        host=DOMAIN,
        marker_key=seal.key("mail-marker"),
        trusted=(ip_network("127.0.0.0/8"),),
    )
    server = await relay.listen("127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def run_bare(told: Connection) -> None:
    uvloop.run(serve_bare(told))


def run_ours(url: str, told: Connection) -> None:
    uvloop.run(serve_ours(url, told))


async def prepare(url: str) -> list[str]:
    """A site with a mailbox and its aliases; their addresses."""
    connection, now = await stage.connected(url)
    site_id = await connection.fetchval(
        "INSERT INTO sites (key, name, domains) VALUES ('acme', 'ACME', '{}') RETURNING id"
    )
    mailbox_id = await connection.fetchval(
        "INSERT INTO mailboxes (site_id, replaces, forward_to, next_hop) "
        "VALUES ($1, '{info@acme.example}', 'info@acme.example', $2) RETURNING id",
        site_id,
        Seal("bench").close("smtp://127.0.0.1:1"),
    )
    minted = [aliases.mint("info") for _ in range(ALIASES)]
    await aliases.keep(
        connection,
        [
            aliases.Minting(
                token=one.token,
                site_id=site_id,
                mailbox_id=mailbox_id,
                base="info",
                minted_at=now,
            )
            for one in minted
        ],
    )
    await connection.close()
    return [f"{one.local_part}@{DOMAIN}" for one in minted]


def main(seconds: float = 4, connections: int = 50, rounds: int = 3) -> dict[str, Any]:
    """Run it, print one line of JSON, return the same."""
    with stage.postgres() as url:
        recipients = asyncio.run(prepare(url))
        with stage.serving(run_bare) as bare, stage.serving(run_ours, url) as ours:
            asked: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
            for _ in range(rounds):
                for name, port in (("bare", bare), ("ours", ours)):
                    asked[name].append(
                        uvloop.run(ask(port, seconds, connections, recipients))
                    )
    middle = {
        f"{name}_{what}": round(statistics.median(one[what] for one in each), 1)
        for name, each in asked.items()
        for what in ("rate", "p99_ms")
    }
    result = {
        "benchmark": "mail",
        **middle,
        "ratio": round(middle["ours_rate"] / middle["bare_rate"], 3),
    }
    print(json.dumps(result))
    return result


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
