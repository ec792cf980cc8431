"""A site whose ledger is that of a replayed traffic, so that both can learn from the same."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from numberpool import credits, replay
from numberpool.learner import Learner
from tests import make
from tests.benchmarks.attribution import shapes, traffic
from tracker import db as database
from tracker import ids, source_rows, sources
from tracker.sites import Site

WEEKS = 82 * 7 * 86400.0  # from the generator's calendar to that of the tests
SPACE = UUID(int=7)
NUMBERS = 6


class Watched(Learner):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.holdings: list[Any] = []
        self.answers: list[tuple[Any, float, int]] = []

    def shown(self, holding: Any) -> None:
        super().shown(holding)
        self.holdings.append(holding)

    def called(self, answer: Any, memory: Any, **told: Any) -> None:
        super().called(answer, memory, **told)
        self.answers.append((answer, told["at"], told["number"]))


class Replayed:
    """A month of a small shop's traffic, replayed."""

    def __init__(self, days: int = 28) -> None:
        _, events = traffic.make(shapes.SHAPES["small shop"], seed=5, days=days)
        self.replay = replay.Replay(NUMBERS)
        self.learner = self.replay.learner = Watched()
        self.callers: list[str | None] = []
        for line in events:
            fields = line.line().encode()
            event = replay._decode(fields)
            event.t += WEEKS
            before = len(self.learner.answers)
            self.replay.feed(event)
            if len(self.learner.answers) > before:
                self.callers.append(event.caller)
            self.end = event.t

    @property
    def ended(self) -> datetime:
        return moment(self.end)


@cache
def replayed() -> Replayed:
    """Only read: made once for all tests of a process."""
    return Replayed()


def moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def contact(n: int) -> UUID:
    """The nth call."""
    return uuid5(SPACE, f"call {n}")


async def fill(db: database.Pool, told: Replayed) -> Site:
    """The site with that ledger: sessions, leases, credits and contacts."""
    site = await make.site(db, numbers=NUMBERS, mailbox=False)
    await db.execute("UPDATE sites SET timezone = 'UTC' WHERE id = $1", site.id)
    site = await make.found(db, site.key)
    names = {one.source_id for one in told.learner.holdings}
    known = {
        name: sources.labelled(
            **dict(zip(("source", "medium"), name.split("/"), strict=True))
        )
        for name in names
    }
    await source_rows.keep(db, site.id, list(known.values()))
    source_ids = {name: source_rows.source_id(one) for name, one in known.items()}
    numbers = _numbers(told)
    sessions: dict[str, UUID] = {}
    rows, leases = [], []
    for one in told.learner.holdings:
        since = moment(one.since)
        session = sessions[one.session_id] = ids.mint(site.id, since)
        visitor = uuid5(SPACE, one.visitor_id)
        source = source_ids[one.source_id]
        number = numbers[one.session_id]
        rows.append((site.id, session, visitor, since, source, one.device))
        moments = (one.last_sign_at, one.seen_at, one.clicked_at, one.pinged_at, one.left_at, one.first_left_at)  # fmt: skip
        times = [None if at is None else moment(at) for at in moments]
        leases.append((site.id, make.number(number + 1), since, session, visitor, site.pools[0].id, source, one.device, *times, one.shared))  # fmt: skip
    await db.executemany(
        "INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id, "
        "raw_source_id, rule, device, landing_url) "
        "VALUES ($1, $2, $3, $4, $4, $5, $5, 'utm', $6, 'https://acme.example/')",
        rows,
    )
    await db.executemany(
        "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, source_id, "
        "device, last_sign_at, seen_at, clicked_at, pinged_at, left_at, first_left_at, shared) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        leases,
    )
    await _write_calls(db, site, told, sessions, source_ids)
    return site


def _numbers(told: Replayed) -> dict[str, int]:
    """Which number each session was shown."""
    found = {}
    for number, holders in enumerate(told.replay._holders):
        found |= {one.session_id: number for one in holders}
    for name, session in told.replay._sessions.items():
        number = session if isinstance(session, int | None) else session.number
        if number is not None:
            found[name] = number
    return found


async def _write_calls(
    db: database.Pool,
    site: Site,
    told: Replayed,
    sessions: dict[str, UUID],
    source_ids: dict[str, int],
) -> None:
    contacts, attributions, answers = [], [], []
    for n, ((answer, at, number), caller) in enumerate(zip(told.learner.answers, told.callers, strict=True)):  # fmt: skip
        best = answer.candidates[0] if answer.candidates else None
        number = make.number(number + 1)
        contacts.append((site.id, contact(n), moment(at), uuid5(SPACE, str(caller)), caller, number, best.weight if best else 0, best and source_ids[best.source_id]))  # fmt: skip
        answers.append((site.id, contact(n), answer.none))
        attributions += [
            (site.id, contact(n), place, sessions[one.session_id], source_ids[one.source_id], one.weight)
            for place, one in enumerate(answer.candidates)
        ]  # fmt: skip
        await credits.write(
            db,
            site_id=site.id,
            pool_id=site.pools[0].id,
            call_id=contact(n),
            number=number,
            caller=caller,
            at=moment(at),
            none=answer.none,
            given=[
                (sessions[one.session_id], uuid5(SPACE, one.visitor_id), one.weight)
                for one in answer.candidates
            ],
        )
    await db.executemany(
        "INSERT INTO contacts (site_id, id, channel, kind, at, person_id, caller, number, rule, "
        "certainty, source_id, updated_at) "
        "VALUES ($1, $2, 'phone', 'call', $3, $4, $5, $6, 'pool-posterior/3', $7, $8, $3)",
        contacts,
    )
    await db.executemany(
        "INSERT INTO attributions (site_id, contact_id, rule, n, session_id, source_id, weight) "
        "VALUES ($1, $2, 'pool-posterior/3', $3, $4, $5, $6)",
        attributions,
    )
    await db.executemany(
        "INSERT INTO answers (site_id, contact_id, rule, model, learned_from, none) "
        "VALUES ($1, $2, 'pool-posterior/3', 'day-one', 0, $3)",
        answers,
    )
