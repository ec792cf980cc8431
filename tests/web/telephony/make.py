"""Requests as providers send them, and the calls that their events make."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from tests.conftest import NOON
from tracker import calls
from web.telephony import Hook, Provider

ADDRESS = "https://ct.example.org/hooks/kind/key"


def hook(
    *,
    tail: str = "",
    query: str = "",
    form: Iterable[tuple[str, str]] | dict[str, str] | None = None,
    json: object = None,
    body: bytes = b"",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    url: str | None = None,
    at: datetime = NOON,
) -> Hook:
    """A request; `form` or `json` makes the body and its content type."""
    sent = dict(headers or {})
    if form is not None:
        body = urlencode(list(form.items()) if isinstance(form, dict) else list(form)).encode()  # fmt: skip
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
    elif json is not None:
        body = msgspec.json.encode(json)
        sent.setdefault("content-type", "application/json")
    return Hook(
        method=method,
        tail=tail,
        query=query,
        headers=sent,
        body=body,
        address=ADDRESS,
        url=url or f"{ADDRESS}{tail}" + (f"?{query}" if query else ""),
        received_at=at,
    )


def again(hook: Hook) -> Hook:
    """The request as it is read from the inbox, through JSON."""
    meta = msgspec.json.decode(msgspec.json.encode(hook.to_meta()))
    return Hook.from_meta(meta, hook.body, hook.received_at)


def call(provider: Provider, hooks: Iterable[Hook]) -> calls.Call:
    """The call that these requests tell of."""
    made = None
    for one in hooks:
        for event in provider.events(again(one)):
            made = calls.join(made, event)
    assert made is not None, "no event"
    return made
