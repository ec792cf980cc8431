"""A make-believe receiver of signed webhooks."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from tests.fakes import Fake

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as it came."""

    id: str
    type: str
    timestamp: str
    data: dict[str, Any]
    signed: bool  # by our secret, as the Standard Webhooks library signs


class Receiver(Fake):
    """Takes every message; the same id again is counted but taken once."""

    def __init__(self, secret: str = SECRET) -> None:
        super().__init__()
        self.secret = secret
        self.messages: list[Message] = []  # every one that came, in order
        self.taken: dict[str, Message] = {}  # by id

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        told = json.loads(body)
        id_ = request.headers["webhook-id"]
        moment = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        expected = Webhook(self.secret).sign(id_, moment, body)
        message = Message(
            id=id_,
            type=told["type"],
            timestamp=told["timestamp"],
            data=told["data"],
            signed=expected in request.headers["webhook-signature"].split(),
        )
        self.messages.append(message)
        self.taken.setdefault(id_, message)
        return web.Response(status=200, text="ok")

    @property
    def types(self) -> list[str]:
        return [message.type for message in self.messages]
