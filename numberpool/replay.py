"""Recorded or simulated traffic through the real lending, learning and posterior.

Pure: no server, no clock, no file; the same lines in, the same answers out. Lines are read
in the order of time and an answer uses only what stands above its call. Who really dialled
is used for one thing only: which number that session was shown.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from math import floor, inf
from typing import Literal, TypeVar

import msgspec

from numberpool import posterior
from numberpool.allocation import Allocator
from numberpool.learner import Learner
from numberpool.model import HORIZON
from numberpool.past import Past

GONE = (
    2 * HORIZON + 86400.0
)  # as silent a session is not looked at again, redials neither
MOST = 200_000  # numbers of a pool
DIGITS = 1_000_000  # weights are told to six places, rounded down: they never exceed 1
TYPES = frozenset({"visit", "ping", "leave", "reveal", "tel_click", "call"})

Value = TypeVar("Value")


class BadLine(ValueError):
    """A line that cannot be replayed; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class Senseless(Exception):
    """An event that cannot have happened."""


class Event(msgspec.Struct):
    """One line of events.jsonl; which fields it must have depends on its type."""

    t: float
    type: str
    session: str | None = None
    visitor: str | None = None
    device: Literal["mobile", "desktop"] = "desktop"
    source: str = ""
    call: str | None = None
    caller: str | None = None
    dialer: str | None = None
    slot: int | None = None


class Weight(msgspec.Struct):
    session: str
    weight: float


class Attribution(msgspec.Struct):
    """One line of attributions.jsonl."""

    call: str
    number: str | None  # None: the static number
    candidates: list[Weight]


class _Session:
    """A session as the replay knows it."""

    __slots__ = ("device", "holding", "last", "name", "number", "source", "visitor")

    def __init__(self, name: str, visitor: str, device: str, source: str) -> None:
        self.name = name
        self.visitor = visitor
        self.device = device
        self.source = source
        self.number: int | None = None
        self.holding: posterior.Holding | None = None
        self.last = 0.0


class Replay:
    """One pool of `numbers` numbers; `events` are fed in the order of time."""

    def __init__(
        self, numbers: int, *, share: bool = True, late: str = "peak", rest: float = 0.0
    ) -> None:
        if not 0 < numbers <= MOST:
            raise ValueError(f"numbers must be from 1 to {MOST}")
        self._numbers = numbers
        self._pool = Allocator(numbers, share=share, late=late, rest=rest)
        self._holders: list[deque[posterior.Holding]] = [
            deque() for _ in range(numbers)
        ]
        self._sessions: dict[str, _Session | int | None] = {}
        self._order: deque[str] = deque()
        self._calls: set[str] = set()
        self._past = Past()
        self.learner = Learner()

    def feed(self, event: Event) -> Attribution | None:
        """Take one event; a call is answered. Raises Senseless for one that makes no sense."""
        match event.type:
            case "call":
                return self._call(event)
            case "visit":
                self._visit(event)
            case "ping" | "leave" | "reveal" | "tel_click":
                self._sign(event)
        return None

    def _visit(self, event: Event) -> None:
        name = _required(event.session, "session")
        known = self._sessions.get(name)
        if isinstance(known, _Session):  # a further page
            self._alive(known, event.t)
            return
        self._sweep(event.t)
        session = _Session(
            name, _required(event.visitor, "visitor"), event.device, event.source
        )
        self._sessions[name] = session
        self._order.append(name)
        self._want(session, event.t, reading=False)

    def _sign(self, event: Event) -> None:
        session = self._sessions.get(_required(event.session, "session"), "")
        if session == "":
            raise Senseless(f"session {event.session!r} is unknown")
        if not isinstance(session, _Session):
            return  # over for weeks
        session.last = event.t
        holding, at = session.holding, event.t
        if event.type == "leave":
            if holding is not None:
                holding.left_at = at
                if holding.first_left_at is None:
                    holding.first_left_at = at
            return
        reading = event.type != "ping"
        if event.type == "reveal":
            self.learner.revealed()
        if holding is None:
            if not reading:
                return
            holding = self._want(session, at, reading=True)
            if holding is None:
                return
        else:
            self._alive(session, at, seen=reading)
        if event.type == "ping":
            holding.pinged_at = at
        elif event.type == "tel_click":
            holding.clicked_at = at
        if reading and holding.seen_at is None:
            holding.seen_at = at

    def _alive(self, session: "_Session", at: float, *, seen: bool = False) -> None:
        session.last = at
        if session.holding is not None:
            session.holding.last_sign_at = at
            self._pool.sign(session.name, at, seen=seen or not self.learner.reveals)

    def _want(
        self, session: "_Session", at: float, *, reading: bool
    ) -> posterior.Holding | None:
        session.last = at
        held = self._pool.want(session.name, session.visitor, at, reading=reading)
        if held is None:
            return None
        session.number = held.number
        session.holding = posterior.Holding(
            session_id=session.name,
            visitor_id=session.visitor,
            source_id=session.source,
            device=session.device,
            since=at,
            last_sign_at=at,
            shared=held.shared,
        )
        self._holders[held.number].append(session.holding)
        self.learner.shown(session.holding)
        if not self.learner.reveals:  # then every visit counts as seen, for lending too
            self._pool.sign(session.name, at, seen=True)
        return session.holding

    def _call(self, event: Event) -> Attribution:
        call, caller, at = _required(event.call, "call"), event.caller, event.t
        if call in self._calls:
            raise Senseless(f"call {call!r} has come before")
        number = self._dialled(event)
        self._calls.add(call)
        if number is None:
            return Attribution(call, None, [])
        model = self.learner.current(at)
        holdings = self._candidates(number, caller, at)
        memory = self._past.memory(caller)
        answer = posterior.weigh(
            holdings,
            number=number,
            at=at,
            numbers=self._numbers,
            memory=memory,
            model=model,
            opening=self.learner.opening,
            reveals=self.learner.reveals,
        )
        self.learner.called(
            answer, memory, at=at, numbers=self._numbers, number=number, caller=caller
        )
        self._past.credit(answer, caller=caller, number=number, at=at)
        weights = [
            Weight(one.session_id, floor(one.weight * DIGITS) / DIGITS)
            for one in answer.candidates
        ]
        return Attribution(call, f"+7800{number:07d}", weights)

    def _dialled(self, event: Event) -> int | None:
        """The number that was dialled: what that session was shown; None: the static one."""
        if event.dialer is None:
            if event.slot is None:
                raise Senseless("a call without a dialer needs a slot")
            return event.slot % self._numbers
        if event.dialer not in self._sessions:
            raise Senseless(f"session {event.dialer!r} is unknown")
        session = self._sessions[event.dialer]
        return session.number if isinstance(session, _Session) else session

    def _candidates(
        self, number: int, caller: str | None, at: float
    ) -> list[posterior.Holding]:
        """The latest holders, seen and unseen, and the sessions tied to this phone."""
        holders = self._holders[number]
        while holders and holders[0].since <= at - HORIZON:
            holders.popleft()
        found = posterior.latest(reversed(holders), at, reveals=self.learner.reveals)
        if caller is not None and (last := self._past.last(caller)):
            for name in last.weights:
                session = self._sessions.get(name)
                if isinstance(session, _Session) and session.number == number:
                    held = session.holding
                    if held is not None:
                        found.setdefault(name, held)
            own = self._past.own(caller)
            for one in holders if own else ():
                if one.visitor_id in own:
                    found.setdefault(one.session_id, one)
        return list(found.values())

    def _sweep(self, at: float) -> None:
        """Of sessions that are long over only the number is kept."""
        while self._order:
            session = self._sessions[self._order[0]]
            if isinstance(session, _Session):
                if session.last > at - GONE:
                    return
                self._sessions[session.name] = session.number
                self._pool.forget(session.name)
            self._order.popleft()


_decode = msgspec.json.Decoder(Event).decode


def run(
    lines: Iterable[bytes], replay: Replay, bad: list[BadLine] | None = None
) -> Iterator[Attribution]:
    """The answers to all calls of the lines of an events file.

    Raises BadLine at the first line that cannot be replayed; with a list for `bad` such
    lines are put there and left out instead.
    """
    last = 0.0
    for place, line in enumerate(lines, 1):
        try:
            event = _read(line)
            if event is None:
                continue
            if not last <= event.t < inf:
                raise Senseless(
                    f"t is {event.t}, after {last}" if last else "t is negative"
                )
            answer = replay.feed(event)
            last = event.t
        except Senseless as error:
            problem = BadLine(place, str(error))
            if bad is None:
                raise problem from None
            bad.append(problem)
            continue
        if answer is not None:
            yield answer


def _read(line: bytes) -> Event | None:
    """The event of a line; None for an empty one and for a type that is not known."""
    try:
        event = _decode(line)
    except msgspec.ValidationError as error:
        kind = msgspec.json.decode(line)
        if isinstance(kind, dict) and kind.get("type") not in TYPES and "type" in kind:
            return None
        raise Senseless(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if not line.strip():
            return None
        raise Senseless("not a JSON object") from None
    return event if event.type in TYPES else None


def _required(value: Value | None, name: str) -> Value:
    if value is None:
        raise Senseless(f"{name} is missing")
    return value
