"""What was not let in is counted in memory and written down every few seconds.

Ten thousand guessed addresses must cost ten thousand replies, not as many statements.
"""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime

from mailrelay import replies
from mailrelay.reception import AWAY
from tracker import db as database
from tracker import inbox

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds between writings
RECORDED = frozenset(
    (
        replies.UNKNOWN,
        replies.NO_RELAYING,
        replies.BAD_RETURN_PATH,
        replies.LOOP,
        replies.TOO_LARGE,
        replies.HEADER_TOO_LARGE,
        replies.TOO_MANY_CONNECTIONS,
        replies.TOO_MANY_ERRORS,
        replies.TOO_MANY_MESSAGES,
        replies.TOO_MANY_UNKNOWN,
    )
)


class Refusals:
    """Counts by reply."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def note(self, reply: str) -> None:
        """One more was refused with these words."""
        if reply in RECORDED:
            self._counts[reply] += 1

    async def write(self, db: database.Db, *, at: datetime) -> None:
        """Write down what was counted since the last time."""
        counts, self._counts = self._counts, Counter()
        while counts:
            reply, count = counts.popitem()
            try:
                await inbox.refuse(
                    db, door="mail", kind="smtp", reason=reply, count=count, at=at
                )
            except AWAY:
                self._counts.update({reply: count, **counts})
                raise

    async def run(self, db: database.Db) -> None:
        """Write down until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.write(db, at=datetime.now(UTC))
            except AWAY:
                log.warning("refusals not written: PostgreSQL is away")
