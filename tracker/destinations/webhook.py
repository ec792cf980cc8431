"""Signed webhooks: any system that can take an HTTP POST.

Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): headers `webhook-id` (the same
over retries), `webhook-timestamp` (of the attempt), `webhook-signature`; the body is
`{"type", "timestamp", "data"}` with the record as the REST API gives it.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from tracker.destinations.base import SECRET, Address, Parcel, Schedule
from tracker.destinations.wire import ERROR, Answer, Wire, refused
from tracker.errors import BadInput, DeliveryFailed

EVENTS = frozenset(
    {
        "contact.created",
        "contact.updated",
        "lead.created",
        "lead.updated",
        "deal.created",
        "deal.updated",
        "deal.won",
        "deal.lost",
        "alert.raised",
        "test.ping",
    }
)
PREFIX = "whsec_"
TIMEOUT = 20.0  # seconds
Secret = Annotated[
    str,
    msgspec.Meta(pattern="^whsec_[A-Za-z0-9+/]+={0,2}$", max_length=200, extra=SECRET),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where to post, and the secret it is signed with."""

    kind: ClassVar[str] = "webhook"
    events: ClassVar[frozenset[str]] = EVENTS
    ordered: ClassVar[bool] = True
    at_once: ClassVar[int] = 4
    # Each wait after the previous failure: ten attempts within 75.5 hours.
    schedule: ClassVar[Schedule] = Schedule(
        waits=(
            timedelta(seconds=5),
            timedelta(minutes=5),
            timedelta(minutes=30),
            *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
        ),
        jitter=0.1,
    )

    url: Address
    secret: Secret
    old_secret: Secret | None = None  # signs too while receivers change over
    only: tuple[Annotated[str, msgspec.Meta(max_length=50)], ...] = ()  # empty: all

    def check(self) -> None:
        for name, secret in (("secret", self.secret), ("old_secret", self.old_secret)):
            if secret is not None and not 24 <= len(_key(secret, name)) <= 64:
                raise BadInput(
                    "must be whsec_ and 24 to 64 bytes in base64", field=name
                )
        for event in self.only:
            if event not in EVENTS:
                raise BadInput(
                    f"{event} is none of {', '.join(sorted(EVENTS))}", field="only"
                )

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown; an address may hold a password or a token."""
        parts = urlsplit(self.url)
        old = self.old_secret or ""
        return (self.secret, old, parts.query, parts.password or "")

    def wants(self, event: str) -> bool:
        return event in (self.only or EVENTS)

    def first_due(self, at: datetime) -> datetime:
        return at

    async def send(self, parcel: Parcel, wire: Wire) -> None:
        body = msgspec.json.encode(
            {
                "type": parcel.event,
                "timestamp": instant(parcel.at),
                "data": parcel.data,
            }
        )
        headers = self._headers(message_id(parcel.id), parcel.now, body)
        answer = await wire.call(
            "POST",
            self.url,
            body=body,
            headers=headers,
            shown=f"webhook-id: {headers['webhook-id']}\n{body.decode()}",
            longest=TIMEOUT,
        )
        if not 200 <= answer.status < 300:
            raise _failure(answer)

    def _headers(self, id_: str, at: datetime, body: bytes) -> dict[str, str]:
        seconds = int(at.timestamp())
        secrets = (self.secret, self.old_secret) if self.old_secret else (self.secret,)
        return {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(
                signature(secret, id_, seconds, body) for secret in secrets if secret
            ),
        }


def message_id(delivery_id: UUID) -> str:
    """The receiver's idempotency key."""
    return f"msg_{delivery_id.hex}"


def signature(secret: str, id_: str, seconds: int, body: bytes) -> str:
    """`v1,` and base64 of HMAC-SHA256 over `id.seconds.body`."""
    signed = f"{id_}.{seconds}.".encode() + body
    digest = hmac.digest(_key(secret, "secret"), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds without a fraction."""
    return at.isoformat().replace("+00:00", "Z")


def _key(secret: str, field: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise BadInput("is not base64 after whsec_", field=field) from None


def _failure(answer: Answer) -> DeliveryFailed:
    """Everything is tried again, except at an endpoint that says it is gone."""
    if answer.status == 410:
        return DeliveryFailed(
            "HTTP 410: the endpoint is gone", permanent=True, broken=True
        )
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return refused(answer)
    text = " ".join(answer.text.split())[:ERROR]
    if 300 <= answer.status < 400:
        text = "redirects are not followed"
    return DeliveryFailed(f"HTTP {answer.status}: {text}", after=answer.after)
