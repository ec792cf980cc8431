"""Bitrix24's REST behind an inbound webhook: one call, and what its errors mean.

`POST https://<portal>/rest/<user>/<secret>/<method>.json` with a JSON body; the address is
the secret. The leaky bucket (2 a second, 50 high) is counted per portal and source address,
so all connections of one portal share one pace.
https://github.com/bitrix24/b24restdocs, limits.md and _includes/system-errors.md
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from tracker.destinations.wire import Answer, Wire, refused
from tracker.errors import DeliveryFailed

BURST = 10
MOST = 2 * 1024 * 1024  # bytes of an answer: a page of fifty deals
SOON = timedelta(seconds=5)
BLOCKED = timedelta(minutes=10)  # the execution time of a method is counted so long
QUOTED = 300  # characters of the portal's own words

BUSY = frozenset({"QUERY_LIMIT_EXCEEDED"})
TIRED = frozenset({"OPERATION_TIME_LIMIT"})
BROKEN = frozenset(
    {
        "OVERLOAD_LIMIT",
        "NO_AUTH_FOUND",
        "EXPIRED_TOKEN",
        "INVALID_CREDENTIALS",
        "INSUFFICIENT_SCOPE",
        "USER_ACCESS_ERROR",
        "ACCESS_DENIED",
        "ALLOWED_ONLY_INTRANET_USER",
        "INVALID_REQUEST",
        "PORTAL_DELETED",
        "WRONG_AUTH_TYPE",
    }
)
SHAKY = frozenset({"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"})


class Refused(DeliveryFailed):
    """The portal understood and will not: trying the same again is useless."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """One portal over one attempt's line."""

    url: str
    rate: float
    wire: Wire
    now: datetime

    async def call(self, method: str, **params: Any) -> Any:
        """The method's `result`; raises DeliveryFailed."""
        body = msgspec.json.encode(params)
        answer = await self.wire.call(
            "POST",
            f"{self.url.rstrip('/')}/{method}.json",
            body=body,
            headers={"content-type": "application/json"},
            shown=body.decode(),
            rate=self.rate,
            burst=BURST,
            most=MOST,
        )
        told = answer.json()
        if answer.status == 200 and isinstance(told, dict) and "error" not in told:
            return told.get("result")
        raise failure(method, answer, told, self.now)

    async def rows(self, method: str, **params: Any) -> list[dict[str, Any]]:
        """The `result` of a list method."""
        result = await self.call(method, **params)
        return [row for row in result or [] if isinstance(row, dict)]

    async def find(self, method: str, id_: str) -> dict[str, Any] | None:
        """The object with this id; None when the portal has none."""
        try:
            result = await self.call(method, id=id_)
        except Refused:
            return None
        return cast("dict[str, Any]", result) if isinstance(result, dict) else None


def failure(method: str, answer: Answer, told: Any, now: datetime) -> DeliveryFailed:
    """What an answer that is no result means for the delivery."""
    if answer.status == 200 and not isinstance(told, dict):
        return DeliveryFailed(f"{method}: the answer is not Bitrix24's", broken=True)
    body = told if isinstance(told, dict) else {}
    code = str(body.get("error") or "").upper()
    words = " ".join(str(body.get("error_description") or "").split())[:QUOTED]
    text = ": ".join(part for part in (method, code, words) if part)
    if code in BUSY:
        return DeliveryFailed(text, after=answer.after or SOON)
    if code in TIRED:
        return DeliveryFailed(text, after=_until_reset(body, now))
    if code in BROKEN:
        return DeliveryFailed(text, broken=True)
    if code in SHAKY:
        return DeliveryFailed(text)
    if answer.status in (200, 400, 404, 405):
        return Refused(text)
    return refused(answer, what=text)


def _until_reset(body: dict[str, Any], now: datetime) -> timedelta:
    time = body.get("time")
    reset = time.get("operating_reset_at") if isinstance(time, dict) else None
    if not isinstance(reset, int) or not 0 < reset < 1 << 33:
        return BLOCKED
    wait = datetime.fromtimestamp(reset, UTC) - now
    return max(SOON, min(wait, BLOCKED * 2))
