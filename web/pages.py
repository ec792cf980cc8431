"""Pages for people: one jinja environment a language, and the headers every page carries.

A handler gathers with read functions, then calls `render` with one template. Translations
are read from the .po files at the start, so nothing has to be compiled beforehand. The
words in the code and templates are English; a missing translation shows them.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web
from babel import Locale
from babel.messages import mofile, pofile
from babel.support import Translations

from web import formats, words

HERE = Path(__file__).parent
LOCALES = {"ru": "Русский", "en": "English"}
DEFAULT = "en"
HTML = "text/html"


@cache
def translations(locale: str) -> Translations:
    """The texts of a language."""
    with (HERE / "locales" / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalog = pofile.read_po(file, locale=locale)
    compiled = BytesIO()
    mofile.write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


@cache
def environment(locale: str) -> jinja2.Environment:
    """The templates of a language; everything that is put into them is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    texts = translations(locale)
    made.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
    made.policies["ext.i18n.trimmed"] = True
    made.globals.update(words=words, locales=LOCALES)
    made.filters["query"] = query
    # An empty text would be "translated" into the catalog's own header.
    made.filters["translated"] = lambda text: texts.gettext(text) if text else ""
    return made


@lru_cache(maxsize=8)
def locale_of(code: str) -> Locale:
    """Babel's knowledge of a language."""
    return Locale.parse(code)


def negotiate(header: str) -> str:
    """The best of our languages by an Accept-Language header (RFC 9110 12.5.4)."""
    best, best_weight = DEFAULT, 0.0
    for part in header[:500].split(","):
        tag, _, parameter = part.partition(";")
        code = tag.strip().lower().split("-")[0]
        found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameter)
        weight = float(found[1]) if found else 1.0
        if code in LOCALES and weight > best_weight:
            best, best_weight = code, weight
    return best


def query(values: Mapping[str, object], **changes: object) -> str:
    """A query string from what is set, with changes; empty values are left out."""
    merged = {**values, **changes}
    kept = {
        key: value for key, value in merged.items() if value not in (None, "", False)
    }
    return "?" + urlencode(kept) if kept else "?"


def fmt(locale: str, timezone: ZoneInfo, currency: str) -> formats.Formats:
    """How figures are written for this reader."""
    return formats.Formats(locale_of(locale), timezone, currency)


def text(template: str, locale: str, **context: Any) -> str:
    """A template filled in."""
    return (
        environment(locale)
        .get_template(template)
        .render(locale=locale, now=datetime.now(UTC), **context)
    )


def html(body: str, *, nonce: str, status: int = 200) -> web.Response:
    """A page with its headers: nothing foreign loads, nobody frames it, nothing caches it."""
    response = web.Response(text=body, content_type=HTML, status=status)
    response.headers.update(security(nonce))
    response.headers["Cache-Control"] = "no-store"
    return response


def nonce() -> str:
    """A fresh nonce of the content security policy."""
    return secrets.token_urlsafe(16)


def security(nonce: str) -> dict[str, str]:
    """Headers that keep a page to itself (CSP level 3)."""
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "connect-src 'self'; img-src 'self' data:; media-src 'self' https:; "
        f"style-src 'self'; script-src 'self' 'nonce-{nonce}'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
