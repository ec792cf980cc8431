"""Telephony providers: one file each; README.md beside this file says how to add one."""

import re
from typing import Any

import msgspec

from tracker.errors import BadInput
from web.telephony.asterisk import Asterisk
from web.telephony.base import Answer, Hook, Provider, Route
from web.telephony.beeline import Beeline
from web.telephony.bitrix24 import Bitrix24
from web.telephony.exolve import Exolve
from web.telephony.freeswitch import FreeSwitch
from web.telephony.generic import Generic
from web.telephony.mango import Mango
from web.telephony.megafon import Megafon
from web.telephony.plivo import Plivo
from web.telephony.telnyx import Telnyx
from web.telephony.threecx import ThreeCX
from web.telephony.twilio import Twilio
from web.telephony.uis import Uis
from web.telephony.vonage import Vonage
from web.telephony.voximplant import Voximplant
from web.telephony.zadarma import Zadarma

__all__ = ["PROVIDERS", "Answer", "Hook", "Provider", "Route", "make"]

PROVIDERS: dict[str, type[Provider]] = {
    provider.kind: provider
    for provider in (
        Asterisk,
        Beeline,
        Bitrix24,
        Exolve,
        FreeSwitch,
        Generic,
        Mango,
        Megafon,
        Plivo,
        Telnyx,
        ThreeCX,
        Twilio,
        Uis,
        Vonage,
        Voximplant,
        Zadarma,
    )
}


def make(kind: str, settings: dict[str, Any]) -> Provider:
    """The provider with these settings; raises BadInput naming the field and the remedy.

    Names that are no settings are passed over (`tracker.connections` refuses them when they
    are saved), so that what a newer version saved is still read.
    """
    made = PROVIDERS.get(kind)
    if made is None:
        raise BadInput(f"must be one of {', '.join(PROVIDERS)}", field="kind")
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
