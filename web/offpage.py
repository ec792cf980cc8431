"""Numbers where our script does not run: on AMP pages, and in what the site's own server makes.

`/v1/numbers` only reads: a server asks for the session in its visitor's cookie. `/v1/amp` is a
whole visit, asked for by `<amp-call-tracking>`, and `/v1/amp/beat` its signs of life, told by
`<amp-analytics>`. Set up as `docs/snippet-server.md` says.
https://amp.dev/documentation/components/amp-call-tracking/
"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec
from aiohttp import hdrs, web

from numberpool import phones
from tracker import beats, bots, ids, tags, visits
from tracker.errors import BadInput, ForeignOrigin
from tracker.sites import Site
from web import amp_cache, collect, limits, origins

LONGEST = 4096  # characters of an address
EVENTS = ("reveal", "tel_click", "mail_click", "messenger_click")
# One visitor's number may stand in no cache that others are served from.
PRIVATE = {
    "Cache-Control": "private, no-store",
    "CDN-Cache-Control": "no-store",  # RFC 9213
    "Surrogate-Control": "no-store",
    "Vary": "Cookie",
}

_encode = msgspec.json.Encoder().encode
_numbers_limit = limits.Quick(
    most=6000, seconds=60
)  # one server asks for all its visitors
_amp_limit = limits.Quick(most=1200, seconds=60)
# An AMP page asks for each of its numbers at the same moment: the first begins the session.
_turns: "WeakValueDictionary[UUID, asyncio.Lock]" = WeakValueDictionary()


def routes() -> list[web.RouteDef]:
    """The addresses that servers and AMP pages ask."""
    return [
        web.get("/v1/numbers", numbers),
        web.get("/v1/amp", amp),
        web.get("/v1/amp/beat", amp_beat),
    ]


async def numbers(request: web.Request) -> web.Response:
    """What a live session is shown; what its source tells where there is none."""
    _numbers_limit.check(request)
    query = request.query
    site = await origins.site_of(request, query.get("site", ""))
    origins.check(request, site)
    now = datetime.now(UTC)
    session, visitor = (collect.uuid_of(query.get(k)) for k in ("session", "visitor"))
    door = request.app[collect.VISITS]
    if session is None and visitor is not None:
        session = await door.session_of(site, visitor, now)
    shown = await door.standing(
        visits.Visit(
            site=site,
            at=now,
            url=_address(query.get("url")),
            referrer=_address(query.get("referrer")),
            session=session,
            replaces=_asked(query.getall("replaces", []), site),
        )
    )
    told = {
        "session": shown.session,
        "numbers": shown.numbers,
        "emails": shown.emails,
    }
    return _answer(told)


def _asked(told: list[str], site: Site) -> tuple[str, ...]:
    """What the page shows, else all that the site replaces."""
    own = site.pool_of, *(one.replaces for one in site.statics), site.mailbox_of
    asked = told or dict.fromkeys(text for texts in own for text in texts)
    return tuple(text[:200] for text in list(asked)[: collect.ADDRESSES])


async def amp(request: web.Request) -> web.Response:
    """A visit to an AMP page: the number in the words of `<amp-call-tracking>`."""
    _amp_limit.check(request)
    query = request.query
    site = await origins.site_of(request, query.get("site", ""))
    url = _address(query.get("url"))
    headers = _amp_headers(request, site, url)
    number = query.get("number") or next(iter(site.pool_of), "")
    if not number or len(number) > phones.LONGEST_INPUT:
        raise BadInput("must be the number that stands on the page", field="number")
    asked = visits.Visit(
        site=site,
        at=datetime.now(UTC),
        url=url,
        referrer=_address(query.get("ref")),
        visitor=_amp_visitor(request, site),
        replaces=(number,),
        device=bots.device(request.headers.get(hdrs.USER_AGENT, "")),
        region=origins.region(request) if site.regional else "",
        reading=True,  # AMP asks when the number comes near the screen, and never again
    )
    shown = await _amp_arrive(request, asked)
    return _answer(_amp_number(shown.numbers[0], site), headers)


async def _amp_arrive(request: web.Request, asked: visits.Visit) -> visits.Arrival:
    if origins.is_bot(request):
        return visits.keep_own(asked)
    if asked.visitor is None:
        return visits.without_consent(asked)
    door = request.app[collect.VISITS]
    async with _turns.setdefault(asked.visitor, asyncio.Lock()):
        now = datetime.now(UTC)  # not before the session that another request began
        session = await door.session_of(asked.site, asked.visitor, now)
        asked = msgspec.structs.replace(asked, session=session, at=now)
        return await door.arrive(asked)


def _amp_number(shown: visits.Number, site: Site) -> dict[str, str]:
    number = phones.e164(shown.number, site.rules.country) or shown.number
    as_it_stood = shown.kind == "own" and number != shown.number
    text = shown.display if as_it_stood else phones.display(number)
    return {"phoneNumber": number, "formattedPhoneNumber": text}


async def amp_beat(request: web.Request) -> web.Response:
    """An AMP page is still looked at, or its number was tapped."""
    _amp_limit.check(request)
    query = request.query
    site = await origins.site_of(request, query.get("site", ""))
    now = datetime.now(UTC)
    visitor = _amp_visitor(request, site)
    door = request.app[collect.VISITS]
    session = visitor and await door.session_of(site, visitor, now)
    if session:
        event = query.get("event")
        happened = (beats.Happening(type=event, at=now),) if event in EVENTS else ()
        told = beats.Beat(session=session, at=now, state="visible", events=happened)
        request.app[collect.BEATS].add(told)
    return web.Response(status=204, headers=PRIVATE)


def _amp_visitor(request: web.Request, site: Site) -> UUID | None:
    """The visitor behind AMP's CLIENT_ID; None where he gave no consent to have one."""
    client = request.query.get("cid", "")
    if not client or len(client) > 200 or client.startswith("CLIENT_ID"):
        return None
    return ids.natural(site.id, "amp", client)


def _amp_headers(request: web.Request, site: Site, url: str) -> dict[str, str]:
    """Raises ForeignOrigin for a page that is neither the site's own nor an AMP cache's copy.

    https://amp.dev/documentation/guides-and-tutorials/learn/amp-caches-and-cors/amp-cors-requests
    """
    if not origins.is_own(url, site.domains):
        raise ForeignOrigin("`url` is not one of the site's domains")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        allowed = request.headers.get("AMP-Same-Origin") == "true"
    else:
        allowed = origins.is_own(origin, site.domains) or amp_cache.holds(origin, url)
    if not allowed:
        raise ForeignOrigin("this page is not one of the site's domains")
    source = request.query.get("__amp_source_origin", "")
    if not origins.is_own(source, site.domains):
        return {}
    return {  # wanted by older runtimes
        "AMP-Access-Control-Allow-Source-Origin": tags.clean(source, 200),
        "Access-Control-Expose-Headers": "AMP-Access-Control-Allow-Source-Origin",
    }


def _address(told: str | None) -> str:
    return tags.clean(told or "", LONGEST)


def _answer(value: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=_encode(value),
        content_type="application/json",
        headers=PRIVATE | (headers or {}),
    )
