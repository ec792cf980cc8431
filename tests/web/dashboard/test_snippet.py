"""The script's page: the line, the settings as they are, and whether it works."""

import tomllib
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from aiohttp import web

from tests.web.dashboard import make, reading
from tests.web.dashboard.conftest import Client
from tests.web.test_snippets import EVERYTHING
from tracker import connections, provision_file, snippet_rules
from tracker.snippet_rules import Snippet, Widget
from web import keys
from web.dashboard import snippet

NOW = datetime.now(UTC).replace(microsecond=0)
PAGE = "/acme/snippet"


async def set_up(world: make.World, app: web.Application, settings: object) -> None:
    await world.db.execute(
        "UPDATE sites SET settings = $2 WHERE id = $1", world.site_id, settings
    )
    await app[keys.DIRECTORY].load()


async def test_the_line_to_paste_is_the_script_that_is_served(reader: Client) -> None:
    html = unescape(await reading.page(reader, PAGE))

    line = '<script async src="http://localhost:8080/s/acme.js"></script>'
    assert f'value="{line}"' in html
    assert line in unescape(await reading.page(reader, "/acme/contacts"))
    assert (
        "script-src http://localhost:8080; connect-src http://localhost:8080;" in html
    )


async def test_an_address_of_the_sites_own_stands_in_the_line_and_the_policy(
    reader: Client, world: make.World, app: web.Application
) -> None:
    own = {"snippet": {"address": "https://acme.example/calls"}}
    await set_up(world, app, own)

    html = unescape(await reading.page(reader, PAGE))

    assert 'src="https://acme.example/calls/s/acme.js"' in html
    assert "script-src https://acme.example; connect-src https://acme.example;" in html
    journal = unescape(await reading.page(reader, "/acme/contacts"))
    assert 'src="https://acme.example/calls/s/acme.js"' in journal


async def test_every_setting_is_explained_with_its_value(
    reader: Client, world: make.World, app: web.Application
) -> None:
    await set_up(world, app, EVERYTHING)

    html = await reading.page(reader, PAGE)
    text = reading.words(html)

    explained = {(one.table, one.name) for one in snippet.MEANINGS}
    fields = {("snippet", name) for name in Snippet.__struct_fields__}
    assert explained == fields | {("widget", name) for name in Widget.__struct_fields__}
    assert "forms switched on Forms that are sent become contacts" in text
    assert "consent google When" in text
    assert "your-city = city" in text
    assert "messenger telegram Messenger" in text


@pytest.mark.parametrize("settings", [{}, EVERYTHING], ids=["usual", "everything"])
async def test_the_settings_to_copy_are_taken_by_apply_as_they_are(
    reader: Client, world: make.World, app: web.Application, settings: object
) -> None:
    await set_up(world, app, settings)
    html = await reading.page(reader, PAGE)

    copied = html.partition('<textarea id="settings"')[2].partition(">")[2]
    file = unescape(copied.partition("</textarea>")[0])
    site = '[site]\nkey = "acme"\nname = "ACME"\ndomains = ["acme.example"]\n'
    found = provision_file.read(site + file, connections.known())

    assert tomllib.loads(file)["widget"]["side"]
    rules = app[keys.DIRECTORY].now.by_key["acme"].rules
    assert found.rules.get("snippet", {}) == snippet_rules.told(rules.snippet)
    assert found.rules.get("widget", {}) == snippet_rules.told(rules.widget)


async def test_it_waits_for_the_first_page_and_tells_of_the_latest(
    reader: Client, world: make.World
) -> None:
    assert "Waiting for the first visit" in reading.words(
        await reading.page(reader, PAGE)
    )
    assert await reading.page(reader, f"{PAGE}/check", status=204) == ""

    await make.visit(world, at=NOW - timedelta(days=2), pages=("/old",))
    await make.visit(world, at=NOW - timedelta(hours=1), pages=("/", "/prices"))

    for path in (PAGE, f"{PAGE}/check"):
        text = reading.words(await reading.page(reader, path))
        assert "The script works" in text
        assert "https://acme.example/prices" in text
        assert "/old" not in text


async def test_a_page_that_shows_the_latest_is_told_nothing_until_there_is_news(
    reader: Client, world: make.World
) -> None:
    at = NOW - timedelta(hours=1)
    await make.visit(world, at=at, pages=("/",))
    since = f"{PAGE}/check?" + urlencode({"since": at.isoformat()})

    assert await reading.page(reader, since, status=204) == ""
    await make.visit(world, at=at + timedelta(minutes=1), pages=("/new",))
    assert "https://acme.example/new" in await reading.page(reader, since)
    for rubbish in ("", "yesterday", "2026-01-01"):
        assert "/new" in await reading.page(reader, f"{PAGE}/check?since={rubbish}")


async def test_a_test_visit_is_called_one_and_its_page_is_offered_for_the_next(
    reader: Client, world: make.World
) -> None:
    await make.visit(world, at=NOW, pages=("/",))
    await world.db.execute(
        "UPDATE sessions SET test = true, landing_url = 'https://www.acme.example/a?b'"
    )

    html = unescape(await reading.page(reader, PAGE))

    assert "https://www.acme.example/a?b test" in reading.words(html)
    tried = [part.partition('"')[0] for part in html.split('class="break" href="')[1:]]
    assert tried == [
        "https://www.acme.example/?skvoz_test=1&skvoz_debug=1",
        "https://acme.example/?skvoz_test=1&skvoz_debug=1",
    ]


@pytest.mark.parametrize(
    "told",
    ["javascript://acme.example/%0aa()", "https://evil.example/", "https://[", "acme"],
)
async def test_an_address_that_is_none_of_the_sites_is_never_made_a_link(
    reader: Client, world: make.World, told: str
) -> None:
    await make.visit(world, at=NOW, pages=("/",))
    await world.db.execute("UPDATE sessions SET landing_url = $1", told)

    html = await reading.page(reader, PAGE)

    assert told in unescape(html)
    assert html.count('class="break" href="https://acme.example/?skvoz_test=1') == 1
    assert html.count('class="break" href=') == 1
