"""An alert in the reader's words: what happened, and what to do about it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from tracker import alerts
from web import words
from web.formats import Formats

OF_A_NUMBER = (alerts.CALLED, alerts.FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert in the reader's language."""

    title: str
    detail: str
    remedy: str


def told(alert: alerts.Alert, fmt: Formats, say: Callable[[str], str]) -> Told:
    """The alert's texts with its figures filled in."""
    text, known = words.ALERTS[alert.kind], _figures(alert, fmt)
    return Told(
        title=say(text.title) % known,
        detail=say(text.detail) % known,
        remedy=say(text.remedy),
    )


def _figures(alert: alerts.Alert, fmt: Formats) -> dict[str, Any]:
    """The kind's own figures as they are written."""
    found = alert.figures
    if alert.kind == alerts.CALLED:
        known = {
            "days": fmt.number(found["days"]),
            "unexplained": fmt.number(found["unexplained"]),
            "expected": fmt.number(found["expected"], 1),
        }
    elif alert.kind == alerts.FOUND:
        parts = urlsplit(found["pages"][0])
        known = {
            "page": f"{parts.netloc}{parts.path}",
            "count": fmt.number(found["count"]),
        }
    else:
        known = {
            "day": fmt.day(date.fromisoformat(found["day"])),
            "accuracy": fmt.percent(found["accuracy"]),
            "calls": fmt.number(found["calls"]),
            "threshold": fmt.percent(found["threshold"]),
        }
    phone = alert.kind in OF_A_NUMBER
    subject = fmt.phone(alert.subject) if phone else alert.subject
    return {"subject": subject, **known}
