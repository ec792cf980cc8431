"""Past calls answered again: beside the old answers, in force only when asked, undone whole."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from tests import make
from tests.tracker import taught
from tracker import db as database
from tracker import errors, lessons, reattribution
from tracker.reports import channels, refreshing, rollup
from tracker.sites import Site

DAY = timedelta(days=1)
AS_FIRST = "pool-posterior/3"


@pytest.fixture
async def site(pool: database.Pool) -> Site:
    """With a model learned from the first half, and a lead a contact for the last week."""
    told = taught.replayed()
    site = await taught.fill(pool, told)
    await lessons.relearn(pool, site, since=None, at=told.ended - 14 * DAY)
    await pool.execute(
        "INSERT INTO leads (site_id, id, person_id, opened_at, last_contact_at, first_contact_id) "
        "SELECT site_id, id, person_id, at, at, id FROM contacts"
    )
    await pool.execute("UPDATE contacts SET lead_id = id")
    return site


async def _again(
    pool: database.Pool, site: Site, asked: str | None = None, **how: Any
) -> reattribution.Report:
    at = taught.replayed().ended + DAY
    by = await reattribution.rule(pool, site, asked, at=at)
    return await reattribution.answer_again(
        pool, site, by, since=at - 11 * DAY, until=at, at=at, **how
    )


async def _state(pool: database.Pool) -> list[list[Any]]:
    return [
        await pool.fetch(sql)
        for sql in (
            "SELECT id, rule, certainty, source_id, updated_at FROM contacts ORDER BY id",
            "SELECT * FROM credits ORDER BY call_id, session_id",
            "SELECT * FROM attributions WHERE rule = 'pool-posterior/3' ORDER BY contact_id, n",
            "SELECT * FROM answers WHERE rule = 'pool-posterior/3' ORDER BY contact_id",
        )
    ]


async def test_new_answers_stand_beside_the_old_ones_which_go_on_counting(
    pool: database.Pool, site: Site
) -> None:
    before = await _state(pool)

    done = await _again(pool, site)

    assert done.rule == "pool-posterior/3+learned-1"
    assert await _state(pool) == before
    rows = await pool.fetch(
        "SELECT a.model, a.learned_from, a.none, (SELECT coalesce(sum(weight), 0) "
        "FROM attributions b WHERE b.contact_id = a.contact_id AND b.rule = a.rule) AS given "
        "FROM answers a WHERE rule = $1",
        done.rule,
    )
    assert len(rows) == done.calls > 30
    assert {row["model"] for row in rows} == {"learned-1"}
    for row in rows:
        assert row["none"] + row["given"] == pytest.approx(1, abs=0.01)
    assert await pool.fetchval("SELECT count(*) FROM stale_days") == 0


async def test_the_new_answers_are_those_of_the_model_asked_for(
    pool: database.Pool, site: Site
) -> None:
    learned = await _again(pool, site)
    first = await _again(pool, site, "day-one")

    assert first.rule == "pool-posterior/3+day-one"
    assert first.calls == learned.calls
    mean = "SELECT avg(weight) FROM attributions WHERE rule = $1 AND n = 0"
    assert await pool.fetchval(mean, first.rule) != await pool.fetchval(
        mean, learned.rule
    )


async def test_the_table_tells_what_changes_and_its_sums_stay(
    pool: database.Pool, site: Site
) -> None:
    done = await _again(pool, site, "day-one")

    assert len(done.rows) >= 3
    assert sum(row.before for row in done.rows) == pytest.approx(done.calls, abs=0.001)
    assert sum(row.after for row in done.rows) == pytest.approx(done.calls, abs=0.001)
    assert any(row.change for row in done.rows)
    assert sum(row.change for row in done.rows) == pytest.approx(0, abs=0.001)
    assert done.certainty_before is not None
    assert done.certainty_after != pytest.approx(done.certainty_before)


async def test_used_answers_count_and_the_reports_follow(
    pool: database.Pool, site: Site
) -> None:
    at = taught.replayed().ended + DAY
    first, last = (at - 13 * DAY).date(), at.date()
    async with pool.acquire() as db:
        await rollup.rebuild(db, site.id, first, last)
    before = await _contacts(pool, site, first, last)

    done = await _again(pool, site, "day-one", use=True)
    await refreshing.Refresher(pool).refresh(at=at + DAY)
    after = await _contacts(pool, site, first, last)

    for row in done.rows:
        key = (row.channel, row.source)
        assert after[key] - before[key] == pytest.approx(
            (2 * row.change, row.change), abs=0.001
        )
    rules = await pool.fetch(
        "SELECT rule, count(*) FROM contacts GROUP BY rule ORDER BY rule"
    )
    assert [tuple(row) for row in rules][1:] == [(done.rule, done.calls)]
    wrong = await pool.fetchval(
        "SELECT count(*) FROM contacts c LEFT JOIN attributions a ON a.contact_id = c.id "
        "AND a.rule = c.rule AND a.n = 0 "
        "WHERE c.certainty <> coalesce(a.weight, 0) OR c.source_id IS DISTINCT FROM a.source_id"
    )
    assert wrong == 0


async def _contacts(
    pool: database.Pool, site: Site, since: Any, until: Any
) -> dict[tuple[str, str], Any]:
    """Contacts and leads added, and contacts, by channel and source."""
    table = await channels.table(pool, site, since=since, until=until, level="source")
    return {
        (row.channel, row.source): np.array(
            [row.now.contacts + row.now.leads, row.now.contacts]
        )
        for row in table.rows
    }


async def test_the_first_answers_can_be_taken_back(
    pool: database.Pool, site: Site
) -> None:
    before = await _state(pool)
    await _again(pool, site, "day-one", use=True)
    assert await _state(pool) != before

    back = await _again(pool, site, AS_FIRST, use=True)

    after = await _state(pool)
    assert [tuple(row)[:4] for row in after[0]] == [
        (row["id"], row["rule"], pytest.approx(row["certainty"]), row["source_id"])
        for row in before[0]
    ]
    assert [tuple(row)[:-1] for row in after[1]] == [
        tuple(row)[:-1] for row in before[1]
    ]
    assert [row["weight"] for row in after[1]] == pytest.approx(
        [row["weight"] for row in before[1]]
    )
    assert after[2:] == before[2:]
    assert back.used


async def test_told_twice_an_answer_stays_as_it_was_given(
    pool: database.Pool, site: Site
) -> None:
    rows = "SELECT * FROM attributions ORDER BY contact_id, rule, n"
    await _again(pool, site, "day-one")
    before = await pool.fetch(rows)

    again = await _again(pool, site, "day-one", use=True)

    assert await pool.fetch(rows) == before
    assert again.used


async def test_excluded_calls_are_answered_but_in_no_figure(
    pool: database.Pool, site: Site
) -> None:
    whole = await _again(pool, site, "day-one")
    await pool.execute(
        "UPDATE contacts SET excluded = 'spam' WHERE at > $1",
        taught.replayed().ended - 5 * DAY,
    )

    fewer = await _again(pool, site, "learned-1")

    assert fewer.calls < whole.calls
    stored = "SELECT count(*) FROM answers WHERE rule = $1"
    assert await pool.fetchval(stored, fewer.rule) == whole.calls


async def test_progress_is_told_to_the_end(pool: database.Pool, site: Site) -> None:
    told: list[tuple[int, int]] = []

    done = await _again(pool, site, told=lambda n, total: told.append((n, total)))

    assert told[0] == (0, done.calls)
    assert told[-1] == (done.calls, done.calls)


async def test_an_unknown_rule_is_refused_naming_those_there_are(
    pool: database.Pool, site: Site
) -> None:
    for name in ("learned-2", "learned-", "learned-99999999999", "nonsense", ""):
        with pytest.raises(
            errors.BadInput, match="pool-posterior/3, day-one, learned-1"
        ):
            await _again(pool, site, name)
    known = await _again(pool, site, "pool-posterior/3+learned-1")
    assert known.rule == "pool-posterior/3+learned-1"


async def test_a_site_without_calls_has_nothing_to_change(pool: database.Pool) -> None:
    site = await make.site(pool)

    done = await _again(pool, site, use=True)

    assert (done.calls, done.moved, done.rows) == (0, 0, ())
    assert done.certainty_before is None
