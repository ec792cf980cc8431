"""The make-believe shop: its page, and the buttons that call and write."""

import asyncio
import random
import secrets
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TypeVar

import aiohttp
import aiosmtplib
import msgspec
from aiohttp import web

from numberpool import phones
from tracker import example
from tracker.errors import BadInput, Unavailable
from web import keys, limits, pages
from web.demo import outside

TALK = (20, 240)  # seconds a make-believe talk takes
NAMES = (
    ("Анна Смирнова", "anna"),
    ("Иван Петров", "ivan"),
    ("Olga Weber", "olga"),
    ("Тимур Алиев", "timur"),
)
MANAGERS = ("Мария", "Олег", "Светлана")
PATIENCE = aiohttp.ClientTimeout(total=5)

# What the visitor may pretend to come from: label, query.
ADVERTISEMENTS = (
    ("Яндекс Директ", "utm_source=yandex&utm_medium=cpc&utm_campaign=kitchens&yclid={click}"),
    ("Google Ads", "utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=demo{click}"),
    ("VK", "utm_source=vk&utm_medium=cpc&utm_campaign=wardrobes"),
    ("Telegram", "utm_source=telegram&utm_medium=messenger&utm_campaign=channel"),
    ("2GIS", "utm_source=2gis&utm_medium=maps"),
    ("ChatGPT", "utm_source=chatgpt.com"),
)  # fmt: skip


Body = TypeVar("Body")


class Call(msgspec.Struct, kw_only=True):
    number: str
    answer: bool = True


class Letter(msgspec.Struct, kw_only=True):
    address: str


def routes() -> list[web.RouteDef]:
    return [
        web.get("/demo", to_shop),
        web.get("/demo/", page),
        web.post("/demo/call", call),
        web.post("/demo/write", write),
    ]


async def to_shop(request: web.Request) -> web.Response:
    raise web.HTTPMovedPermanently("/demo/")


async def page(request: web.Request) -> web.Response:
    """The shop. A page of any site would look the same to the snippet."""
    outside.site(request.app[keys.DIRECTORY])
    locale = pages.negotiate(request.headers.get("Accept-Language", ""))
    advertisements = [
        (label, query.format(click=secrets.randbelow(10**12)))
        for label, query in ADVERTISEMENTS
    ]
    body = pages.text(
        "demo.html", locale, site=example.KEY, advertisements=advertisements
    )
    return web.Response(
        text=body, content_type="text/html", headers={"Cache-Control": "no-store"}
    )


async def call(request: web.Request) -> web.Response:
    """Dial the number on the page: the make-believe PBX tells the real webhook."""
    body = await _read(request, Call)
    number = phones.e164(body.number)
    if number is None:
        raise BadInput("is not a phone number", field="number")
    settings = request.app[keys.SETTINGS]
    pbx = outside.site(request.app[keys.DIRECTORY]).connections[0]
    address = f"http://127.0.0.1:{settings.http_port}/hooks/generic/{pbx.key}"
    caller = f"+7916555{random.randint(0, 9_999):04d}"  # noqa: S311 - make-believe
    async with aiohttp.ClientSession(timeout=PATIENCE) as http:
        for event in _events(number, caller, answered=body.answer):
            async with http.post(
                address, params={"token": str(pbx.settings["token"])}, json=event
            ) as answer:
                if answer.status != 200:
                    raise Unavailable(f"the webhook answered {answer.status}")
    return web.json_response({"caller": caller, "number": number})


def _events(number: str, caller: str, *, answered: bool) -> list[dict[str, object]]:
    """What a PBX tells of a call that has just ended."""
    talk = random.randint(*TALK) if answered else 0  # noqa: S311 - make-believe
    now = datetime.now(UTC)
    common = {"call_id": secrets.token_hex(8), "from": caller, "to": number}
    events: list[dict[str, object]] = [
        {**common, "event": "ringing", "at": now.isoformat()}
    ]
    if answered:
        manager = random.choice(MANAGERS)  # noqa: S311 - make-believe
        picked_up = (now + timedelta(seconds=8)).isoformat()
        events.append(
            {**common, "event": "answered", "manager": manager, "at": picked_up}
        )
    ended = now + timedelta(seconds=8 + talk)
    events.append(
        {**common, "event": "ended", "duration": talk, "at": ended.isoformat()}
    )
    return events


async def write(request: web.Request) -> web.Response:
    """Write to the address on the page: a real letter to the real relay."""
    body = await _read(request, Letter)
    outside.site(request.app[keys.DIRECTORY])
    if "@" not in body.address or any(one.isspace() for one in body.address):
        raise BadInput("is not an address", field="address")
    settings = request.app[keys.SETTINGS]
    name, local = random.choice(NAMES)  # noqa: S311 - make-believe
    letter = EmailMessage()
    letter["From"] = f"{name} <{local}{secrets.randbelow(1000)}@client.example>"
    letter["To"] = body.address
    letter["Subject"] = "Кухня под заказ"
    letter["Date"] = format_datetime(datetime.now(UTC))
    letter["Message-ID"] = make_msgid(domain="client.example")
    letter.set_content(
        "Добрый день!\n\nСколько будет стоить угловая кухня 2,4 × 1,8 м?\n"
        f"Мой телефон +7 916 555-00-{secrets.randbelow(90) + 10}\n"
    )
    try:
        await asyncio.wait_for(
            aiosmtplib.send(letter, hostname="127.0.0.1", port=settings.smtp_port), 10
        )
    except aiosmtplib.SMTPResponseException as refusal:
        raise BadInput(
            f"the relay answered {refusal.code} {refusal.message}", field="address"
        ) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        raise Unavailable("the mail relay does not answer") from None
    return web.json_response({"from": str(letter["From"]), "to": body.address})


async def _read(request: web.Request, type_: type[Body]) -> Body:
    await limits.check(request, "demo", most=60, seconds=60)
    try:
        return msgspec.json.decode(await request.read(), type=type_)
    except msgspec.ValidationError as error:
        raise BadInput(str(error), field="body") from None
    except msgspec.DecodeError:
        raise BadInput("must be JSON", field="body") from None
