"""The dashboard within the whole application, beside every other door."""

from aiohttp.test_utils import TestClient, TestServer

from tests.web.dashboard import make, reading
from tracker import config
from web import app


async def test_people_sign_in_and_read_beside_the_other_doors(
    world: make.World, pool, valkey
) -> None:
    settings = config.read({"SKVOZ_SECRET_KEY": "only for tests"})
    built = app.build(settings, pool, valkey)
    headers = {"Accept-Language": "en"}
    async with TestClient(TestServer(built), headers=headers) as client:
        await reading.page(client, "/acme/contacts", status=303)
        form = {"email": make.EMAIL, "password": make.PASSWORD}
        place = await reading.send(client, "/sign-in", form)
        assert place == "/"
        for page in ("contacts", "channels", "numbers", "costs", "health"):
            assert "ACME" in await reading.page(client, f"/acme/{page}")
        async with client.get("/static/dashboard.css") as style:
            assert style.status == 200
        async with client.get("/api/v1/contacts?site=acme") as door:
            assert door.status == 401
        async with client.get("/healthz") as door:
            assert await door.text() == "ok\n"
