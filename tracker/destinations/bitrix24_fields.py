"""What Bitrix24 is told: titles, people, sources, traces, activities; pure.

Field names are those of `crm.lead.add`, `crm.deal.add` and `crm.activity.add`, the only
methods that take `TRACE` and source fields together.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from tracker.channels import DIRECT_MEDIUM, DIRECT_SOURCE, INSIGNIFICANT, NOT_SET
from tracker.destinations.base import Candidate, Parcel, heaviest

ORIGINATOR = "skvoz"
MOST_VALUES = 20  # phones or emails one search takes
MOST_TEXT = 4000  # characters of a letter or form in a comment
MOST_TITLE = 200
MOST_CANDIDATES = 5

UTM = {
    "UTM_SOURCE": "source",
    "UTM_MEDIUM": "medium",
    "UTM_CAMPAIGN": "campaign",
    "UTM_CONTENT": "content",
    "UTM_TERM": "term",
}
WORDS = {
    "ru": {
        "call": "Звонок",
        "missed": "Пропущенный звонок",
        "email": "Письмо",
        "form": "Заявка с сайта",
        "message": "Сообщение",
        "withheld": "номер скрыт",
        "talked": "Разговор, секунд",
        "rang": "Ожидание, секунд",
        "manager": "Ответил",
        "recording": "Запись",
        "uncertain": "Источник точно не известен. Возможные",
        "source": "Источник",
    },
    "en": {
        "call": "Call",
        "missed": "Missed call",
        "email": "Letter",
        "form": "Form",
        "message": "Message",
        "withheld": "number withheld",
        "talked": "Talked, seconds",
        "rang": "Waited, seconds",
        "manager": "Answered by",
        "recording": "Recording",
        "uncertain": "The source is not certain. Possible ones",
        "source": "Source",
    },
}


def title(parcel: Parcel, language: str) -> str:
    """`Call +79161234567`, `Letter ivan@client.example`."""
    words = WORDS[language]
    word = words.get(parcel.kind, words["message"])
    return f"{word} {_who(parcel, language)}".strip()[:MOST_TITLE]


def _who(parcel: Parcel, language: str) -> str:
    who = parcel.data.get("from") or parcel.data.get("name")
    if not who and parcel.kind == "call":
        who = WORDS[language]["withheld"]
    return str(who or "")


def person(parcel: Parcel) -> dict[str, Any]:
    """NAME, PHONE and EMAIL of the person, as far as they are known."""
    if parcel.person is None:
        return {}
    one = parcel.person
    made: dict[str, Any] = {}
    if one.name:
        made["NAME"] = one.name[:MOST_TITLE]
    for kind, values in (("PHONE", one.phones), ("EMAIL", one.emails)):
        if values:
            made[kind] = [
                {"VALUE": value, "VALUE_TYPE": "WORK"} for value in values[:MOST_VALUES]
            ]
    return made


def communications(parcel: Parcel) -> dict[str, list[str]]:
    """What to look the person up by; Russian numbers are also kept with an 8."""
    if parcel.person is None:
        return {}
    phones: list[str] = []
    for phone in parcel.person.phones:
        phones.append(phone)
        if phone.startswith("+7") and len(phone) == 12:
            phones.append(f"8{phone[2:]}")
    found = {"PHONE": phones, "EMAIL": list(parcel.person.emails)}
    return {kind: values[:MOST_VALUES] for kind, values in found.items() if values}


def source(parcel: Parcel, min_certainty: float, language: str) -> dict[str, Any]:
    """UTM fields and trace of a source that is certain enough, else the candidates."""
    best = heaviest(parcel.candidates, lambda one: tuple(sorted(one.source.items())))
    if best is None:
        return {}
    candidate, weight = best
    if weight < min_certainty:
        return {"COMMENTS": _candidates(parcel.candidates, language)}
    told: dict[str, Any] = {"SOURCE_DESCRIPTION": label(candidate.source)}
    if candidate.source.get("channel") not in INSIGNIFICANT:
        utm = {key: candidate.source.get(name, "") for key, name in UTM.items()}
        told |= {
            key: value
            for key, value in utm.items()
            if value not in ("", NOT_SET, DIRECT_SOURCE, DIRECT_MEDIUM)
        }
    if candidate.session_id is not None:
        told["TRACE"] = trace(parcel, candidate)
    return told


def label(labels: dict[str, str]) -> str:
    """`yandex / cpc / winter`."""
    parts = (labels.get(name, "") for name in ("source", "medium", "campaign"))
    return " / ".join(part for part in parts if part and part != NOT_SET)


def _candidates(candidates: tuple[Candidate, ...], language: str) -> str:
    lines = [
        f"{label(one.source)}: {one.weight:.0%}" for one in candidates[:MOST_CANDIDATES]
    ]
    return f"{WORDS[language]['uncertain']}: {'; '.join(lines)}"


def trace(parcel: Parcel, candidate: Candidate) -> str:
    """The visit as the portal's own site widget would tell it: a JSON string."""
    started = candidate.started_at or parcel.at
    tags = {
        key.lower(): candidate.source.get(name, "")
        for key, name in UTM.items()
        if candidate.source.get(name, "") not in ("", NOT_SET)
    }
    own = bool(parcel.candidates) and parcel.candidates[0] is candidate
    made: dict[str, Any] = {
        "url": candidate.landing_url,
        "ref": candidate.referrer_url,
        "device": {"isMobile": candidate.device == "mobile"},
        "tags": {
            "ts": int(started.timestamp()),
            "list": tags,
            "gclid": candidate.ids.get("gclid"),
        },
        "client": {
            "gaId": candidate.ids.get("ga_client_id"),
            "yaId": candidate.ids.get("ym_client_id"),
        },
        "pages": {
            "list": [[page.url, int(page.at.timestamp()), ""] for page in parcel.pages]
            if own
            else []
        },
        "gid": None,
        "previous": {"list": []},
    }
    return msgspec.json.encode(made).decode()


def ended(parcel: Parcel) -> bool:
    """Is the call over?"""
    return parcel.call is not None and parcel.call.ended_at is not None


def has_activity(parcel: Parcel) -> bool:
    """A call's card needs a number to belong to, and an end."""
    return parcel.kind == "call" and ended(parcel) and bool(parcel.data.get("caller"))


def activity(parcel: Parcel, language: str) -> dict[str, Any]:
    """The card of a call; a missed one stays open, so that somebody calls back."""
    call = parcel.call
    assert call is not None
    words = WORDS[language]
    caller = str(parcel.data.get("caller"))
    end = call.ended_at or call.started_at + timedelta(seconds=call.talk_seconds or 0)
    subject = words["call"] if call.answered else words["missed"]
    return {
        "TYPE_ID": 2,
        "DIRECTION": 1,
        "SUBJECT": f"{subject} {caller}",
        "COMMUNICATIONS": [{"VALUE": caller}],
        "START_TIME": _moment(call.started_at),
        "END_TIME": _moment(end),
        "COMPLETED": "Y" if call.answered else "N",
        "PRIORITY": 2,
        "DESCRIPTION": _facts(parcel, language),
        "DESCRIPTION_TYPE": 1,
        "ORIGINATOR_ID": ORIGINATOR,
        "ORIGIN_ID": str(parcel.contact_id),
    }


def comment(parcel: Parcel, language: str) -> str:
    """What a manager reads in the timeline."""
    parts = [title(parcel, language), parcel.subject, parcel.text[:MOST_TEXT]]
    parts += [f"{k}: {v}"[:500] for k, v in (parcel.data.get("fields") or {}).items()][
        :30
    ]
    parts += [_facts(parcel, language), mark(parcel)]
    return "\n".join(part for part in parts if part)


def mark(parcel: Parcel) -> str:
    """By this our own comment is known again."""
    return f"[{ORIGINATOR} {str(parcel.contact_id)[:13]}]"


def _facts(parcel: Parcel, language: str) -> str:
    words = WORDS[language]
    call = parcel.call
    lines = []
    if call is not None:
        facts = (
            ("talked", call.talk_seconds if call.answered else None),
            ("rang", call.ring_seconds),
            ("manager", call.manager),
            ("recording", call.recording),
        )
        lines = [f"{words[name]}: {fact}" for name, fact in facts if fact is not None]
    sources = [
        f"{label(one.source)} ({one.weight:.0%})"
        for one in parcel.candidates[:MOST_CANDIDATES]
    ]
    if sources:
        lines.append(f"{words['source']}: {'; '.join(sources)}")
    return "\n".join(lines)


def _moment(at: datetime) -> str:
    """ISO 8601 with a zone, whole seconds: what the portal reads in any zone."""
    return at.astimezone(ZoneInfo("UTC")).replace(microsecond=0).isoformat()
