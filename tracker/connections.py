"""The kinds of connections, and what settings each takes.

A kind is a dataclass: its fields are the settings, `check` what their types cannot say,
`Meta(extra={"secret": True})` marks what is never shown. Destinations are ours; telephony
providers live in `web`, which we do not import: they announce themselves as entry points
of the group `skvoz.telephony`.
"""

import dataclasses
import secrets
import typing
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tracker import destinations
from tracker.errors import BadInput

TELEPHONY = "telephony"
DESTINATION = "destination"
ROLES = (TELEPHONY, DESTINATION)
KEPT = "…"  # stands for a secret that is not shown, and for one that stays as it is

Kinds = Mapping[str, Mapping[str, type]]  # by role, then by the kind's name


@cache
def known() -> Kinds:
    """Every kind that is installed."""
    telephony = {
        entry.name: entry.load() for entry in entry_points(group="skvoz.telephony")
    }
    return {TELEPHONY: telephony, DESTINATION: dict(destinations.DESTINATIONS)}


def mint_key() -> str:
    """A key for the hook's address: 192 bits that nobody guesses."""
    return secrets.token_urlsafe(24)


def hook_address(public_url: str, kind: str, key: str) -> str:
    """What is given to the provider."""
    return f"{public_url}/hooks/{kind}/{key}"


def pastes(made: type, settings: Mapping[str, Any], address: str) -> dict[str, str]:
    """What is pasted at the provider, by where it goes; with the connection's secrets."""
    found: dict[str, str] = msgspec.convert(settings, made).pastes(address)
    return {"the hook's address": address} | found


def problems(made: type, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that is wrong with these settings: the field's name, and the remedy."""
    fields = {field.name: field for field in dataclasses.fields(made)}
    types = typing.get_type_hints(made, include_extras=True)
    found = []
    for name, field in fields.items():
        if name in settings:
            if trouble := _trouble(settings[name], types[name]):
                found.append((name, trouble))
        elif _required(field):
            found.append((name, "is required"))
    for name in settings:
        if name not in fields:
            names = ", ".join(fields)
            found.append((name, f"is no setting of this kind; there are {names}"))
    return found or _checked(made, settings)


def secret_names(made: type) -> frozenset[str]:
    """The settings that are never shown."""
    types = typing.get_type_hints(made, include_extras=True)
    names = [field.name for field in dataclasses.fields(made)]
    return frozenset(name for name in names if _is_secret(types[name]))


def veiled(made: type | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they may be shown; all are secret when the kind is not known."""
    names = secret_names(made) if made else frozenset(settings)
    return {
        name: KEPT if (name in names and value) or tells_secret(value) else value
        for name, value in settings.items()
    }


def tells_secret(value: object) -> bool:
    """Whether an address carries a password, or something like one in its query."""
    if not isinstance(value, str) or "://" not in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return True
    return bool(parts.query or "@" in parts.netloc)


def _required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _trouble(value: Any, type_: Any) -> str:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        text = str(error).split(" - at `$")[0]
        return text[:1].lower() + text[1:]
    return ""


def _checked(made: type, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the kind itself has to say once the types fit."""
    try:
        kind: Any = msgspec.convert(dict(settings), made)
        if check := getattr(kind, "check", None):
            check()
    except BadInput as error:
        return [(error.field, str(error).removeprefix(f"{error.field}: "))]
    except msgspec.ValidationError as error:
        return [("", str(error))]
    return []


def _is_secret(type_: Any) -> bool:
    """Whether the type, or one of those it is made of, is marked as secret."""
    for note in getattr(type_, "__metadata__", ()):
        if isinstance(note, msgspec.Meta) and (note.extra or {}).get("secret"):
            return True
    return any(_is_secret(one) for one in typing.get_args(type_))
