"""Telephony providers: one file each; README.md beside this file says how to add one."""

import dataclasses
import re
from typing import Any

import msgspec

from tracker.errors import BadInput
from web.telephony.base import Answer, Hook, Provider, Route
from web.telephony.generic import Generic
from web.telephony.mango import Mango
from web.telephony.twilio import Twilio

__all__ = ["PROVIDERS", "Answer", "Hook", "Provider", "Route", "make"]

PROVIDERS: dict[str, type[Provider]] = {
    provider.kind: provider for provider in (Generic, Mango, Twilio)
}


def make(kind: str, settings: dict[str, Any], *, strict: bool = False) -> Provider:
    """The provider with these settings; raises BadInput naming the field and the remedy.

    `strict` refuses names that are no settings: right when an owner saves them. Settings
    that were saved by a newer version are still read without it.
    """
    made = PROVIDERS.get(kind)
    if made is None:
        raise BadInput(f"must be one of {', '.join(PROVIDERS)}", field="kind")
    if strict:
        known = [field.name for field in dataclasses.fields(made)]
        for name in sorted(set(settings).difference(known)):
            raise BadInput(f"is no setting; there are {', '.join(known)}", field=name)
    try:
        provider = msgspec.convert(settings, made)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    provider.check()
    return provider


def _explained(message: str) -> BadInput:
    """msgspec's message with the setting's name first."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return BadInput("is required", field=missing[1])
    text, _, place = message.partition(" - at `$.")
    return BadInput(text, field=place.rstrip("`"))
