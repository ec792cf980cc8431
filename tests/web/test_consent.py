"""Without consent nothing of the visitor stays with us; and what a page that asks is told."""

import json
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests import make
from tests.web.test_collect import ask, visit

STATIC = "+74951000100"
DIRECT_ADS = {"source": "yandex", "medium": "cpc"}
CLICK = "secret-click-4711"
AD = f"https://acme.example/?utm_source=yandex&utm_medium=cpc&yclid={CLICK}"
PAGE = "https://acme.example/prices"


async def told(client: Any, **changes: Any) -> dict[str, Any]:
    answer = await ask(client, "/v1/visits", visit(**changes))
    assert answer.status == 200
    body: dict[str, Any] = await answer.json()
    return body


async def _everything_stored(pool: Any, valkey: Any) -> str:
    """All rows of all tables and all keys with their values, as one text."""
    tables = await pool.fetch(
        "SELECT quote_ident(table_name) AS name FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    rows = [
        await pool.fetchval(f"SELECT coalesce(json_agg(t)::text, '') FROM {one[0]} t")
        for one in tables
    ]
    keys = [(key, await valkey.dump(key)) async for key in valkey.scan_iter()]
    return "\n".join(rows) + repr(sorted(keys))


async def test_without_consent_nothing_is_stored_logged_or_set_in_the_browser(
    pool, client, valkey, caplog
):
    caplog.set_level(logging.DEBUG)
    site = await make.site(pool, statics=[(STATIC, DIRECT_ADS)])
    visitor = str(uuid4())
    await told(client, url=PAGE, consent=False)  # the process has read the site
    before = await _everything_stored(pool, valkey)

    answer = await ask(
        client,
        "/v1/visits",
        visit(url=AD, consent=False, visitor=visitor, session=str(uuid4())),
    )

    body = await answer.json()
    assert [body["visitor"], body["session"], body["emails"]] == [None, None, []]
    assert body["new_session"] is False
    (number,) = body["numbers"]
    assert (number["number"], number["kind"]) == (STATIC, "static")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    after = await _everything_stored(pool, valkey)
    assert after == before
    assert site.key in after  # it was looked into
    assert not any(word in caplog.text for word in (CLICK, "utm_source", visitor))


async def test_no_cookie_is_set_with_consent_either_and_no_query_is_logged(
    pool, client, valkey, caplog
):
    caplog.set_level(logging.DEBUG)
    await make.site(pool)

    answer = await ask(client, "/v1/visits", visit(url=AD))
    body = await answer.json()
    beat = {"session": body["session"], "events": [{"type": "goal", "target": "cart"}]}
    beaten = await ask(client, "/v1/beats", beat)

    assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie" not in beaten.headers
    stored = await _everything_stored(pool, valkey)
    assert CLICK in stored  # it is found where it is
    assert not any(
        word in caplog.text for word in (CLICK, "utm_source", body["visitor"])
    )


async def test_without_a_static_number_the_page_keeps_its_own(pool, client):
    await make.site(pool, overflow="+74951000099")

    body = await told(client, consent=False)

    (number,) = body["numbers"]
    assert (number["number"], number["kind"]) == (make.OWN, "own")


async def test_a_page_that_does_not_ask_is_not_told_why(pool, client):
    await make.site(pool)

    assert "debug" not in await told(client)
    assert "debug" not in await told(client, consent=False)
    assert "debug" not in await told(client, debug=False)


async def test_a_page_that_asks_is_told_where_its_source_and_number_come_from(
    pool, client
):
    await make.site(pool, numbers=1)

    first = (await told(client, url=AD + "&skvoz_test=1", debug=True))["debug"]
    second = (await told(client, url=PAGE, referrer="", debug=True))["debug"]

    assert (first["why"], first["rule"], first["test"]) == ("landing", "utm", True)
    assert first["source"] == {
        "channel": "paid_search",
        "source": "yandex",
        "medium": "cpc",
        "campaign": "",
        "content": "",
        "term": "",
    }
    assert first["landing"] == first["source"]
    assert first["click_ids"] == {"yclid": CLICK}
    assert first["numbers"] == [
        {"replaces": make.OWN, "kind": "dynamic", "pool": "main", "why": "lent"}
    ]
    assert (second["why"], second["rule"], second["test"]) == (
        "nothing",
        "direct",
        False,
    )
    assert second["source"]["channel"] == "direct"
    assert second["numbers"] == [
        {"replaces": make.OWN, "kind": "own", "pool": "main", "why": "none_idle"}
    ]


async def test_a_session_that_goes_on_and_a_visitor_who_comes_back_are_explained(
    pool, client
):
    await make.site(pool)
    first = await told(client, url=AD)
    visitor, session = first["visitor"], first["session"]

    on = await told(
        client, url=PAGE, referrer=AD, visitor=visitor, session=session, debug=True
    )
    back = await told(client, url=PAGE, referrer="", visitor=visitor, debug=True)

    assert (on["debug"]["why"], on["debug"]["rule"]) == ("session", "kept")
    assert on["debug"]["source"]["source"] == "yandex"
    assert on["debug"]["landing"]["channel"] == "internal"
    assert on["debug"]["numbers"][0]["why"] == "held"
    assert (back["debug"]["why"], back["debug"]["rule"]) == ("visitor", "direct")
    assert back["debug"]["source"]["source"] == "yandex"
    assert back["debug"]["landing"]["channel"] == "direct"


async def test_who_has_only_a_sessions_id_is_not_told_its_source(pool, client):
    await make.site(pool)
    session = (await told(client, url=AD))["session"]

    stranger = await told(
        client, url=PAGE, session=session, visitor=str(uuid4()), debug=True
    )
    nobody = await told(client, url=PAGE, session=session, debug=True)

    for answer in (stranger, nobody):
        assert answer["debug"]["source"] is None
        assert CLICK not in json.dumps(answer)


async def test_numbers_that_no_pool_lends_are_explained(pool, client):
    await make.site(pool)

    body = await told(client, replaces=["+74957777777", make.OWN], debug=True)

    assert [(one["pool"], one["why"]) for one in body["debug"]["numbers"]] == [
        (None, "no_pool"),
        ("main", "lent"),
    ]


@pytest.mark.parametrize(
    ("changes", "headers", "why"),
    [
        ({"consent": False}, {}, "no_consent"),
        (
            {},
            {
                "User-Agent": "Mozilla/5.0 (compatible; YandexBot/3.0)",
                "X-Forwarded-For": "5.5.5.5",
            },
            "not_kept",
        ),
    ],
    ids=["no consent", "a crawler"],
)
async def test_who_is_not_kept_is_told_so(pool, client, changes, headers, why):
    await make.site(pool)

    answer = await ask(
        client, "/v1/visits", visit(url=AD, debug=True, **changes), **headers
    )

    debug = (await answer.json())["debug"]
    assert (debug["why"], debug["source"], debug["rule"]) == (why, None, "utm")
    assert debug["landing"]["source"] == "yandex"
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_what_a_page_asks_is_a_yes_or_no(pool, client):
    await make.site(pool)

    answer = await ask(client, "/v1/visits", visit(debug="please"))

    assert (answer.status, (await answer.json())["error"]["field"]) == (400, "debug")


async def test_the_answer_with_reasons_is_otherwise_the_same(pool, client):
    await make.site(pool)

    plain = await told(client, url=PAGE)
    asked = await told(
        client,
        url=PAGE,
        visitor=plain["visitor"],
        session=plain["session"],
        debug=True,
    )

    assert UUID(plain["session"])
    assert set(asked) - set(plain) == {"debug"}
    assert asked["numbers"] == plain["numbers"]
