"""What an attempt's outcome means: for its delivery, and for the whole connection.

The one place that decides when something is tried again and when it is given up;
`dispatch` makes the attempts, `deliveries` keeps the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tracker import connection_states, deliveries, remote_ids, sites
from tracker import db as database
from tracker.deliveries import Delivery
from tracker.destinations.base import AnyDestination, NotYet
from tracker.errors import DeliveryFailed

MEND = timedelta(minutes=15)  # between tries of a connection that is at fault

Place = tuple[int, int]  # site and destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A destination of a site, with its settings read."""

    site: sites.Site
    connection: sites.Connection
    destination: AnyDestination

    @property
    def place(self) -> Place:
        return self.site.id, self.connection.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt went; no failure: it arrived."""

    attempt: deliveries.Attempt
    failure: DeliveryFailed | None = None
    remote_id: str | None = None
    ended: datetime
    learnt: remote_ids.Known = field(default_factory=dict)


async def write(
    db: database.Connection,
    stop: Stop,
    delivery: Delivery,
    outcome: Outcome,
    chance: float,
) -> None:
    """One attempt's outcome into its delivery's row; `chance` places it in the jitter."""
    failure, ended = outcome.failure, outcome.ended
    await remote_ids.keep(db, *stop.place, outcome.learnt)
    if failure is None:
        await deliveries.delivered(
            db, delivery, outcome.attempt, remote_id=outcome.remote_id, at=ended
        )
    elif isinstance(failure, NotYet):
        await deliveries.put_off(db, delivery, until=ended + (failure.after or MEND))
    else:
        wait = waits(stop.destination, failure, delivery.tries, chance)
        await deliveries.failed(
            db,
            delivery,
            outcome.attempt,
            str(failure) if wait or failure.permanent else f"given up: {failure}",
            due_at=ended + wait if wait else None,
            counts=not failure.broken,
            at=ended,
        )


def waits(
    destination: AnyDestination, failure: DeliveryFailed, tries: int, chance: float
) -> timedelta | None:
    """How long until it is tried again; None: never."""
    if failure.permanent:
        return None
    if failure.broken:
        return MEND
    wait = destination.schedule.wait(tries, chance)
    if wait is None or failure.after is None:
        return wait
    return max(failure.after, timedelta(seconds=1))


async def tell(
    db: database.Db, stop: Stop, outcomes: Sequence[Outcome]
) -> datetime | None:
    """What the attempts say of the connection; returns until when the peer wants peace."""
    for outcome in outcomes:
        failure, at = outcome.failure, outcome.ended
        if failure is None:
            await connection_states.told(db, *stop.place, at)
            await connection_states.clear(db, *stop.place)
            return None
        if failure.broken:
            await connection_states.fault(db, *stop.place, str(failure), at)
            await deliveries.hold(db, *stop.place, until=at + MEND, at=at)
            return None  # what is owed from now on is tried: it may have been mended
        if failure.after is not None and not isinstance(failure, NotYet):
            until = at + failure.after
            await deliveries.hold(db, *stop.place, until=until, at=at)
            return until
    return None


def unsent(failure: DeliveryFailed, at: datetime) -> Outcome:
    """Of a parcel that did not get as far as a request."""
    return Outcome(
        attempt=deliveries.Attempt(at=at, seconds=0.0), failure=failure, ended=at
    )


def with_line(outcome: Outcome, text: str) -> Outcome:
    """The outcome of an upload as one of its parcels has it: with its own line."""
    request = f"{outcome.attempt.request}\n{text}"
    return replace(outcome, attempt=replace(outcome.attempt, request=request))
