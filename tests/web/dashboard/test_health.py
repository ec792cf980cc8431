"""The health page: what it warns of, and its buttons."""

from datetime import UTC, datetime

from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from web import keys

NOW = datetime.now(UTC)


async def test_a_healthy_site_is_told_so(reader: Client) -> None:
    text = reading.words(await reading.page(reader, "/acme/health"))
    assert "Everything works" in text
    assert "PostgreSQL up Valkey up" in text
    assert "Every event was read." in text
    assert "Every letter has reached its mailbox." in text


async def test_everything_that_is_wrong_is_named_with_its_reason(
    reader: Client, world: make.World
) -> None:
    await make.trouble(world, at=NOW)
    id_ = await make.contact(world, at=NOW)
    await make.delivery(world, id_, at=NOW, state="dead", error="HTTP 400: bad field")
    html = await reading.page(reader, "/acme/health")
    text = reading.words(html)
    assert "Something needs your attention" in text
    assert "entry_id: expected text, got a number 3" in text
    assert "HTTP 400: bad field" in text
    assert "451 4.7.1 try again later" in text
    assert "HTTP 401: the token was revoked" in text
    assert "bad signature 12" in text
    assert "http://localhost:8080/hooks/mango/acme-pbx" in html


async def test_unread_events_come_due_by_the_button(
    reader: Client, world: make.World
) -> None:
    await make.trouble(world, at=NOW)
    page = "/acme/health"
    place = await reading.send(reader, f"{page}/read-again", {}, from_=page)
    assert place == f"{page}?done=read_again#inbox"
    late = await world.db.fetchval("SELECT count(*) FROM unread WHERE due_at > now()")
    assert late == 0


async def test_dead_deliveries_are_owed_again_one_or_all(
    reader: Client, world: make.World
) -> None:
    id_ = await make.contact(world, at=NOW)
    made = [
        await make.delivery(world, id_, at=NOW, state="dead", error="HTTP 400")
        for _ in range(3)
    ]
    page = "/acme/health"
    dead = "SELECT count(*) FROM deliveries WHERE state = 'dead'"
    await reading.send(reader, f"{page}/replay", {"delivery": str(made[0])}, from_=page)
    assert await world.db.fetchval(dead) == 2
    await reading.send(reader, f"{page}/replay", {}, from_=page)
    assert await world.db.fetchval(dead) == 0


async def test_a_stuck_letter_is_tried_again_by_its_button(
    reader: Client, world: make.World
) -> None:
    await make.trouble(world, at=NOW)
    letter = await world.db.fetchval("SELECT id FROM forwards")
    page = "/acme/health"
    await reading.send(reader, f"{page}/retry", {"letter": str(letter)}, from_=page)
    assert await world.db.fetchval("SELECT attempts FROM forwards") == 0


async def test_a_store_that_is_away_is_named(
    reader: Client, server: TestServer
) -> None:
    server.app._state[keys.REDIS] = Redis.from_url("unix:///nonexistent/socket")
    text = reading.words(await reading.page(reader, "/acme/health"))
    assert "Valkey away" in text
    assert "Something needs your attention" in text


async def test_without_postgresql_the_page_is_a_calm_503(
    reader: Client, server: TestServer, pool
) -> None:
    pool.terminate()
    async with reader.get("/acme/health") as response:
        assert response.status == 503
        assert response.headers["Retry-After"]
        assert "The database is away" in await response.text()
