"""The journal followed live."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientResponse

from tests.web.dashboard import make
from tests.web.dashboard.conftest import Client
from web.dashboard import live

PATIENCE = 15


class Stream:
    """An open stream, read event by event."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, str]:
        """The next event's name and data."""
        name, data = "", []
        async with asyncio.timeout(PATIENCE):
            while True:
                line = (await self.response.content.readline()).decode()
                assert line, "the stream ended"
                kind, _, value = line.rstrip("\n").partition(": ")
                if kind == "event":
                    name = value
                elif kind == "data":
                    data.append(value)
                elif not kind and name:
                    return name, "\n".join(data)


@pytest.fixture
async def stream(reader: Client) -> AsyncIterator[Stream]:
    async with reader.get("/acme/contacts/live") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        await response.content.readuntil(b"\n\n")
        yield Stream(response)


async def test_a_new_contact_comes_as_a_row(stream: Stream, world: make.World) -> None:
    now = datetime.now(UTC)
    id_ = await make.contact(world, at=now, name="Мария", outcome=None)
    name, row = await stream.next()
    assert name == "contact"
    assert f'id="c-{id_}"' in row
    assert "Мария" in row
    assert "talking" in row


async def test_a_change_of_a_contact_comes_too_and_one_that_no_longer_fits_is_taken_away(
    stream: Stream, world: make.World
) -> None:
    id_ = await make.contact(world, at=datetime.now(UTC))
    assert (await stream.next())[0] == "contact"
    await world.db.execute(
        "UPDATE contacts SET excluded = 'spam', updated_at = $2 WHERE id = $1",
        id_,
        datetime.now(UTC),
    )
    assert await stream.next() == ("gone", str(id_))


async def test_the_stream_keeps_to_the_filters_of_its_page(
    reader: Client, world: make.World
) -> None:
    async with reader.get("/acme/contacts/live?kind=email") as response:
        await response.content.readuntil(b"\n\n")
        call = await make.contact(world, at=datetime.now(UTC))
        letter = await make.contact(
            world, at=datetime.now(UTC), kind="email", email="a@b.example"
        )
        got: dict[str, str] = {}
        while len(got) < 2:
            name, data = await Stream(response).next()
            got[name] = data
    assert str(letter) in got["contact"]
    assert got["gone"] == str(call)


async def test_what_came_between_the_page_and_its_stream_is_not_lost(
    reader: Client, world: make.World
) -> None:
    shown_at = datetime.now(UTC) - timedelta(minutes=2)
    id_ = await make.contact(world, at=shown_at + timedelta(seconds=5))
    async with reader.get(
        "/acme/contacts/live", params={"since": shown_at.isoformat()}
    ) as response:
        _, row = await Stream(response).next()
    assert str(id_) in row


async def test_streams_are_bounded_and_end_when_the_process_stops(
    reader: Client, stream: Stream, app, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 1)
    async with reader.get("/acme/contacts/live") as refused:
        assert refused.status == 429
    await app[live.LIVE].close()
    async with asyncio.timeout(PATIENCE):
        assert await stream.response.content.read() == b""


async def test_a_stranger_gets_no_stream(stranger: Client) -> None:
    async with stranger.get("/acme/contacts/live", allow_redirects=False) as response:
        assert response.status in (303, 401)
