"""Where leads and conversions can go: one file a place, one line in `DESTINATIONS`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tracker.destinations.base import AnyDestination
from tracker.destinations.bitrix24 import Bitrix24
from tracker.destinations.metrika import Metrika
from tracker.destinations.webhook import Webhook
from tracker.errors import BadInput

DESTINATIONS: dict[str, type[AnyDestination]] = {
    one.kind: one for one in (Webhook, Bitrix24, Metrika)
}


def read(kind: str, settings: Mapping[str, Any]) -> AnyDestination:
    """The destination with these settings; raises BadInput naming the field."""
    found = DESTINATIONS.get(kind)
    if found is None:
        known = ", ".join(sorted(DESTINATIONS))
        raise BadInput(f"{kind} is none of {known}", field="kind")
    unknown = set(settings) - set(found.__dataclass_fields__)
    if unknown:
        raise BadInput("there is no such setting", field=min(unknown))
    try:
        destination = msgspec.convert(dict(settings), found)
    except msgspec.ValidationError as error:
        text, _, path = str(error).rpartition(" - at `$")
        field = path.strip("`.") if text else ""
        raise BadInput(text or str(error), field=field) from None
    destination.check()
    return destination


def wants(kind: str, settings: Mapping[str, Any], event: str) -> bool:
    """Whether a connection is to be told; one whose settings are bad is owed all the same."""
    try:
        return read(kind, settings).wants(event)
    except BadInput:
        return kind in DESTINATIONS and event in DESTINATIONS[kind].events
