"""Moments that a provider tells in its account's own time, without an offset.

Pure. The zone is a setting; the hour that autumn repeats is told apart by the moment of
receipt. A start that cannot be true (the zone is set wrongly) is left out: the moment of
receipt is nearer to the truth.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec

from tracker.errors import BadInput, Unreadable
from web.telephony import fields

Zone = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="an IANA time zone")
]
NEAR_FUTURE = timedelta(minutes=2)  # clocks differ
LONGEST_WAIT = timedelta(minutes=45)  # in a queue; less than zones usually differ by


def check(name: str, field: str) -> None:
    """Raises BadInput when there is no such zone."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise BadInput("must be a time zone like Europe/Moscow", field=field) from None


def moment(value: Any, name: str, zone: tzinfo, *, near: datetime) -> datetime | None:
    """`YYYY-MM-DD hh:mm:ss` of that zone; None when empty; raises Unreadable.

    A moment that says its offset, and Unix seconds, are read as what they are.
    """
    if not isinstance(value, str) or re.fullmatch(r"\s*[0-9.]*\s*", value):
        return fields.unix(value, name)
    try:
        found = datetime.fromisoformat(value.strip()[:40])
    except ValueError:
        raise Unreadable(f"{name}: must be YYYY-MM-DD hh:mm:ss") from None
    if not fields.EARLIEST.year <= found.year < fields.LATEST.year:
        raise Unreadable(f"{name}: out of range")
    if found.tzinfo is not None:
        return fields.moment(value, name)
    local = found.replace(tzinfo=zone)
    either = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(either, key=lambda one: abs(one - near))


def begun(start: datetime | None, at: datetime, lasted: int | None) -> datetime | None:
    """The start of a call that was told of at that moment; None where it cannot be so."""
    if start is None:
        return None
    earliest = at - timedelta(seconds=lasted or 0) - LONGEST_WAIT
    return start if earliest <= start <= at + NEAR_FUTURE else None
