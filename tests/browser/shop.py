"""A site's own server with pages that have forms: it remembers what was posted to it."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from tests.browser.fake_tracker import PATIENCE


@dataclass(frozen=True, slots=True)
class Posted:
    """One request of a page to its own server."""

    path: str
    fields: dict[str, str]  # of a form, multipart or not
    text: str  # the body of any other request


@dataclass(slots=True, kw_only=True)
class Shop:
    """Pages under the name `localhost`, a foreign origin to the tracker, as in life."""

    tracker: str  # its address
    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)  # else 200, "{}"
    posts: list[Posted] = field(default_factory=list)
    hurry: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # what "/slow" waits for
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def page(self, body: str, *, path: str = "/") -> str:
        """Put up a page with the snippet; its address."""
        self.pages[path] = (
            '<!doctype html><meta charset="utf-8"><title>Shop</title>'
            f'<link rel="icon" href="data:,"><script src="{self.tracker}/s/acme.js">'
            f"</script><body>{body}"
        )
        return f"http://localhost:{self.port}{path}"

    async def posted(self, count: int = 1) -> list[Posted]:
        """What was posted, once it is so much."""
        async with self.news:
            enough = self.news.wait_for(lambda: len(self.posts) >= count)
            await asyncio.wait_for(enough, PATIENCE)
        return self.posts

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._show)
        app.router.add_post("/{path:.*}", self._take)
        app.router.add_put("/{path:.*}", self._take)
        return app

    async def _show(self, request: web.Request) -> web.Response:
        if request.path == "/slow":
            await self.hurry.wait()
        text = self.pages.get(request.path, "{}")
        return web.Response(text=text, content_type="text/html")

    async def _take(self, request: web.Request) -> web.Response:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        text = "" if fields else await request.text()
        async with self.news:
            self.posts.append(Posted(request.path, fields, text))
            self.news.notify_all()
        status, answer = self.answers.get(request.path, (200, "{}"))
        return web.Response(text=answer, status=status, content_type="text/html")
