"""What the shop's make-believe CRM, counter and mailbox were told, the latest first.

Kept in Valkey, which all web processes share and which may forget it.
"""

import asyncio
import contextlib
import csv
import io
import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import redis.asyncio
import redis.exceptions
from aiohttp import BodyPartReader, web
from aiosmtpd.smtp import SMTP, Envelope, Session

from tracker import example
from tracker.errors import BadInput, UnknownAddress
from tracker.sites import Directory, Site
from web import keys

log = logging.getLogger(__name__)

RECEIVED = "demo:received"
MOST = 60  # things remembered
DAY = 24 * 3600
LOOK = 1.0  # seconds between looks whether the example site is there
LETTER = 1_000_000  # bytes the make-believe mailbox takes


def routes() -> list[web.RouteDef]:
    return [
        web.post("/demo/crm", crm),
        web.post(
            "/demo/metrika/management/v1/counter/{counter}/offline_conversions/{what}",
            upload,
        ),
        web.get(
            "/demo/metrika/management/v1/counter/{counter}/offline_conversions/{what}",
            uploads,
        ),
        web.get("/demo/received", received),
    ]


def site(directory: Directory) -> Site:
    """The example site; raises UnknownAddress when it is not set up."""
    found = directory.site(example.KEY)
    if found is None or not found.demo:
        raise UnknownAddress("the example site is not set up; `skvoz demo` makes it")
    return found


async def crm(request: web.Request) -> web.Response:
    """A webhook, as any CRM would take it."""
    site(request.app[keys.DIRECTORY])
    try:
        told = msgspec.json.decode(await request.read(), type=dict[str, Any])
        type_, data = str(told["type"]), dict(told["data"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise BadInput("must be a webhook's JSON", field="body") from None
    await _remember(request.app[keys.REDIS], "crm", type_, data)
    return web.Response(status=204)


async def upload(request: web.Request) -> web.Response:
    """A CSV upload, answered as Metrika answers."""
    site(request.app[keys.DIRECTORY])
    rows: list[dict[str, str]] = []
    if request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                text = (await part.read()).decode("utf-8", "replace")
                rows += list(csv.DictReader(io.StringIO(text)))
    for row in rows[:MOST]:
        await _remember(
            request.app[keys.REDIS], "metrika", request.match_info["what"], dict(row)
        )
    number = int(datetime.now(UTC).timestamp())
    uploading = {"id": number, "status": "UPLOADED", "source_quantity": len(rows)}
    return web.json_response({"uploading": uploading})


async def uploads(request: web.Request) -> web.Response:
    """The list of uploads; the make-believe counter keeps none."""
    site(request.app[keys.DIRECTORY])
    return web.json_response({"uploadings": []})


async def received(request: web.Request) -> web.Response:
    """Everything the three were told lately, for the shop's page."""
    site(request.app[keys.DIRECTORY])
    items = await request.app[keys.REDIS].lrange(RECEIVED, 0, MOST - 1)
    body = msgspec.json.encode({"items": [msgspec.Raw(item) for item in items]})
    return web.Response(body=body, content_type="application/json")


async def _remember(
    valkey: redis.asyncio.Redis, system: str, type_: str, data: dict[str, Any]
) -> None:
    item = msgspec.json.encode(
        {"system": system, "type": type_, "at": datetime.now(UTC), "data": data}
    )
    async with valkey.pipeline(transaction=True) as pipe:
        pipe.lpush(RECEIVED, item)
        pipe.ltrim(RECEIVED, 0, MOST - 1)
        pipe.expire(RECEIVED, DAY)
        await pipe.execute()


class Mailbox:
    """The shop's real mailbox: takes any letter and shows its headers."""

    def __init__(self, valkey: redis.asyncio.Redis) -> None:
        self._valkey = valkey

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        head = raw.partition(b"\r\n\r\n")[0]
        data = {
            "to": ", ".join(envelope.rcpt_tos),
            "return_path": envelope.mail_from or "",
            "headers": head.decode("utf-8", "replace")[:4000],
        }
        with contextlib.suppress(OSError, redis.exceptions.RedisError):
            await _remember(self._valkey, "mailbox", "letter", data)
        return "250 2.0.0 OK"


async def keep_mailbox(app: web.Application) -> None:
    """Listen for the shop's letters as long as the example site is there."""
    server: asyncio.Server | None = None
    port = 0
    try:
        while True:
            wanted = _mailbox_port(app[keys.DIRECTORY])
            if wanted != port:
                if server is not None:
                    server.close()
                server, port = await _listen(app, wanted), wanted
            await asyncio.sleep(LOOK)
    finally:
        if server is not None:
            server.close()


def _mailbox_port(directory: Directory) -> int:
    found = directory.site(example.KEY)
    if found is None or not found.demo or not found.mailboxes:
        return 0
    return urlsplit(found.mailboxes[0].next_hop).port or 0


async def _listen(app: web.Application, port: int) -> asyncio.Server | None:
    if not port:
        return None
    mailbox = Mailbox(app[keys.REDIS])
    try:
        return await asyncio.get_running_loop().create_server(
            lambda: SMTP(mailbox, data_size_limit=LETTER, ident="make-believe"),
            "127.0.0.1",
            port,
            reuse_port=True,
        )
    except OSError:
        log.warning("the example's mailbox cannot listen", extra={"port": port})
        return None
