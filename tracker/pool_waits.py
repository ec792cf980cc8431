"""Visitors who found no idle number: counted where it happens, in the web process's memory.

Such a visitor has no lease, so nothing else remembers him; a row of his own would cost the
busiest path at its busiest moment. The counts are added up in PostgreSQL every few seconds.
What a process that is killed had not yet added is lost: figures of this kind may be a few
visitors short, which changes nothing that an owner would do.
"""

import asyncio
import logging
from uuid import UUID

from numberpool import lending
from numberpool.pools import Pool
from tracker import db as database
from tracker import ids

log = logging.getLogger(__name__)

PERIOD = 5.0  # seconds between writings
QUARTER = 900  # seconds; hours of every time zone are made of whole ones
MOST = 20_000  # quarters kept while PostgreSQL is away

Key = tuple[int, int, int]  # site, pool, quarter


class Waits:
    """Counts who waits for a number; one a process."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool
        self._counts: dict[Key, list[int]] = {}

    def note(
        self,
        pool: Pool,
        loan: lending.Loan,
        *,
        session: UUID,
        new: bool,
        reading: bool,
    ) -> None:
        """Take notice of what a session was lent; `new` at its first visit.

        All is counted in the quarter in which the session began: so those who were served
        later are among those who waited then.

        Where everybody waits for the reveal (`late = "always"`), having none before it is
        no want: there only those count who had none when they were about to read it.
        """
        if loan.number is not None:
            if loan.fresh and not new and pool.late != "always":
                self._add(pool, session, 1)  # had none until now
        elif (reading if pool.late == "always" else new) and pool.numbers:
            self._add(pool, session, 0)

    def _add(self, pool: Pool, session: UUID, place: int) -> None:
        began = int(ids.moment(session).timestamp())
        key = pool.site_id, pool.id, began // QUARTER
        counts = self._counts.get(key)
        if counts is None:
            if len(self._counts) >= MOST:
                return
            counts = self._counts[key] = [0, 0]
        counts[place] += 1

    async def run(self) -> None:
        """Write what was counted, until cancelled; what is left is written at the end."""
        try:
            while True:
                await asyncio.sleep(PERIOD)
                await self.flush()
        finally:
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Add what was counted to the rows; kept for the next time where that fails."""
        if not self._counts:
            return
        taken, self._counts = self._counts, {}
        try:
            await add(self._pool, taken)
        except database.AWAY:
            log.warning("waits not written: PostgreSQL is away")
            for key, counts in taken.items():
                mine = self._counts.setdefault(key, [0, 0])
                mine[0] += counts[0]
                mine[1] += counts[1]


async def add(db: database.Db, counts: dict[Key, list[int]]) -> None:
    """Add to the rows, in one order, so that two processes never wait for each other."""
    rows = [(*key, *counts[key]) for key in sorted(counts)]
    await db.execute(
        """
        INSERT INTO pool_waits AS known (site_id, pool_id, quarter, waited, served)
        SELECT site_id, pool_id, to_timestamp(quarter * $6::bigint), waited, served
          FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::int[], $5::int[])
               AS told (site_id, pool_id, quarter, waited, served)
        ON CONFLICT (site_id, pool_id, quarter) DO UPDATE
           SET waited = known.waited + excluded.waited,
               served = known.served + excluded.served
        """,
        *database.columns(rows, 5),
        QUARTER,
    )
