"""Forms sent as `multipart/form-data` (RFC 7578), as a PHP client sends an array.

Pure, and small on purpose: text fields only, nothing is unpacked or decoded. Who sends a body
that is cut off tells less, never something else.
"""

import re

from tracker.errors import Unreadable
from web.telephony.base import MOST_FIELDS

BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary="?([^";,\s]{1,70})', re.I)
NAME = re.compile(rb'form-data;[^\r\n]*?\bname="([^"\r\n]{0,200})"', re.I)


def boundary(content_type: str) -> str:
    """What parts the body; an empty string when it is no such form."""
    found = BOUNDARY.match(content_type.strip())
    return found[1] if found else ""


def fields(body: bytes, boundary: str) -> dict[str, str]:
    """The first value of each name; raises Unreadable."""
    delimiter = b"\r\n--" + boundary.encode("utf-8", "replace")
    parts = (b"\r\n" + body).split(delimiter, MOST_FIELDS + 1)
    if len(parts) > MOST_FIELDS + 1:
        raise Unreadable(f"form: more than {MOST_FIELDS} fields")
    told: dict[str, str] = {}
    for part in parts[1:-1]:  # after the last delimiter stands nothing of the form
        head, blank, value = part.partition(b"\r\n\r\n")
        if blank and (name := NAME.search(head)):
            told.setdefault(name[1].decode("utf-8", "replace"), value.decode("utf-8", "replace"))  # fmt: skip
    return told
