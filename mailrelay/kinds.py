"""Is it a person who writes? Bounces, reports, automatic replies and lists are not. Pure.

Everything accepted is forwarded; the kind only decides whether it is a contact. Judged by
header fields and structure (RFC 3834, 3464, 8098), never by the subject alone: "Автоматические
ворота" is a customer. The first sign in order wins.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Kind = Literal["bounce", "report", "auto", "list", "calendar", "human"]

_REPORTS = ("disposition-notification", "feedback-report", "tlsrpt")
_DAEMON = re.compile(r"^(?:mailer-daemon|postmaster)@", re.I)
_FAILURE = re.compile(
    r"(?:this is the (?:qmail-send|mail delivery agent) program|"
    r"this message was created automatically by mail delivery software|"
    r"i(?:'|\u2019)?m (?:afraid|sorry).{0,40}(?:wasn(?:'|\u2019)?t able to|unable to) deliver|"
    r"this is the mail system at host)",
    re.I | re.S,
)
_COMMENT = re.compile(r"\([^()]*\)")
_ANSWERING = ("x-autoreply", "x-autorespond", "x-auto-reply")
_DMARC = re.compile(r"^[\w.-]+![\w.-]+!\d+!\d+", re.I)


def of(
    fields: Mapping[str, str],
    *,
    types: Sequence[tuple[str, Mapping[str, str]]],
    files: Sequence[str],
    null_sender: bool,
    sender: str,
    text: str,
) -> Kind:
    """What kind of letter this is.

    `fields` holds the first value of each top field by its lower-case name, `types` each
    part's content type with its parameters (the top one first), `files` attachment names.
    """
    if _is_bounce(types, null_sender=null_sender, sender=sender, text=text):
        return "bounce"
    if _is_report(types, files):
        return "report"
    if _is_automatic(fields):
        return "auto"
    if "list-id" in fields or _first(fields, "precedence") in ("list", "bulk", "junk"):
        return "list"
    if any(
        name == "text/calendar"
        and parameters.get("method", "").upper() in ("REPLY", "COUNTER")
        for name, parameters in types
    ):
        return "calendar"
    return "human"


def _is_bounce(
    types: Sequence[tuple[str, Mapping[str, str]]],
    *,
    null_sender: bool,
    sender: str,
    text: str,
) -> bool:
    names = [name for name, _ in types]
    if names[:1] == ["multipart/report"] and "message/delivery-status" in names:
        return True
    return null_sender and bool(_DAEMON.match(sender) or _FAILURE.search(text[:2000]))


def _is_report(
    types: Sequence[tuple[str, Mapping[str, str]]], files: Sequence[str]
) -> bool:
    if types and types[0][1].get("report-type", "").lower() in _REPORTS:
        return True
    return any(_DMARC.match(name) for name in files)


def _is_automatic(fields: Mapping[str, str]) -> bool:
    # X-Auto-Response-Suppress is no sign: it asks others not to answer.
    submitted = _first(fields, "auto-submitted")
    if submitted and submitted != "no":
        return True
    if _first(fields, "precedence") == "auto_reply":
        return True
    return any(name in fields for name in _ANSWERING)


def _first(fields: Mapping[str, str], name: str) -> str:
    """A field's token: no comment, no parameters, lower-case."""
    return _COMMENT.sub("", fields.get(name, "")).partition(";")[0].strip().lower()
