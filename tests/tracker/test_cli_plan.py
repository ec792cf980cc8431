"""`skvoz plan`, as a shell runs it."""

import json
from pathlib import Path

import pytest

from numberpool.sizing import Plan
from tests import make
from tests.tracker import shell, taught
from tracker import db as database
from tracker import ids


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return shell.environment(database_url, tmp_path)


async def move_to_today(db: database.Pool, site_id: int) -> None:
    """As if the last visit had been a day ago: a command knows no other clock."""
    await db.execute(
        "UPDATE leases SET (since, last_sign_at, seen_at, clicked_at, pinged_at, left_at) = "
        "(since + s, last_sign_at + s, seen_at + s, clicked_at + s, pinged_at + s, left_at + s) "
        "FROM (SELECT now() - interval '1 day' - max(since) AS s FROM leases) m"
    )
    first, last = await db.fetchrow("SELECT min(since), max(since) FROM leases")
    await database.partition(db, since=first, until=last)
    rows = await db.fetch("SELECT session_id, since FROM leases")
    new = [(row["session_id"], ids.mint(site_id, row["since"])) for row in rows]
    await db.executemany(
        "INSERT INTO sessions SELECT site_id, $2, visitor_id, started_at, last_seen_at, source_id, "
        "raw_source_id, significant, rule, device, landing_url, referrer_url, details, test "
        "FROM sessions WHERE id = $1",
        new,
    )
    await db.executemany("UPDATE leases SET session_id = $2 WHERE session_id = $1", new)


async def test_a_site_without_visits_is_told_what_to_do(
    environment: dict[str, str], pool: database.Pool
) -> None:
    await make.site(pool)

    told = shell.skvoz(environment, "plan", "acme")

    assert (told.returncode, told.stdout) == (0, ""), told.stderr
    assert "nobody was shown a number of this pool yet" in told.stderr
    assert "one number for each 20" in told.stderr


async def test_a_plan_is_a_table_with_the_advice_and_one_line_of_json_for_a_script(
    environment: dict[str, str], pool: database.Pool
) -> None:
    site = await taught.fill(pool, taught.replayed())
    await move_to_today(pool, site.id)

    told = shell.skvoz(environment, "plan", "acme", "--days", "4", "--traffic", "0.5")
    script = shell.skvoz(
        environment, "plan", "acme", "--days", "4", "--goal", "0.7", "--json"
    )

    assert told.returncode == 0, told.stderr
    assert "Erlang" in told.stdout and "← now" in told.stdout
    assert "★" in told.stdout
    assert "Provisional" in told.stderr
    assert "numbers" in told.stderr.splitlines()[-1]
    answer = json.loads(script.stdout)
    assert answer["pool"] == "main"
    assert answer["question"]["goal"] == 0.7
    assert answer["current"] == 6
    assert {one["numbers"] for one in answer["sizes"]} >= {6, 12, 18}
    assert set(answer) >= set(Plan.__struct_fields__)


async def test_what_makes_no_sense_is_refused_with_its_name(
    environment: dict[str, str], pool: database.Pool
) -> None:
    await make.site(pool)

    goal = shell.skvoz(environment, "plan", "acme", "--goal", "80")
    name = shell.skvoz(environment, "plan", "acme", "--pool", "other")
    site = shell.skvoz(environment, "plan", "nobody")

    assert (goal.returncode, name.returncode, site.returncode) == (2, 2, 2)
    assert "goal: must be between 0 and 1" in goal.stderr
    assert "pools: main" in name.stderr
    assert "acme" in site.stderr
