"""Numbers of providers that tell a country code and a number without a plus: 74951000001.

Pure. Section 2.1 of the telephony notes, plan `e164-no-plus`. A toll-free 8 800 number is one
wherever it is written so: eleven digits that begin with 8800 are no number of Bangladesh
(+880) either. An account that writes numbers as they are dialled in its country says so.
"""

import re
from typing import Any

from numberpool import phones
from web.telephony import fields

TOLL_FREE = re.compile(r"8(80[04][0-9]{7})")


def number(raw: Any, country: str | None = None) -> str | None:
    """E.164; None for withheld callers, extensions and SIP users."""
    spelled = fields.text(raw, phones.LONGEST_INPUT + 1)
    if phones.is_hidden(spelled):
        return None
    if country and (local := phones.e164(spelled, country)):
        return local
    if toll_free := TOLL_FREE.fullmatch(re.sub(r"[\s().\-]", "", spelled)):
        return f"+7{toll_free[1]}"
    return phones.digits_to_e164(spelled, "e164-no-plus")
