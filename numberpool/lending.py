"""Who gets which number now: the live state of the pools, in Valkey.

A batch of wants costs one script call a pool (`lend.lua`, which holds the rules); what is
lent is true only once the ledger has it. Everything here may be forgotten: a state that is
missing, half loaded, from before a restart of Valkey or made with other numbers is refused
with `NotLoaded`, and `ledger.rebuild` makes it anew. Valkey may be a cluster: a pool whose node
is away lends nothing, the others go on.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID

import msgspec

from numberpool import nodes
from numberpool.nodes import Client
from numberpool.pools import Pool

log = logging.getLogger(__name__)

IDLE = timedelta(seconds=150)  # without a sign of life of its holder a number is idle
REMEMBER = timedelta(hours=2)  # a session without a sign; the ledger remembers for ever
# How long a process may go on with the numbers of before a change: longer than it takes
# any of them to read the set-up again.
PATIENCE = timedelta(seconds=120)
NEVER = "-inf"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

SCRIPT = nodes.Script(
    resources.files("numberpool").joinpath("lend.lua").read_text(encoding="utf-8")
)
_TABLES = ("state", "live", "free", "sign", "seen", "holder", "owner", "place")


class NotLoaded(Exception):
    """The live state of these pools is missing or out of date: `ledger.rebuild` them.

    Nothing was lent from them; `loans` has what was lent from others in the same batch.
    """

    def __init__(self, pools: Sequence[Pool], loans: "Sequence[Loan | None]") -> None:
        super().__init__(f"pools not loaded: {', '.join(str(one.id) for one in pools)}")
        self.pools = tuple(pools)
        self.loans = list(loans)


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is to be shown a number of this pool."""

    pool: Pool
    session: UUID
    visitor: UUID
    keep: str | None = None  # the number that the ledger says this session holds
    reading: bool = False  # a reveal or a tel_click came: late allocation is allowed


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to be shown."""

    number: str | None  # E.164; None: the static number or the page's own
    fresh: bool  # not known to be in the ledger: grant it before it is shown
    shared: bool  # its holder was alive when it was given
    epoch: int  # of the live state that decided; the grant is void in another


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A sign of life of a session: visit, ping, reveal, tel_click. A leave is none."""

    pool_id: int
    session: UUID
    at: datetime
    seen: bool = False  # it has seen the number by now


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One number of a pool as it is now, for the dashboard."""

    position: int
    number: str
    session: UUID | None  # the current holder
    visitor: UUID | None
    shared: bool
    last_sign: datetime | None  # of the current holder
    last_seen: datetime | None  # of any holder that had seen it
    resting: bool = False  # not lent anew; told when loading, unknown in a snapshot

    def idle(self, at: datetime) -> bool:
        """Whether it can be given to somebody else at once."""
        return self.last_sign is None or at - self.last_sign > IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A session that goes on holding its number after the state was loaded anew."""

    session: UUID
    number: str
    seen: bool
    shared: bool


async def lend(redis: Client, wants: Sequence[Want], at: datetime) -> list[Loan | None]:
    """Settle the wants in order by the rules of the pool; one loan for each.

    A session gets the same number however often it asks. None: the node of a cluster that
    keeps this pool is away. Raises `NotLoaded`, and what redis raises when Valkey is away.
    """
    by_pool: dict[int, list[int]] = {}
    for n, want in enumerate(wants):
        by_pool.setdefault(want.pool.id, []).append(n)
    groups = list(by_pool.values())
    calls = [_lend_call([wants[n] for n in group], at) for group in groups]
    answers = await nodes.run(redis, SCRIPT, calls)
    _raise_if_all_failed(answers)
    loans: list[Loan | None] = [None] * len(wants)
    missing = []
    for group, answer in zip(groups, answers, strict=True):
        pool = wants[group[0]].pool
        if answer is None:
            missing.append(pool)
        elif isinstance(answer, Exception):
            told = {"pool": pool.id, "error": type(answer).__name__}
            log.warning("pool not reached", extra=told)
        else:
            epoch = int(answer[0])
            for n, line in zip(group, _text(answer[1]).split("\n"), strict=True):
                number, _, shared = line.partition(" ")
                loans[n] = Loan(
                    number=number or None,
                    fresh=bool(number) and wants[n].keep is None,
                    shared=shared == "1",
                    epoch=epoch,
                )
    if missing:
        raise NotLoaded(missing, loans)
    return loans


async def touch(redis: Client, signs: Sequence[Sign]) -> None:
    """Move the clocks of the numbers these sessions hold; unknown sessions are ignored.

    Raises what redis raises; the signs of pools whose nodes answered are told all the same.
    """
    by_pool: dict[int, list[Sign]] = {}
    for sign in signs:
        by_pool.setdefault(sign.pool_id, []).append(sign)
    calls = []
    for pool_id, group in by_pool.items():
        arguments: list[str | int] = []
        for one in group:
            arguments += [one.session.hex, millis(one.at), int(one.seen)]
        calls.append(_call("touch", pool_id, group[-1].at, arguments))
    for answer in await nodes.run(redis, SCRIPT, calls):
        if isinstance(answer, Exception):
            raise answer


async def load(
    redis: Client,
    pool_id: int,
    *,
    epoch: int,
    numbers: Sequence[Held],
    sessions: Sequence[LiveSession],
    fingerprint: str,
    accepted: str = "",
    at: datetime,
) -> bool:
    """Replace the whole live state at once; False when a newer epoch is loaded already.

    `fingerprint` is that of these numbers; wants with the fingerprint `accepted` are
    served too, for a while.
    """
    member = {one.number: _member(one.position, one.number) for one in numbers}
    arguments: list[str | int] = [epoch, fingerprint, accepted, len(numbers)]
    for one in numbers:
        arguments += [
            member[one.number],
            millis(one.last_sign) if one.last_sign else NEVER,
            millis(one.last_seen) if one.last_seen else NEVER,
            f"{one.session.hex} {one.visitor.hex} {int(one.shared)}"
            if one.session and one.visitor
            else "",
            int(one.resting),
        ]
    for live in sessions:
        if live.number in member:
            arguments += [
                live.session.hex,
                member[live.number],
                int(live.seen),
                int(live.shared),
            ]
    answer = await _one(redis, _call("load", pool_id, at, arguments))
    return bool(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is loaded of a pool."""

    epoch: int  # 0: nothing
    usable: bool  # whether `lend` would take it
    fingerprint: str  # of the numbers it was loaded with


async def loaded(redis: Client, pool: Pool, at: datetime) -> Loaded:
    """What is loaded of this pool, whether or not it can be used."""
    arguments: list[str | int] = [pool.fingerprint, PATIENCE // MILLISECOND]
    answer = await _one(redis, _call("loaded", pool.id, at, arguments))
    return Loaded(
        epoch=int(answer[0]), usable=bool(answer[1]), fingerprint=_text(answer[2])
    )


async def snapshot(redis: Client, pool: Pool) -> list[Held]:
    """Who holds what now, in the owner's order; empty when nothing is loaded."""
    prefix = _prefix(pool.id)
    async with redis.pipeline(transaction=True) as pipeline:
        for table in ("sign", "seen", "holder"):
            pipeline.hgetall(prefix + table)
        sign, seen, holder = [_texts(table) for table in await pipeline.execute()]
    return [
        _held(member, sign[member], seen[member], holder.get(member))
        for member in sorted(sign)
    ]


def millis(at: datetime) -> int:
    """Whole milliseconds since 1970, the time unit of the live state."""
    return (at - EPOCH) // MILLISECOND


def _held(member: str, sign: str, seen: str, holder: str | None) -> Held:
    position, _, number = member.partition(":")
    session, visitor, shared = holder.split(" ") if holder else (None, None, "0")
    return Held(
        position=int(position),
        number=number,
        session=UUID(session) if session else None,
        visitor=UUID(visitor) if visitor else None,
        shared=shared == "1",
        last_sign=_moment(sign),
        last_seen=_moment(seen),
    )


def _moment(text: str) -> datetime | None:
    return None if text == NEVER else EPOCH + int(text) * MILLISECOND


def _lend_call(wants: Sequence[Want], at: datetime) -> nodes.Call:
    pool = wants[0].pool
    arguments: list[str | int] = [
        pool.fingerprint,
        PATIENCE // MILLISECOND,
        pool.late,
        int(pool.share),
        pool.rest * 1000,
    ]
    lines = [
        f"{want.session.hex} {want.visitor.hex} {want.keep or ''} {want.reading:d}\n"
        for want in wants
    ]
    arguments.append("".join(lines))
    return _call("lend", pool.id, at, arguments)


def _call(
    verb: str,
    pool_id: int,
    at: datetime,
    arguments: list[str | int],
) -> nodes.Call:
    prefix = _prefix(pool_id)
    keys = [prefix + table for table in _TABLES]
    general: list[str | int] = [
        verb,
        millis(at),
        IDLE // MILLISECOND,
        int(REMEMBER.total_seconds()),
    ]
    return nodes.Call(keys, general + arguments)


async def _one(redis: Client, call: nodes.Call) -> Any:
    (answer,) = await nodes.run(redis, SCRIPT, [call])
    if isinstance(answer, Exception):
        raise answer
    return answer


def _raise_if_all_failed(answers: Sequence[Any]) -> None:
    failed = [one for one in answers if isinstance(one, Exception)]
    if failed and len(failed) == len(answers):
        raise failed[0]


def _prefix(pool_id: int) -> str:
    return f"{{pool:{pool_id}}}:"


def _member(position: int, number: str) -> str:
    return f"{max(position, 0):010d}:{number}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _texts(table: dict[bytes | str, bytes | str]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in table.items()}
