"""What a site's script is told: its configuration, and which parts are served with it. Pure.

What is off is left out, so that the file stays small. The fields are written down in
`web/snippet/README.md`.
"""

from collections.abc import Iterator
from typing import Any

from numberpool import phones
from tracker import opening_hours
from tracker.sites import Site
from tracker.snippet_rules import Widget

PARTS = {
    "privacy_signals": "signals",
    "chats": "chats",
    "messengers": "messengers",
    "pictures": "pictures",
    "session_cookie": "cookie",
}  # fmt: skip
PLATFORMS = ("tcf", "google")  # consent platforms that the part `consent` listens to
# Letters on the keys from 2 on: Latin by ITU-T E.161, Cyrillic by fours.
KEYS = (
    "abcа-г", "defд-з", "ghiи-л", "jklм-п", "mnoр-у", "p-sф-ч", "tuvш-ы", "w-zь-я",
)  # fmt: skip


def parts(site: Site) -> tuple[str, ...]:
    """The optional parts in the site's script; consent first, it may hold the rest back."""
    rules = site.rules.snippet
    consent = ("consent",) if rules.consent in PLATFORMS else ()
    chosen = (name for setting, name in PARTS.items() if getattr(rules, setting))
    metrika = ("metrika",) if next(_counters(site), 0) else ()
    return (*consent, *chosen, *metrika)


def is_apart(site: Site, name: str) -> bool:
    """Whether the site's pages may load this script by itself."""
    asked = {"forms": site.rules.snippet.forms, "widget": site.rules.widget.shown}
    return name in ("debug", "depths") or asked.get(name, False)


def configuration(site: Site, public_url: str) -> dict[str, Any]:
    """The script's one argument but for its parts."""
    rules = site.rules.snippet
    numbers = {
        *site.pool_of,
        *(one for static in site.statics for one in static.replaces),
    }
    always = {
        "site": site.key,
        "api": site.reached(public_url),
        "numbers": sorted(numbers),
        "emails": sorted({one for box in site.mailboxes for one in box.replaces}),
        "consent": rules.consent,
    }
    asked = {
        "ym": next(_counters(site), 0),
        "within": rules.within,
        "skip": rules.skip,
        "keys": KEYS if any(map(_is_spoken, numbers)) else (),
        "forms": {"fields": rules.fields} if rules.forms else None,
        "widget": widget(site) if site.rules.widget.shown else None,
    }
    return always | {name: value for name, value in asked.items() if value}


def widget(site: Site) -> dict[str, Any]:
    """The widget's own: opening hours as [day from 1 (Monday), since, until] in minutes."""
    rules = site.rules.widget
    told = {
        "callback": rules.callback,
        "side": "" if rules.side == Widget().side else rules.side,
        "colour": rules.colour,
        "hours": opening_hours.read(rules.hours),
        "greeting": rules.greeting,
        "policy": rules.policy,
        "messengers": rules.messenger,
    }
    where = {"zone": str(site.timezone), "country": site.rules.country}
    return where | {name: value for name, value in told.items() if value}


def _counters(site: Site) -> Iterator[int]:
    """The Metrika counters that conversions go to: the one on the pages is the first."""
    for one in site.connections:
        if one.role == "destination" and one.kind == "metrika":
            yield int(one.settings["counter"])


def _is_spoken(number: str) -> bool:
    """Whether people write words for its digits: free numbers, and any of North America."""
    return number.startswith("+1") or phones.kind(number).endswith("toll-free")
