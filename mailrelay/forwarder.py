"""Accepted letters on their way to the real mailboxes: claimed, tried, tried again.

What is owed is a row; claiming pushes its due time ahead and a beat keeps it there while the
try lasts, so a process that dies leaves nothing to clean up. Each next hop has a lane
(`lanes`): a few tries at a time, and after failures to reach it only a single probe, while
the rest wait without using up their tries.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailrelay import courier, hops, outcomes, reading, rewrite
from mailrelay.lanes import Lane
from mailrelay.outcomes import Outcome
from mailrelay.reception import AWAY
from tracker import db as database
from tracker import inbox, letters, sites
from tracker.errors import BadInput, Unreadable
from tracker.letters import Forward

log = logging.getLogger(__name__)

HANDS = 100  # letters in hand for all
TAKE = 10  # letters a claim
LEASE = timedelta(seconds=30)  # after which another process may take over
BEAT = 10.0  # seconds between renewals of the lease
POLL = 1.0  # seconds; `wake` makes it sooner
PATIENCE = 1200.0  # seconds for one try with all its stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Where letters to postmaster@ go, and alerts; empty when not set up."""

    address: str
    next_hop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaying:
    """Who we are to the next hop."""

    domain: str  # of return paths
    host: str  # our name in EHLO and in trace fields
    marker_key: bytes
    administrator: Administrator


class Forwarder:
    """Hands letters on until cancelled."""

    def __init__(
        self, pool: database.Pool, directory: sites.Directory, relaying: Relaying
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._relaying = relaying
        self._lanes: dict[str, Lane] = {}
        self._under_way: dict[asyncio.Task[None], Forward] = {}
        self._more = asyncio.Event()

    def wake(self) -> None:
        """A letter was accepted: look at once."""
        self._more.set()

    async def run(self) -> None:
        """Forward until cancelled; trouble with PostgreSQL only delays."""
        beat = asyncio.create_task(self._beat())
        try:
            while True:
                try:
                    while await self.turn(at=datetime.now(UTC)):
                        continue
                except AWAY:
                    log.warning("forwarding waits: PostgreSQL is away")
                    await asyncio.sleep(POLL)
                await self._rest()
        finally:
            beat.cancel()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._more.wait(), POLL)
        except TimeoutError:
            return
        self._more.clear()

    async def turn(self, *, at: datetime) -> int:
        """Begin to try letters that are due at that moment; returns how many."""
        free = HANDS - len(self._under_way)
        if free <= 0 or self._directory.now is sites.EMPTY:
            return 0
        claimed = await letters.claim(
            self._pool,
            at=at,
            lease=LEASE,
            most=min(TAKE, free),
            busy=self._busy(at),
            under_way=[one.id for one in self._under_way.values()],
        )
        for forward in claimed:
            task = asyncio.create_task(self._try(forward, at))
            self._under_way[task] = forward
            task.add_done_callback(self._done)
        return len(claimed)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    async def stop(self, patience: float) -> None:
        """Let tries under way end for so many seconds, then give the letters back."""
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=patience)
        left = dict(self._under_way)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(list(left))
            await letters.release(
                self._pool, list(left.values()), due=datetime.now(UTC)
            )

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._more.set()

    async def _beat(self) -> None:
        """Renew the lease of what is under way."""
        while True:
            await asyncio.sleep(BEAT)
            under_way = list(self._under_way.values())
            if not under_way:
                continue
            try:
                until = datetime.now(UTC) + LEASE
                await letters.extend(self._pool, under_way, until=until)
            except AWAY:
                log.warning("leases not renewed: PostgreSQL is away")

    # Lanes ---------------------------------------------------------------------------

    def _lane(self, next_hop: str) -> Lane:
        return self._lanes.setdefault(next_hop, Lane())

    def _busy(self, at: datetime) -> list[tuple[int, int]]:
        """Mailboxes behind hops that can take no more now."""
        full = {hop for hop, lane in self._lanes.items() if lane.full(at)}
        if not full:
            return []
        found = self._directory.now.by_id.values()
        busy = [
            (site.id, box.id)
            for site in found
            for box in site.mailboxes
            if box.next_hop in full
        ]
        if self._relaying.administrator.next_hop in full:
            busy += [(0, 0), *((site.id, 0) for site in found)]
        return busy

    # One letter ----------------------------------------------------------------------

    async def _try(self, forward: Forward, at: datetime) -> None:
        """Try once; whatever happens is written in the letter's own row."""
        began = time.monotonic()
        try:
            address, next_hop = self._destination(forward)
            lane = self._lane(next_hop)
            lane.in_hand += 1
            try:
                async with lane.slots:
                    now = at + timedelta(seconds=time.monotonic() - began)
                    await self._through(lane, forward, address, next_hop, now)
            finally:
                lane.in_hand -= 1
        except AWAY:
            log.warning("try not written down: PostgreSQL is away")  # the lease ends
        except _Cannot as cannot:
            await self._settle(forward, cannot.outcome, "", at, 0.0)

    def _destination(self, forward: Forward) -> tuple[str, str]:
        """The real address and its next hop."""
        if forward.mailbox_id is None:
            administrator = self._relaying.administrator
            if not (administrator.address and administrator.next_hop):
                raise _Cannot(
                    outcomes.impossible(
                        "no administrator is set up: SKVOZ_ADMIN_EMAIL, SKVOZ_ADMIN_NEXT_HOP"
                    )
                )
            return administrator.address, administrator.next_hop
        site = self._directory.by_id(forward.site_id)
        mailbox = site.mailbox(forward.mailbox_id) if site else None
        if mailbox is None:
            raise _Cannot(outcomes.missing("the mailbox is no longer set up"))
        return mailbox.forward_to, mailbox.next_hop

    async def _through(
        self, lane: Lane, forward: Forward, address: str, next_hop: str, at: datetime
    ) -> None:
        if lane.broken and (lane.probing or at < lane.closed_until):
            await letters.release(
                self._pool,
                [forward],
                due=max(lane.closed_until, at + timedelta(seconds=5)),
            )
            return
        probe = lane.probing = lane.broken
        began = time.monotonic()
        try:
            outcome, shown = await self._attempt(forward, address, next_hop)
            seconds = time.monotonic() - began
            lane.told(outcome, at + timedelta(seconds=seconds), probe=probe)
        finally:
            if probe:
                lane.probing = False
        await self._settle(forward, outcome, shown, at, seconds)

    async def _attempt(
        self, forward: Forward, address: str, next_hop: str
    ) -> tuple[Outcome, str]:
        """One try from the stored bytes; the outcome, and the hop for people to read."""
        shown = ""
        try:
            hop = hops.parse(next_hop)
            shown = hop.shown
            parcel = await self._parcel(forward, address)
            async with asyncio.timeout(PATIENCE):
                return await courier.carry(parcel, hop, host=self._relaying.host), shown
        except BadInput as error:
            return outcomes.missing(str(error)), shown
        except Unreadable as error:
            return outcomes.impossible(str(error)), shown
        except TimeoutError:
            return outcomes.broken("dot", "the whole try took too long"), shown
        except AWAY:
            raise
        except Exception as error:  # a bug with one letter must not stop the others
            log.exception("forwarding crashed", extra={"forward": forward.id})
            return outcomes.impossible(f"internal: {type(error).__name__}"), shown

    async def _parcel(self, forward: Forward, address: str) -> courier.Parcel:
        event = await inbox.find(self._pool, forward.site_id, forward.inbox_id)
        if event is None:
            raise Unreadable("the letter itself is no longer kept")
        told = reading.envelope(event)
        relaying = self._relaying
        trace = rewrite.trace(
            rewrite.Trace(
                helo=told.helo,
                peer=told.peer,
                host=relaying.host,
                protocol=told.protocol,
                inbox_id=event.id,
                recipient=forward.recipient if told.single else "",
                at=event.received_at,
            ),
            rewrite.mark(
                relaying.marker_key,
                rewrite.Mark(
                    forward_id=forward.id,
                    site_id=forward.site_id,
                    mailbox_id=forward.mailbox_id or 0,
                ),
            ),
        )
        return courier.Parcel(
            mail_from=rewrite.return_path(
                forward.mail_from, forward.return_token, relaying.domain
            ),
            recipient=address,
            message=trace + rewrite.canonical(event.body),
        )

    async def _settle(
        self, forward: Forward, outcome: Outcome, hop: str, at: datetime, seconds: float
    ) -> None:
        ended = at + timedelta(seconds=seconds)
        due = outcomes.next_try(
            outcome,
            attempts=forward.attempts,
            created_at=forward.created_at,
            at=ended,
        )
        attempt = letters.Attempt(
            at=ended,
            seconds=seconds,
            request=hop,
            code=outcome.code,
            answer=outcome.answer,
            error=None if outcome.taken else outcome.error or "refused",
        )
        await letters.settle(self._pool, forward, attempt, due=due)
        if not outcome.taken:
            log.warning(
                "letter not forwarded",
                extra={
                    "forward": forward.id,
                    "stage": outcome.stage,
                    "code": outcome.code,
                    "dead": due is None,
                },
            )


class _Cannot(Exception):
    """There is nowhere to send it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome
