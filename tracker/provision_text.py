"""A set-up written down: as the TOML that `skvoz apply` takes, and as JSON for scripts. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import idna

from tracker import connections, setup
from tracker.connections import Kinds
from tracker.setup import SetUp
from tracker.snippet_rules import TABLES

LABELS = ("source", "medium", "campaign", "content", "term")


def as_toml(found: SetUp, kinds: Kinds, *, public_url: str, secrets: bool) -> str:
    """The file; a secret is `…`, which keeps what is stored, unless they are wanted."""
    parts = [table("[site]", _site(found)), *script(found.rules)]
    parts += [table("[[pool]]", _pool(one)) for one in found.pools]
    parts += [table("[[static]]", _static(one)) for one in found.statics]
    parts += [table("[[mailbox]]", _mailbox(one, secrets)) for one in found.mailboxes]
    for one in found.connections:
        made = kinds[one.role].get(one.kind)
        settings = one.settings if secrets else connections.veiled(made, one.settings)
        key = {"key": one.key} if secrets else {}
        body = {"name": one.name, "kind": one.kind, **key, **settings}
        part = table(f"[[{one.role}]]", body)
        if one.role == connections.TELEPHONY:
            hook = connections.hook_address(public_url, one.kind, one.key or "")
            part = f"# The provider calls {hook}\n{part}"
        parts.append(part)
    return "\n".join(parts)


def as_json(
    found: SetUp, kinds: Kinds, *, public_url: str, secrets: bool
) -> dict[str, Any]:
    """The same for scripts, with the full addresses of hooks and of the snippet."""
    told: dict[str, list[dict[str, Any]]] = {role: [] for role in connections.ROLES}
    for one in found.connections:
        made = kinds[one.role].get(one.kind)
        settings = one.settings if secrets else connections.veiled(made, one.settings)
        told[one.role].append(
            {
                "name": one.name,
                "kind": one.kind,
                "key": one.key,
                "hook": connections.hook_address(public_url, one.kind, one.key or ""),
                "settings": settings,
            }
        )
    address = found.rules.get("snippet", {}).get("address") or public_url
    return {
        "site": {**_site(found), "snippet": f"{address}/s/{found.key}.js"},
        **{name: found.rules.get(name, {}) for name in TABLES},
        "pools": [_pool(one) for one in found.pools],
        "statics": [_static(one) for one in found.statics],
        "mailboxes": [_mailbox(one, secrets) for one in found.mailboxes],
        "telephony": told[connections.TELEPHONY],
        "destinations": told[connections.DESTINATION],
    }


def _site(found: SetUp) -> dict[str, Any]:
    return {
        "key": found.key,
        "name": found.name,
        "domains": [_readable(domain) for domain in found.domains],
        "timezone": found.timezone,
        "currency": found.currency,
        **{name: one for name, one in found.rules.items() if name not in TABLES},
    }


def script(rules: Mapping[str, Any]) -> Iterator[str]:
    """The tables of the site's script, as far as the rules have them."""
    for name in TABLES:
        plain, deeper = {}, []
        for key, value in rules.get(name, {}).items():
            if isinstance(value, Mapping):
                deeper += [table(f"[{name}.{key}]", value)] if value else []
            elif isinstance(value, list):
                deeper += [table(f"[[{name}.{key}]]", one) for one in value]
            else:
                plain[key] = value
        if plain:
            yield table(f"[{name}]", plain)
        yield from deeper


def _pool(pool: setup.Pool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": pool.name,
        "replaces": list(pool.replaces),
        "numbers": list(pool.numbers),
        "forward_to": pool.forward_to,
        "share": pool.share,
        "late": pool.late,
        "rest": pool.rest or None,
        "overflow": pool.overflow,
        "resting": list(pool.resting) or None,
        "target": pool.target.told() if pool.target else None,
    }
    return _told(told)


def _static(static: setup.Static) -> dict[str, Any]:
    source = {name: getattr(static.source, name) for name in LABELS}
    told = {
        "number": static.number,
        "source": {name: text for name, text in source.items() if text},
        "forward_to": static.forward_to,
        "replaces": list(static.replaces) or None,
    }
    return _told(told)


def _mailbox(mailbox: setup.Mailbox, secrets: bool) -> dict[str, Any]:
    secret = connections.tells_secret(mailbox.next_hop) and not secrets
    return {
        "replaces": list(mailbox.replaces),
        "forward_to": mailbox.forward_to,
        "next_hop": connections.KEPT if secret else mailbox.next_hop,
    }


def _told(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def _readable(domain: str) -> str:
    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain


def table(header: str, body: Mapping[str, Any]) -> str:
    """One table; texts, numbers, booleans, lists and inline tables of them."""
    lines = (f"{_name(name)} = {_value(one)}" for name, one in body.items())
    return "\n".join((header, *lines)) + "\n"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case Mapping():
            pairs = (f"{_name(name)} = {_value(one)}" for name, one in value.items())
            return "{ " + ", ".join(pairs) + " }" if value else "{}"
        case Iterable():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case _:
            return repr(value)


def _name(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _text(name)


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's too, which wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
