"""Values as providers send them, read leniently: numbers come as text, empty as anything.

Pure. Everything is bounded, because it ends in the database and on people's screens.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from tracker.errors import Unreadable

LONGEST_KEY = 200  # characters of a provider's id
LONGEST_TEXT = 200
LONGEST_LINK = 2000
LONGEST_CALL = 86_400  # seconds; more is not a duration
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
MILLISECONDS = 1e11  # a Unix time beyond it (the year 5138) is in milliseconds

Scalar = str | int | float | bool | None
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
Message = TypeVar("Message")


def decode(body: str | bytes, type_: type[Message]) -> Message:
    """JSON into a record; raises Unreadable with the place that does not fit."""
    try:
        return msgspec.json.decode(body, type=type_, strict=True)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"JSON: {error}") from None


def text(value: Any, limit: int = LONGEST_TEXT) -> str:
    """A value in words: trimmed, without control characters, at most `limit` long."""
    if value is None or isinstance(value, (bool, dict, list)):
        return ""
    return _CONTROLS.sub(" ", str(value)).strip()[:limit]


def key(value: Any, name: str) -> str:
    """A provider's id; raises Unreadable when there is none or it is no id."""
    # Not cut: two long ids that begin alike are two ids.
    found = text(value, LONGEST_KEY + 1)
    if not found or len(found) > LONGEST_KEY:
        raise Unreadable(f"{name}: must have 1 to {LONGEST_KEY} characters")
    return found


def whole(value: Any, name: str) -> int | None:
    """A whole number, also when it came as text; None when empty; raises Unreadable."""
    number = _number(value, name)
    return None if number is None else int(number)


def seconds(value: Any, name: str) -> int | None:
    """A duration in seconds; None when empty; raises Unreadable."""
    number = _number(value, name)
    if number is None:
        return None
    if not 0 <= number <= LONGEST_CALL:
        raise Unreadable(f"{name}: must be from 0 to {LONGEST_CALL} seconds")
    return round(number)


def unix(value: Any, name: str) -> datetime | None:
    """Unix seconds (or milliseconds); None when empty or 0; raises Unreadable."""
    number = _number(value, name)
    if not number:
        return None
    return _bounded(number / 1000 if number > MILLISECONDS else number, name)


def moment(value: Any, name: str) -> datetime | None:
    """RFC 3339 or Unix seconds; None when empty; raises Unreadable."""
    if not isinstance(value, str) or re.fullmatch(r"\s*[0-9.]*\s*", value):
        return unix(value, name)
    try:
        found = datetime.fromisoformat(value.strip()[:40])
    except ValueError:
        raise Unreadable(f"{name}: must be RFC 3339 or Unix seconds") from None
    if found.tzinfo is None:
        raise Unreadable(f"{name}: the offset from UTC is missing (…Z or …+03:00)")
    try:
        return _bounded(found.timestamp(), name)
    except OverflowError:
        raise Unreadable(f"{name}: out of range") from None


def link(value: Any) -> str:
    """An http(s) address, or an empty string when it is none."""
    found = text(value, LONGEST_LINK + 1)
    if len(found) > LONGEST_LINK or " " in found:
        return ""
    try:
        parts = urlsplit(found)
    except ValueError:
        return ""
    return found if parts.scheme in ("http", "https") and parts.netloc else ""


def _number(value: Any, name: str) -> float | None:
    if value is None or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Unreadable(f"{name}: must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise Unreadable(f"{name}: must be a number") from None
    if not math.isfinite(number) or abs(number) > 1e15:
        raise Unreadable(f"{name}: out of range")
    return number


def _bounded(number: float, name: str) -> datetime:
    if not EARLIEST.timestamp() <= number <= LATEST.timestamp():
        raise Unreadable(f"{name}: out of range")
    return datetime.fromtimestamp(number, UTC)
