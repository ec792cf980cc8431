"""Ways of lending numbers to sessions: the rules under test's own, and rules of thumb.

Each is told of visits and signs of life in order and answers which number a session has
been shown. Written from the rules' text alone, so that the oracle and the baselines owe
nothing to the code they are compared with.
"""

import random
from collections.abc import Callable

NEVER = float("-inf")
ALIVE = 150.0  # seconds without a sign of life after which a number is idle


class Lending:
    """What all ways have in common: numbers, their holders and their holders' signs."""

    def __init__(self, numbers: int) -> None:
        self.pool = range(numbers)
        self.number: dict[str, int] = {}  # of a session
        self.holder: list[str | None] = [None] * numbers
        self.owner: list[str | None] = [None] * numbers  # the holder's visitor
        self.last_sign = [NEVER] * numbers
        self.visitor: dict[str, str] = {}
        self.own: dict[str, int] = {}  # a visitor's latest number

    def visit(self, session: str, visitor: str, at: float) -> None:
        self.visitor[session] = visitor
        number = self.own.get(visitor)
        if number is None or self.owner[number] != visitor:
            number = self.choose(at)
        if number is not None:
            self.show(session, number, at)

    def sign(self, session: str, at: float, *, seen: bool) -> None:
        """A ping, a reveal or a tap; `seen`: one of the last two."""
        number = self.number.get(session)
        if number is not None and self.holder[number] == session:
            self.last_sign[number] = at

    def choose(self, at: float) -> int | None:
        """The number for a new session; None: none."""
        raise NotImplementedError

    def idle(self, at: float, seconds: float) -> list[int]:
        return [n for n in self.pool if at - self.last_sign[n] > seconds]

    def show(self, session: str, number: int, at: float) -> None:
        visitor = self.visitor[session]
        self.number[session] = number
        self.holder[number] = session
        self.owner[number] = visitor
        self.own[visitor] = number
        self.last_sign[number] = at


class OldestSeen(Lending):
    """The rules of lending for least confusion, as the product's own text has them.

    Among idle numbers the one whose last holder that saw it was alive longest ago; with
    none idle a session waits until it looks, and then shares. On a site that tells of no
    looks (`reveals` is false) every visit counts as one.
    """

    def __init__(self, numbers: int, *, reveals: bool = True) -> None:
        super().__init__(numbers)
        self.reveals = reveals
        self.last_seen = [NEVER] * numbers
        self.seen: set[str] = set()

    def choose(self, at: float) -> int | None:
        idle = self.idle(at, ALIVE)
        return min(idle, key=self.last_seen.__getitem__) if idle else None

    def show(self, session: str, number: int, at: float) -> None:
        super().show(session, number, at)
        if not self.reveals:
            self.seen.add(session)
            self.last_seen[number] = at

    def sign(self, session: str, at: float, *, seen: bool) -> None:
        if seen:
            self.seen.add(session)
            if session not in self.number:
                number = self.choose(at)
                if number is None:
                    number = min(self.pool, key=self.last_sign.__getitem__)
                self.show(session, number, at)
        super().sign(session, at, seen=seen)
        if session in self.seen and session in self.number:
            self.last_seen[self.number[session]] = at


class OldestFirst(Lending):
    """The number whose holder was alive longest ago, whether he has left or not."""

    def choose(self, at: float) -> int | None:
        return min(self.pool, key=self.last_sign.__getitem__)


class Random(Lending):
    """Any idle number; with none idle, any."""

    def __init__(self, numbers: int) -> None:
        super().__init__(numbers)
        self.rng = random.Random(numbers)

    def choose(self, at: float) -> int | None:
        return self.rng.choice(self.idle(at, ALIVE) or self.pool)


class Held(Lending):
    """A number is held for half an hour after a sign of life; without a free one, none."""

    def choose(self, at: float) -> int | None:
        free = self.idle(at, 1800.0)
        return min(free, key=self.last_sign.__getitem__) if free else None


Way = Callable[[int], Lending]
