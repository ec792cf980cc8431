"""`[snippet]` and `[widget]` in the file: how the site's script behaves. Pure.

What goes into pages is read strictly: a selector that no browser takes would leave the
whole page without numbers.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tracker import opening_hours
from tracker.errors import BadInput
from tracker.snippet_rules import (
    CONSENTS,
    MESSENGERS,
    SIDES,
    Messenger,
    Snippet,
    Widget,
    told,
)
from tracker.tables import Table

LANGUAGES = ("ru", "en")
LONGEST_NAME = 100  # characters of a form field's name
MOST_FIELDS = 50
MOST_MESSENGERS = 8

MEASUREMENT = re.compile(r"G-[A-Z0-9]{4,20}")
POLICY = re.compile(r"https?://[^\s/<>\"']+(/[^\s<>\"']*)?")
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
CLOSING = {")": "(", "]": "["}

# Where each messenger's links lead, and the schemes of its own.
HOSTS: Mapping[str, tuple[str, ...]] = {
    "telegram": ("t.me", "telegram.me"),
    "whatsapp": ("wa.me", "api.whatsapp.com"),
    "viber": ("invite.viber.com", "chats.viber.com"),
    "vk": ("vk.me", "vk.com", "vk.ru"),
    "max": ("max.ru",),
}
SCHEMES = {"tg": "telegram", "whatsapp": "whatsapp", "viber": "viber"}


def read(whole: Table) -> dict[str, Any]:
    """Both tables as they are kept among the site's rules: what differs from the usual."""
    found = {"snippet": told(_snippet(whole)), "widget": told(_widget(whole))}
    return {name: rules for name, rules in found.items() if rules}


def _snippet(whole: Table) -> Snippet:
    table = whole.optional("snippet")
    if table is None:
        return Snippet()
    found = Snippet(
        address=_address(table),
        consent=table.choice("consent", CONSENTS),
        privacy_signals=table.flag("privacy_signals", False),
        within=_selector(table, "within"),
        skip=_selector(table, "skip"),
        chats=table.flag("chats", False),
        pictures=table.flag("pictures", False),
        forms=table.flag("forms", False),
        messengers=table.flag("messengers", False),
        session_cookie=table.flag("session_cookie", False),
        ga4=_form(table, "ga4", MEASUREMENT, "a measurement id such as G-ABC1234567"),
        fields=_fields(table),
    )
    table.done()
    return found


def _widget(whole: Table) -> Widget:
    table = whole.optional("widget")
    if table is None:
        return Widget()
    found = Widget(
        callback=table.flag("callback", False),
        side=table.choice("side", SIDES),
        colour=_form(table, "colour", COLOUR, "a colour such as #0a7d4b").lower(),
        hours=_hours(table),
        greeting=_greeting(table),
        policy=_form(
            table, "policy", POLICY, "a link such as https://acme.example/data"
        ),
        messenger=[_messenger(one) for one in table.tables("messenger")],
    )
    if len(found.messenger) > MOST_MESSENGERS:
        table.refuse("messenger", f"must have at most {MOST_MESSENGERS}")
    table.done()
    return found


def _form(table: Table, name: str, form: re.Pattern[str], like: str) -> str:
    """A text of that form; empty when it is left out or says so."""
    text = table.text(name, needed=False, like=like)
    if text and not form.fullmatch(text):
        table.refuse(name, f"must be {like}")
    return text


def _address(table: Table) -> str:
    like = "where pages reach this server, such as https://calls.acme.example"
    text = table.text("address", needed=False, like=like).rstrip("/")
    if text and not _is_address(text):
        table.refuse("address", f"must be {like}")
    return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_fits = parts.port != 0
    except ValueError:
        return False
    fits = parts.scheme in ("http", "https") and bool(parts.hostname) and port_fits
    plain = not re.search(r"""[\s<>"'?#@\\]""", text)
    return fits and plain


def _selector(table: Table, name: str) -> str:
    text = table.text(name, needed=False, like="a CSS selector such as .contacts")
    if text and (trouble := selector_problem(text)):
        table.refuse(name, trouble)
    return text


def selector_problem(text: str) -> str:
    """What keeps a text from being a list of CSS selectors; empty: nothing that we see."""
    if "<" in text:
        return "must be a CSS selector such as .contacts, without <"
    open_: list[str] = []
    quote = ""
    escaped = False
    for one in text:
        if escaped or one == "\\":
            escaped = not escaped
        elif quote:
            quote = "" if one == quote else quote
        elif one in "\"'":
            quote = one
        elif one in "([":
            open_.append(one)
        elif one in CLOSING and (not open_ or open_.pop() != CLOSING[one]):
            return f"has {one} without {CLOSING[one]} before it"
    if quote or escaped:
        return f"ends within {quote or 'an escape'}"
    if open_:
        return f"has {open_[-1]} that is never closed"
    if any(not part.strip(" >+~") for part in text.split(",")):
        return "has nothing before or behind a comma"
    return ""


def _fields(table: Table) -> dict[str, str]:
    fields = table.optional("fields")
    if fields is None:
        return {}
    if len(fields.given) > MOST_FIELDS:
        table.refuse("fields", f"must have at most {MOST_FIELDS}")
    like = "the name that the contact gets, in quotes"
    found = {name: fields.text(name, like=like) for name in fields.given}
    for name, text in found.items():
        if max(len(name), len(text)) > LONGEST_NAME:
            fields.refuse(name, f"must have at most {LONGEST_NAME} characters")
    return found


def _greeting(table: Table) -> dict[str, str]:
    greeting = table.optional("greeting")
    if greeting is None:
        return {}
    texts = {name: greeting.text(name, needed=False) for name in LANGUAGES}
    greeting.done()
    return {name: text for name, text in texts.items() if text}


def _hours(table: Table) -> str:
    text = table.text("hours", needed=False, like=f"text {opening_hours.LIKE}")
    try:
        opening_hours.read(text)
    except BadInput as error:
        table.refuse("hours", str(error))
    return text


def _messenger(table: Table) -> Messenger:
    found = Messenger(
        kind=table.choice("kind", MESSENGERS, needed=True),
        address=table.text("address", like="a link in quotes"),
    )
    table.done()
    if found.kind in HOSTS and found.address and not _leads_to(found):
        table.refuse("address", f"must be like {_like(found.kind)}")
    return found


def _leads_to(one: Messenger) -> bool:
    try:
        parts = urlsplit(one.address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "https":
        return SCHEMES.get(parts.scheme) == one.kind
    return host.removeprefix("www.") in HOSTS[one.kind] and bool(parts.path.strip("/"))


def _like(kind: str) -> str:
    """An address of that kind."""
    schemes = [f" or {name}:…" for name, own in SCHEMES.items() if own == kind]
    return f"https://{HOSTS[kind][0]}/…{''.join(schemes)}"
