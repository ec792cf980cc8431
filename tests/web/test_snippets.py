"""The script that sites embed: what it is told, which parts come with it, how it is served."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import make
from tests.web.conftest import Client
from tracker import db as database
from web import keys, snippet_build, snippet_config, snippets

URL = "https://track.example"
EVERYTHING = {
    "snippet": {
        "address": "https://calls.acme.example",
        "consent": "google",
        "privacy_signals": True,
        "within": "main",
        "skip": ".fixed",
        "chats": True,
        "pictures": True,
        "forms": True,
        "messengers": True,
        "session_cookie": True,
        "ga4": "G-ABC1234567",
        "fields": {"your-city": "city"},
    },
    "widget": {
        "callback": True,
        "side": "left",
        "colour": "#0a7d4b",
        "hours": "Mo 09:00-18:00",
        "greeting": {"ru": "Поможем"},
        "messenger": [{"kind": "telegram", "address": "https://t.me/acme_bot"}],
    },
}
METRIKA = ("metrika", "metrika", {"counter": "12345678", "token": "t"})


async def told(pool: database.Pool, **site: Any) -> dict[str, Any]:
    found = snippet_config.configuration(await make.site(pool, **site), URL)
    plain: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return plain


async def test_a_site_without_settings_has_the_smallest_script(pool: database.Pool):
    site = await make.site(pool)

    assert snippet_config.parts(site) == ()
    assert snippet_config.configuration(site, URL) == {
        "site": "acme",
        "api": URL,
        "numbers": [make.OWN],
        "emails": [make.MAILBOX],
        "consent": "auto",
    }


async def test_every_setting_reaches_the_browser(pool: database.Pool):
    found = await told(pool, settings=EVERYTHING, destinations=[METRIKA])

    assert found == {
        "site": "acme",
        "api": "https://calls.acme.example",
        "numbers": [make.OWN],
        "emails": [make.MAILBOX],
        "consent": "google",
        "ym": 12345678,
        "within": "main",
        "skip": ".fixed",
        "forms": {"fields": {"your-city": "city"}},
        "widget": {
            "callback": True,
            "side": "left",
            "colour": "#0a7d4b",
            "hours": [[1, 540, 1080]],
            "zone": "Europe/Moscow",
            "country": "RU",
            "greeting": {"ru": "Поможем"},
            "messengers": [{"kind": "telegram", "address": "https://t.me/acme_bot"}],
        },
    }


async def test_letters_are_told_where_numbers_are_written_with_them(
    pool: database.Pool,
):
    local = await make.site(pool)
    free = replace(local, pool_of={"+78005553535": None})

    assert snippet_config.configuration(free, URL)["keys"][0] == "abcа-г"
    assert "keys" not in snippet_config.configuration(local, URL)


async def test_a_widget_with_nothing_in_it_is_not_told(pool: database.Pool):
    found = await told(pool, settings={"widget": {"hours": "Mo 09:00-18:00"}})

    assert "widget" not in found


async def test_only_the_parts_that_are_asked_for_come_along(pool: database.Pool):
    rules = {"snippet": {"consent": "tcf", "chats": True, "session_cookie": True}}
    site = await make.site(pool, settings=rules)
    waiting = await make.site(
        pool, key="wait", settings={"snippet": {"consent": "wait"}}
    )

    assert snippet_config.parts(site) == ("consent", "chats", "cookie")
    assert snippet_config.parts(waiting) == ()


def test_the_core_is_called_with_the_configuration_and_the_parts():
    config = b'{"greeting":"</script>"}'

    whole = snippets.assembled(b"f", config, ())
    assert whole == b'(f)({"greeting":"<\\/script>"},[]);\n'
    assert snippets.assembled(b"f", b"{}", (b"g", b"h")) == b"(f)({},[g,h]);\n"


async def test_a_changed_setting_changes_the_script_and_its_tag(
    pool: database.Pool, client: Client
):
    await make.site(pool)
    before = await client.get("/s/acme.js")
    assert b'"consent":"auto"' in await before.read()

    await pool.execute("""UPDATE sites SET settings = '{"snippet": {"consent": "wait"}}'""")  # fmt: skip
    await client.app[keys.DIRECTORY].load()
    after = await client.get(
        "/s/acme.js", headers={"If-None-Match": before.headers["ETag"]}
    )

    assert after.status == 200
    assert b'"consent":"wait"' in await after.read()
    again = await client.get(
        "/s/acme.js", headers={"If-None-Match": after.headers["ETag"]}
    )
    assert again.status == 304
    assert again.headers["Cache-Control"] == after.headers["Cache-Control"]


async def test_there_is_no_widget_where_none_is_set_up(
    pool: database.Pool, client: Client
):
    await make.site(pool)

    for path in ("acme/widget", "acme/core", "acme/forms", "nobody/debug"):
        assert (await client.get(f"/s/{path}.js")).status == 404, path


@pytest.fixture(scope="session")
def scripts() -> None:
    """What sites are served."""
    snippet_build.build()


async def test_what_is_served_with_parts_is_a_script_that_runs(
    pool: database.Pool, client: Client, scripts: None, tmp_path: Path
):
    parts = {"consent": "tcf", "forms": True}
    await make.site(pool, settings={"snippet": parts, "widget": EVERYTHING["widget"]})

    served = {}
    for path in ("acme", "acme/widget", "acme/debug"):
        answer = await client.get(
            f"/s/{path}.js", headers={"Accept-Encoding": "identity"}
        )
        assert answer.status == 200, path
        served[path] = await answer.read()
        file = tmp_path / path.replace("/", "-")
        file.write_bytes(served[path])
        checked = subprocess.run(
            [*snippet_build.find_node().node, "--check", str(file)],
            capture_output=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr

    for name in snippet_config.parts(await make.found(pool, "acme")):
        assert snippets.built(name) in served["acme"]
    assert served["acme/widget"].endswith(b")(window.skvoz.S);\n")
