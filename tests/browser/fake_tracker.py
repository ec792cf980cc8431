"""A small tracker that says what a test wants it to say, and remembers what it was told.

Pages are served under the name `localhost` and the tracker under `127.0.0.1`, so that the
snippet meets a foreign origin, as it does in life.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

PATIENCE = 60  # seconds a test waits for what must come

OWN = "+74950000000"
MAIL = "info@acme.example"
NUMBER = "+74951000001"
ALIAS = "info-k7f3q2mx9t@track.acme.example"

Body: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[Body], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One request of the snippet."""

    path: str
    body: Body
    content_type: str


def number(kind: str = "dynamic", number: str = NUMBER, **other: Any) -> Body:
    """An entry of `numbers`."""
    display = "+7 495 " + "-".join((number[5:8], number[8:10], number[10:12]))
    return {
        "replaces": OWN,
        "number": number,
        "display": display,
        "kind": kind,
    } | other


def visit_answer(*numbers: Body, **other: Any) -> Body:
    """What `POST /v1/visits` answers: one number of his own and one address."""
    return {
        "visitor": "v1",
        "session": "s1",
        "new_session": True,
        "numbers": list(numbers) or [number()],
        "emails": [{"replaces": MAIL, "address": ALIAS}],
        "lease_seconds": 1800,
        "beat_seconds": 30,
    } | other


def says(
    body: Body | str, status: int = 200, *, content_type: str = "application/json"
) -> Answer:
    """An answer that is always the same."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def answer(_: Body) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type=content_type)

    return answer


@dataclass(slots=True, kw_only=True)
class FakeTracker:
    scripts: dict[str, str]  # the minified scripts by name
    port: int = 0
    told: list[Told] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    config: Body = field(
        default_factory=dict
    )  # overrides of the snippet's configuration
    parts: list[str] = field(default_factory=list)  # served with the core
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers = {
            "/v1/visits": says(visit_answer()),
            "/v1/beats": says("", 204),
            "/v1/events": says({"numbers": [], "emails": []}),
            "/v1/contacts": says({"contact": "c1"}, 202),
        }

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, body: str, *, path: str = "/", head: str | None = None) -> str:
        """Put up a page; its address. The snippet stands in the head unless told."""
        tag = f'<script src="{self.api}/s/acme.js"></script>' if head is None else head
        self.pages[path] = (
            f'<!doctype html><html><head><meta charset="utf-8"><title>Shop</title>'
            f'<link rel="icon" href="data:,">{tag}</head><body>{body}</body></html>'
        )
        return f"http://localhost:{self.port}{path}"

    async def stall(self, _: Body) -> web.StreamResponse:
        """An answer that never comes."""
        await self.closing.wait()
        return web.Response(status=503)

    def settings(self) -> Body:
        """What the script is told."""
        usual = {"site": "acme", "api": self.api, "numbers": [OWN], "emails": [MAIL]}
        return usual | {"consent": "auto"} | self.config

    def bodies(self, path: str) -> list[Body]:
        return [told.body for told in self.told if told.path == path]

    def events(self, type: str, path: str | None = None) -> list[Body]:
        """What the visitor did, as told through beats, events or (by path) one of them."""
        paths = (path,) if path else ("/v1/beats", "/v1/events")
        return [
            event
            for told in self.told
            if told.path in paths
            for event in told.body["events"]
            if event["type"] == type
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was told fulfils a condition."""
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(condition), PATIENCE)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/s/acme.js", self._serve_script)
        app.router.add_get("/s/acme/{name}.js", self._serve_apart)
        app.router.add_post("/v1/{what}", self._hear)
        app.router.add_get("/{path:.*}", self._serve_page)
        return app

    async def _serve_script(self, _: web.Request) -> web.Response:
        config = self.settings()
        parts = ",".join(self.scripts[name] for name in self.parts)
        text = f"({self.scripts['core']})({json.dumps(config)},[{parts}]);"
        return _script(text)

    async def _serve_apart(self, request: web.Request) -> web.Response:
        text = f"({self.scripts[request.match_info['name']]})(window.skvoz.S);"
        return _script(text)

    async def _serve_page(self, request: web.Request) -> web.Response:
        page = self.pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound
        return web.Response(text=page, content_type="text/html")

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text())
        async with self.news:
            self.told.append(
                Told(path=request.path, body=body, content_type=request.content_type)
            )
            self.news.notify_all()
        answer = await self.answers[request.path](body)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["X-Request"] = secrets.token_hex(4)  # never a cached answer
        return answer


def _script(text: str) -> web.Response:
    return web.Response(
        text=text,
        content_type="text/javascript",
        charset="utf-8",
        headers={"Cache-Control": "max-age=600"},
    )
