"""Style sheets and scripts: cached for good, found nowhere but in their folder."""

import pytest

from tests.web.dashboard.conftest import Client
from web.dashboard import assets


async def test_an_asset_is_cached_for_good_under_its_own_hash(stranger: Client) -> None:
    address = assets.address("dashboard.css")
    async with stranger.get(address) as response:
        assert response.status == 200
        assert response.content_type == "text/css"
        assert "immutable" in response.headers["Cache-Control"]
        tag = response.headers["ETag"]
    async with stranger.get(address, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    async with stranger.get("/static/dashboard.css?v=old") as response:
        assert response.headers["Cache-Control"] == "no-cache"


async def test_an_asset_is_sent_compressed_to_whoever_takes_it(
    stranger: Client,
) -> None:
    for coding in ("br", "gzip"):
        headers = {"Accept-Encoding": coding}
        async with stranger.get("/static/dashboard.js", headers=headers) as response:
            assert response.headers["Content-Encoding"] == coding
            assert response.headers["Vary"] == "Accept-Encoding"
            assert "EventSource" in await response.text()


@pytest.mark.parametrize(
    "path",
    [
        "../pages.py",
        "..%2fpages.py",
        "%2e%2e/auth.py",
        "nosuch.css",
        "a%00.css",
        ".hidden.css",
        "vendor",
    ],
)
async def test_nothing_outside_the_folder_is_served(
    stranger: Client, path: str
) -> None:
    async with stranger.get(f"/static/{path}") as response:
        assert response.status == 404
