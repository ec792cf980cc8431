"""Carries what is owed out of the house: claims, sends, hands the outcome on.

No connection to PostgreSQL is held while a destination is spoken to. A destination that
fails, or has a bug, never stops the others. Several processes may do this at once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeGuard, cast
from uuid import UUID, uuid4

import aiohttp
import asyncpg

from tracker import connection_states, deliveries, destinations, outcomes, sites
from tracker import db as database
from tracker.deliveries import Delivery
from tracker.destinations import parcels
from tracker.destinations.base import (
    AnyDestination,
    BatchDestination,
    Destination,
    Packed,
    Parcel,
    Unanswered,
    Upload,
)
from tracker.destinations.wire import Paces, Wire, secrets_of
from tracker.errors import BadInput, DeliveryFailed
from tracker.outcomes import Outcome, Place, Stop

log = logging.getLogger(__name__)

AT_ONCE = 32  # attempts in the air, all destinations together
LONGEST = 150.0  # seconds one attempt may take; less than deliveries.CLAIM
LONGEST_UPLOAD = 240.0  # seconds; less than half of it
RECORDING = 60  # seconds for which an outcome is written while PostgreSQL is away


class Dispatcher:
    """Starts attempts as far as there is room, and sees them through."""

    def __init__(
        self,
        pool: database.Pool,
        directory: sites.Directory,
        http: aiohttp.ClientSession,
        *,
        paces: Paces,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._http = http
        self._chance = chance
        self._paces = paces
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_air: dict[Place, int] = {}
        self._claimed: dict[UUID, int] = {}  # delivery → site, while in the air
        self._settings: dict[Place, dict[str, Any]] = {}
        self._rests: dict[
            Place, datetime
        ] = {}  # a peer asked to be left in peace until
        self.freed = asyncio.Event()  # an attempt ended: there may be more to start

    async def run_due(self, at: datetime) -> None:
        """Everything that is due at that moment, until nothing more is."""
        while await self.start(at):
            await asyncio.gather(*self._tasks)

    async def start(self, at: datetime) -> int:
        """Claim what is due, as far as there is room, and begin; returns how many."""
        places = self._places()
        await self._notice_changes(places, at)
        begun = 0
        ready = [place for place in places if self._rests.get(place, at) <= at]
        for place in await deliveries.destinations_due(self._pool, ready, at=at):
            if len(self._tasks) >= AT_ONCE:
                break
            site, connection = places[place]
            try:
                destination = destinations.read(connection.kind, connection.settings)
            except BadInput as error:
                await self._fault(place, f"settings: {error}", at)
                continue
            stop = Stop(site=site, connection=connection, destination=destination)
            begun += await self._begin(stop, at)
        return begun

    async def finish(self, patience: float, at: Callable[[], datetime]) -> None:
        """Wait for what is in the air, then break it off; its claims are given up."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        by_site: dict[int, list[UUID]] = {}
        for id_, site_id in self._claimed.items():
            by_site.setdefault(site_id, []).append(id_)
        for site_id, ids in by_site.items():
            await deliveries.release(self._pool, site_id, ids, at=at())

    # Starting --------------------------------------------------------------------------

    def _places(self) -> dict[Place, tuple[sites.Site, sites.Connection]]:
        return {
            (site.id, one.id): (site, one)
            for site in self._directory.now.by_id.values()
            for one in site.connections
            if one.role == "destination"
        }

    async def _notice_changes(
        self,
        places: dict[Place, tuple[sites.Site, sites.Connection]],
        at: datetime,
    ) -> None:
        """Settings that were changed may have mended what was at fault: try at once."""
        settings = {place: one.settings for place, (_, one) in places.items()}
        for place, now in settings.items():
            if place in self._settings and self._settings[place] != now:
                await deliveries.wake(self._pool, *place, at=at)
        self._settings = settings

    async def _begin(self, stop: Stop, at: datetime) -> int:
        destination = stop.destination
        room = destination.at_once - self._in_air.get(stop.place, 0)
        if room <= 0:
            return 0
        if is_batch(destination):
            claimed = await self._claim(stop, destination.most, at)
            if claimed:
                self._spawn(
                    stop, claimed, self._carry_batch(stop, destination, claimed, at)
                )
            return len(claimed)
        claimed = await self._claim(stop, min(room, AT_ONCE - len(self._tasks)), at)
        for delivery in claimed:
            self._spawn(stop, [delivery], self._carry(stop, delivery, at))
        return len(claimed)

    async def _claim(self, stop: Stop, most: int, at: datetime) -> list[Delivery]:
        return await deliveries.claim(
            self._pool,
            *stop.place,
            ordered=stop.destination.ordered,
            most=most,
            at=at,
        )

    def _spawn(
        self,
        stop: Stop,
        claimed: Sequence[Delivery],
        work: Coroutine[Any, Any, None],
    ) -> None:
        self._in_air[stop.place] = self._in_air.get(stop.place, 0) + 1
        self._claimed.update({one.id: one.site_id for one in claimed})
        task = asyncio.create_task(self._see_through(stop, claimed, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_through(
        self,
        stop: Stop,
        claimed: Sequence[Delivery],
        work: Coroutine[Any, Any, None],
    ) -> None:
        try:
            await work
        except database.AWAY:
            # The claims run out by themselves; what was sent is recognised by its key.
            log.warning("delivery waits: PostgreSQL is away")
        except Exception:  # a bug of ours: the claims run out, the rest goes on
            log.exception("dispatch crashed", extra={"connection": stop.connection.id})
        finally:
            self._in_air[stop.place] -= 1
            self.freed.set()
        for one in claimed:  # not when cancelled: `finish` gives those claims up
            self._claimed.pop(one.id, None)

    # One parcel at a time --------------------------------------------------------------

    async def _carry(self, stop: Stop, delivery: Delivery, at: datetime) -> None:
        wire = self._wire(stop)
        destination = cast(Destination, stop.destination)

        async def send() -> None:
            parcel = await self._load(stop, delivery, at)
            await destination.send(parcel, wire)

        outcome = await self._attempt(send(), wire, at, LONGEST)
        await self._settle(stop, [(delivery, outcome)])

    async def _load(self, stop: Stop, delivery: Delivery, at: datetime) -> Parcel:
        async with self._pool.acquire() as db:
            return await parcels.load(db, stop.site, delivery, now=at)

    def _wire(self, stop: Stop) -> Wire:
        secrets = secrets_of(stop.destination.secrets())
        return Wire(self._http, self._paces, secrets)

    async def _attempt(
        self, work: Awaitable[str | None], wire: Wire, at: datetime, longest: float
    ) -> Outcome:
        """Do it, and make of whatever happens an outcome."""
        clock = asyncio.get_running_loop().time
        began = clock()
        remote_id: str | None = None
        failure: DeliveryFailed | None = None
        try:
            async with asyncio.timeout(longest):
                remote_id = await work
        except DeliveryFailed as error:
            failure = error
        except TimeoutError:
            failure = Unanswered("the attempt took too long")
        except database.AWAY:
            raise
        except Exception as error:  # a bug in one destination must not stop the others
            log.exception("delivery crashed")
            failure = DeliveryFailed(wire.clean(f"{type(error).__name__}: {error}"))
        seconds = clock() - began
        return Outcome(
            attempt=deliveries.Attempt(
                at=at,
                seconds=seconds,
                request=wire.request,
                code=wire.code,
                answer=wire.answer,
            ),
            failure=failure,
            remote_id=remote_id,
            ended=at + timedelta(seconds=seconds),
            learnt=dict(wire.learnt),
        )

    # Many in one upload ----------------------------------------------------------------

    async def _carry_batch(
        self,
        stop: Stop,
        destination: BatchDestination,
        claimed: Sequence[Delivery],
        at: datetime,
    ) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        left = await self._look_up(stop, destination, claimed, at)
        loaded: dict[UUID, Parcel] = {}
        refused: list[tuple[Delivery, Outcome]] = []
        for one in left:
            try:
                loaded[one.id] = await self._load(stop, one, at)
            except DeliveryFailed as error:
                refused.append((one, outcomes.unsent(error, at)))
        packed = self._pack(destination, list(loaded.values()))
        by_id = {one.id: one for one in left}
        for id_, failure in packed.refused.items():
            refused.append((by_id[id_], outcomes.unsent(failure, at)))
        await self._settle(stop, refused)
        for upload in packed.uploads:
            now = at + timedelta(seconds=clock() - began)
            await self._upload(stop, destination, upload, by_id, now)

    async def _look_up(
        self,
        stop: Stop,
        destination: BatchDestination,
        claimed: Sequence[Delivery],
        at: datetime,
    ) -> list[Delivery]:
        """Settle those of an earlier upload that did arrive; returns what is left to send."""
        batches = {one.batch for one in claimed if one.batch is not None}
        if not batches:
            return list(claimed)
        wire = self._wire(stop)
        found: dict[UUID, str] = {}

        async def ask() -> None:
            found.update(await destination.uploaded(sorted(batches), wire))

        asked = await self._attempt(ask(), wire, at, LONGEST_UPLOAD)
        doubtful = [one for one in claimed if one.batch is not None]
        if asked.failure is not None:
            await self._settle(stop, [(one, asked) for one in doubtful])
            return [one for one in claimed if one.batch is None]
        arrived = [one for one in doubtful if one.batch in found]
        await self._settle(
            stop,
            [
                (
                    one,
                    Outcome(
                        attempt=asked.attempt,
                        remote_id=found[one.batch],
                        ended=asked.ended,
                    ),
                )
                for one in arrived
                if one.batch is not None
            ],
        )
        return [one for one in claimed if one not in arrived]

    def _pack(self, destination: BatchDestination, given: Sequence[Parcel]) -> Packed:
        """Sorted into uploads; a parcel that a bug trips over does not stop the rest."""
        try:
            return destination.pack(given)
        except Exception:
            log.exception("packing crashed")
        good: list[Parcel] = []
        bad: dict[UUID, DeliveryFailed] = {}
        for parcel in given:
            try:
                destination.pack([parcel])
            except Exception as error:  # found the one
                bad[parcel.id] = DeliveryFailed(f"{type(error).__name__}: {error}")
            else:
                good.append(parcel)
        packed = destination.pack(good)
        return Packed(uploads=packed.uploads, refused=packed.refused | bad)

    async def _upload(
        self,
        stop: Stop,
        destination: BatchDestination,
        upload: Upload,
        by_id: dict[UUID, Delivery],
        at: datetime,
    ) -> None:
        batch = uuid4()
        going = [by_id[id_] for id_, _ in upload.rows]
        # Before the upload: whatever happens from here on, its outcome can be asked for.
        ours = await deliveries.begin_upload(self._pool, going, batch, at=at)
        rows = tuple((id_, values) for id_, values in upload.rows if id_ in ours)
        if not rows:
            return
        upload = replace(upload, rows=rows)
        wire = self._wire(stop)
        outcome = await self._attempt(
            destination.upload(upload, batch, wire), wire, at, LONGEST_UPLOAD
        )
        if outcome.failure is not None and not isinstance(outcome.failure, Unanswered):
            await deliveries.forget_upload(self._pool, stop.site.id, batch)
        await self._settle(
            stop,
            [
                (by_id[id_], outcomes.with_line(outcome, upload.line(values)))
                for id_, values in rows
            ],
        )

    # Writing down ----------------------------------------------------------------------

    async def _settle(
        self, stop: Stop, made: Sequence[tuple[Delivery, Outcome]]
    ) -> None:
        """Write the outcomes in one transaction; tried again while PostgreSQL is away.

        What they say of the connection comes after it: one row that all attempts share
        must not be locked together with theirs.
        """
        if not made:
            return
        chance = self._chance()
        for _ in range(RECORDING):
            try:
                async with self._pool.acquire() as db, db.transaction():
                    for delivery, outcome in made:
                        await outcomes.write(db, stop, delivery, outcome, chance)
                rest = await outcomes.tell(self._pool, stop, [told for _, told in made])
                if rest is not None:
                    self._rests[stop.place] = rest
                return
            except (*database.AWAY, asyncpg.TransactionRollbackError):
                await asyncio.sleep(1)
        log.error("outcome not written: PostgreSQL is away")

    async def _fault(self, place: Place, text: str, at: datetime) -> None:
        await connection_states.fault(self._pool, *place, text, at)
        await deliveries.hold(self._pool, *place, until=at + outcomes.MEND, at=at)


def is_batch(destination: AnyDestination) -> TypeGuard[BatchDestination]:
    """Does it take many parcels in one upload?"""
    return hasattr(destination, "pack")
