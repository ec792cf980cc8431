"""The banner of the example site and its button."""

from aiohttp.test_utils import TestServer

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tracker import example
from web import keys


async def test_the_example_goes_with_all_its_data_by_one_button(
    reader: Client, server: TestServer, pool, seal
) -> None:
    await make.site(pool, seal, key=example.KEY, name="Kitchens", demo=True)
    await server.app[keys.DIRECTORY].load()
    page = f"/{example.KEY}/contacts"
    assert "Remove the demo data" in await reading.page(reader, page)

    assert (
        await reading.send(reader, f"/{example.KEY}/demo/remove", {}, from_=page) == "/"
    )
    await reading.page(reader, page, status=404)
    assert "Remove the demo data" not in await reading.page(reader, "/acme/contacts")


async def test_a_real_site_has_no_such_button(
    reader: Client, world: make.World
) -> None:
    assert "Remove the demo data" not in await reading.page(reader, "/acme/contacts")
    await reading.send(
        reader, "/acme/demo/remove", {}, from_="/acme/contacts", status=404
    )
    assert await world.db.fetchval("SELECT count(*) FROM sites") == 1
