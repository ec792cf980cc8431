"""One lane a next hop: how many tries at a time, and a breaker for when it is down.

Kept in memory by the process that forwards; forgetting it costs a few tries.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailrelay.outcomes import Outcome

AT_ONCE = 5  # tries at one hop
WAITING = 15  # letters in hand for one hop
TRIPS = 3  # failures to reach a hop before the breaker opens
LONGEST_BREAK = timedelta(minutes=15)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Lane:
    """One next hop as this process sees it."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    in_hand: int = 0
    failures: int = 0  # to reach it, in a row
    closed_until: datetime = LONG_AGO
    probing: bool = False

    @property
    def broken(self) -> bool:
        return self.failures >= TRIPS

    def full(self, at: datetime) -> bool:
        """Whether no letter should be claimed for it now."""
        if self.broken:
            return self.probing or at < self.closed_until or self.in_hand > 0
        return self.in_hand >= WAITING

    def told(self, outcome: Outcome, at: datetime, *, probe: bool) -> None:
        """Learn from a try; one that began before the breaker opened tells nothing new."""
        if not outcome.unreachable:
            self.failures = 0
            return
        if self.broken and not probe:
            return
        self.failures += 1
        if self.broken:
            wait = timedelta(minutes=1) * 2 ** min(self.failures - TRIPS, 10)
            self.closed_until = at + min(wait, LONGEST_BREAK)
