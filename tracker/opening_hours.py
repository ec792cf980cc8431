"""Opening hours as an owner writes them: `Mo-Fr 09:00-18:00; Sa,Su 10:00-16:00`. Pure.

A small part of OpenStreetMap's notation (https://wiki.openstreetmap.org/wiki/Key:opening_hours):
days with ranges and commas, times with commas, rules parted by semicolons; a later rule for
a day takes the place of an earlier one. Times that end on the next day belong to both.
"""

import re
from collections.abc import Iterator

from tracker.errors import BadInput

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
DAY = 24 * 60  # minutes
MOST = 7  # rules
LIKE = "like Mo-Fr 09:00-18:00; Sa 10:00-16:00"

_RULE = re.compile(r"(\S+) +(\S+)")
_TIMES = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")

Span = tuple[
    int, int, int
]  # day from 1 (Monday), minutes from its midnight: since, until


def read(text: str) -> tuple[Span, ...]:
    """The week in order; empty when nothing is written. Raises BadInput."""
    if not text.strip():
        return ()
    rules = text.split(";")
    if len(rules) > MOST:
        raise BadInput(f"must have at most {MOST} rules")
    week: dict[int, list[tuple[int, int]]] = {}
    for rule in rules:
        parts = _RULE.fullmatch(rule.strip())
        if parts is None:
            raise BadInput(f"must be {LIKE}")
        times = [_time(one) for one in parts[2].split(",")]
        for day in _days(parts[1]):
            week[day] = times
    return tuple(sorted(_spans(week)))


def _spans(week: dict[int, list[tuple[int, int]]]) -> Iterator[Span]:
    for day, times in week.items():
        for since, until in times:
            if since < until:
                yield day, since, until
                continue
            yield day, since, DAY
            if until:
                yield day % 7 + 1, 0, until


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise BadInput(f"has days other than {' '.join(DAYS)}: write them {LIKE}")
        since, until = DAYS.index(first), DAYS.index(last or first)
        for step in range((until - since) % 7 + 1):
            yield (since + step) % 7 + 1


def _time(text: str) -> tuple[int, int]:
    """Minutes from midnight; not later than their end unless that is on the next day."""
    found = _TIMES.fullmatch(text)
    if found is None:
        raise BadInput(f"must be {LIKE}")
    hour, minute, last_hour, last_minute = map(int, found.groups())
    since, until = hour * 60 + minute, last_hour * 60 + last_minute
    if max(minute, last_minute) > 59 or since >= DAY or until > DAY or since == until:
        raise BadInput(f"has no time of day in {text}: write 09:00-18:00")
    return since, until
