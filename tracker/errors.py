"""Foreseen troubles, and what each becomes at a door.

TrackerError                     HTTP 500 would be a bug: every leaf below says its own
├── BadInput                     HTTP 400, SMTP 501; names the field and the remedy
│   └── BadFile                  `skvoz apply`: exit 2, one line a problem
├── NotAuthenticated             HTTP 401
├── Forbidden                    HTTP 403
├── BadSignature                 HTTP 403, recorded
├── ForeignOrigin                HTTP 403
├── UnknownAddress               HTTP 404, SMTP 550 5.1.1; recorded
├── TooLarge                     HTTP 413, SMTP 552
├── TooMany                      HTTP 429 with Retry-After, SMTP 450/421
├── Unavailable                  HTTP 503: PostgreSQL or Valkey is away
├── Unreadable                   an inbox event that could not be read; kept with the reason
└── DeliveryFailed               a destination did not take it; the worker asks `permanent`

The translation happens once a door: `web.middlewares` and `mailrelay.server`.
"""

from datetime import timedelta


class TrackerError(Exception):
    """Something foreseen; its text is fit for the person who caused it."""


class BadInput(TrackerError):
    """What came does not fit; `field` names where, the text says what would."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class BadFile(BadInput):
    """A provisioning file was refused whole; `problems` holds every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotAuthenticated(TrackerError):
    """No valid sign-in or token came with the request."""


class Forbidden(TrackerError):
    """A valid token that does not allow this."""


class BadSignature(TrackerError):
    """A webhook is not from whom it says."""


class ForeignOrigin(TrackerError):
    """A page that is not one of the site's own asked."""


class UnknownAddress(TrackerError):
    """No site, connection or alias has this address."""


class TooLarge(TrackerError):
    """More bytes than the door takes."""


class TooMany(TrackerError):
    """More requests than the door takes from one peer; `after` says when to return."""

    def __init__(self, message: str, *, after: timedelta) -> None:
        super().__init__(message)
        self.after = after


class Unavailable(TrackerError):
    """A store that is needed to keep the promise cannot be reached now."""


class Unreadable(TrackerError):
    """An inbound event makes no sense to us; it stays in the inbox with this reason."""


class DeliveryFailed(TrackerError):
    """A destination did not take a delivery; try again, unless `permanent`.

    `after` is the wait the peer asked for; `broken` says that the whole connection
    (credentials, plan) is at fault rather than this delivery.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        after: timedelta | None = None,
        broken: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.after = after
        self.broken = broken
