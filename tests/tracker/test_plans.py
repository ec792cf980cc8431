"""Plans from the site's own tables: what is read, what is bounded, who makes them and keeps them."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from numberpool import planner
from numberpool.sizing import Question
from tests import make
from tests.tracker import taught
from tracker import db as database
from tracker import ids, models, plan_rows, planning, plans, sites
from tracker.errors import BadInput, TooMany
from tracker.seal import Seal
from tracker.sites import Site

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SHORT = Question(days=5)


@pytest.fixture(autouse=True)
def few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to tell that something was drawn."""
    monkeypatch.setattr(planner, "ENOUGH_CALLS", 60)


@pytest.fixture
async def site(pool: database.Pool) -> Site:
    return await taught.fill(pool, taught.replayed())


def after() -> datetime:
    """Just after the last whole day of the ledger."""
    end = taught.replayed().ended
    return end.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


async def make_plan(
    pool: database.Pool, site: Site, question: Question = SHORT, **told: object
):
    told.setdefault("at", after())
    return await plans.make(pool, site, site.pools[0], question, **told)


# What a plan says -------------------------------------------------------------------------


async def test_a_plan_compares_sizes_around_todays_and_advises_one_that_was_tried(
    pool: database.Pool, site: Site
) -> None:
    heard: list[float] = []

    async def told(part: float) -> None:
        heard.append(part)

    plan = await make_plan(pool, site, told=told)

    sizes = [one.numbers for one in plan.sizes]
    assert {6, 12, 18} <= set(sizes)
    assert plan.now is not None and plan.advice is not None
    assert plan.of(plan.advice.numbers) is not None
    assert plan.days == 5
    assert plan.drawn_calls > 10
    assert heard == sorted(heard) and heard[-1] == 1.0


async def test_the_real_calls_of_the_same_days_stand_beside_it(
    pool: database.Pool, site: Site
) -> None:
    traffic = await plans.load(pool, site, site.pools[0], SHORT, at=after())

    count, sure = await pool.fetchrow(
        "SELECT count(*), avg(sure) FROM (SELECT max(weight) AS sure FROM credits "
        "WHERE at >= $1 AND at < $2 GROUP BY call_id) k",
        after() - 5 * DAY,
        after(),
    )
    assert (traffic.calls, traffic.sure) == (count, pytest.approx(sure))
    assert count > 20


async def test_calls_left_out_of_figures_are_left_out_here(
    pool: database.Pool, site: Site
) -> None:
    await pool.execute("UPDATE contacts SET excluded = 'spam'")

    traffic = await plans.load(pool, site, site.pools[0], SHORT, at=after())

    assert (traffic.calls, traffic.sure) == (0, None)


async def test_visits_are_those_of_whole_days_with_some_before_to_warm_up(
    pool: database.Pool, site: Site
) -> None:
    at = after() + timedelta(hours=7)

    traffic = await plans.load(pool, site, site.pools[0], SHORT, at=at)

    shown = await pool.fetchval(
        "SELECT count(*) FROM leases WHERE since >= $1 AND since < $2",
        after() - 5 * DAY - plans.WARM,
        after(),
    )
    assert datetime.fromtimestamp(traffic.since, UTC) == after() - 5 * DAY
    assert datetime.fromtimestamp(traffic.until, UTC) == after()
    assert len(traffic.visits) == shown
    assert [one.since for one in traffic.visits] == sorted(
        one.since for one in traffic.visits
    )
    assert {one.source_id for one in traffic.visits} == {
        "google/cpc", "google/organic", "direct/none",
    }  # fmt: skip


async def test_the_sites_own_model_is_used_and_a_rare_source_has_the_others_factor(
    pool: database.Pool, site: Site
) -> None:
    learned = taught.replayed().learner.model
    await models.add(pool, site.id, learned, made_at=after() - DAY, since=None, heard=1)

    traffic = await plans.load(pool, site, site.pools[0], SHORT, at=after())

    assert traffic.model.version == "learned-1"
    assert traffic.model.rates == learned.rates
    assert traffic.model.noise == pytest.approx(learned.noise)


async def test_too_much_traffic_is_cut_to_its_latest_whole_days(
    pool: database.Pool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MOST_VISITS", 250)

    plan = await make_plan(pool, site)

    assert plan.days < 5
    assert plan.days == int(plan.days)
    assert plan.asked_days == 5
    assert plan.every == 1


async def test_of_a_day_that_is_still_too_much_every_nth_visitor_is_taken(
    pool: database.Pool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await make_plan(pool, site, Question(days=1))
    monkeypatch.setattr(plans, "MOST_VISITS", 30)

    part = await make_plan(pool, site, Question(days=1))

    assert part.every > 1
    assert part.visits_a_day == pytest.approx(whole.visits_a_day, rel=0.5)
    assert part.now is not None


async def test_who_waited_and_was_shown_no_number_is_a_visit_too(
    pool: database.Pool, site: Site
) -> None:
    quarter = (after() - DAY).replace(hour=3)
    before = await plans.load(pool, site, site.pools[0], SHORT, at=after())
    source = await pool.fetchval("SELECT id FROM sources LIMIT 1")
    for n in range(3):
        session, at = ids.mint(site.id, quarter + n * MINUTE), quarter + n * MINUTE
        await pool.execute(
            "INSERT INTO sessions (site_id, id, visitor_id, started_at, last_seen_at, source_id, "
            "raw_source_id, rule, device, landing_url) "
            "VALUES ($1, $2, $3, $4, $5, $6, $6, 'utm', 'mobile', 'https://acme.example/')",
            site.id, session, ids.visitor(), at, at + MINUTE, source,
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO events VALUES ($1, $2, $3, 'reveal', '')", site.id, session, at
        )
    await pool.execute(
        "INSERT INTO pool_waits (site_id, pool_id, quarter, waited, served) "
        "VALUES ($1, $2, $3, 5, 3)",
        site.id, site.pools[0].id, quarter,
    )  # fmt: skip

    now = await plans.load(pool, site, site.pools[0], SHORT, at=after())

    more = [one for one in now.visits if one.since >= quarter.timestamp() and one.since < (quarter + 2 * MINUTE).timestamp()]  # fmt: skip
    assert len(now.visits) == len(before.visits) + 2
    assert [one.seen_at for one in more[-2:]] == [one.since for one in more[-2:]]


async def test_a_site_of_one_day_is_planned_from_that_day(
    pool: database.Pool, site: Site
) -> None:
    first = await pool.fetchval("SELECT min(since) FROM leases")

    plan = await make_plan(pool, site, at=first + timedelta(hours=10))

    assert 0 < plan.days < 0.5
    assert plan.sizes


async def test_without_visits_there_are_no_sizes_and_no_advice(
    pool: database.Pool,
) -> None:
    site = await make.site(pool)

    plan = await make_plan(pool, site)

    assert (plan.sizes, plan.advice, plan.current) == ((), None, 2)


# Money ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contacts", "revenue", "cost", "worth", "by"),
    [
        (20, 5000, 100, Decimal("250.00"), "revenue"),
        (20, 0, 100, Decimal("5.00"), "cost"),
        (20, 0, 0, None, None),
        (9, 5000, 100, None, None),
    ],
)
async def test_a_contact_is_worth_its_revenue_else_its_cost_else_nobody_knows(
    pool: database.Pool,
    site: Site,
    contacts: int,
    revenue: int,
    cost: int,
    worth: Decimal | None,
    by: str | None,
) -> None:
    await pool.execute(
        "INSERT INTO daily (site_id, day, source_id, calls, forms, revenue, cost) "
        "VALUES ($1, $2, 0, $3, 1, $4, $5)",
        site.id, (after() - DAY).date(), contacts - 1, revenue, cost,
    )  # fmt: skip

    plan = await make_plan(pool, site, Question(days=1))

    assert (plan.worth, plan.worth_by, plan.currency) == (worth, by, "RUB")
    for size in plan.sizes:
        expected = worth and round(worth * Decimal(size.wrong_calls), 2)
        assert size.loss == (worth and pytest.approx(expected, abs=Decimal("0.02")))


# Questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "field"),
    [
        (Question(days=0), "days"),
        (Question(days=61), "days"),
        (Question(traffic=0), "traffic"),
        (Question(traffic=float("nan")), "traffic"),
        (Question(traffic=21), "traffic"),
        (Question(sources={"yandex": 2}), "source"),
        (Question(sources={"yandex/cpc": -1}), "source"),
        (Question(sources={f"a/{n}": 1.0 for n in range(21)}), "source"),
        (Question(rest=-1), "rest"),
        (Question(rest=float("inf")), "rest"),
        (Question(goal=1), "goal"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_its_field(
    question: Question, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        plans.check(question)
    assert refused.value.field == field


def test_a_source_is_told_with_its_factor() -> None:
    assert plans.source("Yandex/CPC=1.5") == ("yandex/cpc", 1.5)
    with pytest.raises(BadInput):
        plans.source("yandex/cpc")


async def test_a_pool_is_known_by_name_and_the_first_is_the_usual(
    pool: database.Pool,
) -> None:
    site = await make.site(pool)

    assert plans.pool_of(site, None) is plans.pool_of(site, "main") is site.pools[0]
    with pytest.raises(BadInput, match="main"):
        plans.pool_of(site, "other")


# Asked for, made, kept ----------------------------------------------------------------------


@pytest.fixture
async def directory(pool: database.Pool, site: Site, seal: Seal) -> sites.Directory:
    directory = sites.Directory(pool, make.SEAL)
    await directory.load()
    return directory


async def asked(pool: database.Pool, site: Site, question: Question = SHORT, **told):
    return await plan_rows.answer(
        pool, site.id, site.pools[0].id, question, numbers=6, at=told.get("at", after())
    )


async def test_who_asks_first_waits_and_finds_the_plan_once_it_is_made(
    pool: database.Pool, site: Site, directory: sites.Directory
) -> None:
    first = await asked(pool, site)
    assert first.waiting and first.plan is None

    assert await planning.answer_next(pool, directory, now=after)
    assert not await planning.answer_next(pool, directory, now=after)

    kept = await asked(pool, site)
    assert not kept.waiting
    assert kept.plan == await make_plan(pool, site)


async def test_a_plan_is_made_anew_when_it_is_old_or_the_pool_has_changed(
    pool: database.Pool, site: Site, directory: sites.Directory
) -> None:
    await asked(pool, site)
    await planning.answer_next(pool, directory, now=after)

    soon = await asked(pool, site, at=after() + 59 * MINUTE)
    changed = await plan_rows.answer(
        pool, site.id, site.pools[0].id, SHORT, numbers=7, at=after()
    )
    assert not soon.waiting
    assert changed.waiting and changed.plan == soon.plan


async def test_the_usual_question_is_asked_once_a_day_of_each_pool(
    pool: database.Pool, site: Site, directory: sites.Directory
) -> None:
    await planning.ask_usual(pool, directory, at=after())
    await planning.ask_usual(pool, directory, at=after())
    kept = await plan_rows.find(pool, site.id, site.pools[0].id, plan_rows.USUAL)
    assert kept is not None and kept.waiting

    claimed = await plan_rows.claim(pool, at=after())
    assert claimed is not None
    await plan_rows.record(pool, claimed, None, trouble="none", at=after())
    await planning.ask_usual(pool, directory, at=after() + 23 * 60 * MINUTE)
    assert await plan_rows.claim(pool, at=after() + DAY) is None

    await planning.ask_usual(pool, directory, at=after() + DAY)
    assert await plan_rows.claim(pool, at=after() + DAY) is not None


async def test_a_claim_of_a_worker_that_died_comes_due_again(
    pool: database.Pool, site: Site
) -> None:
    await asked(pool, site)

    assert await plan_rows.claim(pool, at=after()) is not None
    assert await plan_rows.claim(pool, at=after()) is None
    assert await plan_rows.claim(pool, at=after() + plan_rows.CLAIM) is not None


async def test_a_worker_that_is_stopped_gives_its_claim_back(
    pool: database.Pool,
    site: Site,
    directory: sites.Directory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner, "ENOUGH_CALLS", 20_000)  # goes on for long
    await asked(pool, site, Question(days=28))
    work = asyncio.create_task(planning.answer_next(pool, directory, now=after))
    while not await pool.fetchval("SELECT progress > 0 FROM plans"):
        assert not work.done()
        await asyncio.sleep(0.02)

    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert await plan_rows.claim(pool, at=after()) is not None


async def test_a_pool_that_is_gone_ends_the_waiting_with_the_reason(
    pool: database.Pool, site: Site, directory: sites.Directory
) -> None:
    await plan_rows.ask(pool, site.id, 999, SHORT, at=after())

    await planning.answer_next(pool, directory, now=after)

    kept = await plan_rows.find(pool, site.id, 999, SHORT)
    assert kept is not None and not kept.waiting
    assert kept.trouble == "the pool is no longer set up"


async def test_questions_that_wait_are_bounded(pool: database.Pool, site: Site) -> None:
    for days in range(1, plan_rows.MOST_OPEN + 1):
        await asked(pool, site, Question(days=days))

    with pytest.raises(TooMany):
        await asked(pool, site, Question(days=59))


async def test_answers_nobody_reads_are_forgotten(
    pool: database.Pool, site: Site, directory: sites.Directory
) -> None:
    await asked(pool, site, Question(days=1))
    await planning.answer_next(pool, directory, now=after)

    await plan_rows.forget(pool, at=after() + 6 * DAY)
    assert await pool.fetchval("SELECT count(*) FROM plans") == 1
    await plan_rows.forget(pool, at=after() + 8 * DAY)
    assert await pool.fetchval("SELECT count(*) FROM plans") == 0


def test_the_web_process_does_without_numpy() -> None:
    code = "import sys, web.app; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
