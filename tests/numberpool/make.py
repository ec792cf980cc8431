"""The usual pool, numbers and sessions, so that a test states only what matters to it."""

from datetime import datetime, timedelta
from uuid import UUID

from numberpool import lending
from numberpool.pools import Pool

START = datetime.fromisoformat("2026-11-02T00:00:00+00:00")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def number(position: int) -> str:
    return f"+7495{position:07d}"


def pool(size: int = 2, **terms) -> Pool:
    numbers = tuple((n, number(n)) for n in range(size))
    usual = dict(site_id=1, id=7, name="main", replaces=(), numbers=numbers)
    return Pool(**usual | terms)


def session(n: int) -> UUID:
    return UUID(int=0xA000 + n)


def visitor(n: int) -> UUID:
    return UUID(int=0xB000 + n)


async def load(valkey, pool: Pool, *, epoch: int = 1, accepted: str = "") -> bool:
    """An empty live state: nobody has held any number."""
    return await lending.load(
        valkey,
        pool.id,
        epoch=epoch,
        numbers=[
            held(position, number, resting=number in pool.resting)
            for position, number in pool.numbers
        ],
        sessions=[],
        fingerprint=pool.fingerprint,
        accepted=accepted,
        at=START,
    )


def held(position: int, number: str, *, resting: bool = False) -> lending.Held:
    return lending.Held(
        position=position,
        number=number,
        session=None,
        visitor=None,
        shared=False,
        last_sign=None,
        last_seen=None,
        resting=resting,
    )
