"""The numbers page: who holds what, how full it is, and what it says without Valkey."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from numberpool import ledger, lending, pools
from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from web import keys
from web.dashboard import numbers

NOW = datetime.now(UTC)


async def test_all_numbers_are_listed_with_their_sources_and_last_calls(
    reader: Client, world: make.World
) -> None:
    await make.contact(world, at=NOW - timedelta(hours=3), number="+74951000002")
    text = reading.words(await reading.page(reader, "/acme/numbers"))
    assert "0 busy · 6 idle" in text
    assert "+7 495 100-00-02 never lent — — — 3 hours ago" in text
    assert "+7 495 100-01-00 Offline billboard / ring-road +7 495 000-00-00" in text


async def test_a_lent_number_shows_whose_it_is_now(
    reader: Client, world: make.World, server: TestServer
) -> None:
    now = datetime.now(UTC)  # of this moment, not of the module's: it is soon forgotten
    await make.visit(world, at=now - timedelta(minutes=2), number="+74951000003")
    (pool,) = server.app[keys.DIRECTORY].site("acme").pools
    await ledger.rebuild(
        world.db, server.app[keys.REDIS], pool, now + timedelta(minutes=4)
    )
    text = reading.words(await reading.page(reader, "/acme/numbers"))
    assert "1 busy · 5 idle" in text
    assert "+7 495 100-00-03 busy Paid search yandex / windows_moscow · phone" in text


async def test_without_valkey_the_page_says_so_plainly(
    reader: Client, server: TestServer
) -> None:
    server.app._state[keys.REDIS] = Redis.from_url("unix:///nonexistent/socket")
    text = reading.words(await reading.page(reader, "/acme/numbers"))
    assert "Valkey is away" in text
    assert "busy ·" not in text


async def test_a_site_without_numbers_says_what_to_do_next(
    reader: Client, world: make.World, server: TestServer
) -> None:
    await world.db.execute("DELETE FROM numbers")
    await world.db.execute("DELETE FROM pools")
    await server.app[keys.DIRECTORY].load()
    assert "No tracking numbers yet" in await reading.page(reader, "/acme/numbers")


async def test_whom_a_pool_is_for_what_rests_and_what_looks_odd_is_told(
    reader: Client, world: make.World, server: TestServer
) -> None:
    target = {"sources": [{"source": "yandex", "campaign": "k*"}], "traffic": 0.5}
    await world.db.execute("UPDATE pools SET target = $1", target)
    await world.db.execute(
        "UPDATE numbers SET resting = true WHERE number = '+74951000002'"
    )
    await world.db.execute(
        "UPDATE numbers SET number = '+78001000003' WHERE number = '+74951000003'"
    )
    await server.app[keys.DIRECTORY].load()
    text = reading.words(await reading.page(reader, "/acme/numbers"))
    assert "for yandex / k* · 50%" in text
    assert "0 busy · 5 idle · 1 resting" in text
    assert "+7 495 100-00-02 resting" in text
    assert "of several kinds: +7 495, +7 toll-free." in text


def test_a_pool_counts_the_busy_the_idle_and_the_shared() -> None:
    held = [
        lending.Held(
            position=n,
            number=f"+7495100000{n}",
            session=uuid4(),
            visitor=uuid4(),
            shared=n == 0,
            last_sign=NOW - timedelta(seconds=ago),
            last_seen=None,
        )
        for n, ago in enumerate((5, 60, 600))
    ]
    pool = pools.Pool(
        site_id=1,
        id=1,
        name="main",
        replaces=(),
        numbers=tuple((n, f"+7495100000{n}") for n in range(4)),
    )
    state = numbers.state(pool, held, NOW)
    assert (state.total, state.busy, state.shared) == (4, 2, 1)
    assert state.share == 0.5
    assert len(state.held) == 4  # the number that was never lent is there too
