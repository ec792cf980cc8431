"""The REST API on a socket, with real stores."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest
import redis.asyncio
from aiohttp import web

from numberpool.sizing import Question
from tests import make
from tests.tracker.known import Known
from tracker import config, contacts, plan_rows, sites, tokens
from tracker import db as database
from tracker.reports import rollup
from web import api, api_shapes, keys, middlewares

NOON = make.NOON
ANNA = "+79161234567"
HOOK = {"url": "https://crm.acme.example/hook", "secret": "whsec_" + "c2Vj" * 8}


@dataclass
class Api:
    """A running API, its site and tokens."""

    http: aiohttp.ClientSession
    pool: database.Pool
    site: sites.Site
    read: str
    write: str

    async def ask(
        self, path: str, *, token: str | None = None, method: str = "GET", **rest: Any
    ) -> tuple[int, Any]:
        """Status and JSON; both scopes' tokens are used where they are needed."""
        own = self.write if method == "POST" else self.read
        headers = {"Authorization": f"Bearer {own if token is None else token}"}
        async with self.http.request(
            method, f"/api/v1/{path}", headers=headers, **rest
        ) as answer:
            return answer.status, msgspec.json.decode(await answer.read())

    async def tell(self, path: str, body: Any, **rest: Any) -> tuple[int, Any]:
        return await self.ask(path, method="POST", json=body, **rest)

    async def contact(
        self,
        n: int,
        *,
        channel: str = "form",
        phone: str = ANNA,
        at: datetime | None = None,
    ) -> UUID:
        form = contacts.Form(
            id=str(n),
            channel=channel,
            at=NOON + timedelta(minutes=n),
            phone=phone,
            url="https://acme.example/?utm_source=yandex&utm_medium=cpc",
        )
        async with self.pool.acquire() as db, db.transaction():
            return await contacts.capture_form(db, self.site, form, at=at or form.at)


@pytest.fixture
async def door(pool: database.Pool, valkey: redis.asyncio.Redis) -> AsyncIterator[Api]:
    site = await make.site(pool, destinations=[("crm", "webhook", HOOK)])
    app = web.Application(middlewares=[middlewares.errors_to_answers])
    app[keys.SETTINGS] = config.read({"SKVOZ_PUBLIC_URL": "https://ct.example.org"})
    app[keys.POOL], app[keys.REDIS] = pool, valkey
    app[keys.DIRECTORY] = sites.Directory(pool, make.SEAL)
    await app[keys.DIRECTORY].load()
    app.add_routes(api.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    read = await tokens.add(pool, site.id, scopes=["read"], at=NOON)
    write = await tokens.add(pool, site.id, scopes=["write"], at=NOON)
    async with aiohttp.ClientSession(base) as http:
        yield Api(http, pool, site, read, write)
    await runner.cleanup()


# Who may ------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "skv_wrong", "x" * 5000, "skv_ключ"])
async def test_without_a_token_that_we_know_nothing_is_told(
    door: Api, token: str
) -> None:
    status, body = await door.ask(
        "contacts?site=acme", token=token.encode().decode("latin1")
    )
    assert status == 401
    assert "token" in body["error"]["message"]


async def test_a_token_does_only_what_its_scopes_allow(door: Api) -> None:
    assert (await door.ask("contacts", token=door.write))[0] == 403
    assert (await door.tell("deals", {"id": "1", "state": "won"}, token=door.read))[
        0
    ] == 403
    assert (await door.tell("costs", {"rows": []}, token=door.read))[0] == 403


async def test_a_token_opens_its_own_site_only(door: Api) -> None:
    await make.site(door.pool, key="other")

    assert (await door.ask("contacts?site=acme"))[0] == 200
    assert (await door.ask("contacts"))[0] == 200
    assert (await door.ask("contacts?site=other"))[0] == 403
    assert (await door.ask("contacts?site=nobody"))[0] == 404
    deal = {"site": "other", "id": "1", "state": "won"}
    assert (await door.tell("deals", deal))[0] == 403
    assert await door.pool.fetchval("SELECT count(*) FROM deals") == 0


async def test_somebody_who_tries_tokens_is_slowed_down(
    door: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "FAILURES", 3)
    # Even if a new minute begins meanwhile, ten are too many.
    answers = [(await door.ask("contacts", token=f"skv_{n}"))[0] for n in range(10)]
    assert answers[0] == 401
    assert 429 in answers
    assert (await door.ask("contacts"))[0] == 200  # who has a token is not held up


# Contacts -----------------------------------------------------------------------------


async def test_contacts_have_the_shape_that_is_described(door: Api) -> None:
    id_ = await door.contact(1)

    status, body = await door.ask("contacts?site=acme")

    assert status == 200
    page = msgspec.convert(body, api_shapes.Contacts)
    assert [item.id for item in page.items] == [str(id_)]
    described = {
        field.encode_name for field in msgspec.structs.fields(api_shapes.Contact)
    }
    assert set(body["items"][0]) == described
    assert page.items[0].source is not None
    assert page.items[0].source.source == "yandex"
    assert page.items[0].deliveries[0].destination == "crm"
    assert await door.ask(f"contacts/{id_}") == (200, body["items"][0])


async def test_contacts_are_read_page_after_page_and_again_when_more_have_come(
    door: Api,
) -> None:
    ids = [str(await door.contact(n)) for n in (5, 3, 4)]  # told in this order

    _, first = await door.ask("contacts?limit=2")
    _, rest = await door.ask(f"contacts?limit=2&after={first['next']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == ids
    assert rest["next"] is None

    ids += [str(await door.contact(1))]
    _, later = await door.ask(f"contacts?limit=5&after={first['next']}")
    assert [item["id"] for item in later["items"]] == ids[2:]


async def test_a_contact_that_is_still_being_written_is_not_skipped(door: Api) -> None:
    slow = contacts.Form(id="slow", channel="form", at=NOON, phone="+79160000001")
    async with door.pool.acquire() as db:
        writing = db.transaction()
        await writing.start()
        first = await contacts.capture_form(db, door.site, slow, at=datetime.now(UTC))
        others = [str(await door.contact(n, at=datetime.now(UTC))) for n in range(2)]
        asking = asyncio.create_task(door.ask("contacts?limit=1"))
        await asyncio.wait([asking], timeout=0.2)  # it waits for the one being written
        assert not asking.done()
        await writing.commit()
    _, page = await asking
    _, rest = await door.ask(f"contacts?limit=5&after={page['next']}")

    found = [item["id"] for item in page["items"] + rest["items"]]
    assert found == [str(first), *others]


async def test_the_latest_contacts_come_first_when_asked_for(door: Api) -> None:
    ids = [str(await door.contact(n)) for n in range(3)]

    _, first = await door.ask("contacts?limit=2&order=desc")
    _, rest = await door.ask(f"contacts?limit=2&order=desc&after={first['next']}")

    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert (await door.ask(f"contacts?after={first['next']}"))[0] == 400


async def test_contacts_are_filtered(door: Api) -> None:
    for n, channel in enumerate(["form", "telegram", "form"]):
        await door.contact(n, channel=channel)

    async def count(query: str) -> int:
        status, body = await door.ask(f"contacts?{query}")
        assert status == 200, body
        return len(body["items"])

    assert await count("kind=form") == 2
    assert await count("channel=telegram") == 1
    assert await count("since=2026-11-02T12:01:00Z") == 2
    assert await count("until=2026-11-02T15:01:00%2B03:00") == 1
    assert await count("until=2026-11-02T15:01:00+03:00") == 1  # the plus not escaped


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=9999", "limit"),
        ("limit=²", "limit"),
        ("kind=carrier-pigeon", "kind"),
        ("order=up", "order"),
        ("since=yesterday", "since"),
        ("since=2026-11-02T12:00:00", "since"),
        ("after=!!!", "after"),
        ("after=ZGVhbHM6MQ", "after"),  # of another list
        ("after=Y29udGFjdHMtYXNjOi0x", "after"),
    ],
)
async def test_a_query_that_makes_no_sense_names_its_field(
    door: Api, query: str, field: str
) -> None:
    status, body = await door.ask(f"contacts?{query}")
    assert (status, body["error"]["field"]) == (400, field)


@pytest.mark.parametrize("id_", ["x", "6ca1fbd6-9044-4b1b-9f52-06551ae6ba59"])
async def test_a_contact_that_is_not_there_is_404(door: Api, id_: str) -> None:
    assert (await door.ask(f"contacts/{id_}"))[0] == 404


# Deals --------------------------------------------------------------------------------


def deal(**told: Any) -> dict[str, Any]:
    return {"site": "acme", "id": "17", "state": "open"} | told


async def test_a_deal_is_told_updated_and_told_again(door: Api) -> None:
    await door.contact(1)
    told = deal(
        phone="8 (916) 123-45-67", amount="1234.50", opened="2026-11-02T15:30:00+03:00"
    )

    first = await door.tell("deals", told)
    again = await door.tell("deals", told)
    won = await door.tell("deals", told | {"state": "won", "amount": 1500.1})

    assert first == (200, {"items": [{"id": "17", "created": True, "changed": True}]})
    assert again == (200, {"items": [{"id": "17", "created": False, "changed": False}]})
    assert won == (200, {"items": [{"id": "17", "created": False, "changed": True}]})
    _, listed = await door.ask("deals")
    (one,) = msgspec.convert(listed, api_shapes.Deals).items
    assert (one.id, one.crm, one.state, one.amount) == ("17", "api", "won", "1500.10")
    assert one.lead == (await door.ask("contacts"))[1]["items"][0]["lead"]
    rows = await door.pool.fetch(
        "SELECT event FROM deliveries WHERE deal_id IS NOT NULL ORDER BY seq"
    )
    assert [row["event"] for row in rows] == ["deal.created", "deal.won"]


async def test_many_deals_are_told_at_once_and_listed_page_after_page(
    door: Api,
) -> None:
    many = [deal(id=str(n), state="won" if n == 3 else "open") for n in range(5)]
    status, body = await door.tell("deals", many)
    assert status == 200
    assert [item["created"] for item in body["items"]] == [True] * 5

    _, first = await door.ask("deals?limit=3")
    _, rest = await door.ask(f"deals?limit=3&after={first['next']}")

    assert [item["id"] for item in first["items"] + rest["items"]] == list("01234")
    _, won = await door.ask("deals?state=won")
    assert [item["id"] for item in won["items"]] == ["3"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[" * 100_000, "[0]"),
        (b'"x"', "body"),
        (b'{"id": "1"}', "state"),
        (b'[{"id": "1", "state": "won"}, {"state": "won"}]', "[1].id"),
        (b'{"id": "1", "state": "maybe"}', "state"),
        (b'{"id": "\\u0000", "state": "won"}', "id"),
        (b'{"id": "1", "state": "won", "amount": "-5"}', "amount"),
        (b'{"id": "1", "state": "won", "amount": "1e99999"}', "amount"),
        (b'{"id": "1", "state": "won", "amount": "NaN"}', "amount"),
        (b'{"id": "1", "state": "won", "currency": "rubles"}', "currency"),
        (b'[{"id": "1", "state": "won", "phone": "12"}]', "[0].phone"),
        (b'{"id": "1", "state": "won", "email": "anna"}', "email"),
        (b'{"id": "1", "state": "won", "lead": "17"}', "lead"),
        (
            b'{"id": "1", "state": "won", "lead": "5b1c0a52-6f0e-4d6a-9c57-3a1b8f6f2d10"}',
            "lead",
        ),
        (b'{"id": "1", "state": "won", "closed": "2026-01-01T00:00:00"}', "closed"),
        (b'{"id": "1", "state": "won", "closed": "0001-01-01T00:00:00Z"}', "closed"),
    ],
)
async def test_a_deal_that_makes_no_sense_names_its_field(
    door: Api, body: bytes, field: str
) -> None:
    status, answer = await door.ask("deals", method="POST", data=body)
    assert (status, answer["error"]["field"]) == (400, field)
    assert await door.pool.fetchval("SELECT count(*) FROM deals") == 0


async def test_too_many_deals_at_once_are_refused(door: Api) -> None:
    status, _ = await door.tell("deals", [deal()] * (api_shapes.MOST_DEALS + 1))
    assert status == 400


# Costs and reports --------------------------------------------------------------------


def row(**told: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-02",
        "source": "yandex",
        "medium": "cpc",
        "cost": 10,
    } | told


async def test_costs_told_again_replace_their_days(door: Api) -> None:
    await door.tell("costs", {"site": "acme", "rows": [row(), row(source="google")]})

    status, body = await door.tell("costs", {"rows": [row(cost="0.1"), row(cost=0.2)]})

    assert status == 200
    assert body == {
        "rows": 1,
        "days": 1,
        "since": "2026-11-02",
        "until": "2026-11-02",
        "amount": "0.30",
        "currency": "RUB",
    }
    assert await door.pool.fetchval("SELECT sum(amount)::float FROM costs") == 0.3


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"cost": -1}, "rows[0].cost"),
        ({"cost": "Infinity"}, "rows[0].cost"),
        ({"date": "0001-01-01"}, "rows[0].since"),
        ({"date": "2026-02-30"}, "rows[0].date"),
        ({"source": "\0"}, "rows[0].source"),
        ({"medium": ""}, "rows[0].medium"),
        ({"currency": "USD"}, "currency"),
        ({"clicks": -1}, "rows[0].clicks"),
    ],
)
async def test_a_cost_that_makes_no_sense_names_its_field(
    door: Api, told: dict[str, Any], field: str
) -> None:
    status, body = await door.tell("costs", {"rows": [row(**told)]})
    assert (status, body["error"]["field"]) == (400, field)


async def test_the_channel_report_shows_what_was_told(door: Api) -> None:
    await door.contact(1)
    await door.tell("costs", {"rows": [row(cost=500)]})
    won = deal(phone=ANNA, state="won", amount=1500, opened="2026-11-02T13:00:00Z")
    await door.tell("deals", won | {"closed": "2026-11-02T13:00:00Z"})
    async with door.pool.acquire() as db:
        await rollup.rebuild_day(db, door.site.id, NOON.date())

    status, body = await door.ask("channels?since=2026-11-01&until=2026-11-02")

    assert status == 200
    report = msgspec.convert(body, api_shapes.ChannelReport)
    (paid,) = report.rows
    assert paid.channel == "paid_search"
    assert (paid.now.forms, paid.now.leads, paid.now.deals) == (1, 1, 1)
    assert (paid.now.revenue, paid.now.cost, paid.now.cpl) == (
        "1500.00",
        "500.00",
        "500.00",
    )
    assert (paid.now.romi, paid.now.roas, paid.now.cr) == (2.0, 3.0, None)
    assert body["formulas"]["romi"] == "(Revenue − Cost) ÷ Cost"
    for query in ("level=galaxy", "since=2026-11-03&until=2026-11-02", "since=x"):
        assert (await door.ask(f"channels?{query}"))[0] == 400


async def test_calibration_shows_weights_against_known_truths(door: Api) -> None:
    known = Known(door.pool, door.site)
    number = make.number(1)
    await known.visit(NOON, number, test=True)
    call = await known.call(NOON + timedelta(minutes=1), number)
    weight = await door.pool.fetchval(
        "SELECT certainty FROM contacts WHERE id = $1", call
    )

    status, body = await door.ask("calibration?site=acme&pool=main&month=2026-11")

    assert status == 200
    found = msgspec.convert(body, api_shapes.Calibration)
    assert (found.pool, found.calls, found.checked, found.right) == ("main", 1, 1, 1)
    assert found.mean_weight == round(weight, 4)
    assert found.ece == pytest.approx(1 - weight, abs=1e-4)
    assert (found.kinds.test, found.kinds.click, found.kinds.form) == (1, 0, 0)
    (one,) = found.bins
    assert (one.low, one.high, one.calls, one.enough, one.off) == (0.9, 1, 1, False, 0)
    assert one.interval_low == pytest.approx(0.2065, abs=1e-4)
    assert [(load.name, load.too_small) for load in found.pools] == [("main", False)]


async def test_calibration_of_an_empty_month_has_no_error_to_tell(door: Api) -> None:
    status, body = await door.ask("calibration?month=2025-01")

    assert status == 200
    assert (body["pool"], body["checked"], body["ece"], body["bins"]) == (
        None, 0, None, [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "field"),
    [("month=2026-13", "month"), ("month=x", "month"), ("pool=nobody", "pool")],
)
async def test_a_calibration_that_makes_no_sense_names_its_field(
    door: Api, query: str, field: str
) -> None:
    status, body = await door.ask(f"calibration?{query}")
    assert (status, body["error"]["field"]) == (400, field)


# The description ----------------------------------------------------------------------


async def test_the_description_names_every_route_and_all_its_references_lead_somewhere(
    door: Api,
) -> None:
    async with door.http.get("/api/openapi.json") as answer:
        text = await answer.text()
    described = msgspec.json.decode(text)
    assert described["openapi"].startswith("3.1")
    stated = {
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method in methods
    }
    real = {(one.method, one.path) for one in api.routes() if "/v1/" in one.path}
    assert stated == real
    used = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert used == set(described["components"]["schemas"])


async def test_the_page_for_people_needs_nothing_from_elsewhere(door: Api) -> None:
    async with door.http.get("/api") as answer:
        text = await answer.text()
        assert answer.content_type == "text/html"
    assert "/api/v1/contacts" in text
    assert not re.search(r"<(script|link|img)", text)
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links <= set(re.findall(r'id="([^"]+)"', text))


# Plans --------------------------------------------------------------------------------


async def test_a_plan_is_computed_on_request_and_then_told(door: Api) -> None:
    asked = (
        "plan?site=acme&pool=main&traffic=2&source=yandex/cpc%3D3&goal=0.8&share=off"
    )
    status, body = await door.ask(asked)
    assert status == 200
    assert body == {
        "pool": "main", "state": "computing", "progress": 0.0, "trouble": None, "plan": None,
    }  # fmt: skip
    kept = await plan_rows.claim(door.pool, at=NOON)
    assert kept is not None
    assert kept.question == Question(
        traffic=2, sources={"yandex/cpc": 3.0}, goal=0.8, share=False
    )

    made = make.plan(current=2)
    await plan_rows.record(door.pool, kept, made, trouble=None, at=datetime.now(UTC))

    status, body = await door.ask(asked)
    assert (status, body["state"]) == (200, "ready")
    assert [one["numbers"] for one in body["plan"]["sizes"]] == [2, 4, 8]
    assert body["plan"]["sizes"][0]["loss"] == "5000.00"
    assert body["plan"]["advice"] == {
        "numbers": 4, "reason": "knee", "found": 0.7, "gain": 0.015,
    }  # fmt: skip
    msgspec.convert(body, api_shapes.Plan)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pool=other", "pool"),
        ("days=0", "days"),
        ("days=1.5", "days"),
        ("days=nan", "days"),
        ("traffic=much", "traffic"),
        ("traffic=inf", "traffic"),
        ("source=yandex", "source"),
        ("share=perhaps", "share"),
        ("late=soon", "late"),
        ("goal=80", "goal"),
        ("rest=-1", "rest"),
    ],
)
async def test_a_plan_that_makes_no_sense_names_its_field(
    door: Api, query: str, field: str
) -> None:
    status, body = await door.ask(f"plan?{query}")

    assert (status, body["error"]["field"]) == (400, field)
    assert await door.pool.fetchval("SELECT count(*) FROM plans") == 0


async def test_plans_that_wait_are_bounded(door: Api) -> None:
    for n in range(plan_rows.MOST_OPEN):
        assert (await door.ask(f"plan?days={n + 1}"))[0] == 200

    assert (await door.ask("plan?days=50"))[0] == 429
    assert (await door.ask("plan?days=1"))[0] == 200
