"""The snippet's door: visits, beats, forms, and the snippet itself.

Reads and checks what a page sent, hands it to `visits`, `beats` or the inbox, and answers.
Bodies are JSON whatever their content type says, so that pages need no preflight request.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from aiohttp import hdrs, web

from numberpool import phones
from tracker import beats, bots, contacts, ids, inbox, tags, visit_rows, visits
from tracker import db as database
from tracker.errors import (
    BadInput,
    TooLarge,
    Unavailable,
    UnknownAddress,
    Unreadable,
)
from tracker.sites import Directory, Site
from web import foreign_ids, keeper, keys, limits, origins

log = logging.getLogger(__name__)

MOST = 64 * 1024  # bytes of a body
ADDRESSES = 50  # numbers and addresses one page may ask for
EVENTS = 50  # events in one beat
TARGET = 200  # characters of what an event is about, but for a page's address
FIELDS = 100  # a form's own fields
FORM_PATIENCE = 3.0  # seconds a form waits for the commit before it is spooled
SKEW = timedelta(seconds=60)  # how far a page's clock is believed
VISITS: web.AppKey[visits.Visits] = web.AppKey("visits", visits.Visits)
BEATS: web.AppKey[beats.Beats] = web.AppKey("beats", beats.Beats)
FORMS: web.AppKey[keeper.Keeper] = web.AppKey("forms", keeper.Keeper)
FORM_READER: web.AppKey[inbox.Reader] = web.AppKey("form_reader", inbox.Reader)

_visit_limit = limits.Quick(most=1200, seconds=60)
_beat_limit = limits.Quick(most=3000, seconds=60)

Key = Annotated[str, msgspec.Meta(max_length=64)]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Address = Annotated[str, msgspec.Meta(max_length=16_384)]  # cut to what is kept
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class VisitBody(msgspec.Struct, kw_only=True):
    """`POST /v1/visits`."""

    site: Key
    url: Address
    referrer: Address | None = None
    visitor: Short | None = None
    session: Short | None = None
    consent: bool = True
    debug: bool = False  # the answer tells why
    ids: dict[Short, Any] | None = None
    replaces: Annotated[list[Short], msgspec.Meta(max_length=ADDRESSES)] = []


class EventBody(msgspec.Struct, kw_only=True):
    type: Annotated[str, msgspec.Meta(max_length=40, pattern="^[a-z_]+$")]
    at: float | None = None
    target: Address | None = None


class BeatBody(msgspec.Struct, kw_only=True):
    """`POST /v1/beats` and `POST /v1/events`."""

    session: Short
    state: Annotated[str, msgspec.Meta(pattern="^(visible|hidden|left)$")] = "visible"
    events: Annotated[list[EventBody], msgspec.Meta(max_length=EVENTS)] = []
    replaces: Annotated[list[Short], msgspec.Meta(max_length=ADDRESSES)] = []
    ids: dict[Short, Any] | None = None  # analytics ids that came late


class ContactBody(msgspec.Struct, kw_only=True):
    """`POST /v1/contacts`."""

    site: Key
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    channel: Annotated[
        str, msgspec.Meta(max_length=30, pattern="^[a-z][a-z0-9_]*$")
    ] = "form"
    session: Short | None = None
    visitor: Short | None = None
    url: Address | None = None
    referrer: Address | None = None
    name: Short | None = None
    phone: Short | None = None
    email: Short | None = None
    text: Text | None = None
    fields: dict[Short, Any] | None = None


_visit_decoder = msgspec.json.Decoder(VisitBody)
_beat_decoder = msgspec.json.Decoder(BeatBody)
_contact_decoder = msgspec.json.Decoder(ContactBody)
_encode = msgspec.json.Encoder().encode


def routes() -> list[web.RouteDef]:
    """The addresses a page talks to."""
    posts = {
        "/v1/visits": visit,
        "/v1/beats": beat,
        "/v1/events": happening,
        "/v1/contacts": contact,
    }
    return [
        *(web.post(path, handler) for path, handler in posts.items()),
        *(web.options(path, preflight) for path in posts),
    ]


async def visit(request: web.Request) -> web.Response:
    """What to show on this page."""
    _visit_limit.check(request)
    body = await _read(request, _visit_decoder)
    site = await origins.site_of(request, body.site)
    origins.check(request, site)
    asked = visits.Visit(
        site=site,
        at=datetime.now(UTC),
        url=tags.clean(body.url, 4096),
        referrer=tags.clean(body.referrer or "", 4096),
        visitor=uuid_of(body.visitor),
        session=uuid_of(body.session),
        replaces=tuple(body.replaces),
        ids=foreign_ids.read(body.ids, site.rules.snippet.ga4),
        device=bots.device(request.headers.get(hdrs.USER_AGENT, "")),
        region=origins.region(request) if site.regional else "",
        debug=body.debug,
    )
    if origins.is_bot(request):
        return _answer(visits.keep_own(asked))
    if not body.consent:
        return _answer(visits.without_consent(asked))
    return _answer(await request.app[VISITS].arrive(asked))


async def beat(request: web.Request) -> web.Response:
    """A sign of life, or what the visitor did; nothing to say in return."""
    _beat_limit.check(request)
    body = await _read(request, _beat_decoder)
    _, taken = await _take_beat(request, body)
    request.app[BEATS].add(taken)
    return web.Response(status=204)


async def happening(request: web.Request) -> web.Response:
    """As `beat`, but a page about to be read is lent a number if it has none."""
    _beat_limit.check(request)
    body = await _read(request, _beat_decoder)
    site, taken = await _take_beat(request, body)
    request.app[BEATS].add(taken)
    if not any(one.type in beats.SEEING for one in taken.events):
        return _answer({"numbers": [], "emails": []})
    replaces = tuple(body.replaces) or tuple(site.pool_of)
    shown = await request.app[VISITS].arrive(
        visits.Visit(
            site=site,
            at=taken.at,
            url="",
            session=taken.session,
            replaces=replaces[:ADDRESSES],
            region=origins.region(request) if site.regional else "",
            reading=True,
            page=False,
        )
    )
    lent = [one for one in shown.numbers if one.kind == "dynamic"]
    if shown.new_session:  # the session was over; the page asks anew by a visit
        lent = []
    return _answer({"numbers": lent, "emails": []})


async def contact(request: web.Request) -> web.Response:
    """A form, chat or messenger contact: kept, then answered; told twice is one."""
    body = await _read(request, _contact_decoder)
    site = await origins.site_of(request, body.site)
    origins.check(request, site)
    await limits.check(request, "contacts", most=120, seconds=60)
    if len(body.fields or {}) > FIELDS:
        raise BadInput(f"may have {FIELDS} entries at most", field="fields")
    now = datetime.now(UTC)
    event = inbox.Event(
        site_id=site.id,
        id=ids.mint(site.id, now),
        door="form",
        kind=body.channel,
        connection_id=None,
        received_at=now,
        meta={},
        body=_encode(body),
    )
    if not await request.app[FORMS].keep(event, patience=FORM_PATIENCE):
        raise Unavailable("the form could not be kept; send it again")
    contact_id = contacts.form_id(site.id, body.channel, body.id)
    return _answer({"contact": str(contact_id)}, status=202)


async def preflight(request: web.Request) -> web.Response:
    """A page that insists on `application/json` asks first; the request itself is checked."""
    headers = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "86400",
    }
    return web.Response(status=204, headers=headers)


async def read_form(
    db: database.Connection, event: inbox.Event, directory: Directory
) -> None:
    """Make a contact of a kept form; given to the inbox's reader."""
    site = directory.by_id(event.site_id)
    if site is None:
        raise Unreadable("the site is not set up any more")
    body = _contact_decoder.decode(event.body)
    phone = phones.e164(body.phone, site.rules.country) if body.phone else None
    email = tags.clean(body.email or "", 200)
    form = contacts.Form(
        id=body.id,
        channel=body.channel,
        at=event.received_at,
        session_id=_session(body, site),
        visitor_id=uuid_of(body.visitor),
        url=tags.clean(body.url or "", 4096),
        referrer=tags.clean(body.referrer or "", 4096),
        name=tags.clean(body.name or "", 200),
        phone=phone,
        email=email if "@" in email else "",
        text=_lines(body.text or ""),
        fields=_fields(body, phone),
    )
    await contacts.capture_form(db, site, form, at=datetime.now(UTC))


async def _take_beat(request: web.Request, body: BeatBody) -> tuple[Site, beats.Beat]:
    session = uuid_of(body.session)
    if session is None or not ids.minted(session):
        raise BadInput("must be a session that /v1/visits gave", field="session")
    site = request.app[keys.DIRECTORY].by_id(ids.site(session))
    if site is None:
        raise UnknownAddress("there is no such session")
    origins.check(request, site)
    now = datetime.now(UTC)
    happened = tuple(
        beats.Happening(
            type=one.type,
            at=_believed(one.at, now),
            target=tags.clean(
                one.target or "", visit_rows.URL if one.type == beats.PAGE else TARGET
            ),
        )
        for one in body.events
    )
    return site, beats.Beat(
        session=session,
        at=now,
        state=body.state,
        events=happened,
        ids=foreign_ids.read(body.ids, site.rules.snippet.ga4),
    )


def _believed(told: float | None, now: datetime) -> datetime:
    """The page's moment if its clock is about right, never later than ours."""
    if told is None:
        return now
    try:
        at = datetime.fromtimestamp(told, UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(at, now) if abs(at - now) <= SKEW else now


async def _read(request: web.Request, decoder: "msgspec.json.Decoder[Any]") -> Any:
    if (request.content_length or 0) > MOST:
        raise TooLarge(f"the body may have {MOST} bytes at most")
    body = await request.read()
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise BadInput(message, field=path.strip(".`") or _missing(message)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("must be JSON", field="body") from None


def _missing(message: str) -> str:
    """The field's name in "Object missing required field `url`"."""
    return message.split("`")[1] if message.count("`") >= 2 else "body"


def _fields(body: ContactBody, phone: str | None) -> dict[str, str]:
    """The form's own fields; what was no phone or address is kept among them, not lost."""
    told = dict(body.fields or {})
    if body.phone and phone is None:
        told["phone"] = body.phone
    if body.email and "@" not in body.email:
        told["email"] = body.email
    return {
        tags.clean(name, 100): tags.clean(str(value), 1000)
        for name, value in told.items()
        if isinstance(value, (str, int, float, bool))
    }


def _session(body: ContactBody, site: Site) -> UUID | None:
    """The session as the page, a bot or an operator's line hands it back."""
    told = body.session or ""
    return (
        uuid_of(told)
        or ids.find_code(told, site.id)
        or ids.find_code(body.text or "", site.id)
    )


def _lines(text: str) -> str:
    lines = [tags.clean(line, contacts.TEXT) for line in text.splitlines()]
    return "\n".join(lines)[: contacts.TEXT]


def uuid_of(text: str | None) -> UUID | None:
    """Ids are ours; whatever is not one is as good as none."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def _answer(value: object, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=_encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
