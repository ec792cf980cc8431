"""The door of telephony providers, on a socket, with a real database."""

import asyncio
import logging
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from tests import make, outage
from tracker import calls, config, connection_states, errors, ids, inbox, sites
from tracker import db as database
from web import hooks, keeper, keys, middlewares, telephony
from web.telephony.twilio import signature

PUBLIC = "https://ct.example.org"
KEY, SALT = "mango-key", "mango-salt"
TWILIO = {"auth_token": "twilio-token", "forward_to": "+74957654321"}
TELEPHONY = (
    ("pbx", "generic", {"token": "sesame", "forward_to": "+74959999999"}),
    ("bare", "generic", {"token": "sesame"}),
    ("vpbx", "mango", {"api_key": KEY, "api_salt": SALT}),
    ("tw", "twilio", TWILIO),
)
PBX = "/hooks/generic/acme-pbx-key"
VPBX = "/hooks/mango/acme-vpbx-key"
TW = "/hooks/twilio/acme-tw-key"
OPEN = {"token": "sesame"}
NUMBER = make.number(1)
CALLER = "+79161234567"


@dataclass
class Door:
    """A running door and what it stands on."""

    app: web.Application
    http: aiohttp.ClientSession
    pool: database.Pool

    async def tell(self, path: str = PBX, **rest: Any) -> tuple[int, bytes]:
        """Post (our contract's token included) and return status and body."""
        rest.setdefault("params", OPEN if path == PBX else None)
        async with self.http.post(path, **rest) as answer:
            return answer.status, await answer.read()

    async def read(self) -> None:
        """Everything kept becomes calls."""
        reader = self.app[hooks.READER]
        while await reader.read_due(at=datetime.now(UTC)):
            pass

    async def reasons(self) -> list[str]:
        rows = await self.pool.fetch("SELECT reason FROM unread ORDER BY due_at")
        return [row["reason"] for row in rows]

    async def refusals(self) -> list[tuple[str, str, int]]:
        rows = await self.pool.fetch(
            "SELECT kind, reason, count FROM refusals ORDER BY kind, reason"
        )
        return [tuple(row) for row in rows]


@asynccontextmanager
async def opened(
    pool: database.Pool, folder: Path, *, load: bool = True
) -> AsyncIterator[Door]:
    app = web.Application(middlewares=[middlewares.errors_to_answers])
    app[keys.SETTINGS] = config.read(
        {"SKVOZ_PUBLIC_URL": PUBLIC, "SKVOZ_DATA": str(folder)}
    )
    app[keys.POOL] = pool
    app[keys.DIRECTORY] = sites.Directory(pool, make.SEAL)
    if load:
        await app[keys.DIRECTORY].load()
    hooks.setup(app)
    app.add_routes(hooks.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(base) as http:
        yield Door(app, http, pool)
    await runner.cleanup()


@pytest.fixture
async def door(pool: database.Pool, tmp_path: Path) -> AsyncIterator[Door]:
    await make.site(pool, telephony=TELEPHONY)
    async with opened(pool, tmp_path) as door:
        yield door


def ringing(call_id: str = "c1", **rest: Any) -> dict[str, Any]:
    return {
        "event": "ringing",
        "call_id": call_id,
        "from": CALLER,
        "to": NUMBER,
        **rest,
    }


def mango(json: object) -> dict[str, str]:
    text = msgspec.json.encode(json).decode()
    sign = sha256(f"{KEY}{text}{SALT}".encode()).hexdigest()
    return {"vpbx_api_key": KEY, "sign": sign, "json": text}


def twilio(path: str, form: dict[str, str]) -> dict[str, Any]:
    sign = signature("twilio-token", PUBLIC + path, list(form.items()))
    return {"path": path, "data": form, "headers": {"X-Twilio-Signature": sign}}


VOICE = {"CallSid": "CA1", "CallStatus": "ringing", "From": CALLER, "To": NUMBER, "Direction": "inbound"}  # fmt: skip


# From the request to the contact ------------------------------------------------------


async def test_a_call_told_in_stages_becomes_one_contact(door: Door) -> None:
    start = datetime.now(UTC) - timedelta(seconds=70)
    for after, stage in (
        (69, {"event": "ended", "duration": 61}),
        (0, {"event": "ringing"}),
        (8, {"event": "answered", "manager": "Anna"}),
        (70, {"event": "recording", "recording_url": "https://pbx.example/1.mp3"}),
        (0, {"event": "ringing"}),
    ):
        at = (start + timedelta(seconds=after)).isoformat()
        status, _ = await door.tell(json={**ringing(), "at": at, **stage})
        assert status == 200
    await door.read()

    assert await door.reasons() == []
    contact = await door.pool.fetchrow("SELECT * FROM contacts")
    assert await door.pool.fetchval("SELECT count(*) FROM contacts") == 1
    assert (contact["caller"], contact["channel"], contact["kind"]) == (CALLER, "phone", "call")  # fmt: skip
    call = await calls.find(door.pool, contact["site_id"], contact["id"])
    assert call is not None
    assert (call.answered, call.talk_seconds, call.manager) == (True, 61, "Anna")
    assert (call.tracked, call.recording) == (NUMBER, "https://pbx.example/1.mp3")


async def test_a_signed_mango_call_becomes_a_contact(door: Door) -> None:
    now = int(datetime.now(UTC).timestamp())
    told = {
        "entry_id": "E1", "call_direction": 1, "from": {"number": CALLER[1:]},
        "to": {"extension": "123"}, "line_number": NUMBER[1:], "create_time": now - 99,
        "talk_time": now - 88, "end_time": now, "disconnect_reason": 1110,
    }  # fmt: skip
    status, body = await door.tell(f"{VPBX}//events/summary", data=mango(told))
    assert (status, body) == (200, b"{}")
    await door.read()

    row = await door.pool.fetchrow("SELECT * FROM calls")
    assert (row["call_key"], row["talk_seconds"], row["manager"]) == ("E1", 88, "123")
    assert await door.pool.fetchval("SELECT number FROM contacts") == NUMBER


async def test_a_twilio_call_is_connected_and_becomes_a_contact(door: Door) -> None:
    status, body = await door.tell(**twilio(TW, VOICE))
    assert status == 200
    (dial,) = ET.fromstring(body)
    assert dial[0].text == make.OWN
    assert dial.attrib["action"] == f"{PUBLIC}{TW}/dial"

    over = {**VOICE, "DialCallStatus": "completed", "DialCallDuration": "61"}
    status, body = await door.tell(**twilio(f"{TW}/dial", over))
    assert (status, list(ET.fromstring(body))) == (200, [])
    await door.read()
    assert await door.pool.fetchval("SELECT talk_seconds FROM calls") == 61


async def test_a_request_is_kept_as_it_came_but_for_its_secrets(door: Door) -> None:
    body = msgspec.json.encode(ringing())
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    await door.tell(data=body, headers=headers, params={"token": "sesame", "a": "1"})

    (row,) = await door.pool.fetch("SELECT * FROM inbox")
    assert (row["door"], row["kind"], row["body"]) == ("telephony", "generic", body)
    assert row["meta"]["query"] == "a=1"
    assert set(row["meta"]["headers"]) <= {"content-type", "user-agent"}
    assert "sesame" not in str(row["meta"]) and "Bearer" not in str(row["meta"])


async def test_a_get_with_its_fields_in_the_query_is_read(door: Door) -> None:
    async with door.http.get(PBX, params={**OPEN, **ringing()}) as answer:
        assert answer.status == 200
        assert await answer.json() == {"forward_to": make.OWN}
    await door.read()
    assert await door.pool.fetchval("SELECT caller FROM contacts") == CALLER


async def test_what_cannot_be_read_is_kept_with_its_reason(door: Door) -> None:
    status, _ = await door.tell(data=b'{"event": "rang"}')
    assert status == 200
    await door.read()

    assert await door.pool.fetchval("SELECT body FROM inbox") == b'{"event": "rang"}'
    assert await door.reasons() == [
        "event: must be one of ringing, answered, ended, recording"
    ]


async def test_a_garbled_country_code_still_finds_the_number(door: Door) -> None:
    now = int(datetime.now(UTC).timestamp())
    told = {
        "entry_id": "E1", "timestamp": now, "call_state": "Appeared", "location": "ivr",
        "from": {"number": CALLER[1:]}, "to": {"line_number": f"8{NUMBER[2:]}"},
    }  # fmt: skip
    await door.tell(f"{VPBX}/events/call", data=mango(told))
    await door.read()
    assert await door.pool.fetchval("SELECT number FROM contacts") == NUMBER


# Who may come in ----------------------------------------------------------------------


async def test_an_unknown_key_or_kind_is_404_and_recorded(door: Door) -> None:
    for path in (
        "/hooks/generic/nobody",
        "/hooks/mango/acme-pbx-key",
        "/hooks/other/acme-pbx-key",
        "/hooks/generic/acme-pbx-keyx/",
    ):
        status, _ = await door.tell(path, json=ringing())
        assert status == 404

    assert await door.refusals() == [
        ("generic", "unknown address", 2),
        ("mango", "unknown address", 1),
        ("unknown", "unknown address", 1),
    ]
    assert await door.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_bad_signature_is_403_and_recorded(door: Door) -> None:
    bad = mango({}) | {"sign": "0"}
    assert (await door.tell(f"{VPBX}/events/call", data=bad))[0] == 403
    assert (await door.tell(json=ringing(), params={"token": "x"}))[0] == 403
    assert (await door.tell(TW, data=VOICE))[0] == 403
    flood = "&".join(f"a{n}=1" for n in range(600))
    assert (await door.tell(TW, data=flood))[0] == 403

    rows = await door.pool.fetch(
        "SELECT kind, site_id, connection_id FROM refusals ORDER BY kind"
    )
    assert [row["kind"] for row in rows] == ["generic", "mango", "twilio", "twilio"]
    assert all(row["site_id"] and row["connection_id"] for row in rows)
    assert await door.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_headers_that_are_no_text_are_only_a_bad_signature(door: Door) -> None:
    sent = door.http._base_url
    assert sent is not None and sent.host is not None and sent.port is not None
    reader, writer = await asyncio.open_connection(sent.host, sent.port)
    writer.write(
        f"POST {TW}/%00%ff?a=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
        + b"X-Twilio-Signature: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    )
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 403")


async def test_a_connection_check_is_answered_and_not_kept(door: Door) -> None:
    for path in (VPBX, f"{VPBX}/", f"{VPBX}/ping"):
        assert await door.tell(path) == (200, b"{}")
    async with door.http.get(VPBX) as answer:
        assert answer.status == 200
    assert await door.pool.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_huge_body_is_413(door: Door) -> None:
    huge = b"x" * (hooks.MOST + 1)

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield huge[: len(huge) // 4]

    assert (await door.tell(data=huge))[0] == 413
    assert (await door.tell(data=in_pieces()))[0] == 413
    assert (await door.tell(data=huge[:-1]))[0] == 200


async def test_a_connection_made_a_moment_ago_is_found(
    pool: database.Pool, tmp_path: Path
) -> None:
    site = await make.site(pool)
    async with opened(pool, tmp_path) as door:
        await pool.execute(
            "INSERT INTO connections (site_id, role, name, kind, key, settings) "
            "VALUES ($1, 'telephony', 'new', 'generic', 'new-key', $2)",
            site.id,
            make.SEAL.close({"token": "sesame"}),
        )
        path = "/hooks/generic/new-key"
        assert (await door.tell(path, json=ringing(), params=OPEN))[0] == 200


async def test_a_destination_is_no_door(pool: database.Pool, tmp_path: Path) -> None:
    hook = ("crm", "generic", {"token": "sesame"})
    await make.site(pool, destinations=[hook])
    async with opened(pool, tmp_path) as door:
        assert (await door.tell("/hooks/generic/acme-crm-key", params=OPEN))[0] == 404


async def test_settings_that_do_not_fit_are_503(
    pool: database.Pool, tmp_path: Path
) -> None:
    await make.site(pool, telephony=[("pbx", "generic", {"secret": 5})])
    async with opened(pool, tmp_path) as door:
        assert (await door.tell(json=ringing()))[0] == 503


# Where the call goes ------------------------------------------------------------------


async def forward_to(door: Door, path: str = PBX, **rest: Any) -> str | None:
    status, body = await door.tell(path, json=ringing(**rest), params=OPEN)
    assert status == 200
    return msgspec.json.decode(body)["forward_to"]


async def test_the_route_is_the_numbers_then_the_connections(door: Door) -> None:
    assert await forward_to(door) == make.OWN
    assert await forward_to(door, to="8 (495) 100-00-01") == make.OWN
    assert await forward_to(door, to="+74951111111") == "+74959999999"
    assert await forward_to(door, to="") == "+74959999999"
    assert (
        await forward_to(door, "/hooks/generic/acme-bare-key", to="+74951111111")
        is None
    )


async def test_a_number_never_forwards_to_itself(door: Door) -> None:
    await door.pool.execute("UPDATE numbers SET forward_to = number")
    await door.app[keys.DIRECTORY].load()
    assert await forward_to(door) == "+74959999999"


async def test_a_call_that_had_nowhere_to_go_is_a_fault_until_it_has(
    door: Door,
) -> None:
    bare = "/hooks/generic/acme-bare-key"
    assert await forward_to(door, bare, to="+74951111111") is None
    await door.read()
    (row,) = await door.pool.fetch("SELECT * FROM connection_states")
    assert "no forward_to" in row["fault"]

    assert await forward_to(door, bare, call_id="c2") == make.OWN
    await door.read()
    assert await door.pool.fetchval("SELECT fault FROM connection_states") is None


# PostgreSQL away ----------------------------------------------------------------------


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_without_postgresql_the_call_is_routed_and_its_event_spooled(
    door: Door, database_url: str
) -> None:
    async with outage.of(database_url):
        assert await forward_to(door) == make.OWN
        status, body = await door.tell(**twilio(TW, VOICE))
        assert status == 200
        assert ET.fromstring(body)[0][0].text == make.OWN
        assert await door.app[hooks.KEEPER].empty() == 0

    assert await door.app[hooks.KEEPER].empty() == 2
    await door.read()
    assert await door.pool.fetchval("SELECT count(*) FROM contacts") == 2


async def test_without_postgresql_a_notification_is_safe_before_it_is_answered(
    door: Door, pool: database.Pool, database_url: str, tmp_path: Path
) -> None:
    ended = {**ringing(), "event": "ended", "duration": 5}
    async with outage.of(database_url):
        assert (await door.tell(json=ended))[0] == 200
    (spooled,) = (tmp_path / "spool").iterdir()
    assert spooled.stat().st_mode & 0o777 == 0o600

    # The process is gone; the one that is started next finds it.
    async with opened(pool, tmp_path) as heir:
        assert await heir.app[hooks.KEEPER].empty() == 1
        await heir.read()

    assert list((tmp_path / "spool").iterdir()) == []
    assert await door.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_what_cannot_even_be_spooled_is_503_but_a_call_is_routed(
    door: Door, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    ended = {**ringing(), "event": "ended", "duration": 5}
    async with outage.of(database_url):
        assert (await door.tell(json=ended))[0] == 503
        assert await forward_to(door) == make.OWN


async def test_a_route_does_not_wait_for_a_slow_commit(door: Door) -> None:
    loop = asyncio.get_running_loop()
    async with door.pool.acquire() as db, db.transaction():
        await db.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        asked = loop.time()
        assert await forward_to(door) == make.OWN
        assert loop.time() - asked < hooks.ROUTE_PATIENCE + 2

    await door.app[hooks.KEEPER].empty()
    assert await door.pool.fetchval("SELECT count(*) FROM unread") == 1


async def test_before_the_set_up_was_ever_read_nothing_is_unknown(
    pool: database.Pool, database_url: str, tmp_path: Path
) -> None:
    async with opened(pool, tmp_path, load=False) as door, outage.of(database_url):
        assert (await door.tell(json=ringing()))[0] == 503


async def test_bad_signatures_stay_403_without_postgresql(
    door: Door, database_url: str
) -> None:
    async with outage.of(database_url):
        assert (await door.tell(json=ringing(), params={"token": "x"}))[0] == 403


async def test_the_log_holds_no_personal_data(
    door: Door, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await door.tell(json=ringing(), params={"token": "x"})
    await door.tell(data=b'{"event": "rang", "from": "+79161234567"}')
    await door.tell(json=ringing())
    await door.read()
    async with outage.of(database_url):
        await door.tell(json=ringing())
    lines = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert lines
    assert not [line for line in lines if "9161234567" in line or "sesame" in line]


# Clocks and states --------------------------------------------------------------------


async def read_one(door: Door, received_at: datetime, **told: Any) -> None:
    """An event received at that moment is read, as the inbox's reader does it."""
    site = door.app[keys.DIRECTORY].site("acme")
    assert site is not None
    hook = telephony.Hook(
        method="POST", tail="", query="", headers={}, body=msgspec.json.encode(ringing(**told)),
        address="", url="", received_at=received_at,
    )  # fmt: skip
    event = inbox.Event(
        site_id=site.id, id=ids.mint(site.id, received_at), door="telephony",
        kind="generic", connection_id=site.connections[0].id, received_at=received_at,
        meta=hook.to_meta(), body=hook.body,
    )  # fmt: skip
    async with door.pool.acquire() as db, db.transaction():
        await hooks.read(db, event, door.app[keys.DIRECTORY], received_at)


async def state(door: Door) -> connection_states.State:
    site = door.app[keys.DIRECTORY].site("acme")
    assert site is not None
    return await connection_states.find(door.pool, site.id, site.connections[0].id)


async def test_a_clock_three_hours_ahead_is_corrected_and_shown(door: Door) -> None:
    ahead = make.NOON + timedelta(hours=3, seconds=-2)
    await read_one(door, make.NOON, at=ahead.isoformat())

    started = await door.pool.fetchval("SELECT started_at FROM calls")
    assert started == make.NOON - timedelta(seconds=2)
    found = await state(door)
    assert found.fault is not None and "+180 min" in found.fault

    later = make.NOON + timedelta(minutes=1)
    await read_one(door, later, call_id="c2", at=later.isoformat())
    assert (await state(door)).fault is None


async def test_the_last_event_is_known_to_ten_seconds(door: Door) -> None:
    for after in (0, 3, 12):
        at = make.NOON + timedelta(seconds=after)
        await read_one(door, at, call_id=f"c{after}")
    assert (await state(door)).last_event_at == make.NOON + timedelta(seconds=12)


async def test_an_event_of_a_connection_not_set_up_is_unreadable(door: Door) -> None:
    door.app[keys.DIRECTORY].now = sites.EMPTY
    event = inbox.Event(
        site_id=1, id=ids.mint(1, make.NOON), door="telephony", kind="generic",
        connection_id=1, received_at=make.NOON, meta={}, body=b"",
    )  # fmt: skip
    async with door.pool.acquire() as db:
        with pytest.raises(errors.Unreadable, match="not set up any more"):
            await hooks.read(db, event, door.app[keys.DIRECTORY], make.NOON)


async def test_calls_told_at_the_same_moment_share_a_commit(door: Door) -> None:
    answers = await asyncio.gather(
        *(door.tell(json=ringing(f"c{n}")) for n in range(50))
    )
    assert {status for status, _ in answers} == {200}
    commits = await door.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM inbox")
    assert await door.pool.fetchval("SELECT count(*) FROM inbox") == 50
    assert commits < 50


async def test_an_event_kept_by_a_try_whose_answer_was_lost_is_kept_once(
    pool: database.Pool, tmp_path: Path
) -> None:
    event = inbox.Event(
        site_id=1, id=ids.mint(1, make.NOON), door="telephony", kind="generic",
        connection_id=1, received_at=make.NOON, meta={}, body=b"{}",
    )  # fmt: skip
    keep = keeper.Keeper(pool, lambda: None, tmp_path)
    await inbox.keep(pool, [event])  # the try that arrived

    assert await keep.keep(event, patience=20)

    assert await pool.fetchval("SELECT count(*) FROM inbox") == 1
    assert await pool.fetchval("SELECT count(*) FROM unread") == 1
