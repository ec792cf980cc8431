"""`skvoz costs`, as a shell runs it."""

import json
from pathlib import Path

import pytest

from tests import make
from tests.tracker import shell
from tracker import db as database

GOOD = """\
date,source,medium,campaign,cost
2026-03-01,yandex,cpc,kitchens,350.20
2026-03-02,yandex,cpc,kitchens,49.80
"""


@pytest.fixture
async def environment(
    pool: database.Pool, database_url: str, tmp_path: Path
) -> dict[str, str]:
    await make.site(pool)
    return shell.environment(database_url, tmp_path)


async def test_a_file_is_imported_and_imported_again(
    environment: dict[str, str], pool: database.Pool, tmp_path: Path
) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(GOOD, encoding="utf-8")

    told = shell.skvoz(environment, "costs", "import", str(file), "--site", "acme")
    again = shell.skvoz(
        environment, "costs", "import", "-", "--site", "acme", "--json", stdin=GOOD
    )

    assert (told.returncode, told.stdout) == (0, ""), told.stderr
    assert "400 RUB from 2026-03-01 to 2026-03-02" in told.stderr
    assert json.loads(again.stdout) == {
        "rows": 2,
        "days": 2,
        "since": "2026-03-01",
        "until": "2026-03-02",
        "amount": "400.0000",
        "currency": "RUB",
    }
    assert await pool.fetchval("SELECT sum(amount)::int FROM costs") == 400


async def test_a_file_with_a_problem_changes_nothing(
    environment: dict[str, str], pool: database.Pool
) -> None:
    bad = shell.skvoz(
        environment,
        "costs",
        "import",
        "-",
        "--site",
        "acme",
        stdin=GOOD + "2026-03-03,,cpc,x,1\n",
    )

    assert (bad.returncode, bad.stdout) == (2, "")
    assert "line 4, column source: is empty" in bad.stderr
    assert "Traceback" not in bad.stderr
    assert await pool.fetchval("SELECT count(*) FROM costs") == 0


async def test_a_site_or_a_file_that_is_not_there_is_named(
    environment: dict[str, str],
) -> None:
    nobody = shell.skvoz(
        environment, "costs", "import", "-", "--site", "nobody", stdin=GOOD
    )
    nowhere = shell.skvoz(
        environment, "costs", "import", "/nowhere.csv", "--site", "acme"
    )

    assert (nobody.returncode, nowhere.returncode) == (2, 2)
    assert "acme" in nobody.stderr
    assert "/nowhere.csv: cannot be read" in nowhere.stderr
