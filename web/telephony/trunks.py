"""Numbers of exchanges that spell them as their trunk does: 495…, 8495…, 7495…, +7495….

Pure. Section 2.1 of the telephony notes: the national plan comes first, because eleven
digits that begin with 8 are a Russian number on a Russian trunk and a Vietnamese one
elsewhere; what cannot be national and is long enough is international without its plus.
"""

import re
from typing import Any

from numberpool import phones
from web.telephony import fields

SHORTEST = 7  # digits; anything shorter is an extension or a short code
INTERNATIONAL = 11  # digits that no national spelling of the country explains
_RUN = re.compile(r"\+?[0-9][0-9 ().\-]{5,}")


def number(raw: Any, country: str) -> str | None:
    """The number in E.164; None for hidden callers, extensions and SIP names."""
    spelled = fields.text(raw, phones.LONGEST_INPUT + 1)
    if phones.is_hidden(spelled):
        return None
    bare = _bare(spelled)
    digits = re.sub(r"[^0-9]", "", bare)
    if len(digits) < SHORTEST or re.search(r"[^0-9+ ().\-]", bare):
        return None
    russian = country in phones.RUSSIAN_PLAN
    plan: phones.Plan = "ru-local" if russian else "e164"
    national = phones.digits_to_e164(bare, plan) or phones.e164(bare, country)
    if national or len(digits) < INTERNATIONAL or (russian and digits[0] == "7"):
        return national  # 7 and more than eleven digits is some trunks' junk
    return phones.digits_to_e164(digits, "e164-no-plus")


def within(raw: Any, country: str) -> str | None:
    """The number inside a label such as "DID Sales +7 495 100-00-01"."""
    runs = _RUN.findall(fields.text(raw))
    return next((one for run in runs if (one := number(run, country))), None)


def _bare(spelled: str) -> str:
    """The number of an address like sip:+74951000001@pbx;transport=udp."""
    bare = spelled.partition("@")[0].partition(";")[0]
    scheme, colon, rest = bare.partition(":")
    known = colon and scheme.lower() in ("tel", "sip", "sips")
    return (rest if known else bare).strip()
