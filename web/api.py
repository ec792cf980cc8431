"""The owner's REST API: contacts and reports out, deals and costs in.

Every request shows a token (`skvoz token add`), which belongs to one site. What can be asked
is the table `OPERATIONS`: the routes and the OpenAPI description are both made from it.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from importlib import metadata
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import msgspec
from aiohttp import hdrs, web

from numberpool import phones
from tracker import (
    alerts,
    costs,
    deals,
    feed,
    plan_rows,
    plans,
    sources,
    tags,
    tokens,
    views,
)
from tracker.errors import (
    BadInput,
    Forbidden,
    NotAuthenticated,
    UnknownAddress,
)
from tracker.reports import calibration, channels
from tracker.sites import Site
from web import api_plan, api_shapes, keys, limits, openapi
from web.openapi import Operation, Parameter

PAGE = 50
MOST_PAGE = 500
LONGEST_TOKEN = 200  # characters that are looked at
LONGEST_WORD = 255  # of a query
PERIOD = 30  # days of a report that names none
CRM = "api"  # whose deals these are
CONTACT_KINDS = ("call", "email", "form", "message")
ALERT_STATES = ("standing", "ended", "all")

REQUESTS = 3000  # a minute and token
FAILURES = 60  # refused tokens a minute and peer

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_deals_decoder = msgspec.json.Decoder(api_shapes.DealTold | list[api_shapes.DealTold])
_costs_decoder = msgspec.json.Decoder(api_shapes.CostsTold)


def routes() -> list[web.RouteDef]:
    """Where the API stands."""
    described = [web.get("/api", page), web.get("/api/openapi.json", document)]
    return described + [
        web.route(one.method, one.path, one.handler) for one in OPERATIONS
    ]


# Who asks -------------------------------------------------------------------------------


async def _introduce(request: web.Request, scope: str) -> tokens.Token:
    """The token that is shown; raises NotAuthenticated, Forbidden, TooMany."""
    scheme, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    token = None
    if scheme.lower() == "bearer" and len(text) <= LONGEST_TOKEN:
        now = datetime.now(UTC)
        token = await tokens.find(request.app[keys.POOL], text.strip(), at=now)
    if token is None:
        await limits.check(request, "api-refused", most=FAILURES, seconds=60)
        raise NotAuthenticated("show a token: Authorization: Bearer skv_…")
    await limits.check(request, "api", most=REQUESTS, seconds=60, who=token.id)
    if scope not in token.scopes:
        raise Forbidden(f"this token has not the scope {scope}")
    return token


async def _site(request: web.Request, token: tokens.Token, key: str | None) -> Site:
    """The site that is asked for, by default the token's own."""
    directory = request.app[keys.DIRECTORY]
    for look in range(2):
        own = directory.by_id(token.site_id)
        asked = own if key is None else directory.site(key)
        if (own and asked) or look:
            break
        await directory.look_again()
    if asked is None:
        raise UnknownAddress("there is no such site")
    if asked.id != token.site_id:
        raise Forbidden("this token belongs to another site")
    return asked


async def _asked_site(request: web.Request, scope: str = "read") -> Site:
    token = await _introduce(request, scope)
    return await _site(request, token, request.query.get("site"))


# Contacts -------------------------------------------------------------------------------


async def get_contacts(request: web.Request) -> web.Response:
    """A page of contacts in the order they came."""
    site = await _asked_site(request)
    order = _choice(request, "order", ("asc", "desc")) or "asc"
    wanted = feed.Filter(
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        kind=_choice(request, "kind", CONTACT_KINDS),
        channel=_word(request, "channel"),
    )
    pool = request.app[keys.POOL]
    found = await feed.contacts(
        pool,
        site.id,
        wanted,
        after=_after(request, f"contacts-{order}"),
        limit=_limit(request),
        newest_first=order == "desc",
        at=datetime.now(UTC),
    )
    items = await views.contacts(pool, site.id, found.ids)
    return _answer({"items": items, "next": _cursor(f"contacts-{order}", found.next)})


async def get_contact(request: web.Request) -> web.Response:
    """One contact."""
    site = await _asked_site(request)
    try:
        id_ = UUID(request.match_info["id"])
    except ValueError:
        raise UnknownAddress("there is no such contact") from None
    items = await views.contacts(request.app[keys.POOL], site.id, [id_])
    if not items:
        raise UnknownAddress("there is no such contact")
    return _answer(items[0])


# Deals ----------------------------------------------------------------------------------


async def get_deals(request: web.Request) -> web.Response:
    """A page of deals in the order they were first told."""
    site = await _asked_site(request)
    limit = _limit(request)
    pool = request.app[keys.POOL]
    found = await deals.page(
        pool,
        site.id,
        after=_after(request, "deals") or 0,
        limit=limit + 1,
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        state=_choice(request, "state", deals.STATES),
    )
    items = await views.deals(pool, site.id, [id_ for _, id_ in found[:limit]])
    place = found[limit - 1][0] if len(found) > limit else None
    return _answer({"items": items, "next": _cursor("deals", place)})


async def post_deals(request: web.Request) -> web.Response:
    """Deals as a CRM tells them: each is written by its own, being told twice is harmless."""
    token = await _introduce(request, "write")
    body = await _read(request, _deals_decoder)
    several = isinstance(body, list)
    told: list[api_shapes.DealTold] = body if several else [body]
    if len(told) > api_shapes.MOST_DEALS:
        raise BadInput(f"may have {api_shapes.MOST_DEALS} deals at most", field="body")
    ready = []
    for n, one in enumerate(told):
        place = f"[{n}]." if several else ""
        site = await _site(request, token, one.site)
        ready.append((place, site, _in_place(place, partial(_deal, site, one))))
    now = datetime.now(UTC)
    kept = []
    async with request.app[keys.POOL].acquire() as db:
        for place, site, deal in ready:
            try:
                done = await deals.upsert(db, site, deal, crm=CRM, at=now)
            except BadInput as error:
                _fail(place, error)
            kept.append(
                api_shapes.DealKept(
                    id=deal.crm_id, created=done.created, changed=done.changed
                )
            )
    return _answer(api_shapes.DealsKept(items=kept))


def _deal(site: Site, told: api_shapes.DealTold) -> deals.Deal:
    crm_id = tags.clean(told.id)
    if not crm_id:
        raise BadInput("must not be empty", field="id")
    phone = phones.e164(told.phone, site.rules.country) if told.phone else None
    if told.phone and phone is None:
        raise BadInput("is not a phone number; use +7… in full", field="phone")
    email = tags.clean(told.email or "")
    if email and "@" not in email:
        raise BadInput("is not an address like anna@example.org", field="email")
    for name in ("opened", "closed", "updated"):
        moment = getattr(told, name)
        if moment is not None and not 1990 <= moment.year <= 2100:
            raise BadInput("must be between 1990 and 2100", field=name)
    return deals.Deal(
        crm_id=crm_id,
        state=told.state,
        title=_cleaned(told.title),
        stage=_cleaned(told.stage),
        amount=told.amount,
        currency=told.currency,
        manager=_cleaned(told.manager),
        opened_at=told.opened,
        closed_at=told.closed,
        updated_at=told.updated,
        phones=[phone] if phone else [],
        emails=[email] if email else [],
        name=tags.clean(told.name or ""),
        lead_id=_uuid(told.lead, "lead") if told.lead else None,
    )


# Costs ----------------------------------------------------------------------------------


async def post_costs(request: web.Request) -> web.Response:
    """Costs by day and source, in place of what their origin told of those days before."""
    token = await _introduce(request, "write")
    body: api_shapes.CostsTold = await _read(request, _costs_decoder)
    site = await _site(request, token, body.site)
    rows = [
        _in_place(f"rows[{n}].", partial(_cost, row)) for n, row in enumerate(body.rows)
    ]
    async with request.app[keys.POOL].acquire() as db:
        done = await costs.replace_days(db, site, rows, origin=body.origin)
    return _answer(
        api_shapes.CostsKept(
            rows=done.rows,
            days=done.days,
            since=done.since,
            until=done.until,
            amount=_plain(done.amount),
            currency=done.currency,
        )
    )


def _cost(row: api_shapes.CostRow) -> costs.Cost:
    costs.check_period(row.date, row.date)
    try:
        amount = costs.check_amount(row.cost)
    except BadInput:
        raise BadInput(f"must be from 0 to {costs.MOST_AMOUNT}", field="cost") from None
    for name in ("source", "medium"):
        if not tags.clean(getattr(row, name)):
            raise BadInput("must not be empty", field=name)
    return costs.Cost(
        day=row.date,
        source=sources.labelled(
            source=row.source,
            medium=row.medium,
            campaign=row.campaign,
            content=row.content,
            term=row.term,
        ),
        amount=amount,
        currency=row.currency,
        clicks=row.clicks,
        impressions=row.impressions,
        campaign_id=tags.clean(row.campaign_id),
    )


# Reports --------------------------------------------------------------------------------


async def get_channels(request: web.Request) -> web.Response:
    """The channel report."""
    site = await _asked_site(request)
    today = datetime.now(UTC).astimezone(site.timezone).date()
    until = _day(request, "until") or today
    since = _day(request, "since") or until - timedelta(days=PERIOD - 1)
    level = _choice(request, "level", channels.LEVELS) or "channel"
    report = await channels.table(
        request.app[keys.POOL],
        site,
        since=since,
        until=until,
        level=level,  # type: ignore[arg-type]
        channel=_word(request, "channel"),
        source=_word(request, "source"),
    )
    return _answer(_report(report))


def _report(report: channels.Report) -> api_shapes.ChannelReport:
    return api_shapes.ChannelReport(
        level=report.level,
        since=report.since,
        until=report.until,
        before_since=report.before_since,
        before_until=report.before_until,
        currency=report.currency,
        rows=[_row(row) for row in report.rows],
        rest=_row(report.rest) if report.rest else None,
        total=_row(report.total),
        foreign={name: _plain(amount) for name, amount in report.foreign.items()},
        formulas=channels.FORMULAS,
    )


def _row(row: channels.Row) -> api_shapes.ReportRow:
    return api_shapes.ReportRow(
        channel=row.channel,
        source=row.source,
        campaign=row.campaign,
        now=_figures(row.now),
        before=_figures(row.before),
    )


def _figures(figures: channels.Figures) -> api_shapes.Figures:
    values: dict[str, Any] = {}
    for name in api_shapes.Figures.__struct_fields__:
        value = getattr(figures, name)
        if isinstance(value, Decimal):
            value = _plain(value)
        elif isinstance(value, float):
            value = round(value, 4)
        values[name] = value
    return api_shapes.Figures(**values)


async def get_calibration(request: web.Request) -> web.Response:
    """Whether the certainty is true."""
    site = await _asked_site(request)
    now = datetime.now(UTC)
    today = now.astimezone(site.timezone).date()
    month = _word(request, "month") or f"{today:%Y-%m}"
    since, until = calibration.days(month, today)
    name = _word(request, "pool")
    asked = [one for one in site.pools if name is None or one.name == name]
    if name is not None and not asked:
        raise BadInput("must be the name of a pool", field="pool")
    pool = request.app[keys.POOL]
    found = await calibration.check(
        pool,
        site,
        since=since,
        until=until,
        pool_id=asked[0].id if name is not None else None,
    )
    crowds = [await calibration.crowd(pool, site.id, one, at=now) for one in asked]
    return _answer(_calibration(name, found, crowds))


def _calibration(
    name: str | None, found: calibration.Report, crowds: Sequence[calibration.Crowd]
) -> api_shapes.Calibration:
    checked = found.checked
    return api_shapes.Calibration(
        pool=name,
        since=found.since,
        until=found.until,
        calls=found.calls,
        mean_certainty=_rounded(found.mean_certainty),
        checked=checked.calls,
        right=checked.right,
        mean_weight=_rounded(checked.mean_weight),
        share_right=_rounded(checked.share_right),
        ece=_rounded(checked.error),
        bins=[
            api_shapes.CalibrationBin(
                low=one.low,
                high=one.high,
                calls=one.calls,
                right=one.right,
                none=one.none,
                mean_weight=round(one.mean_weight, 4),
                share_right=round(one.share_right, 4),
                interval_low=round(one.interval.low, 4),
                interval_high=round(one.interval.high, 4),
                enough=one.enough,
                off=one.off,
            )
            for one in checked.bins
        ],
        kinds=api_shapes.TruthKinds(**found.kinds),
        contradicted=found.contradicted,
        pools=[
            api_shapes.PoolLoad(
                name=one.pool.name,
                visits_per_number=round(one.visits, 1),
                too_small=one.too_small,
            )
            for one in crowds
        ],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


# Alerts ---------------------------------------------------------------------------------


async def get_alerts(request: web.Request) -> web.Response:
    """What the owner should know."""
    site = await _asked_site(request)
    state = _choice(request, "state", ALERT_STATES) or "standing"
    found = await alerts.listed(
        request.app[keys.POOL],
        site.id,
        ended={"standing": False, "ended": True, "all": None}[state],
        limit=_limit(request),
    )
    return _answer({"items": [alerts.record(one) for one in found]})


async def get_plan(request: web.Request) -> web.Response:
    """How many numbers a pool needs; asked for when it is not made yet."""
    site = await _asked_site(request)
    question = api_plan.question(request.query)
    pool = plans.pool_of(site, _word(request, "pool"))
    kept = await plan_rows.answer(
        request.app[keys.POOL],
        site.id,
        pool.id,
        question,
        numbers=len(pool.numbers),
        at=datetime.now(UTC),
    )
    return _answer(api_plan.record(pool.name, kept))


# What is common -------------------------------------------------------------------------


async def _read(request: web.Request, decoder: "msgspec.json.Decoder[Any]") -> Any:
    try:
        return decoder.decode(await request.read())
    except msgspec.ValidationError as error:
        raise _misfit(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("must be JSON", field="body") from None


def _misfit(text: str) -> BadInput:
    """What msgspec says, with the place apart: `… - at `$[3].amount``."""
    message, _, path = text.partition(" - at `$")
    path = path.strip("`").removeprefix(".")
    if message.startswith("Object missing required field"):
        name = message.split("`")[1]
        return BadInput("must be there", field=f"{path}.{name}".lstrip("."))
    return BadInput(message, field=path or "body")


def _in_place(place: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except BadInput as error:
        _fail(place, error)


def _fail(place: str, error: BadInput) -> NoReturn:
    """The same trouble, told with the item it is in."""
    message = str(error).removeprefix(f"{error.field}: ")
    raise BadInput(message, field=f"{place}{error.field}") from None


def _cleaned(text: str | None) -> str | None:
    return None if text is None else tags.clean(text)


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadInput("must be an id like those we give", field=field) from None


def _word(request: web.Request, name: str) -> str | None:
    """A word of the query; without one, None."""
    text = request.query.get(name)
    return None if text is None else tags.clean(text, LONGEST_WORD)


def _choice(request: web.Request, name: str, among: Sequence[str]) -> str | None:
    text = request.query.get(name)
    if text is not None and text not in among:
        raise BadInput(f"must be one of {', '.join(among)}", field=name)
    return text


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(PAGE))
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_PAGE:
        return int(text)
    raise BadInput(f"must be a whole number from 1 to {MOST_PAGE}", field="limit")


def _moment(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    # In a query a plus that was not escaped has become a blank.
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 2200:
        raise BadInput("must be a moment like 2026-03-01T00:00:00Z", field=name)
    return moment.astimezone(UTC)


def _day(request: web.Request, name: str) -> date | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("must be a day like 2026-03-01", field=name) from None


def _after(request: web.Request, kind: str) -> int | None:
    """The place that a cursor stands for."""
    text = request.query.get("after")
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        told, _, place = base64.urlsafe_b64decode(padded).decode().rpartition(":")
    except ValueError:
        told, place = "", ""
    if told != kind or not place.isdigit() or len(place) > 18 or not place.isascii():
        raise BadInput("must be a `next` that this same list gave", field="after")
    return int(place)


def _cursor(kind: str, place: int | None) -> str | None:
    """The place as a word that only we read."""
    if place is None:
        return None
    text = f"{kind}:{place}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _plain(amount: Decimal) -> str:
    """A sum with two digits after the point, or more where it has them."""
    cents = amount.quantize(Decimal("0.01"))
    return str(cents) if cents == amount else f"{amount.normalize():f}"


def _answer(body: Any) -> web.Response:
    response = web.Response(body=_encode(body), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


# The description ------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _document(public_url: str) -> dict[str, Any]:
    version = metadata.version("skvoz")
    return openapi.document(OPERATIONS, public_url=public_url, version=version)


async def document(request: web.Request) -> web.Response:
    """The OpenAPI document; needs no token."""
    body = _encode(_document(request.app[keys.SETTINGS].public_url))
    return web.Response(body=body, content_type="application/json")


async def page(request: web.Request) -> web.Response:
    """The same for people."""
    text = openapi.page(_document(request.app[keys.SETTINGS].public_url))
    response = web.Response(text=text, content_type="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


_SITE = Parameter(
    name="site",
    about="the site's key; by default the token's",
    schema={"type": "string"},
)
_MOMENTS = (
    Parameter(
        name="since",
        about="from this moment on (RFC 3339)",
        schema={"type": "string", "format": "date-time"},
    ),
    Parameter(
        name="until",
        about="before this moment (RFC 3339)",
        schema={"type": "string", "format": "date-time"},
    ),
)
_PAGES = (
    Parameter(
        name="after",
        about="a `next` of this list with the same `order`; it may also be used later again",
        schema={"type": "string"},
    ),
    Parameter(
        name="limit",
        about=f"items of a page; {PAGE} if not told",
        schema={"type": "integer", "minimum": 1, "maximum": MOST_PAGE},
    ),
)


def _one_of(name: str, about: str, values: Sequence[str]) -> Parameter:
    return Parameter(
        name=name, about=about, schema={"type": "string", "enum": list(values)}
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/contacts",
        name="listContacts",
        summary="Contacts in the order they came",
        about="Calls, letters, forms and messages with their sources. Follow `next` page "
        "by page; it is null while there are no more.",
        scope="read",
        handler=get_contacts,
        answer=api_shapes.Contacts,
        parameters=(
            _SITE,
            *_PAGES,
            *_MOMENTS,
            _one_of("kind", "only these", CONTACT_KINDS),
            Parameter(
                name="channel",
                about="only of this contact channel: phone, email, telegram, …",
                schema={"type": "string"},
            ),
            _one_of("order", "`desc`: the latest first", ("asc", "desc")),
        ),
    ),
    Operation(
        method="GET",
        path="/api/v1/contacts/{id}",
        name="getContact",
        summary="One contact",
        about="The same record as in the list.",
        scope="read",
        handler=get_contact,
        answer=api_shapes.Contact,
        parameters=(
            Parameter(
                name="id",
                about="the contact's id",
                schema={"type": "string", "format": "uuid"},
                required=True,
                place="path",
            ),
            _SITE,
        ),
    ),
    Operation(
        method="GET",
        path="/api/v1/deals",
        name="listDeals",
        summary="Deals in the order they were first told",
        about="`since` and `until` bound the moment a deal was opened.",
        scope="read",
        handler=get_deals,
        answer=api_shapes.Deals,
        parameters=(
            _SITE,
            *_PAGES,
            *_MOMENTS,
            _one_of("state", "only these", deals.STATES),
        ),
    ),
    Operation(
        method="POST",
        path="/api/v1/deals",
        name="tellDeals",
        summary="Tell of deals",
        about=f"One deal, or a list of at most {api_shapes.MOST_DEALS}. A deal is known by "
        "the CRM's id: told again it is updated, told twice nothing happens. It is tied to a "
        "lead by `lead`, or to a person by phone or email. Each deal is written by its own: "
        "after a refusal tell all of them again.",
        scope="write",
        handler=post_deals,
        answer=api_shapes.DealsKept,
        body=api_shapes.DealTold | list[api_shapes.DealTold],
    ),
    Operation(
        method="POST",
        path="/api/v1/costs",
        name="tellCosts",
        summary="Tell what advertisements cost",
        about=f"At most {api_shapes.MOST_COSTS} rows. All days that the rows hold are "
        "replaced for this `origin`, so tell whole days.",
        scope="write",
        handler=post_costs,
        answer=api_shapes.CostsKept,
        body=api_shapes.CostsTold,
    ),
    Operation(
        method="GET",
        path="/api/v1/plan",
        name="planNumbers",
        summary="How many numbers a pool needs, and what more or fewer would bring",
        about="The site's own last weeks are lent to anew with pools of several sizes, and "
        "drawn calls are answered. That takes seconds and is done once a day, or on this "
        "request: while `state` is `computing`, ask again.",
        scope="read",
        handler=get_plan,
        answer=api_shapes.Plan,
        parameters=(
            _SITE,
            Parameter(
                name="pool",
                about="the pool's name; by default the first",
                schema={"type": "string"},
            ),
            Parameter(
                name="days",
                about="how many days to rehearse; 28 if not told",
                schema={
                    "type": "integer",
                    "minimum": plans.FEWEST_DAYS,
                    "maximum": plans.MOST_DAYS,
                },
            ),
            Parameter(
                name="traffic",
                about="what if there were so many times the visits",
                schema={"type": "number", "maximum": plans.MOST_FACTOR},
            ),
            Parameter(
                name="source",
                about="what if this source sent so many times: `yandex/cpc=2`; repeatable",
                schema={"type": "string"},
            ),
            Parameter(
                name="rest",
                about="seconds a number is unseen before it is given; by default the pool's",
                schema={"type": "number", "minimum": 0},
            ),
            _one_of("share", "share a number when none is idle", ("on", "off")),
            _one_of("late", "when to wait for the reveal", api_plan.LATES),
            Parameter(
                name="goal",
                about="the share of callers to be found, such as 0.8",
                schema={"type": "number", "minimum": 0, "maximum": 1},
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/api/v1/alerts",
        name="listAlerts",
        summary="What the owner should know: leaked numbers, uncertain calls",
        about="The latest first. Destinations of kind `webhook` are told each new one as "
        "`alert.raised`, with the same record.",
        scope="read",
        handler=get_alerts,
        answer=api_shapes.Alerts,
        parameters=(
            _SITE,
            _one_of(
                "state",
                "`standing`, if not told: those whose cause goes on",
                ALERT_STATES,
            ),
            _PAGES[1],
        ),
    ),
    Operation(
        method="GET",
        path="/api/v1/channels",
        name="channelReport",
        summary="Channels, sources and campaigns: what they cost, brought and earned",
        about=f"A period, the last {PERIOD} days if not told, against the one of equal "
        "length right before it.",
        scope="read",
        handler=get_channels,
        answer=api_shapes.ChannelReport,
        parameters=(
            _SITE,
            Parameter(
                name="since",
                about="the first day",
                schema={"type": "string", "format": "date"},
            ),
            Parameter(
                name="until",
                about="the last day, included",
                schema={"type": "string", "format": "date"},
            ),
            _one_of("level", "what a row is", channels.LEVELS),
            Parameter(
                name="channel", about="only this channel", schema={"type": "string"}
            ),
            Parameter(
                name="source", about="only this source", schema={"type": "string"}
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/api/v1/calibration",
        name="calibration",
        summary="Whether certainty is true: weights against known truths",
        about="Of a month of calls, those whose truth became known without asking the answer "
        "(test calls, taps on a number nobody else had, forms with the caller's phone). Such "
        "calls are easier than the usual ones: a check, never the site's accuracy.",
        scope="read",
        handler=get_calibration,
        answer=api_shapes.Calibration,
        parameters=(
            _SITE,
            Parameter(
                name="pool",
                about="a pool's name; by default all pools together",
                schema={"type": "string"},
            ),
            Parameter(
                name="month",
                about=f"like 2026-11, or `{calibration.YEAR}` for the last twelve; by default "
                "the running one",
                schema={"type": "string"},
            ),
        ),
    ),
)
