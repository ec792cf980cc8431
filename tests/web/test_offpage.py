"""Numbers where the script does not run: AMP pages, and pages that the site's server makes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse

from tests import make, outage
from tests.web.conftest import Client
from tracker import db as database
from tracker import ids
from web import amp_cache

AD = "https://acme.example/?utm_source=yandex&utm_medium=cpc&yclid=123"
PAGE = "https://acme.example/prices"
ORIGIN = {"Origin": "https://acme.example"}
CACHE = "https://acme-example.cdn.ampproject.org"
CLIENT_ID = "amp-9vW2sKkQ0c1dR7xN3mYp4A"
BILLBOARD = "+74951000100"
STATIC = (BILLBOARD, {"source": "yandex", "medium": "cpc"})


async def arrive(client: Client, **changes: Any) -> dict[str, Any]:
    """A visit as the script on the page tells it."""
    body = {"site": "acme", "url": AD, "replaces": [make.OWN, make.MAILBOX]} | changes
    answer = await client.post("/v1/visits", data=json.dumps(body), headers=ORIGIN)
    assert answer.status == 200
    told: dict[str, Any] = await answer.json()
    return told


async def ask(client: Client, **query: str) -> ClientResponse:
    return await client.get("/v1/numbers", params={"site": "acme"} | query)


async def ask_amp(client: Client, origin: str = CACHE, **query: str) -> ClientResponse:
    usual = {"site": "acme", "url": PAGE, "cid": CLIENT_ID, "number": make.OWN}
    headers = {"Origin": origin} if origin else {}
    return await client.get("/v1/amp", params=usual | query, headers=headers)


async def sessions(pool: database.Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM sessions")
    return count


# Pages that the site's own server makes --------------------------------------------------


@pytest.mark.parametrize("by", ["session", "visitor"])
async def test_a_sites_server_is_told_what_the_visitor_is_shown(pool, client, by):
    await make.site(pool)
    shown = await arrive(client)

    told = await (await ask(client, **{by: shown[by]})).json()

    assert told == {
        "session": shown["session"],
        "numbers": shown["numbers"],
        "emails": shown["emails"],
    }
    assert await sessions(pool) == 1


async def test_without_a_session_nothing_is_lent_and_the_script_finds_the_pools_number(
    pool, client
):
    await make.site(pool, statics=[STATIC])

    for query in ({}, {"session": str(ids.mint(1, make.NOON))}, {"session": "rubbish"}):
        told = await (await ask(client, url=AD, **query)).json()

        assert told["session"] is None
        assert [(one["replaces"], one["kind"]) for one in told["numbers"]] == [
            (make.OWN, "own")
        ]
        assert told["emails"] == []
    assert await sessions(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM leases") == 0


async def test_without_a_session_a_number_of_no_pool_is_the_sources(pool, client):
    await make.site(pool, statics=[STATIC])
    hotline = "+74959999999"

    paid = await (await ask(client, url=AD, replaces=hotline)).json()
    free = await (await ask(client, url=PAGE, replaces=hotline)).json()

    (one,) = paid["numbers"]
    assert (one["number"], one["kind"]) == (BILLBOARD, "static")
    assert [one["kind"] for one in free["numbers"]] == ["own"]


async def test_a_session_whose_lease_is_over_shows_nothing_of_its_own(pool, client):
    await make.site(pool)
    shown = await arrive(client)
    await pool.execute(
        "UPDATE sessions SET last_seen_at = last_seen_at - interval '31 minutes'"
    )

    told = await (await ask(client, session=shown["session"])).json()

    assert told["session"] is None
    assert [one["kind"] for one in told["numbers"]] == ["own"]


async def test_another_sites_session_is_as_good_as_none(pool, client):
    await make.site(pool)
    await pool.execute("INSERT INTO sites (key, name, domains) VALUES ('b', 'B', '{}')")
    shown = await arrive(client)

    answer = await client.get(
        "/v1/numbers", params={"site": "b", "session": shown["session"]}
    )

    assert await answer.json() == {"session": None, "numbers": [], "emails": []}


async def test_a_visitors_number_stays_out_of_shared_caches(pool, client):
    await make.site(pool)
    shown = await arrive(client)

    answer = await ask(client, session=shown["session"])

    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["CDN-Cache-Control"] == "no-store"
    assert answer.headers["Surrogate-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie"


async def test_a_foreign_page_is_told_nothing(pool, client):
    await make.site(pool)
    query = {"site": "acme", "url": PAGE, "cid": CLIENT_ID}

    for path in ("/v1/numbers", "/v1/amp"):
        foreign = {"Origin": "https://evil.example"}
        answer = await client.get(path, params=query, headers=foreign)
        assert answer.status == 403
        unknown = await client.get(path, params=query | {"site": "nobody"})
        assert unknown.status == 404


async def test_with_postgres_away_the_page_keeps_its_own(pool, client, database_url):
    await make.site(pool)
    shown = await arrive(client)

    async with outage.of(database_url):
        told = await (await ask(client, session=shown["session"])).json()
        amp = await (await ask_amp(client)).json()

    assert [one["kind"] for one in told["numbers"]] == ["own"]
    assert amp["phoneNumber"] == make.OWN


# AMP pages -------------------------------------------------------------------------------


async def test_an_amp_page_is_lent_a_number_and_its_visit_is_a_session(pool, client):
    await make.site(pool)

    answer = await ask_amp(
        client, url=AD, ref="https://yandex.ru/", __amp_source_origin=ORIGIN["Origin"]
    )

    assert await answer.json() == {
        "phoneNumber": make.number(1),
        "formattedPhoneNumber": "+7 495 100-00-01",
    }
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == CACHE
    assert headers["AMP-Access-Control-Allow-Source-Origin"] == ORIGIN["Origin"]
    assert headers["Cache-Control"] == "private, no-store"
    row = await pool.fetchrow(
        "SELECT s.landing_url, o.source, o.medium, s.details FROM sessions s "
        "JOIN sources o ON o.id = s.source_id"
    )
    assert (row["landing_url"], row["source"], row["medium"]) == (AD, "yandex", "cpc")
    assert row["details"]["click_ids"] == {"yclid": "123"}


async def test_further_amp_pages_belong_to_the_same_session(pool, client):
    await make.site(pool)

    first = await (await ask_amp(client, url=AD)).json()
    second = await (await ask_amp(client, ref=AD, origin=ORIGIN["Origin"])).json()

    assert second == first
    assert await sessions(pool) == 1
    assert [row["url"] for row in await pool.fetch("SELECT url FROM pages")] == [PAGE]


async def test_two_numbers_of_one_amp_page_are_one_session(pool, client):
    await make.site(pool)
    await ask(client)  # the set-up is read

    one, other = await asyncio.gather(
        ask_amp(client), ask_amp(client, number="8 (495) 000-00-00")
    )

    assert (await one.json())["phoneNumber"] == make.number(1)
    assert (await other.json())["phoneNumber"] == make.number(1)
    assert await sessions(pool) == 1


async def test_without_consent_an_amp_page_shows_the_sources_number(pool, client):
    await make.site(pool, statics=[STATIC])

    for cid in ("", "CLIENT_ID(skvoz)"):
        told = await (await ask_amp(client, url=AD, cid=cid)).json()
        assert told["phoneNumber"] == BILLBOARD
    assert await sessions(pool) == 0


async def test_when_no_number_is_to_be_had_the_amp_page_keeps_its_spelling(
    pool, client
):
    await make.site(pool, numbers=0)

    told = await (await ask_amp(client, number="8 (495) 000-00-00")).json()

    assert told == {
        "phoneNumber": make.OWN,
        "formattedPhoneNumber": "8 (495) 000-00-00",
    }


async def test_only_the_site_and_its_copies_in_amp_caches_may_ask(pool, client):
    await make.site(pool)

    for origin, status in {
        "https://acme.example": 200,
        "https://www.acme.example": 200,
        CACHE: 200,
        "http://acme-example.cdn.ampproject.org": 403,
        "https://evil-example.cdn.ampproject.org": 403,
        "https://acme-example.cdn.ampproject.org.evil.example": 403,
        "https://cdn.ampproject.org": 403,
        "null": 403,
        "": 403,
    }.items():
        assert (await ask_amp(client, origin)).status == status, origin
    evil = await ask_amp(client, url="https://evil.example/", origin=CACHE)
    assert evil.status == 403
    itself = await client.get(
        "/v1/amp",
        params={"site": "acme", "url": PAGE, "cid": CLIENT_ID},
        headers={"AMP-Same-Origin": "true"},
    )
    assert itself.status == 200


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("pub.com", "pub-com"),
        ("acme-shop.example", "acme--shop-example"),
        ("xn--e1aybc.xn--p1ai", "тест-рф".encode("idna").decode()),
        ("en-us.example.com", "0-en--us-example-com-0"),
    ],
)
def test_a_sites_copies_have_a_subdomain_of_their_own(host, label):
    assert label in amp_cache.labels(host)


def test_a_name_too_long_for_a_subdomain_is_a_digest():
    (label,) = amp_cache.labels(f"{'very-' * 12}long.example")

    assert len(label) == 52


async def test_an_amp_page_keeps_its_number_by_beats_and_tells_of_taps(pool, client):
    await make.site(pool)
    await ask_amp(client)
    long_ago = datetime.now(UTC) - timedelta(minutes=20)
    await pool.execute("UPDATE sessions SET last_seen_at = $1", long_ago)
    told = {"site": "acme", "cid": CLIENT_ID}

    for query in ({}, {"event": "tel_click"}, {"event": "rubbish"}):
        answer = await client.get("/v1/amp/beat", params=told | query)
        assert answer.status == 204
    stranger = await client.get("/v1/amp/beat", params=told | {"cid": "another"})

    assert stranger.status == 204
    async with asyncio.timeout(30):
        while not (rows := await pool.fetch("SELECT type, session_id FROM events")):
            await asyncio.sleep(0.05)
    assert [row["type"] for row in rows] == ["tel_click"]
    row = await pool.fetchrow("SELECT id, last_seen_at FROM sessions")
    assert row["id"] == rows[0]["session_id"]
    assert row["last_seen_at"] > long_ago


# What a bot hands back -------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        lambda code: {"session": code},
        lambda code: {"session": f"promo_{code}"},
        lambda code: {"text": f"Здравствуйте!\nНомер обращения: {code}"},
        lambda code: {"session": "unknown", "text": f"/start {code}"},
    ],
)
async def test_a_bot_hands_the_session_back_by_its_code(pool, client, said):
    await make.site(pool)
    session = UUID((await arrive(client))["session"])
    body = {"site": "acme", "id": "telegram-1", "channel": "telegram"}

    sent = json.dumps(body | said(ids.code(session)))
    assert (await client.post("/v1/contacts", data=sent)).status == 202

    row = await contact(pool)
    assert (row["rule"], row["certainty"]) == ("session/1", 1.0)
    assert row["session_id"] == session


async def test_another_sites_code_names_nobody(pool, client):
    await make.site(pool)
    foreign = ids.code(ids.mint(999, datetime.now(UTC)))
    body = {"site": "acme", "id": "1", "channel": "telegram", "session": foreign}

    await client.post("/v1/contacts", data=json.dumps(body))

    assert (await contact(pool))["session_id"] is None


async def contact(pool: database.Pool) -> Any:
    async with asyncio.timeout(30):
        while not (
            row := await pool.fetchrow(
                "SELECT c.rule, c.certainty, a.session_id FROM contacts c "
                "LEFT JOIN attributions a ON a.contact_id = c.id"
            )
        ):
            await asyncio.sleep(0.05)
    return row
