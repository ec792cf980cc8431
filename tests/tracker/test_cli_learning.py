"""`skvoz relearn` and `skvoz reattribute`, as a shell runs them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.tracker import shell, taught
from tracker import db as database

MOMENTS = {
    "contacts": ("at",),
    "credits": ("at",),
    "leases": (
        "since", "last_sign_at", "seen_at", "clicked_at", "pinged_at", "left_at",
    ),
}  # fmt: skip


@pytest.fixture
async def environment(
    pool: database.Pool, database_url: str, tmp_path: Path
) -> dict[str, str]:
    await taught.fill(pool, taught.replayed())
    # The command goes by the real clock: the traffic has just ended.
    ahead = datetime.now(UTC) - taught.replayed().ended
    for table, columns in MOMENTS.items():
        moved = ", ".join(f"{one} = {one} + $1::interval" for one in columns)
        await pool.execute(f"UPDATE {table} SET {moved}", ahead)
    return shell.environment(database_url, tmp_path)


async def test_a_site_learns_anew_and_its_calls_are_answered_again(
    environment: dict[str, str], pool: database.Pool
) -> None:
    since = str((datetime.now(UTC) - timedelta(days=15)).date())

    learned = shell.skvoz(environment, "relearn", "acme", "--json")
    shown = shell.skvoz(environment, "reattribute", "acme", "--since", since)
    told = shell.skvoz(
        environment, "reattribute", "acme", "--since", since, "--use", "--json"
    )

    assert learned.returncode == 0, learned.stderr
    made = json.loads(learned.stdout)
    assert (made["model"], made["version"], made["since"]) == ("learned-1", 1, None)
    assert made["calls"] > 100
    assert made["provisional"] is False
    assert shown.returncode == 0, shown.stderr
    assert "google" in shown.stdout
    assert "The old answers still count" in shown.stderr
    done = json.loads(told.stdout)
    assert done["rule"] == "pool-posterior/3+learned-1"
    assert done["used"] is True
    assert {"organic_search", "unknown"} <= {row["channel"] for row in done["rows"]}
    assert await pool.fetchval(
        "SELECT count(*) FROM contacts WHERE rule = $1", done["rule"]
    )


async def test_what_makes_no_sense_is_refused_in_a_line(
    environment: dict[str, str],
) -> None:
    for arguments, words in (
        (("reattribute", "nobody", "--since", "2026-10-01"), "no site 'nobody'"),
        (("reattribute", "acme", "--since", "yesterday"), "must be a date"),
        (("reattribute", "acme", "--since", "2026-10-02", "--until", "2026-10-01"), "since"),
        (("reattribute", "acme", "--since", "2026-10-01", "--rule", "x"), "must be one of"),
        (("relearn", "acme", "--since", "2999-01-01"), "must not lie ahead"),
    ):  # fmt: skip
        told = shell.skvoz(environment, *arguments)

        assert (told.returncode, told.stdout) == (2, ""), told.stderr
        assert words in told.stderr
