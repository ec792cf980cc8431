"""The calibration page: what it shows, what it warns of, and what to do while it is empty."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestServer

from numberpool import calibration as pure
from numberpool.calibration import Checked
from tests.tracker.known import BORIS, MINUTE, Known
from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from web import keys
from web.dashboard import calibration

NOW = datetime.now(UTC)
PAGE = "/acme/numbers/calibration"
ONE, TWO = "+74951000001", "+74951000002"


@pytest.fixture
async def known(world: make.World, server: TestServer) -> Known:
    return Known(world.db, server.app[keys.DIRECTORY].site("acme"))


async def text_of(reader: Client, path: str = PAGE) -> str:
    return reading.words(await reading.page(reader, path))


async def answered(
    world: make.World, *, weight: float, right: int, wrong: int, at: datetime
) -> None:
    """Calls of that certainty by test visits, so many of them laid to the right one."""
    for n in range(right + wrong):
        moment = at - timedelta(minutes=11 * n)
        session = await make.visit(world, at=moment, number=ONE, pages=("/",))
        await make.contact(
            world,
            at=moment + MINUTE,
            number=ONE,
            certainty=weight,
            caller=f"+7916{n:07d}",
            candidates=[(session if n < right else uuid4(), make.AD, weight, {})],
        )
    await world.db.execute("UPDATE sessions SET test = true")


async def test_while_nothing_can_be_checked_it_says_how_to_make_a_test_call(
    reader: Client,
) -> None:
    text = await text_of(reader)

    assert "No call of this period can be checked yet" in text
    assert "https://acme.example/?skvoz_test=1" in text
    assert "within 10 minutes" in text


async def test_checked_calls_are_shown_by_bin_with_the_warning_that_they_are_easy(
    reader: Client, known: Known
) -> None:
    at = NOW - timedelta(hours=2)
    session = await known.visit(at, ONE)
    await known.call(at + MINUTE, ONE)
    await known.form(at + 30 * MINUTE, session)
    await known.visit(at, TWO, test=True)
    await known.call(at + 2 * MINUTE, TWO, caller=BORIS)
    text = await text_of(reader, f"{PAGE}?month=year")

    assert "Calls checked 2 of 2" in text
    assert "calls whose truth becomes known are easier than the usual ones" in text
    assert "90% – 100% 2" in text
    assert "34% – 100% too few calls to tell" in text  # Wilson's interval of 2 of 2
    assert "planned test calls: 1" in text
    assert "taps on a number nobody else had: 0" in text
    assert "forms with the caller's phone: 1" in text


async def test_a_bin_that_chance_does_not_explain_is_warned_of(
    reader: Client, world: make.World
) -> None:
    await answered(world, weight=0.85, right=20, wrong=20, at=NOW - timedelta(hours=1))
    page = await reading.page(reader, f"{PAGE}?month=year")
    text = reading.words(page)

    assert "Certainty of 80% – 90% is too high: only 50% were right" in text
    assert "too sure" in text
    assert '<g class="bin off">' in page
    assert "Calibration error 0.35" in text


async def test_a_formula_is_one_click_away(reader: Client, world: make.World) -> None:
    await answered(world, weight=0.85, right=1, wrong=0, at=NOW - timedelta(hours=1))
    page = await reading.page(reader, f"{PAGE}?month=year")

    for name in ("calls", "mean_weight", "share_right", "error", "interval"):
        assert f'popovertarget="f-{name}"' in page
        assert f'popover id="f-{name}"' in page


async def test_the_page_speaks_russian(reader: Client, world: make.World) -> None:
    await answered(world, weight=0.85, right=1, wrong=0, at=NOW - timedelta(hours=1))
    reader.session.headers["Accept-Language"] = "ru"
    text = await text_of(reader, f"{PAGE}?month=year")

    assert "верны ли 80 %?" in text
    assert "проверочные звонки" in text
    assert "Последние 12 месяцев" in text


async def test_months_and_pools_are_chosen_by_the_address(
    reader: Client, known: Known, server: TestServer
) -> None:
    await known.db.execute(
        "INSERT INTO pools (site_id, name, replaces) VALUES ($1, 'second', '{}')",
        known.site.id,
    )
    await server.app[keys.DIRECTORY].load()
    at = (NOW - timedelta(days=45)).replace(day=15)
    await known.visit(at, ONE, test=True)
    await known.call(at + MINUTE, ONE)
    month = f"{at:%Y-%m}"

    assert "Calls checked 1 of 1" in await text_of(reader, f"{PAGE}?month={month}")
    main, second = f"{PAGE}?month={month}&pool=main", f"{PAGE}?month={month}&pool=second"  # fmt: skip
    assert "Calls checked 1 of 1" in await text_of(reader, main)
    assert "can be checked yet" in await text_of(reader, second)
    assert "can be checked yet" in await text_of(reader, f"{PAGE}?month=2020-01")


@pytest.mark.parametrize(
    "query", ["?month=2026-99", "?month=%00", "?pool=%27%22%3E", "?month=&pool=nobody"]
)
async def test_an_address_that_makes_no_sense_shows_the_usual(
    reader: Client, query: str
) -> None:
    assert "No call of this period" in await text_of(reader, PAGE + query)


async def test_a_pool_with_too_few_numbers_is_told_wherever_certainty_is_shown(
    reader: Client, known: Known, world: make.World
) -> None:
    call = await make.contact(world, at=NOW - timedelta(minutes=1), certainty=0.9)
    assert "90%" in await text_of(reader, f"/acme/contacts/{call}")
    await known.visit(NOW - timedelta(hours=20), ONE)
    await known.db.execute(
        "INSERT INTO leases (site_id, number, since, session_id, visitor_id, pool_id, source_id, "
        "device, last_sign_at) SELECT site_id, number, since + n * interval '30 s', "
        "gen_random_uuid(), visitor_id, pool_id, source_id, device, last_sign_at "
        "FROM leases, generate_series(1, 1300) AS n"
    )

    assert "The pool main is too small." in await text_of(reader)
    assert "certainty cannot be trusted" in await text_of(reader, "/acme/numbers")
    page = await text_of(reader, f"/acme/contacts/{call}")
    assert "Certainty pool too small" in page


def test_a_circles_area_tells_how_many_calls_it_is() -> None:
    few, many = calibration.draw(
        pure.calibrate([Checked(0.25, True)] * 25 + [Checked(0.95, True)] * 100)
    )

    assert many.radius == pytest.approx(2 * few.radius, abs=0.1)
    assert (few.x, few.y) == (46 + 70, 12)
    assert few.top == 12 < few.bottom
