"""Learning from the ledger: the same as a replay learns, when it is due, and by whom."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

from numberpool.model import Model
from tests import make
from tests.tracker import taught
from tracker import db as database
from tracker import lessons, matching, models, worker
from tracker.sites import Site

DAY = timedelta(days=1)
HALF = timedelta(hours=12)


@pytest.fixture
async def site(pool: database.Pool) -> Site:
    return await taught.fill(pool, taught.replayed())


async def test_the_ledger_teaches_what_a_replay_of_the_same_traffic_learned(
    pool: database.Pool, site: Site
) -> None:
    told = taught.Replayed()
    await models.add(
        pool,
        site.id,
        told.learner.model,
        made_at=told.ended - 3 * DAY,
        since=None,
        heard=1,
    )
    expected = told.learner.learn(told.end)

    learned = await lessons.learn_due(pool, site, at=told.ended)

    assert learned is not None
    assert learned.model is not None
    assert learned.calls == expected.calls
    # A lease keeps only the latest ping, and noise is the figure calls tell least of.
    assert learned.model.noise == pytest.approx(expected.noise, rel=0.25)
    assert learned.model.workday == pytest.approx(expected.workday)
    assert learned.model.weekend == pytest.approx(expected.weekend)
    assert learned.model.redial_chance == pytest.approx(expected.redial_chance, rel=0.1)
    assert learned.model.engagement == pytest.approx(expected.engagement, rel=0.25)
    assert learned.model.source_factors == pytest.approx(
        expected.source_factors, rel=0.05
    )
    ratio = _rates(learned.model) / _rates(expected)
    assert np.median(np.abs(ratio - 1)) < 0.05
    assert np.abs(ratio - 1).max() < 0.25


async def test_learned_from_nothing_but_the_ledger_it_expects_about_as_many_calls(
    pool: database.Pool, site: Site
) -> None:
    told = taught.Replayed()
    expected = told.learner.learn(told.end)

    learned = await lessons.learn_due(pool, site, at=told.ended)

    assert learned is not None
    assert learned.model is not None
    factor = learned.model.source_factors["direct/none"]
    ratio = _rates(learned.model) * factor / _rates(expected)
    ratio /= expected.source_factors["direct/none"]
    assert 0.8 < np.median(ratio) < 1.25


def _rates(model: Model) -> np.ndarray:
    return np.array([model.rates[name] for name in sorted(model.rates)])


async def test_it_reads_many_chunks_as_it_reads_one(
    pool: database.Pool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await lessons.relearn(pool, site, since=None, at=taught.replayed().ended)
    monkeypatch.setattr(lessons, "CHUNK", 97)
    parts = await lessons.relearn(pool, site, since=None, at=taught.replayed().ended)

    assert whole.model is not None
    assert parts.model is not None
    assert _rates(parts.model) == pytest.approx(_rates(whole.model))


async def test_rare_sources_are_learned_together(
    pool: database.Pool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "MOST_SOURCES", 1)

    learned = await lessons.relearn(pool, site, since=None, at=taught.replayed().ended)

    assert learned.model is not None
    assert len(learned.model.source_factors) == 2
    assert "*" in learned.model.source_factors


async def test_nothing_is_learned_again_before_enough_calls_and_half_a_day(
    pool: database.Pool, site: Site
) -> None:
    told = taught.replayed()
    middle = told.ended - 14 * DAY
    first = await lessons.learn_due(pool, site, at=middle)
    assert first is not None

    assert await lessons.learn_due(pool, site, at=middle) is None
    early = await lessons.learn_due(pool, site, at=middle + HALF - timedelta(seconds=1))
    assert early is None
    later = await lessons.learn_due(pool, site, at=told.ended)
    assert later is not None
    assert (first.version, later.version) == (1, 2)
    assert later.heard >= first.heard + 10
    assert later.model is not None
    assert later.model.version == "learned-2"


async def test_a_site_with_few_calls_stays_on_day_one(pool: database.Pool) -> None:
    site = await make.site(pool)

    assert await lessons.learn_due(pool, site, at=make.NOON) is None
    assert await models.in_force(pool, site.id, at=make.NOON) is None


async def test_spam_tests_and_staff_teach_nothing(
    pool: database.Pool, site: Site
) -> None:
    at = taught.replayed().ended
    whole = await lessons.relearn(pool, site, since=None, at=at)
    await pool.execute(
        "UPDATE contacts SET excluded = (ARRAY['spam', 'test', 'staff'])[1 + length(caller) % 3] "
        "WHERE id IN (SELECT id FROM contacts ORDER BY id LIMIT 100)"
    )

    without = await lessons.relearn(pool, site, since=None, at=at)

    assert without.calls < whole.calls - 20
    assert without.heard == without.calls


async def test_two_workers_at_once_learn_one_model(
    pool: database.Pool, site: Site
) -> None:
    at = taught.replayed().ended
    await asyncio.gather(*(lessons.learn_due(pool, site, at=at) for _ in range(3)))

    assert await pool.fetchval("SELECT count(*) FROM models") == 1


async def test_relearning_from_a_date_forgets_what_was_before_for_good(
    pool: database.Pool, site: Site
) -> None:
    told = taught.replayed()
    since = told.ended - 14 * DAY
    whole = await lessons.relearn(pool, site, since=None, at=told.ended - 2 * DAY)

    half = await lessons.relearn(pool, site, since=since, at=told.ended - DAY)
    await pool.execute(
        "UPDATE models SET heard = 1, made_at = made_at - interval '3 days'"
    )
    next_one = await lessons.learn_due(pool, site, at=told.ended)

    assert half.calls < whole.calls * 0.75
    assert next_one is not None
    assert next_one.since == since
    assert next_one.calls < whole.calls * 0.75


async def test_relearning_with_too_few_calls_is_back_on_day_one_until_there_are_more(
    pool: database.Pool, site: Site
) -> None:
    told = taught.replayed()
    at = told.ended - 7 * DAY
    await lessons.relearn(pool, site, since=None, at=at - DAY)

    nothing = await lessons.relearn(pool, site, since=at, at=at)

    assert nothing.model is None
    assert nothing.name == "day-one"
    known = await models.in_force(pool, site.id, at=at)
    assert known is not None
    assert known.model is None
    more = await lessons.learn_due(pool, site, at=told.ended)
    assert more is not None
    assert more.since == at
    assert 10 <= more.calls == more.heard


# Used by matching ---------------------------------------------------------------------------


async def test_a_call_is_weighed_by_the_model_of_its_moment(
    pool: database.Pool, site: Site
) -> None:
    told = taught.replayed()
    learned = await lessons.relearn(pool, site, since=None, at=told.ended - 2 * DAY)

    before = await _call(pool, site, 1, after=-3 * DAY)
    after = await _call(pool, site, 2, after=-DAY)

    assert before.basis is not None
    assert after.basis is not None
    assert (before.basis.model, before.basis.learned_from) == ("day-one", 0)
    assert (after.basis.model, after.basis.learned_from) == ("learned-1", learned.calls)
    assert after.rule == before.rule == "pool-posterior/3"
    whole = after.basis.none + sum(one.weight for one in after.candidates)
    assert whole == pytest.approx(1, abs=0.01)


async def test_parameters_of_another_release_are_not_used_and_learned_anew(
    pool: database.Pool, site: Site
) -> None:
    told = taught.replayed()
    await lessons.relearn(pool, site, since=None, at=told.ended - DAY)
    await pool.execute(
        "UPDATE models SET id = gen_random_uuid(), parameters = parameters #- '{rates,click_quiet}'"
    )

    match = await _call(pool, site, 4, after=timedelta())
    again = await lessons.learn_due(pool, site, at=told.ended)

    assert match.basis is not None
    assert match.basis.model == "day-one"
    assert again is not None
    assert again.model is not None


async def test_the_factor_of_a_source_is_found_by_its_name(
    pool: database.Pool, site: Site
) -> None:
    learned = await lessons.relearn(
        pool, site, since=None, at=taught.replayed().ended - DAY
    )
    assert learned.model is not None

    match = await _call(pool, site, 3, after=timedelta())

    factors = learned.model.source_factors
    names = {
        row["id"]: f"{row['source']}/{row['medium']}"
        for row in await pool.fetch("SELECT * FROM sources")
    }
    assert len({one.source_id for one in match.candidates}) > 1
    for one in match.candidates:
        assert one.why["source"] == pytest.approx(factors[names[one.source_id]])
    noise = learned.model.noise / taught.NUMBERS
    assert match.basis is not None
    assert 0 < match.basis.noise <= 4 * noise


async def _call(
    pool: database.Pool, site: Site, n: int, *, after: timedelta
) -> matching.Match:
    async with pool.acquire() as db:
        return await matching.of_call(
            db,
            site,
            site.numbers[make.number(n)],
            call_id=taught.contact(10_000 + n),
            caller=None,
            at=taught.replayed().ended + after,
        )


# Where it runs ------------------------------------------------------------------------------


def test_the_worker_learns() -> None:
    assert "learn" in {loop.name for loop in worker.LOOPS}


@pytest.mark.parametrize("door", ["web.__main__", "web.app", "mailrelay.__main__"])
def test_no_door_loads_numpy(door: str) -> None:
    code = f"import sys, {door}; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
