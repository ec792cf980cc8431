"""Signing in and out, by password and by link; what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client, build
from tracker import users
from web import auth, keys, limits

GOOD = {"email": make.EMAIL, "password": make.PASSWORD}


async def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page_he_wanted(
    stranger: Client,
) -> None:
    async with stranger.get(
        "/acme/contacts?kind=call", allow_redirects=False
    ) as refused:
        assert refused.status == 303
        place = refused.headers["Location"]
    assert place == "/sign-in?next=%2Facme%2Fcontacts%3Fkind%3Dcall"

    form = {**GOOD, "next": "/acme/contacts?kind=call"}
    assert await reading.send(stranger, "/sign-in", form) == "/acme/contacts?kind=call"
    assert "Contacts" in await reading.page(stranger, "/acme/contacts")


async def test_the_session_cookie_is_kept_from_scripts(stranger: Client) -> None:
    data = {**GOOD, "csrf": await reading.token(stranger, "/sign-in")}
    async with stranger.post("/sign-in", data=data, allow_redirects=False) as response:
        cookie = response.headers.getall("Set-Cookie")[0]
    assert cookie.startswith("skvoz=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host(
    world: make.World, pool, valkey, seal
) -> None:
    app = build(pool, valkey, seal, SKVOZ_PUBLIC_URL="https://track.acme.example")
    async with TestClient(TestServer(app)) as client, client.get("/sign-in") as shown:
        cookie = shown.headers["Set-Cookie"]
    assert cookie.startswith("__Host-skvoz-form=")
    assert "Secure" in cookie
    assert "Path=/" in cookie


async def test_a_wrong_password_is_refused_without_saying_what_was_wrong(
    stranger: Client,
) -> None:
    wrong = await reading.send(
        stranger, "/sign-in", {**GOOD, "password": "guess"}, status=403
    )
    nobody = await reading.send(
        stranger, "/sign-in", {"email": "x@y.example", "password": "guess"}, status=403
    )
    for answer in (wrong, nobody):
        assert "The email or the password is not right." in answer
    await reading.page(stranger, "/acme/contacts", status=303)


async def test_a_form_without_its_token_is_refused(stranger: Client) -> None:
    await reading.page(stranger, "/sign-in")
    async with stranger.post("/sign-in", data=GOOD, allow_redirects=False) as response:
        assert response.status == 403
    async with stranger.post(
        "/sign-in", data={**GOOD, "csrf": "0" * 64}, allow_redirects=False
    ) as response:
        assert response.status == 403
    await reading.page(stranger, "/acme/contacts", status=303)


async def test_a_form_sent_by_another_site_is_refused(stranger: Client) -> None:
    data = {**GOOD, "csrf": await reading.token(stranger, "/sign-in")}
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with stranger.post("/sign-in", data=data, headers=headers) as response:
        assert response.status == 403


async def test_guessing_one_account_is_stopped_and_says_when_to_return(
    stranger: Client,
) -> None:
    for _ in range(10):
        await reading.send(
            stranger, "/sign-in", {**GOOD, "password": "guess"}, status=403
        )
    data = {**GOOD, "csrf": await reading.token(stranger, "/sign-in")}
    async with stranger.post("/sign-in", data=data, allow_redirects=False) as response:
        assert response.status == 429
        assert 0 < int(response.headers["Retry-After"]) <= 601
        assert "Too many attempts" in await response.text()


async def test_guessing_is_stopped_also_while_valkey_is_away(
    stranger: Client, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.asyncio import Redis

    monkeypatch.setattr(limits, "_own", type(limits._own)())
    server.app._state[keys.REDIS] = Redis.from_url("unix:///nonexistent/socket")
    for _ in range(10):
        await reading.send(
            stranger, "/sign-in", {**GOOD, "password": "guess"}, status=403
        )
    await reading.send(stranger, "/sign-in", GOOD, status=429)


async def test_a_one_time_link_signs_in_once_and_only_by_its_button(
    stranger: Client, world: make.World
) -> None:
    assert world.user
    token = await users.make_link(world.db, world.user.id, at=datetime.now(UTC))
    path = f"/sign-in/{token}"

    await reading.page(stranger, path)  # a preview of the link uses nothing up
    await reading.page(stranger, "/acme/contacts", status=303)
    assert await reading.send(stranger, path, {}) == "/"
    await reading.page(stranger, "/acme/contacts")

    assert "has been used or has run out" in await reading.page(
        stranger, path, status=403
    )


async def test_an_old_link_is_refused(stranger: Client, world: make.World) -> None:
    assert world.user
    token = await users.make_link(
        world.db, world.user.id, at=datetime.now(UTC) - timedelta(days=2)
    )
    await reading.page(stranger, f"/sign-in/{token}", status=403)


async def test_signing_out_ends_the_session_for_good(
    reader: Client, world: make.World
) -> None:
    await reading.send(reader, "/sign-out", {}, from_="/acme/contacts")
    await reading.page(reader, "/acme/contacts", status=303)
    assert await world.db.fetchval("SELECT count(*) FROM logins") == 0


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "evil",
        "",
    ],
)
def test_the_way_back_never_leads_to_another_site(target: str) -> None:
    assert auth.safe_next(target) == "/"


async def test_the_language_is_the_readers_choice(
    reader: Client, world: make.World
) -> None:
    assert '<html lang="en">' in await reading.page(reader, "/acme/contacts")
    place = await reading.send(
        reader,
        "/language",
        {"locale": "ru", "next": "/acme/contacts"},
        from_="/acme/contacts",
    )
    assert place == "/acme/contacts"
    russian = await reading.page(reader, "/acme/contacts")
    assert '<html lang="ru">' in russian
    assert "Обращения" in russian
    assert await world.db.fetchval("SELECT locale FROM users") == "ru"


async def test_the_browser_chooses_the_language_of_a_stranger(stranger: Client) -> None:
    for header, wanted in (
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("de, en;q=0.1", "en"),
        ("fr", "en"),
    ):
        async with stranger.get(
            "/sign-in", headers={"Accept-Language": header}
        ) as response:
            assert f'<html lang="{wanted}">' in await response.text()


async def test_pages_forbid_what_they_do_not_need(reader: Client) -> None:
    async with reader.get("/acme/contacts") as response:
        policy = response.headers["Content-Security-Policy"]
        html = await response.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for forbidden in (" onclick=", " style=", "javascript:"):
        assert forbidden not in html


async def test_an_unknown_site_is_a_page_that_says_so(reader: Client) -> None:
    assert "There is no such page" in await reading.page(
        reader, "/nosuch/contacts", status=404
    )


async def test_the_first_page_is_the_journal_of_the_first_site(reader: Client) -> None:
    async with reader.get("/", allow_redirects=False) as response:
        assert response.headers["Location"] == "/acme/contacts"
