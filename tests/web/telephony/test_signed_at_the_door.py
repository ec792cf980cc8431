"""Requests signed by the providers' own libraries go through the door and become contacts."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest

from tests import make
from tests.web.telephony.test_official_sdks import (
    KEY,
    PUBLIC,
    SECRET,
    jwt,
    plivo,
    twilio,
)
from tests.web.test_hooks import PUBLIC as ADDRESS
from tests.web.test_hooks import Door, opened
from tracker import db as database

CALLER, NUMBER = "+79161234567", make.number(1)
FORWARDED = make.OWN.encode()  # where the pool's calls go
TELEPHONY = (
    ("tw", "twilio", {"auth_token": "t0ken"}),
    ("te", "telnyx", {"public_key": PUBLIC}),
    ("pl", "plivo", {"auth_token": "t0ken"}),
    ("vo", "vonage", {"signature_secret": SECRET, "api_key": "k"}),
    ("b24", "bitrix24", {"application_token": "t0ken"}),
)
PHONES = {"From": CALLER, "To": NUMBER, "Direction": "inbound", "CallStatus": "ringing"}


@pytest.fixture
async def door(pool: database.Pool, tmp_path: Path) -> AsyncIterator[Door]:
    await make.site(pool, telephony=TELEPHONY)
    async with opened(pool, tmp_path) as door:
        yield door


def posted(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


def stamped(body: bytes) -> dict[str, str]:
    stamp = str(int(datetime.now(UTC).timestamp()))
    signature = KEY.sign(f"{stamp}|".encode() + body)
    return {"Telnyx-Timestamp": stamp, "Telnyx-Signature-Ed25519": base64.b64encode(signature).decode()}  # fmt: skip


def bearer(body: bytes) -> dict[str, str]:
    said = {"iat": int(datetime.now(UTC).timestamp()), "jti": "1", "api_key": "k", "payload_hash": sha256(body).hexdigest()}  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(said, SECRET, algorithm='HS256')}"}


def by_twilio() -> dict[str, Any]:
    form, path = {"CallSid": "CA1", **PHONES}, "/hooks/twilio/acme-tw-key"
    sign = twilio.RequestValidator("t0ken").compute_signature(ADDRESS + path, form)
    return {"path": path, "data": posted(form), "headers": {"X-Twilio-Signature": sign}}


def by_telnyx() -> dict[str, Any]:
    body = posted({"CallSid": "v3:1", **PHONES})
    return {"path": "/hooks/telnyx/acme-te-key", "data": body, "headers": stamped(body)}


def by_plivo() -> dict[str, Any]:
    path = "/hooks/plivo/acme-pl-key"
    form = {"CallUUID": "c1", **PHONES, "From": CALLER[1:], "To": NUMBER[1:]}
    base = plivo.construct_post_url(ADDRESS + path, form).decode()
    sign = plivo.get_signature_v3("t0ken", base, "7").decode()
    headers = {"X-Plivo-Signature-V3": sign, "X-Plivo-Signature-V3-Nonce": "7"}
    return {"path": path, "data": posted(form), "headers": headers}


def by_vonage() -> dict[str, Any]:
    body = msgspec.json.encode({"from": CALLER[1:], "to": NUMBER[1:], "uuid": "u", "conversation_uuid": "CON-1"})  # fmt: skip
    return {"path": "/hooks/vonage/acme-vo-key", "data": body, "headers": bearer(body)}


SIGNED = [by_twilio, by_telnyx, by_plivo, by_vonage]
form = "application/x-www-form-urlencoded"


async def told(door: Door, request: dict[str, Any]) -> tuple[int, bytes]:
    headers = {"Content-Type": form, **request["headers"]}
    return await door.tell(**{**request, "headers": headers})


@pytest.mark.parametrize("made", SIGNED)
async def test_a_signed_call_is_routed_and_becomes_a_contact(
    door: Door, made: Any
) -> None:
    status, body = await told(door, made())
    assert status == 200
    assert FORWARDED.lstrip(b"+") in body
    await door.read()

    assert await door.reasons() == []
    (contact,) = await door.pool.fetch("SELECT caller, number FROM contacts")
    assert (contact["caller"], contact["number"]) == (CALLER, NUMBER)


@pytest.mark.parametrize("made", SIGNED)
async def test_a_request_changed_on_its_way_is_refused_and_kept_out(
    door: Door, made: Any
) -> None:
    request = made()
    status, _ = await told(door, {**request, "data": request["data"].replace(b"7916", b"7917")})  # fmt: skip
    assert status == 403
    await door.read()
    assert await door.pool.fetchval("SELECT count(*) FROM calls") == 0
    assert [count for _, _, count in await door.refusals()] == [1]


async def test_a_vonage_answer_asked_by_get_is_routed(door: Door) -> None:
    query = urlencode({"to": NUMBER[1:], "from": CALLER[1:], "conversation_uuid": "CON-1", "uuid": "u"})  # fmt: skip
    path = f"/hooks/vonage/acme-vo-key?{query}"
    async with door.http.get(path, headers=bearer(query.encode())) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        _, connect = await answer.json()
    assert connect["endpoint"] == [{"type": "phone", "number": make.OWN[1:]}]
    assert connect["eventUrl"] == [f"{ADDRESS}/hooks/vonage/acme-vo-key/event"]


async def test_events_of_telnyx_legs_become_a_contact(door: Door) -> None:
    now = datetime.now(UTC).isoformat()
    payload = {"call_session_id": "S1", "call_leg_id": "A", "direction": "incoming", "from": CALLER, "to": NUMBER}  # fmt: skip
    event = {"event_type": "call.initiated", "id": "1", "occurred_at": now, "payload": payload}  # fmt: skip
    body = msgspec.json.encode({"data": event})
    headers = {**stamped(body), "Content-Type": "application/json"}
    assert await door.tell("/hooks/telnyx/acme-te-key", data=body, headers=headers) == (200, b"")  # fmt: skip
    await door.read()
    assert await door.pool.fetchval("SELECT caller FROM contacts") == CALLER


async def test_a_portals_event_becomes_a_contact(door: Door) -> None:
    data = aiohttp.FormData({
        "event": "ONVOXIMPLANTCALLINIT", "data[CALL_ID]": "5E31.1", "data[CALL_TYPE]": "2",
        "data[PHONE_NUMBER]": NUMBER[1:], "data[CALLER_ID]": CALLER,
        "ts": str(int(datetime.now(UTC).timestamp())), "auth[application_token]": "t0ken",
    })  # fmt: skip
    assert await door.tell("/hooks/bitrix24/acme-b24-key", data=data) == (200, b"")
    await door.read()
    assert await door.pool.fetchval("SELECT number FROM contacts") == NUMBER
