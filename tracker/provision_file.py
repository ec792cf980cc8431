"""The provisioning file: TOML in, a `SetUp` out, or every problem with its line at once.

Strict: what is not understood is refused, so that a misspelt setting is not simply without
effect. Pure; `tables` reads one value after another, `provision_checks` compares them.
"""

import re
import tomllib
from dataclasses import replace
from typing import Any

import msgspec

from tracker import (
    connections,
    provision_checks,
    provision_match,
    provision_snippet,
    provision_target,
    setup,
    sources,
    toml_lines,
)
from tracker.connections import Kinds
from tracker.errors import BadFile
from tracker.setup import SetUp
from tracker.sites import Rules
from tracker.snippet_rules import TABLES
from tracker.tables import Problems, Table

LONGEST = 1_000_000  # characters; 10 000 numbers take a fifth of it
SITE_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAME = re.compile(r"[\w][\w .-]{0,99}")
HOOK_KEY = re.compile(r"[A-Za-z0-9_-]{16,100}")
LATE = ("peak", "always", "never")
LONGEST_REST = 86_400  # seconds; a number that rests longer is not in the pool
NOTHING_KEPT = f"{connections.KEPT} stands for what is stored, and nothing is: write it"
LABELS = ("source", "medium", "campaign", "content", "term")


def site_key(text: str) -> str | None:
    """The key of the site that a file is about, if it says so."""
    try:
        return str(tomllib.loads(text[:LONGEST])["site"]["key"])
    except (tomllib.TOMLDecodeError, RecursionError, KeyError, TypeError):
        return None


def read(text: str, kinds: Kinds, stored: SetUp | None = None) -> SetUp:
    """What the file asks for; raises BadFile with every problem.

    Where the file has `…` for a secret, the one that is stored is meant.
    """
    if len(text) > LONGEST:
        raise BadFile([f"the file is longer than {LONGEST} characters"])
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile([_misformed(str(error), text)]) from None
    except RecursionError:
        raise BadFile(["the file is nested too deeply"]) from None
    problems = Problems(toml_lines.locate(text))
    whole = Table(parsed, (), problems)
    site = whole.table("site")
    country = _country(site)
    found = SetUp(
        rules=_rules(site) | provision_snippet.read(whole),
        **_site(site),
        pools=tuple(_pool(one, country) for one in whole.tables("pool")),
        statics=tuple(_static(one, country) for one in whole.tables("static")),
        mailboxes=tuple(_mailbox(one, stored) for one in whole.tables("mailbox")),
        connections=tuple(
            _connection(one, role, kinds, stored)
            for role in connections.ROLES
            for one in whole.tables(role)
        ),
    )
    whole.done()
    provision_checks.compare(found, problems)
    if problems.found:
        raise BadFile(problems.lines())
    return found


def _misformed(message: str, text: str) -> str:
    """tomllib's message, with the line first."""
    if found := re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", message):
        return f"line {found[2]}: {found[1]}"
    return f"line {text.count(chr(10)) + 1}: {message.removesuffix(' (at end of document)')}"


def _country(site: Table) -> str:
    """How local spellings of the file's numbers are read."""
    country = site.given.get("country", Rules().country)
    return country if isinstance(country, str) else Rules().country


def _site(site: Table) -> dict[str, Any]:
    found = {
        "key": site.text(
            "key", form=SITE_KEY, like="a short name of a-z, 0-9, - and _ such as acme"
        ),
        "name": site.text("name"),
        "domains": site.hosts("domains"),
        "timezone": site.timezone("timezone", "Europe/Moscow"),
        "currency": site.currency("currency", "RUB"),
    }
    site.done()
    return found


def _rules(site: Table) -> dict[str, Any]:
    """The optional settings that differ from the usual ones."""
    usual = Rules()
    given = {}
    for one in msgspec.structs.fields(Rules):
        if one.name in TABLES:
            continue
        value = site.rule(one.name, one.type, getattr(usual, one.name))
        if value != getattr(usual, one.name):
            given[one.name] = value
    return given


def _pool(table: Table, country: str) -> setup.Pool:
    pool = setup.Pool(
        name=table.text("name", form=NAME, like="a short name such as main"),
        replaces=table.phones("replaces", country),
        numbers=table.phones("numbers", country),
        forward_to=table.phone("forward_to", country),
        share=table.flag("share", True),
        late=table.choice("late", LATE),
        rest=table.whole("rest", 0, low=0, high=LONGEST_REST),
        overflow=table.phone("overflow", country),
        target=provision_target.read(table),
        resting=table.phones("resting", country, needed=False),
    )
    table.done()
    return pool


def _static(table: Table, country: str) -> setup.Static:
    labels = table.table("source")
    texts = {name: labels.text(name, needed=name in LABELS[:2]) for name in LABELS}
    labels.done()
    static = setup.Static(
        number=table.phone("number", country, needed=True) or "",
        source=sources.labelled(**texts),
        replaces=table.phones("replaces", country, needed=False),
        forward_to=table.phone("forward_to", country),
    )
    table.done()
    return static


def _mailbox(table: Table, stored: SetUp | None) -> setup.Mailbox:
    mailbox = setup.Mailbox(
        replaces=table.emails("replaces"),
        forward_to=table.email("forward_to"),
        next_hop=table.next_hop("next_hop"),
    )
    table.done()
    if mailbox.next_hop != connections.KEPT:
        return mailbox
    kept = provision_match.mailbox(mailbox, stored.mailboxes if stored else ())
    if kept is None:
        table.refuse("next_hop", NOTHING_KEPT)
        return mailbox
    return replace(mailbox, next_hop=kept.next_hop)


def _connection(
    table: Table, role: str, kinds: Kinds, stored: SetUp | None
) -> setup.Connection:
    name = table.text("name", form=NAME, like="a short name such as pbx")
    kind = table.choice("kind", tuple(sorted(kinds[role])), needed=True)
    key = table.text(
        "key",
        needed=False,
        form=HOOK_KEY,
        like="16 to 100 letters, digits, - and _, or left out",
    )
    kept = provision_match.connection(
        role, name, kind, stored.connections if stored else ()
    )
    settings = table.rest()
    for field, value in settings.items():
        if value == connections.KEPT:
            if kept is None or field not in kept.settings:
                table.refuse(field, NOTHING_KEPT)
            else:
                settings[field] = kept.settings[field]
    if made := kinds[role].get(kind):
        for field, remedy in connections.problems(made, settings):
            table.refuse(field, remedy)
    return setup.Connection(
        role=role, name=name, kind=kind, key=key or None, settings=settings
    )
