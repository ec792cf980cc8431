"""Who gets which number: the rules of lending in plain Python, by their own clock.

What `lend.lua` does in Valkey for real visitors, for one pool, without servers: replays and
the planner run on it, and tests hold the script against it. Pure; numbers are places in the
pool from 0, times are Unix seconds, sessions and visitors are any hashable names.
"""

from collections.abc import Hashable
from heapq import heappop, heappush

NEVER = float("-inf")
IDLE = (
    150.0  # seconds without a sign of life of its holder after which a number is idle
)


class Held:
    """A session that was shown a number."""

    __slots__ = ("number", "seen", "shared")

    def __init__(self, number: int, shared: bool) -> None:
        self.number = number
        self.shared = shared  # its holder was alive when it was given
        self.seen = False  # a reveal or a tel_click came


class Allocator:
    """One pool; events must come in the order of time."""

    def __init__(
        self, size: int, *, share: bool = True, late: str = "peak", rest: float = 0.0
    ) -> None:
        self._share = share
        self._late = late  # always, peak, never: when to wait for the reveal
        self._rest = rest  # seconds unseen before a number is given at once
        self.last_sign = [NEVER] * size  # of the current holder
        self.last_seen = [NEVER] * size  # of any holder that had seen it
        self.holder: list[Hashable] = [None] * size
        self.shared = [False] * size  # as its current holder got it
        self._visitor: list[Hashable] = [None] * size
        self._owns: dict[Hashable, int] = {}  # visitor → number whose holder is his
        self._held: dict[Hashable, Held] = {}
        # Every number stands once in one of them, under a clock that may be out of date.
        self._live: list[tuple[float, int]] = []  # by last sign
        self._free: list[tuple[float, int]] = [
            (NEVER, n) for n in range(size)
        ]  # by last seen

    def want(
        self, session: Hashable, visitor: Hashable, at: float, *, reading: bool = False
    ) -> Held | None:
        """The number for a session at a visit or, `reading`, at a reveal or a tel_click.

        A session keeps what it has; None: the static number or the page's own.
        """
        if session not in self._held:
            chosen = self._choose(visitor, at, reading)
            if chosen is None:
                return None
            self._show(session, visitor, at, *chosen)
        return self.sign(session, at, seen=reading)

    def sign(self, session: Hashable, at: float, *, seen: bool = False) -> Held | None:
        """A sign of life; a leave is none."""
        held = self._held.get(session)
        if held is None:
            return None
        held.seen = held.seen or seen
        if self.holder[held.number] == session:
            self.last_sign[held.number] = at
        if held.seen:
            self.last_seen[held.number] = at
        return held

    def forget(self, session: Hashable) -> None:
        """The session will not come back: its number stays lent as it is."""
        self._held.pop(session, None)

    def _show(
        self, session: Hashable, visitor: Hashable, at: float, number: int, shared: bool
    ) -> None:
        before = self._visitor[number]
        if self._owns.get(before) == number:
            del self._owns[before]
        self.holder[number], self._visitor[number] = session, visitor
        self.shared[number] = shared
        self._owns[visitor] = number
        self.last_sign[number] = at
        self._held[session] = Held(number, shared)

    def _choose(
        self, visitor: Hashable, at: float, reading: bool
    ) -> tuple[int, bool] | None:
        """The number, and whether it is shared; None: none now."""
        if visitor in self._owns:
            own = self._owns[visitor]
            return own, self.shared[own] and at - self.last_sign[own] <= IDLE
        oldest = self._oldest_seen(at)
        if reading or self._late == "never":
            if oldest is not None:
                return oldest, False
            return (self._oldest_sign(), True) if self._share and self.holder else None
        if oldest is None or self._late == "always":
            return None
        return (oldest, False) if at - self.last_seen[oldest] >= self._rest else None

    def _oldest_seen(self, at: float) -> int | None:
        """The idle number that was seen longest ago, the first of equals."""
        self._sweep(at)
        free = self._free
        while free:
            seen, number = free[0]
            if at - self.last_sign[number] <= IDLE:  # lent since
                heappop(free)
                heappush(self._live, (self.last_sign[number], number))
            elif seen != self.last_seen[number]:
                heappop(free)
                heappush(free, (self.last_seen[number], number))
            else:
                return number
        return None

    def _oldest_sign(self) -> int:
        """The number whose holder gave a sign longest ago; only asked when none is idle."""
        live = self._live
        while live[0][0] != self.last_sign[live[0][1]]:
            _, number = heappop(live)
            heappush(live, (self.last_sign[number], number))
        return live[0][1]

    def _sweep(self, at: float) -> None:
        """Numbers whose holders fell silent go from the live to the free ones."""
        live = self._live
        while live and at - live[0][0] > IDLE:
            _, number = heappop(live)
            sign = self.last_sign[number]
            if at - sign > IDLE:
                heappush(self._free, (self.last_seen[number], number))
            else:
                heappush(live, (sign, number))
