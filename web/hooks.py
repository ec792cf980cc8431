"""The door of telephony providers: who is it, keep what he tells, answer.

`/hooks/{kind}/{key}` and everything below it. A request is kept in the inbox as it came
before it is answered; `read` turns it into calls afterwards. Where a call waits for its
route the answer comes from the set-up in memory and waits for PostgreSQL only briefly: the
call first.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote

from aiohttp import web

from tracker import calls, connection_states, contacts, errors, ids, inbox, sites
from tracker import db as database
from web import keeper, keys, limits, telephony

log = logging.getLogger(__name__)

MOST = 256 * 1024  # bytes of a body
BODY_PATIENCE = 10.0  # seconds a body may take to arrive
ROUTE_PATIENCE = 1.5  # seconds a waiting call waits for the commit
NOTICE_PATIENCE = 8.0  # seconds a mere notification does
REFUSAL_PATIENCE = 2.0  # seconds spent on counting a refusal
LONGEST_TAIL = 200  # characters of the path below the key
STATE_EVERY = timedelta(seconds=10)  # how exact "last event" is
BEGINNINGS = frozenset({"started", "ringing"})
NATIONAL = 10  # digits that are compared when a provider leaves out the country code

KEEPER: web.AppKey[keeper.Keeper] = web.AppKey("hooks_keeper", keeper.Keeper)
READER: web.AppKey[inbox.Reader] = web.AppKey("hooks_reader", inbox.Reader)

_refusal_limit = limits.Quick(most=600, seconds=60)


def routes() -> list[web.RouteDef]:
    """Providers ask by POST or by GET, some below the address they were given."""
    path = "/hooks/{kind}/{key}{tail:(/.*)?}"
    return [web.post(path, receive), web.get(path, receive, allow_head=False)]


def setup(app: web.Application) -> None:
    """Add what the door needs; the application runs the reader and the keeper beside it."""
    pool, directory = app[keys.POOL], app[keys.DIRECTORY]
    reader = inbox.Reader(pool, door="telephony", read=partial(_read, directory))
    app[READER] = reader
    spool = app[keys.SETTINGS].data / "spool"
    app[KEEPER] = keeper.Keeper(pool, reader.wake, spool)
    app.on_shutdown.append(_finish)


async def receive(request: web.Request) -> web.Response:
    """One request of a provider."""
    at = datetime.now(UTC)
    site, connection = await _introduced(request, at)
    provider = _provider(connection)
    hook = await _hook(request, at)
    if greeting := provider.greet(hook):
        return _response(greeting)
    await _verify(request, connection, provider, hook)
    asks = provider.asks_route(hook)
    kept = await request.app[KEEPER].keep(
        _event(connection, hook),
        patience=ROUTE_PATIENCE if asks else NOTICE_PATIENCE,
    )
    if not kept and not asks:
        raise errors.Unavailable("not kept; tell it again later")
    return _response(provider.answer(hook, route(site, provider, hook)))


async def read(
    db: database.Connection,
    event: inbox.Event,
    directory: sites.Directory,
    at: datetime,
) -> None:
    """Turn a kept request into calls; raises Unreadable."""
    site = directory.by_id(event.site_id)
    connection = site.connection(event.connection_id or 0) if site else None
    if site is None or connection is None:
        raise errors.Unreadable("the connection is not set up any more")
    provider = telephony.make(connection.kind, connection.settings)
    hook = telephony.Hook.from_meta(event.meta, event.body, event.received_at)
    fault = None
    told = provider.events(hook)
    for one in told:
        moved, shift = calls.corrected(one, event.received_at)
        fault = fault or _clock_fault(shift)
        mine = _ours(site, moved)
        await contacts.capture_call(db, site, connection.id, mine, at=at)
    if provider.asks_route(hook) and route(site, provider, hook).forward_to is None:
        fault = (
            "a call asked where to go, but no forward_to is set for its number or here"
        )
    sound = fault is None and any(one.type in BEGINNINGS for one in told)
    await _note(db, connection, event.received_at, fault, sound=sound)


def route(
    site: sites.Site, provider: telephony.Provider, hook: telephony.Hook
) -> telephony.Route:
    """Where this call goes: its number's forwarding, else the connection's; from memory."""
    if not provider.routes:
        return telephony.Route(forward_to=None)
    try:
        asked = [
            number
            for event in provider.events(hook)
            if (number := known_number(site, event.tracked))
        ]
    except errors.Unreadable:
        asked = []
    dialled = site.numbers.get(asked[0]) if asked else None
    choices = (dialled.forward_to if dialled else None, provider.forward_to)
    # A number that forwards to itself would ring for ever.
    there = (one for one in choices if one and one not in asked)
    return telephony.Route(forward_to=next(there, None))


def known_number(site: sites.Site, tracked: str | None) -> str | None:
    """The site's own number that was dialled, else the dialled one as it was told.

    Some operators leave out or garble the country code: the last ten digits decide when
    they are those of exactly one number.
    """
    if tracked is None or tracked in site.numbers or len(tracked) <= NATIONAL:
        return tracked
    alike = [one for one in site.numbers if one[-NATIONAL:] == tracked[-NATIONAL:]]
    return alike[0] if len(alike) == 1 else tracked


async def _read(
    directory: sites.Directory, db: database.Connection, event: inbox.Event
) -> None:
    await read(db, event, directory, datetime.now(UTC))


async def _finish(app: web.Application) -> None:
    await app[KEEPER].finish()


# Who is it? ---------------------------------------------------------------------------


async def _introduced(
    request: web.Request, at: datetime
) -> tuple[sites.Site, sites.Connection]:
    """The connection of this address; raises UnknownAddress, counted."""
    directory = request.app[keys.DIRECTORY]
    kind = request.match_info["kind"]
    found = _find(directory, kind, request.match_info["key"])
    if found is None:
        await directory.look_again()
        found = _find(directory, kind, request.match_info["key"])
    if found is not None:
        return found
    if directory.now is sites.EMPTY:
        raise errors.Unavailable("the set-up could not be read yet")
    known = kind if kind in telephony.PROVIDERS else "unknown"
    await _refuse(request, known, "unknown address", at)
    raise errors.UnknownAddress("there is no such hook; look at its address again")


def _find(
    directory: sites.Directory, kind: str, key: str
) -> tuple[sites.Site, sites.Connection] | None:
    connection = directory.hook(key)
    if connection is None or connection.role != "telephony" or connection.kind != kind:
        return None
    site = directory.by_id(connection.site_id)
    return (site, connection) if site and kind in telephony.PROVIDERS else None


def _provider(connection: sites.Connection) -> telephony.Provider:
    try:
        return telephony.make(connection.kind, connection.settings)
    except errors.BadInput:
        log.error(
            "connection's settings do not fit", extra={"connection": connection.id}
        )
        raise errors.Unavailable("the connection's settings do not fit") from None


async def _verify(
    request: web.Request,
    connection: sites.Connection,
    provider: telephony.Provider,
    hook: telephony.Hook,
) -> None:
    """Raises BadSignature, counted."""
    try:
        provider.verify(hook)
    except (errors.BadSignature, errors.Unreadable) as error:
        await _refuse(
            request, connection.kind, str(error), hook.received_at, connection
        )
        raise errors.BadSignature(str(error)) from None


async def _refuse(
    request: web.Request,
    kind: str,
    reason: str,
    at: datetime,
    connection: sites.Connection | None = None,
) -> None:
    """Count it for the administrator; raises TooMany for a peer that does nothing else."""
    _refusal_limit.check(request)
    try:
        async with asyncio.timeout(REFUSAL_PATIENCE):
            await inbox.refuse(
                request.app[keys.POOL],
                door="telephony",
                kind=kind,
                reason=reason,
                at=at,
                site_id=connection.site_id if connection else 0,
                connection_id=connection.id if connection else 0,
            )
    except keeper.AWAY:
        log.warning("refusal not counted", extra={"kind": kind})


# What does he tell? -------------------------------------------------------------------


async def _hook(request: web.Request, at: datetime) -> telephony.Hook:
    public = request.app[keys.SETTINGS].public_url
    info = request.match_info
    return telephony.Hook(
        method=request.method,
        tail=quote(info["tail"], safe="/")[:LONGEST_TAIL],
        query=_clean(request.rel_url.raw_query_string),
        headers={
            name.lower(): _clean(value) for name, value in request.headers.items()
        },
        body=await _body(request),
        address=f"{public}/hooks/{info['kind']}/{info['key']}",
        url=public + _clean(request.raw_path),
        received_at=at,
    )


async def _body(request: web.Request) -> bytes:
    """The body; raises TooLarge, BadInput when it does not arrive."""
    if (request.content_length or 0) > MOST:
        raise errors.TooLarge(f"the body may have {MOST} bytes at most")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_PATIENCE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MOST:
                    raise errors.TooLarge(f"the body may have {MOST} bytes at most")
    except TimeoutError:
        raise errors.BadInput("did not arrive in time", field="body") from None
    except web.RequestPayloadError:
        raise errors.BadInput("is broken", field="body") from None
    return bytes(body)


def _clean(text: str) -> str:
    """Bytes that are not UTF-8 come from the server as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _event(connection: sites.Connection, hook: telephony.Hook) -> inbox.Event:
    return inbox.Event(
        site_id=connection.site_id,
        id=ids.mint(connection.site_id, hook.received_at),
        door="telephony",
        kind=connection.kind,
        connection_id=connection.id,
        received_at=hook.received_at,
        meta=hook.to_meta(),
        body=hook.body,
    )


def _response(answer: telephony.Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        charset="utf-8",
    )


# What does it mean? -------------------------------------------------------------------


def _ours(site: sites.Site, event: calls.CallEvent) -> calls.CallEvent:
    """The event with the dialled number as the site writes it."""
    tracked = known_number(site, event.tracked)
    ours = tracked is not None and tracked in site.numbers
    return replace(event, tracked=tracked, ours=ours)


def _clock_fault(shift: timedelta) -> str | None:
    if not shift:
        return None
    minutes = round(-shift / timedelta(minutes=1))
    return f"the provider's clock is {minutes:+d} min off; its moments are corrected"


async def _note(
    db: database.Connection,
    connection: sites.Connection,
    at: datetime,
    fault: str | None,
    *,
    sound: bool,
) -> None:
    """Last event and fault of the connection; written only when there is news.

    The row is shared by all of its calls: last of all, so that it is not locked for long.
    """
    site_id, id_ = connection.site_id, connection.id
    state = await connection_states.find(db, site_id, id_)
    if state.last_event_at is None or at - state.last_event_at >= STATE_EVERY:
        await connection_states.told(db, site_id, id_, at)
    if fault and fault != state.fault:
        await connection_states.fault(db, site_id, id_, fault, at)
    elif sound and state.fault:
        await connection_states.clear(db, site_id, id_)
