"""The snippet's door by its contracts, and what it says to rubbish."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse

from tests import make, outage
from tests.web.conftest import Client
from tracker import connections, ids, provision
from web import keys

AD = "https://acme.example/?utm_source=yandex&utm_medium=cpc&yclid=123"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
ORIGIN = {"Origin": "https://acme.example"}


def visit(**changes: Any) -> dict[str, Any]:
    body = {
        "site": "acme",
        "url": AD,
        "referrer": "https://yandex.ru/",
        "visitor": None,
        "session": None,
        "consent": True,
        "ids": {"ym_client_id": "1734680388574908198"},
        "replaces": [make.OWN, make.MAILBOX],
    }
    return body | changes


async def ask(client: Client, path: str, body: Any, **headers: str) -> ClientResponse:
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    sent = {"Content-Type": "text/plain"} | ORIGIN | headers
    return await client.post(path, data=data, headers=sent)


async def test_a_visit_is_answered_as_the_contract_says(pool, client):
    await make.site(pool, numbers=1)

    answer = await ask(client, "/v1/visits", visit())

    told = await answer.json()
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://acme.example"
    assert ids.minted(UUID(told["session"]))
    assert told["new_session"] is True
    assert told["numbers"] == [
        {
            "replaces": make.OWN,
            "number": make.number(1),
            "display": "+7 495 100-00-01",
            "kind": "dynamic",
        }
    ]
    (email,) = told["emails"]
    assert email["replaces"] == make.MAILBOX
    assert email["address"].endswith("@track.acme.example")
    assert (told["lease_seconds"], told["beat_seconds"]) == (1800, 30)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("not json", 400, "body"),
        ("[" * 100_000, 413, ""),
        ('{"site": ' + '{"a":' * 20_000, 413, ""),
        ('{"site": ' + "[" * 5_000, 400, "site"),
        (b"\xff\xfe", 400, "body"),
        ("{}", 400, "site"),
        ({"site": "acme"}, 400, "url"),
        (visit(url=5), 400, "url"),
        (visit(session={}), 400, "session"),
        (visit(replaces="+7"), 400, "replaces"),
        (visit(replaces=["+7"] * 51), 400, "replaces"),
        (visit(consent="yes"), 400, "consent"),
        (visit(site="nobody"), 404, ""),
        (visit(referrer="x" * 70_000), 413, ""),
    ],
    ids=str,
)
async def test_rubbish_gets_a_clear_answer(pool, client, caplog, body, status, field):
    await make.site(pool)

    answer = await ask(client, "/v1/visits", body)

    error = (await answer.json())["error"]
    assert (answer.status, error["field"].split("[")[0]) == (status, field)
    assert error["message"]
    assert "Traceback" not in caplog.text


async def test_a_foreign_page_is_refused_on_every_address(pool, client):
    site = await make.site(pool)
    session = str(ids.mint(site.id, make.NOON))
    bodies = {
        "/v1/visits": visit(),
        "/v1/beats": {"session": session, "state": "visible"},
        "/v1/events": {"session": session},
        "/v1/contacts": {"site": "acme", "id": "1"},
    }
    for path, body in bodies.items():
        for origin in ("https://evil.example", "https://notacme.example", "null"):
            answer = await ask(client, path, body, Origin=origin)
            assert answer.status == 403, (path, origin)


async def test_subdomains_of_the_site_are_its_own(pool, client):
    await make.site(pool)

    answer = await ask(
        client, "/v1/visits", visit(), Origin="https://shop.acme.example"
    )

    assert answer.status == 200


async def test_ids_of_somebody_elses_making_are_as_good_as_none(pool, client):
    await make.site(pool)

    body = visit(visitor="what", session="01a2025f-fec5-801e-8902-ef52ae16dd6b")
    answer = await ask(client, "/v1/visits", body)

    assert (await answer.json())["new_session"] is True


async def test_cookies_of_other_systems_are_kept_by_the_names_of_their_ids(
    pool, client
):
    await make.site(pool)
    cookies = {"_ga": "GA1.1.111.222", "_fbp": "fb.1.1.2", "PHPSESSID": "secret"}
    told = await (await ask(client, "/v1/visits", visit(ids=cookies))).json()

    late = {"session": told["session"], "ids": {"_ym_uid": "1734680388574908198"}}
    await ask(client, "/v1/beats", late)

    async with asyncio.timeout(30):
        while "ym_client_id" not in (
            kept := await pool.fetchval("SELECT details->'ids' FROM sessions")
        ):
            await asyncio.sleep(0.05)
    assert kept == {
        "ga_client_id": "111.222",
        "fbp": "fb.1.1.2",
        "ym_client_id": "1734680388574908198",
    }


async def test_a_beat_is_answered_204_and_reaches_the_ledger(pool, client):
    await make.site(pool)
    told = await (await ask(client, "/v1/visits", visit())).json()
    event = {"type": "reveal", "at": 1760000000.1, "target": make.number(1)}

    answer = await ask(
        client,
        "/v1/beats",
        {"session": told["session"], "state": "visible", "events": [event]},
    )

    assert (answer.status, await answer.text()) == (204, "")
    async with asyncio.timeout(30):
        while not await pool.fetchval("SELECT seen_at FROM leases"):
            await asyncio.sleep(0.05)
    assert await pool.fetchval("SELECT type FROM events") == "reveal"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"session": "x"}, 400),
        ({"session": "11111111-1111-4111-8111-111111111111"}, 400),
        ({"session": "01a2025f-fec5-8fff-bfff-ef52ae16dd6b"}, 404),
        ({"state": "dead"}, 400),
        ({"events": [{"type": "DROP TABLE"}]}, 400),
        ({"events": [{"type": "goal"}] * 51}, 400),
        ({"events": [{"type": "goal", "at": 1e300}]}, 204),
        ({"events": [{"type": "goal", "target": "\x00\ud800"}]}, 204),
        ({"events": [{"type": "page", "target": f"{AD}&q={'x' * 9000}"}]}, 204),
    ],
    ids=str,
)
async def test_odd_beats(pool, client, changes, status):
    await make.site(pool)
    told = await (await ask(client, "/v1/visits", visit())).json()
    body = {"session": told["session"], "state": "visible"} | changes

    answer = await ask(client, "/v1/beats", json.dumps(body).replace("\\ud800", ""))

    assert answer.status == status


async def test_a_page_about_to_be_read_is_lent_a_number(pool, client):
    await make.site(pool, numbers=1)
    await ask(client, "/v1/visits", visit())
    waiting = await (await ask(client, "/v1/visits", visit())).json()
    event = {"type": "reveal", "target": make.OWN}

    answer = await ask(
        client,
        "/v1/events",
        {"session": waiting["session"], "state": "visible", "events": [event]},
    )

    assert waiting["numbers"][0]["kind"] == "own"
    (lent,) = (await answer.json())["numbers"]
    assert (lent["kind"], lent["number"]) == ("dynamic", make.number(1))
    assert lent["replaces"] == make.OWN


async def test_a_form_is_taken_once_however_often_it_is_sent(pool, client):
    await make.site(pool)
    told = await (await ask(client, "/v1/visits", visit())).json()
    form = {
        "site": "acme",
        "id": "f-1",
        "channel": "form",
        "session": told["session"],
        "name": "Анна\x00",
        "phone": "8 916 555-44-33",
        "email": "Anna@Client.example",
        "text": "одна\nдве",
        "fields": {"size": 3, "nested": {"a": 1}},
    }

    answers = [await ask(client, "/v1/contacts", form) for _ in range(3)]

    assert {answer.status for answer in answers} == {202}
    (contact_id,) = {(await answer.json())["contact"] for answer in answers}
    async with asyncio.timeout(30):
        while await pool.fetchval("SELECT count(*) FROM unread"):
            await asyncio.sleep(0.05)
    (row,) = await pool.fetch("SELECT * FROM contacts")
    assert str(row["id"]) == contact_id
    assert (row["name"], row["caller"]) == ("Анна", "+79165554433")
    assert (row["text"], row["fields"]) == ("одна\nдве", {"size": "3"})
    assert (row["rule"], row["certainty"]) == ("session/1", 1.0)


async def test_a_phone_that_is_none_is_kept_with_the_contact(pool, client):
    await make.site(pool)
    form = {"site": "acme", "id": "1", "phone": "call me", "email": "me at home"}

    answer = await ask(client, "/v1/contacts", form)

    assert answer.status == 202
    async with asyncio.timeout(30):
        while not (row := await pool.fetchrow("SELECT * FROM contacts")):
            await asyncio.sleep(0.05)
    assert row["caller"] is None
    assert row["fields"] == {"phone": "call me", "email": "me at home"}


async def test_a_form_is_spooled_while_postgres_is_away(
    pool, client, database_url, tmp_path
):
    await make.site(pool)
    await ask(client, "/v1/visits", visit())

    async with outage.of(database_url):
        answer = await ask(client, "/v1/contacts", {"site": "acme", "id": "1"})
        assert answer.status == 202
        assert len(list((tmp_path / "spool").iterdir())) == 1

    async with asyncio.timeout(30):
        while not await pool.fetchval("SELECT count(*) FROM contacts"):
            await asyncio.sleep(0.05)


async def test_with_postgres_away_a_visit_is_told_to_keep_its_own(
    pool, client, database_url
):
    await make.site(pool)
    await ask(client, "/v1/visits", visit())

    async with outage.of(database_url):
        answer = await ask(client, "/v1/visits", visit())

    told = await answer.json()
    assert [one["kind"] for one in told["numbers"]] == ["own"]
    assert answer.status == 200


async def test_crawlers_get_no_number(pool, client):
    await make.site(pool)
    crawler = "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"

    told = await (
        await ask(
            client,
            "/v1/visits",
            visit(),
            **{"User-Agent": crawler, "X-Forwarded-For": "5.5.5.5"},
        )
    ).json()

    assert (told["session"], told["numbers"][0]["kind"]) == (None, "own")
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_the_snippet_is_served_compressed_and_revalidated(pool, client):
    await make.site(pool)

    answer = await client.get("/s/acme.js", headers={"Accept-Encoding": "gzip"})
    body = await answer.read()
    etag = answer.headers["ETag"]
    again = await client.get("/s/acme.js", headers={"If-None-Match": etag})
    missing = await client.get("/s/nobody.js")

    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b'"site":"acme"' in body
    assert (again.status, missing.status) == (304, 404)


async def test_health_and_metrics(client, database_url):
    assert (await client.get("/healthz")).status == 200
    assert await (await client.get("/readyz")).json() == {
        "postgres": True,
        "valkey": True,
    }
    assert "process_cpu_seconds_total" in await (await client.get("/metrics")).text()
    async with outage.of(database_url):
        away = await client.get("/readyz")
    assert away.status == 503
    assert client.app is not None
    assert client.app[keys.SETTINGS].mail_domain == "track.acme.example"


@pytest.mark.parametrize("proxies", ["127.0.0.0/8", "10.0.0.0/8"])
async def test_a_region_is_believed_from_a_listed_proxy_alone(pool, client, proxies):
    text = f"""
        [site]
        key = "acme"
        name = "ACME"
        domains = ["acme.example"]

        [[pool]]
        name = "moscow"
        replaces = ["{make.OWN}"]
        numbers = ["+74951000001"]
        target = {{ regions = ["Москва"] }}
    """
    async with pool.acquire() as db:
        await provision.apply_text(
            db, text, make.SEAL, connections.known(), at=make.NOON
        )
    headers = {
        "X-Region": "Москва",
        "User-Agent": BROWSER,
        "X-Forwarded-For": "1.2.3.4",
    }

    answer = await ask(client, "/v1/visits", visit(), **headers)

    (number,) = (await answer.json())["numbers"]
    believed = proxies == "127.0.0.0/8"
    assert number["kind"] == ("dynamic" if believed else "own")
    details = await pool.fetchval("SELECT details FROM sessions")
    assert details.get("region") == ("Москва" if believed else None)


async def test_numbers_added_retired_and_rested_take_effect_while_the_server_runs(
    pool, client
):
    async def set_up(numbers: list[str], resting: list[str]) -> None:
        text = f"""
            [site]
            key = "acme"
            name = "ACME"
            domains = ["acme.example"]

            [[pool]]
            name = "main"
            replaces = ["{make.OWN}"]
            numbers = {json.dumps(numbers)}
            resting = {json.dumps(resting)}
        """
        directory = client.app[keys.DIRECTORY]
        before = directory.now
        async with pool.acquire() as db:
            await provision.apply_text(
                db, text, make.SEAL, connections.known(), at=make.NOON
            )
        async with asyncio.timeout(20):  # told by the database, no later look
            while directory.now is before:
                await asyncio.sleep(0.01)

    async def shown(session: str | None = None) -> tuple[str, str]:
        body = visit(url="https://acme.example/", session=session)
        told = await (await ask(client, "/v1/visits", body)).json()
        return told["numbers"][0]["number"], told["session"]

    first, second, third = (make.number(n) for n in (1, 2, 3))
    await set_up([first], [])
    number, holder = await shown()
    assert number == first
    await set_up([first, second, third], [second])
    assert (await shown())[0] == third
    await set_up([first, second], [first])
    assert (await shown())[0] == second
    assert await shown(holder) == (first, holder)  # a resting number stays his
    assert (await shown())[0] == make.OWN
