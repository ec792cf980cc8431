"""Periods a reader can choose: presets and dates of his own, on the site's calendar. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EARLIEST = date(2000, 1, 1)
LONGEST = timedelta(days=1100)  # of a report: three years and a little


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the site's calendar, both included; None is without an end."""

    name: str  # a preset, or "custom"
    since: date | None
    until: date | None

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1 if self.since and self.until else 0

    def moments(self, timezone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """From the first moment to the one after the last."""
        return (
            _midnight(self.since, timezone) if self.since else None,
            _midnight(self.until + timedelta(days=1), timezone) if self.until else None,
        )


def read(query: Mapping[str, str], *, today: date, default: str) -> Period:
    """The period of an address; what makes no sense gives the default."""
    since, until = _day(query.get("from", "")), _day(query.get("to", ""))
    name = query.get("period", "")
    if name in ("", "custom", default) and (since or until):
        since, until = since or until, until or today
        if since and until and since > until:
            since, until = until, since
        if since and until and until - since > LONGEST:
            since = until - LONGEST
        return Period("custom", since, until)
    return preset(name, today) or preset(default, today) or Period("all", None, None)


def preset(name: str, today: date) -> Period | None:
    """A period by its name."""
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    spans: dict[str, tuple[date | None, date | None]] = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "7d": (today - timedelta(days=6), today),
        "30d": (today - timedelta(days=29), today),
        "month": (first, today),
        "last_month": (before.replace(day=1), before),
        "90d": (today - timedelta(days=89), today),
        "all": (None, None),
    }
    return Period(name, *spans[name]) if name in spans else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return day if EARLIEST <= day <= date(2100, 1, 1) else None


def _midnight(day: date, timezone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), timezone).astimezone(UTC)
