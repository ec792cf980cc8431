"""The example site's history: believable, the same for the same seed, and gone when told."""

import asyncio
import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import redis.asyncio

from numberpool import lending
from tests.make import DAY, NOON, SEAL
from tracker import config, demo_history, demo_origins, demo_story, example, sites
from tracker import db as database
from tracker.demo_tape import Call, Deal, Form, Letter, Page, Sign, Story
from tracker.sites import Site
from tracker.sources import classify

MOSCOW = ZoneInfo("Europe/Moscow")
WEEKS = timedelta(weeks=6)
SHORT = timedelta(days=5)

Tell = Callable[[timedelta], Awaitable[Story]]


def story_of(seed: int, period: timedelta = WEEKS) -> Story:
    return demo_story.tell(seed=seed, since=NOON - period, until=NOON, zone=MOSCOW)


@pytest.fixture(scope="module")
def story() -> Story:
    return story_of(1)


def of(story: Story, *kinds: type) -> list:
    return [one for one in story.happenings if isinstance(one, kinds)]


def first_pages(story: Story) -> dict[int, Page]:
    """How each visit began."""
    found: dict[int, Page] = {}
    for page in of(story, Page):
        found.setdefault(page.visit, page)
    return found


# The story -----------------------------------------------------------------------------


def test_the_same_seed_and_end_tell_the_same_story():
    assert story_of(7, SHORT) == story_of(7, SHORT)
    assert story_of(7, SHORT) != story_of(8, SHORT)


def test_it_is_told_in_the_order_of_time_and_within_its_period(story):
    moments = [one.at for one in story.happenings]

    assert moments == sorted(moments)
    assert moments[0] >= story.since
    assert max(one.over for one in story.happenings) <= story.until


def test_every_thing_hangs_on_a_visit_that_has_begun(story):
    begun = {visit: page.at for visit, page in first_pages(story).items()}

    for one in of(story, Sign, Letter, Form, Call):
        visit = one.line.visit if isinstance(one, Call) else one.visit
        assert visit is None or begun[visit] <= one.at


@pytest.mark.parametrize("seed", range(4))
def test_about_a_hundred_visits_a_day_most_of_them_mobile_and_by_daylight(seed):
    pages = first_pages(story_of(seed)).values()
    days = Counter(page.at.astimezone(MOSCOW).date() for page in pages)
    whole = sorted(days.items())[1:-1]
    hours = Counter(page.at.astimezone(MOSCOW).hour for page in pages)
    again = len(pages) - len({page.visitor for page in pages})

    assert all(60 <= count <= 130 for _, count in whole)
    assert 0.5 < sum(page.device == "mobile" for page in pages) / len(pages) < 0.7
    assert 0.15 < again / len(pages) < 0.3
    assert hours[3] * 10 < hours[15]


def test_visitors_come_from_everywhere(story):
    landings = [classify(page.url, page.referrer) for page in first_pages(story).values()]  # fmt: skip
    channels = {one.source.channel for one in landings}
    sources = {(one.source.source, one.source.medium) for one in landings}

    assert {"direct", "referral", "email", "ai_assistant"} <= channels
    assert {
        ("yandex", "cpc"), ("google", "cpc"), ("vk", "cpc"), ("yandex", "organic"),
        ("google", "organic"), ("telegram", "messenger"), ("2gis", "maps"),
    } <= sources  # fmt: skip
    assert any("yclid" in one.click_ids for one in landings)


def test_nobody_in_it_is_real(story):
    people = of(story, Letter, Form, Deal)
    phones = {one.phone for one in people} | {one.caller for one in of(story, Call)}

    assert all(p.startswith(("+7900000", "+7916555")) for p in phones if p)
    assert all(one.email.endswith(".example") for one in people if one.email)


def test_customers_redial_are_called_back_hide_and_write_after_they_have_called(story):
    calls = of(story, Call)
    callers = {call.caller: call.at for call in reversed(calls) if not call.outbound}
    dialled = Counter(call.caller for call in calls if call.caller)

    assert any(call.talks is None for call in calls)
    assert any(call.outbound for call in calls)
    assert any(call.caller is None for call in calls)
    assert max(dialled.values()) > 1
    assert any(
        one.phone in callers and callers[one.phone] < one.at for one in of(story, Letter)
    )  # fmt: skip


def test_the_shop_makes_a_test_call_a_week(story):
    visits = own_checks(story)
    tested = [call for call in of(story, Call) if call.line.visit in visits]

    assert len(visits) == len(tested) == WEEKS.days // 7
    assert len({call.caller for call in tested}) == 1


def test_a_third_of_the_customers_get_a_deal_and_it_ends_days_later(story):
    deals: dict[str, list[Deal]] = defaultdict(list)
    for deal in of(story, Deal):
        deals[deal.key].append(deal)
    customers = {
        one.caller if isinstance(one, Call) else one.phone or one.email
        for one in of(story, Call, Letter, Form)
    }
    ends = [told[-1] for told in deals.values() if told[-1].state != "open"]

    assert 0.2 < len(deals) / len(customers) < 0.45
    assert {told[-1].state for told in deals.values()} == {"open", "won", "lost"}
    assert all(one.closed_at - one.opened_at >= 4 * DAY for one in ends)
    assert all(40_000 <= one.amount <= 400_000 for one in of(story, Deal))


@pytest.mark.parametrize("seed", range(1, 6))
def test_one_campaign_shines_and_one_only_loses_money(seed):
    story = story_of(seed)
    earned, spent = revenue(story), Counter()
    for cost in story.costs:
        spent[cost.campaign] += cost.amount
    romi = {name: earned[name] / spent[name] - 1 for name in spent}

    assert romi[demo_origins.LOSING] == -1
    assert spent[demo_origins.LOSING] > 50_000
    assert romi[demo_origins.SHINING] > 5
    assert romi[demo_origins.SHINING] > romi["kuhni-poisk"]


def revenue(story: Story) -> Counter[str]:
    """What was won, by the campaign that first brought the customer."""
    visits = first_pages(story)
    came: dict[int, str] = {}
    for page in visits.values():
        names = parse_qs(urlsplit(page.url).query).get("utm_campaign", [""])
        came.setdefault(page.visitor, names[0])
    campaign: dict[str | None, str] = {}
    for one in of(story, Call, Letter, Form):
        visit = one.line.visit if isinstance(one, Call) else one.visit
        names_ = (
            (one.caller,) if isinstance(one, Call) else (one.phone, one.email or None)
        )
        if visit is not None:
            for name in names_:
                campaign.setdefault(name, came[visits[visit].visitor])
    total: Counter[str] = Counter()
    for deal in of(story, Deal):
        if deal.state == "won":
            total[campaign.get(deal.phone or deal.email, "")] += deal.amount
    return total


# Told to the real functions --------------------------------------------------------------


@pytest.fixture
async def site(pool: database.Pool, tmp_path) -> Site:
    settings = config.read({"SKVOZ_DATA": str(tmp_path)})
    async with pool.acquire() as db:
        await example.set_up(db, settings, SEAL, at=NOON - WEEKS)
    return (await sites.load(pool, SEAL)).by_key[example.KEY]


@pytest.fixture
async def tell(pool: database.Pool, valkey: redis.asyncio.Redis, site: Site) -> Tell:
    async def tell(period: timedelta) -> Story:
        story = story_of(3, period)
        await demo_history.tell(pool, valkey, site, story, mail_domain="t.example")
        return story

    return tell


async def test_everything_told_is_there_and_calls_find_their_session(
    pool, valkey, site, tell
):
    told = await tell(4 * DAY)
    kinds = dict(await pool.fetch("SELECT kind, count(*) FROM contacts GROUP BY kind"))
    busiest = await pool.fetchval(
        "SELECT count(*) FROM contacts GROUP BY person_id ORDER BY 1 DESC LIMIT 1"
    )
    visits = await pool.fetchval("SELECT sum(visits) FROM daily")
    costs = await pool.fetchval("SELECT sum(cost) FROM daily")

    assert await pool.fetchval("SELECT count(*) FROM sessions") == told.visits
    assert visits == told.visits - len(own_checks(told))
    assert sum(kinds.values()) == told.contacts
    assert kinds.keys() == {"call", "email", "form"}
    assert busiest > 1
    assert await pool.fetchval("SELECT count(*) FROM deals") == told.deals > 0
    assert costs == sum((one.amount for one in told.costs), Decimal())
    assert await found_again(pool, told) > 0.6
    assert await pool.fetchval("SELECT count(*) FROM sessions WHERE test") == len(
        own_checks(told)
    )
    held = await lending.snapshot(valkey, site.pools[0])
    assert sum(not one.idle(NOON) for one in held) >= demo_story.STILL_HERE


def own_checks(story: Story) -> list[int]:
    """The visits in which the shop checks its own telephone."""
    pages = first_pages(story).items()
    return [visit for visit, page in pages if "skvoz_test=1" in page.url]


async def found_again(pool: database.Pool, told: Story) -> float:
    """The share of calls to pool numbers that were laid to the session that made them."""
    rows = await pool.fetch(
        """
        SELECT k.call_key, s.started_at
          FROM calls k
          JOIN attributions a USING (site_id, contact_id)
          JOIN sessions s ON s.site_id = a.site_id AND s.id = a.session_id
         WHERE a.n = 0
        """
    )
    answer = {row["call_key"]: row["started_at"] for row in rows}
    pages = first_pages(told)
    calls = calls_from_visits(of(told, Call))
    right = sum(answer.get(key) == pages[visit].at for key, visit in calls)
    assert len(calls) > 10
    return right / len(calls)


def calls_from_visits(calls: Iterable[Call]) -> list[tuple[str, int]]:
    return [
        (call.key, call.line.visit)
        for call in calls
        if call.line.visit is not None and not call.outbound
    ]


async def test_only_what_happened_on_the_last_day_is_owed(pool, tell):
    await tell(2 * DAY)

    rows = await pool.fetch("SELECT DISTINCT at FROM deliveries")

    assert rows
    assert min(row["at"] for row in rows) >= NOON - DAY


async def test_removing_the_example_leaves_no_row_of_it(pool, db, tell, site):
    await tell(DAY)
    tables = await pool.fetch(
        """
        SELECT c.table_name AS name FROM information_schema.columns c
          JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE c.table_schema = 'public' AND c.column_name = 'site_id'
        """
    )

    async def left() -> dict[str, int]:
        counts = {
            row["name"]: await pool.fetchval(
                f"SELECT count(*) FROM {row['name']} WHERE site_id = $1", site.id
            )
            for row in tables
        }
        return {name: count for name, count in counts.items() if count}

    assert {"sessions", "leases", "contacts", "deals", "daily"} <= (await left()).keys()

    assert await example.remove(db)

    assert await left() == {}
    assert await pool.fetchval("SELECT count(*) FROM sites") == 0
    assert not await example.remove(db)


# The command -----------------------------------------------------------------------------


class Command:
    """`skvoz` as a process of its own, on the test's stores."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SKVOZ_DATA": str(folder),
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker.cli", *arguments),
            env=self._environment,
            stderr=asyncio.subprocess.PIPE,
        )

    async def words(self, *arguments: str) -> str:
        """What it says when all goes well."""
        process = await self.start(*arguments)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


@pytest.fixture
def skvoz(database_url: str, redis_url: str, tmp_path: Path) -> Command:
    return Command(database_url, redis_url, tmp_path)


async def test_the_command_fills_the_example_and_takes_it_away(pool, valkey, skvoz):
    said = await skvoz.words("demo", "--weeks", "1", "--seed", "5")
    visits = await pool.fetchval("SELECT count(*) FROM sessions")

    assert f"{visits} visits" in said
    assert "/demo/contacts" in said
    assert "is gone" in await skvoz.words("demo", "--remove")
    assert "no example site" in await skvoz.words("demo", "--remove")
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_ctrl_c_leaves_no_half_of_it(pool, valkey, skvoz):
    filling = await skvoz.start("demo")
    while await pool.fetchval("SELECT count(*) FROM contacts") < 3:
        assert filling.returncode is None
        await asyncio.sleep(0.02)

    filling.send_signal(signal.SIGINT)
    _, said = await filling.communicate()

    assert filling.returncode not in (0, None)
    assert "taken away again" in said.decode()
    assert "Traceback" not in said.decode()
    assert await pool.fetchval("SELECT count(*) FROM sites") == 0
