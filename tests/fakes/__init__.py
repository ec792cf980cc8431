"""Small real servers that stand for outside systems: they remember what they were told.

`fail` scripts the next answers: an error instead of doing it, or, with `done`, after having
done it (the outcome is then unknown to the caller).
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One scripted answer."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    done: bool = False  # it is done first, and then answered so
    drop: bool = False  # the line is cut instead of an answer
    hang: bool = False  # no answer at all, until the server stops


class Fake:
    """A server on a free port of this machine, from `async with` to its end."""

    def __init__(self) -> None:
        self.url = ""
        self._troubles: dict[str, deque[Trouble]] = {}
        self._runner: web.AppRunner | None = None
        self._stopped = asyncio.Event()

    def fail(self, *troubles: Trouble, on: str = "") -> None:
        """Answer the next requests so (only those to `on`, where a fake knows parts)."""
        self._troubles.setdefault(on, deque()).extend(troubles)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        trouble = self._next_trouble(self.part(request))
        if trouble is None:
            return await self.handle(request)
        if trouble.done:
            await self.handle(request)
        else:
            await request.read()
        if trouble.hang:
            await self._stopped.wait()
        if trouble.drop and request.transport is not None:
            request.transport.abort()
        return web.Response(
            status=trouble.status, headers=trouble.headers, text=trouble.body
        )

    def _next_trouble(self, part: str) -> Trouble | None:
        for on in (part, ""):
            if self._troubles.get(on):
                return self._troubles[on].popleft()
        return None

    def part(self, request: web.Request) -> str:
        """What `fail(on=…)` is compared with."""
        return request.path

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Do what is asked."""
        raise NotImplementedError
