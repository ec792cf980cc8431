"""The health of pools by the hour, against plain counting of the same rows."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from numberpool import lending
from tests import make
from tests.conftest import NOON
from tracker import accuracy, alerts, pool_waits, sites, stale
from tracker import db as database
from tracker.reports import pool_health, refreshing, rollup
from tracker.reports.pool_health import Hour

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TODAY = NOON.date()


@dataclass(frozen=True)
class Lease:
    number: str
    since: datetime
    last: datetime
    shared: bool


class Story:
    """Writes what happened at a pool, and remembers it."""

    def __init__(self, db: database.Pool, site: sites.Site) -> None:
        self.db, self.site, self.pool = db, site, site.pools[0]
        self.leases: list[Lease] = []
        self.calls: list[tuple[datetime, float]] = []

    async def lease(
        self, n: int, since: datetime, lasts: timedelta, *, shared: bool = False
    ) -> None:
        one = Lease(make.number(n), since, since + lasts, shared)
        await self.db.execute(
            "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, "
            "source_id, device, last_sign_at, shared) "
            "VALUES ($1, $2, $3, $4, $4, $5, 1, 'mobile', $6, $7)",
            self.site.id, one.number, since, uuid4(), self.pool.id, one.last, shared,
        )  # fmt: skip
        self.leases.append(one)

    async def call(
        self,
        n: int,
        at: datetime,
        weights: Sequence[float] = (0.9,),
        *,
        excluded: str | None = None,
    ) -> UUID:
        id_ = uuid4()
        await self.db.execute(
            "INSERT INTO contacts (site_id, id, channel, kind, at, person_id, number, rule, "
            "certainty, excluded, updated_at) "
            "VALUES ($1, $2, 'phone', 'call', $3, $2, $4, 'now/2', $5, $6, $3)",
            self.site.id, id_, at, make.number(n), max(weights, default=0.0), excluded,
        )  # fmt: skip
        rows = [("now/2", n, one) for n, one in enumerate(weights)] + [
            ("old/1", 0, 1.0)
        ]
        await self.db.executemany(
            "INSERT INTO attributions (site_id, contact_id, rule, n, source_id, weight) "
            "VALUES ($1, $2, $3, $4, 1, $5)",
            [(self.site.id, id_, *row) for row in rows],
        )
        if excluded is None:
            self.calls.append((at, max([*weights, 1 - sum(weights)])))
        return id_

    async def wait(self, at: datetime, waited: int, served: int = 0) -> None:
        quarter = int(at.timestamp()) // pool_waits.QUARTER
        await pool_waits.add(
            self.db, {(self.site.id, self.pool.id, quarter): [waited, served]}
        )

    async def rebuilt(self, *days: object) -> list[Hour]:
        async with self.db.acquire() as db:
            for day in days or (TODAY,):
                await rollup.rebuild_day(db, self.site.id, day)  # type: ignore[arg-type]
        return await self.stored()

    async def stored(self) -> list[Hour]:
        return await pool_health.hours(
            self.db,
            self.site.id,
            self.pool.id,
            since=NOON - 100 * DAY,
            until=NOON + 100 * DAY,
        )

    def expected(self, start: datetime, end: datetime) -> dict[datetime, dict]:
        """Second by second, the slow and plain way."""
        found: dict[datetime, dict] = defaultdict(lambda: defaultdict(float))
        hour = start
        while hour < end:
            busy = [set[str]() for _ in range(3600)]
            for one in self.leases:
                until = one.last + lending.IDLE
                first = max(0, int((one.since - hour).total_seconds()))
                last = min(3600, int((until - hour).total_seconds()))
                for second in range(first, last):
                    busy[second].add(one.number)
            if most := max(map(len, busy)):
                found[hour]["most_busy"] = most
                found[hour]["busy_seconds"] = sum(map(len, busy))
            for one in self.leases:
                if hour <= one.since < hour + HOUR:
                    found[hour]["issued"] += 1
                    found[hour]["shared"] += one.shared
            for at, likeliest in self.calls:
                if hour <= at < hour + HOUR:
                    found[hour]["called"] += 1
                    found[hour]["right_calls"] += likeliest
            hour += HOUR
        return found


@pytest.fixture
async def story(pool: database.Pool) -> Story:
    return Story(pool, await make.site(pool, numbers=4))


async def test_an_hour_counts_what_was_lent_shared_called_and_in_use(story):
    await story.lease(1, NOON, 10 * MINUTE)
    await story.lease(2, NOON + 5 * MINUTE, 10 * MINUTE)
    await story.lease(1, NOON + 6 * MINUTE, 20 * MINUTE, shared=True)
    await story.call(1, NOON + 7 * MINUTE, [0.5, 0.3])
    await story.call(1, NOON + 8 * MINUTE, [0.2])
    await story.wait(NOON, 5, 3)

    (hour,) = await story.rebuilt()
    assert hour == Hour(
        hour=NOON,
        numbers=4,
        issued=3,
        shared=1,
        waited=5,
        served=3,
        most_busy=2,
        # 12:00–12:28:30 of one number, though two held it, and 12:05–12:17:30 of the other
        busy_seconds=(28.5 + 12.5) * 60,
        called=2,
        right_calls=pytest.approx(0.5 + 0.8),
    )


async def test_spam_and_calls_to_other_numbers_are_not_the_pools(story):
    await story.call(1, NOON, [0.9], excluded="spam")
    await story.call(77, NOON)
    assert await story.rebuilt() == []


async def test_it_is_what_counting_second_by_second_gives(story):
    chance = random.Random(3)
    start = rollup.midnight(TODAY, story.site.timezone)
    for _ in range(60):
        since = start + timedelta(seconds=chance.randint(-4 * 3600, 20 * 3600))
        lasts = timedelta(seconds=chance.choice((0, 40, 600, 3000, 9000)))
        await story.lease(
            chance.randint(1, 4), since, lasts, shared=chance.random() < 0.3
        )
    for _ in range(30):
        at = start + timedelta(seconds=chance.randint(0, 86399))
        await story.call(chance.randint(1, 4), at, [chance.random() / 2] * 2)

    made = {one.hour: one for one in await story.rebuilt()}
    expected = story.expected(start, start + DAY)
    assert made.keys() == expected.keys()
    for hour, one in expected.items():
        for name, value in one.items():
            assert getattr(made[hour], name) == pytest.approx(value, abs=1e-5)


async def test_hours_are_those_of_the_sites_calendar(pool, story):
    await pool.execute("UPDATE sites SET timezone = 'Asia/Kolkata'")  # UTC+5:30
    await story.lease(1, NOON + 10 * MINUTE, 5 * MINUTE)
    await story.wait(NOON + 40 * MINUTE, 2)

    hours = await story.rebuilt()
    assert [(one.hour, one.issued, one.waited) for one in hours] == [
        (NOON - 30 * MINUTE, 1, 0),
        (NOON + 30 * MINUTE, 0, 2),
    ]


async def test_a_day_of_twenty_five_hours_has_them_all(pool, story):
    await pool.execute("UPDATE sites SET timezone = 'Europe/Berlin'")
    day = datetime.fromisoformat("2026-10-25T00:00:00+02:00")
    for n in range(25):
        await story.lease(1, day + n * HOUR + MINUTE, 2 * MINUTE)
    hours = await story.rebuilt(day.date())
    assert [one.issued for one in hours] == [1] * 25


async def test_a_retired_number_counts_for_the_hours_in_which_it_was_lent(pool, story):
    await story.lease(4, NOON, MINUTE)
    await story.lease(1, NOON + 3 * HOUR, MINUTE)
    await pool.execute(
        "UPDATE numbers SET retired_at = $1 WHERE number = $2",
        NOON + HOUR,
        make.number(4),
    )
    assert [one.numbers for one in await story.rebuilt()] == [4, 3]


async def test_a_resting_number_is_no_room_for_anybody(pool, story):
    await story.lease(1, NOON, MINUTE)
    await pool.execute(
        "UPDATE numbers SET resting = true WHERE number = $1", make.number(4)
    )
    assert [one.numbers for one in await story.rebuilt()] == [3]


async def test_what_the_worker_keeps_equals_what_is_counted_anew(pool, story):
    for days in range(3):
        at = NOON + days * DAY
        for n in range(1, 4):
            await story.lease(n, at + n * MINUTE, 3 * MINUTE)
            await story.call(n, at + n * 5 * MINUTE)
            await stale.mark(pool, story.site, at)
            await refreshing.refresh(pool, at=at + n * MINUTE)
    kept = await story.stored()
    assert len(kept) == 3
    async with pool.acquire() as db:
        await rollup.rebuild(db, story.site.id, TODAY - DAY, TODAY + 3 * DAY)
    assert await story.stored() == kept


async def test_making_a_day_leaves_other_days_and_sites_alone(pool, story):
    other = Story(pool, await make.site(pool, key="other", numbers=4))
    for one in (story, other):
        await one.lease(1, NOON, MINUTE)
        await one.lease(1, NOON + DAY, MINUTE)
    await story.rebuilt(TODAY, TODAY + DAY)
    await pool.execute("DELETE FROM leases")
    await story.rebuilt(TODAY)

    assert [one.hour for one in await story.stored()] == [NOON + DAY]
    assert await other.stored() == []


# Sums of hours ----------------------------------------------------------------------------


def test_figures_follow_their_formulas():
    rows = [
        Hour(hour=NOON, numbers=4, issued=10, shared=2, waited=6, served=4, most_busy=4,
             busy_seconds=7200, called=3, right_calls=2.0),
        Hour(hour=NOON + HOUR, numbers=4, issued=6, waited=0, served=3, most_busy=1,
             busy_seconds=0, called=1, right_calls=0.9),
    ]  # fmt: skip
    health = pool_health.health(rows, seconds=7200)

    assert (health.issued, health.own, health.shared, health.called) == (16, 14, 2, 4)
    assert (health.waited, health.blocked) == (6, 2)
    assert health.busiest == 1.0
    assert health.utilisation == pytest.approx(7200 / (4 * 7200))
    assert health.accuracy == pytest.approx(2.9 / 4)
    assert health.overloaded == pytest.approx(4 / 18)


def test_a_pool_without_anything_has_no_shares():
    health = pool_health.health([], seconds=3600)
    assert health.busiest is health.utilisation is None
    assert health.accuracy is health.overloaded is None


def test_more_served_than_waited_is_nobody_blocked():
    assert pool_health.health([Hour(hour=NOON, served=3)], seconds=1).blocked == 0


def test_hours_in_which_nothing_happened_are_there_too():
    rows = [Hour(hour=NOON + HOUR, issued=1)]
    every = pool_health.filled(rows, since=NOON, until=NOON + 3 * HOUR)
    assert [one.issued for one in every] == [0, 1, 0]


# The accuracy alert -----------------------------------------------------------------------


async def watched(pool: database.Pool, *, days: float, threshold: float = 0.6) -> list:
    await pool.execute("UPDATE sites SET settings = $1", {"accuracy_alert": threshold})
    site = await make.found(pool, "acme")
    await refreshing.refresh(pool, at=NOON + days * DAY)
    await accuracy.watch(pool, site, at=NOON + days * DAY)
    return await alerts.standing(pool, site.id)


async def a_day(story: Story, day: int, weight: float, calls: int = 12) -> None:
    for n in range(calls):
        at = NOON + day * DAY + n * MINUTE
        await story.call(1, at, [weight, (1 - weight) / 2])
        await stale.mark(story.db, story.site, at)


async def test_a_day_below_the_threshold_is_told_and_one_above_ends_it(pool, story):
    await a_day(story, 0, 0.9)
    await a_day(story, 1, 0.5)
    assert await watched(pool, days=1.1) == []  # the day is not over

    (alert,) = await watched(pool, days=2)
    assert (alert.kind, alert.subject) == ("accuracy.low", "main")
    assert alert.since == rollup.midnight(TODAY + DAY, story.site.timezone)
    assert alert.figures == {
        "day": "2026-11-03",
        "accuracy": 0.5,
        "calls": 12,
        "threshold": 0.6,
    }
    assert "only 50% are expected" in alert.text

    await a_day(story, 2, 0.4)
    (still,) = await watched(pool, days=3)
    assert (still.id, still.since) == (alert.id, alert.since)
    assert still.figures["accuracy"] == 0.4

    await a_day(story, 3, 0.9)
    assert await watched(pool, days=4) == []


async def test_too_few_calls_say_nothing_either_way(pool, story):
    await a_day(story, 0, 0.5, calls=accuracy.LEAST - 1)
    assert await watched(pool, days=1) == []

    await a_day(story, 1, 0.5)
    assert len(await watched(pool, days=2)) == 1
    await a_day(story, 2, 0.99, calls=3)
    assert len(await watched(pool, days=3)) == 1


async def test_without_a_threshold_nothing_is_told(pool, story):
    await a_day(story, 0, 0.3)
    assert len(await watched(pool, days=1)) == 1
    assert await watched(pool, days=1, threshold=0) == []
