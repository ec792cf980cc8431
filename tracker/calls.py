"""Calls: what providers' events tell, joined into one row a call."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that can be fetched or listened to."""

    id: str
    url: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """One thing a provider told of a call, in our words rather than the provider's.

    A connector emits any number of these a request; whatever it does not know is None.
    """

    type: str  # started, ringing, answered, transferred, ended, recording
    call_key: str  # the provider's id shared by all legs of one customer call
    at: datetime  # of this event at the provider; of receipt if it gives none
    leg_key: str | None = None
    seq: int | None = None  # the provider's order, valid within a leg only
    direction: str = "inbound"  # inbound, outbound, internal
    caller: str | None = None  # E.164; None when withheld or not a phone
    hidden: bool = False  # the caller withheld his number
    tracked: str | None = None  # E.164, the number the customer dialled
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    outcome: str | None = None  # answered, missed, busy, rejected, cancelled, failed, voicemail
    manager: str | None = None  # who answered: name, extension or group
    recording: Recording | None = None
    note: str | None = None
