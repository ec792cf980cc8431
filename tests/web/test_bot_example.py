"""The bot of `docs/snippet-server.md`, as it stands there, against a Telegram of our own."""

import asyncio
import json
import re
import urllib.error
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import test_utils, web

from tests import make
from tests.web.test_offpage import arrive, contact
from tracker import ids

DOCS = Path(__file__).parents[2] / "docs/snippet-server.md"
CHAT = {"id": 271828, "first_name": "Анна", "username": "anna"}


def example() -> str:
    """The first Python program of the page."""
    found = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


class Telegram:
    """Gives one message, hears the answer, then is gone."""

    def __init__(self, text: str) -> None:
        self.updates = [{"update_id": 7, "message": {"chat": CHAT, "text": text}}]
        self.heard: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.match_info["method"] == "sendMessage":
            self.heard.append(body)
            return web.json_response({"ok": True})
        if not self.updates:
            raise web.HTTPGone
        return web.json_response({"ok": True, "result": [self.updates.pop()]})


async def run(client: Any, telegram: Telegram, monkeypatch: Any) -> None:
    """The program until Telegram is gone."""
    monkeypatch.setenv("BOT_TOKEN", "1:token")
    application = web.Application()
    application.router.add_post("/bot1:token/{method}", telegram.answer)
    async with test_utils.TestServer(application) as server:
        program = example().replace(
            "https://api.telegram.org", str(server.make_url("")).rstrip("/")
        )
        program = program.replace(
            "https://track.example", str(client.make_url("")).rstrip("/")
        )
        with pytest.raises(urllib.error.HTTPError):
            await asyncio.to_thread(exec, program, {})


async def test_the_bot_hands_the_session_on(pool, client, monkeypatch):
    await make.site(pool)
    session = UUID((await arrive(client))["session"])
    telegram = Telegram(f"/start {ids.code(session)}")

    await run(client, telegram, monkeypatch)

    row = await contact(pool)
    assert (row["rule"], row["session_id"]) == ("session/1", session)
    assert telegram.heard[0]["chat_id"] == 271828


def test_the_example_of_a_contact_is_one():
    text = DOCS.read_text()
    found = re.search(r'```json\n(\{"site".*?)```', text, re.DOTALL)
    assert found
    body = json.loads(found[1])

    code = body["session"]
    session = "01a2025f-fec5-801e-8902-ef52ae16dd6b"
    assert session in text
    assert code == ids.code(UUID(session))
