"""New contacts shown as they come: server-sent events, one look a second a site.

However many pages are open, a process asks PostgreSQL once a second for each site that is
being watched, and tells all its streams which contacts are new or different. Each stream
then reads those that its own filters let through.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web

from tracker import db as database
from tracker import errors, journal
from web import pages
from web.dashboard import journal as page
from web.dashboard.view import View

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks
QUIET = 15.0  # seconds after which an empty line keeps proxies from hanging up
OVERLAP = timedelta(seconds=30)  # a transaction may commit this long after its moment
MOST_STREAMS = 200  # a process
MOST_OF_ONE = 12  # a user: browsers open six tabs' worth at most over HTTP/1.1
CATCH_UP = timedelta(minutes=30)  # how far back a page that was away may ask
WAITING = 100  # changes a slow reader may be behind before it is cut off

Ids = frozenset[UUID]


class Live:
    """The streams of this process and the watch over each site they look at."""

    def __init__(self, pool: database.Pool) -> None:
        self._pool = pool
        self._queues: dict[int, set[asyncio.Queue[Ids | None]]] = {}
        self._watches: dict[int, asyncio.Task[None]] = {}
        self._users: dict[int, int] = {}
        self._closed = False

    @asynccontextmanager
    async def stream(
        self, site_id: int, user_id: int
    ) -> AsyncIterator[asyncio.Queue[Ids | None]]:
        """Changes of the site, as sets of contact ids; None ends them. Raises TooMany."""
        total = sum(map(len, self._queues.values()))
        mine = self._users.get(user_id, 0)
        if self._closed or total >= MOST_STREAMS or mine >= MOST_OF_ONE:
            raise errors.TooMany("too many open pages", after=timedelta(seconds=30))
        queue: asyncio.Queue[Ids | None] = asyncio.Queue(WAITING)
        self._users[user_id] = mine + 1
        self._queues.setdefault(site_id, set()).add(queue)
        if site_id not in self._watches:
            self._watches[site_id] = asyncio.create_task(self._watch(site_id))
        try:
            yield queue
        finally:
            self._leave(site_id, user_id, queue)

    def _leave(
        self, site_id: int, user_id: int, queue: asyncio.Queue[Ids | None]
    ) -> None:
        self._users[user_id] -= 1
        if not self._users[user_id]:
            del self._users[user_id]
        self._queues[site_id].discard(queue)
        if not self._queues[site_id]:
            del self._queues[site_id]
            self._watches.pop(site_id).cancel()

    async def close(self) -> None:
        """End every stream: the process stops."""
        self._closed = True
        for queues in self._queues.values():
            for queue in queues:
                _end(queue)

    async def _watch(self, site_id: int) -> None:
        told: dict[UUID, datetime] = {}
        since = datetime.now(UTC)
        while True:
            await asyncio.sleep(LOOK)
            at = datetime.now(UTC)
            try:
                found = await journal.changed(
                    self._pool, site_id, since=since - OVERLAP, at=at
                )
            except database.AWAY:
                log.warning("journal not followed: PostgreSQL is away")
                continue
            fresh = frozenset(id_ for id_, when in found if told.get(id_) != when)
            told = dict(found)
            since = max([since, *(when for _, when in found)])
            if fresh:
                self._tell(site_id, fresh)

    def _tell(self, site_id: int, fresh: Ids) -> None:
        for queue in self._queues.get(site_id, ()):
            try:
                queue.put_nowait(fresh)
            except asyncio.QueueFull:  # it comes back and catches up
                _end(queue)


def _end(queue: asyncio.Queue[Ids | None]) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


LIVE: web.AppKey[Live] = web.AppKey("live", Live)


async def show(view: View) -> web.StreamResponse:
    """GET /{site}/contacts/live: `contact` events carry a row, `gone` ones an id."""
    assert view.login is not None
    live = view.request.app[LIVE]
    async with live.stream(view.here.id, view.login.user.id) as queue:
        response = web.StreamResponse(headers=pages.security(view.nonce))
        response.content_type = "text/event-stream"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
        await response.prepare(view.request)
        try:
            await response.write(b"retry: 3000\n\n")
            await _catch_up(view, response)
            await _follow(view, response, queue)
        except ConnectionError:
            log.debug("a live page was closed")
        return response


async def _catch_up(view: View, response: web.StreamResponse) -> None:
    """What was written between the page's making and now."""
    asked = view.request.headers.get("Last-Event-ID") or view.query.get("since", "")
    try:
        since = datetime.fromisoformat(asked)
    except ValueError:
        return
    if since.tzinfo is None:
        return
    since = min(max(since, view.at - CATCH_UP), view.at)
    found = await journal.changed(view.db, view.here.id, since=since, at=view.at)
    await _send(view, response, frozenset(id_ for id_, _ in found))


async def _follow(
    view: View, response: web.StreamResponse, queue: asyncio.Queue[Ids | None]
) -> None:
    while True:
        try:
            fresh = await asyncio.wait_for(queue.get(), QUIET)
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        if fresh is None:
            return
        await _send(view, response, fresh)


async def _send(view: View, response: web.StreamResponse, fresh: Ids) -> None:
    if not fresh:
        return
    today = view.fmt.local(datetime.now(UTC)).date()
    asked = page.read(view.query, view.here, today=today)
    found = await journal.find(
        view.db, view.here.id, asked.filter, only=fresh, limit=journal.MOST_PAGE
    )
    mark = datetime.now(UTC) - OVERLAP
    # Oldest first, so that each is put on top of the one before.
    for row in reversed(found.rows):
        await response.write(event("contact", page.row_text(view, row), mark))
    for id_ in fresh - {row.id for row in found.rows}:
        await response.write(event("gone", str(id_), mark))


def event(name: str, data: str, mark: datetime) -> bytes:
    """One event as it goes over the wire (HTML standard, section 9.2)."""
    lines = [f"id: {mark.isoformat()}", f"event: {name}"]
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode()
