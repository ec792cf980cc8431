"""What every telephony provider is: settings with a `kind` that read a provider's requests.

A provider is a frozen dataclass. Its fields are its settings: msgspec checks them when they
are saved, forms are drawn from them, `Meta(extra={"secret": True})` marks what is never
shown. It is pure: no network, no database, no framework and no clock, so that a saved
request is a whole test. `web/hooks.py` brings it requests; `tracker/contacts.py` gets its
events.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from tracker import calls
from tracker.errors import Unreadable

SECRET = {"secret": True}
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=500, extra=SECRET)]
MaybeToken = Annotated[str, msgspec.Meta(max_length=500, extra=SECRET)]
E164 = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\+[1-9][0-9]{6,14}$", description="a plus and 7 to 15 digits"
    ),
]
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$", description="ISO 3166")]

MOST_FIELDS = 500  # of one form; no provider sends a tenth of it
KEPT_HEADERS = (
    "content-type",
    "user-agent",
    "webhook-id",
    "i-twilio-idempotency-token",
)
KEPT_LENGTH = 500  # characters of such a header
SECRET_QUERY = frozenset({"token"})  # never kept with the event


@dataclass(frozen=True, kw_only=True)  # no slots: the parsed form is cached in it
class Hook:
    """One request of a provider, as it came."""

    method: str
    tail: str  # of the path, after the connection's key: "" or "/events/call"
    query: str  # as sent, without the question mark
    headers: dict[str, str]  # names in lower case
    body: bytes
    address: str  # the connection's public hook address, without the tail
    url: str  # the whole public address as the provider asked for it
    received_at: datetime

    @property
    def name(self) -> str:
        """What was asked for below the address, however many slashes were written."""
        return "/".join(part for part in self.tail.split("/") if part)

    @cached_property
    def params(self) -> list[tuple[str, str]]:
        """The query's pairs in their order; raises Unreadable."""
        return _pairs(self.query)

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The body's pairs in their order, blank values too; raises Unreadable."""
        return _pairs(self.body.decode("utf-8", "replace"))

    @cached_property
    def fields(self) -> dict[str, str]:
        """The form's fields, or the query's where there is no body; the first of a name.

        Raises Unreadable.
        """
        return dict(reversed(self.form if self.body else self.params))

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def to_meta(self) -> dict[str, Any]:
        """What is kept beside the body, enough to read the events again; no secrets."""
        return {
            "method": self.method,
            "tail": self.tail,
            "query": _without_secrets(self.query),
            "headers": {
                name: self.headers[name][:KEPT_LENGTH]
                for name in KEPT_HEADERS
                if name in self.headers
            },
        }

    @classmethod
    def from_meta(
        cls, meta: dict[str, Any], body: bytes, received_at: datetime
    ) -> "Hook":
        """The request again, for `events`; its signature was verified when it came."""
        return cls(
            method=meta["method"],
            tail=meta["tail"],
            query=meta["query"],
            headers=meta["headers"],
            body=body,
            address="",
            url="",
            received_at=received_at,
        )


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise Unreadable(f"form: {error}") from None


def _without_secrets(query: str) -> str:
    parts = query.split("&")
    names = [unquote_plus(part.partition("=")[0]) for part in parts]
    return "&".join(
        part
        for part, name in zip(parts, names, strict=True)
        if name not in SECRET_QUERY
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the call that is asked about goes."""

    forward_to: (
        str | None
    )  # E.164; None: no number is set up, here or in the connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the provider is answered."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider that tells of calls; kinds that route override the last two."""

    kind: ClassVar[str] = ""
    routes: ClassVar[bool] = False  # whether its answers say where a call goes

    forward_to: E164 | None = None  # where calls go whose number has no forwarding

    def check(self) -> None:
        """Settings that types cannot check; raises BadInput."""

    def pastes(self, address: str) -> dict[str, str]:
        """What is pasted at the provider besides the hook's address, by where it goes."""
        return {}

    def greet(self, hook: Hook) -> Answer | None:
        """The answer to a connection check: it tells nothing, is not signed, not kept."""
        return None

    def verify(self, hook: Hook) -> None:
        """Whether the request comes from the account; raises BadSignature."""
        raise NotImplementedError

    def events(self, hook: Hook) -> list[calls.CallEvent]:
        """What it tells of calls, perhaps nothing; raises Unreadable."""
        raise NotImplementedError

    def asks_route(self, hook: Hook) -> bool:
        """Whether a call waits for this answer."""
        return False

    def answer(self, hook: Hook, route: Route) -> Answer:
        """What to answer once the event is kept; the same when it is told again."""
        return Answer()
