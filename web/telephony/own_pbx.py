"""What the exchanges that a company runs itself have in common: Asterisk, FreeSWITCH.

Pure. Their requests are ours to shape and nobody signs them: the token comes as `?token=`
or as the password of basic authentication, whichever the exchange's module can send. They
spell numbers as their trunk does, and keep recordings in a folder that may be published.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import msgspec

from numberpool import phones
from tracker.calls import Recording
from tracker.errors import BadInput, BadSignature
from web.telephony import fields, tokens, trunks
from web.telephony.base import Country, Hook, Provider, Token

USER = "skvoz"  # of basic authentication; any other is as good
BASIC = "basic "
# Folders whose insides are kept as they are when a file's address is made of its path.
FOLDERS = re.compile(r".*/(?:monitor|recordings)/")
NUMBER = "{number}"  # where the digits go in a dial string
# No commas, brackets or dollar signs: they would mean something in a dialplan.
DIAL = re.compile(r"[A-Za-z0-9_+:@./\-]*\{number\}[A-Za-z0-9_+:@./\-]*")
WITHHELD = ("prohib", "unavailable")  # beginnings
NOBODY = re.compile(r"0+")  # a caller id that some trunks send for a withheld one
Dial = Annotated[str, msgspec.Meta(max_length=200)]
Names = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Folder = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(https?://[^\s?#]+)?$", max_length=500, description="an address"
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPbx(Provider):
    """An exchange whose requests our own recipe makes."""

    routes: ClassVar[bool] = True

    token: Token  # of the address, or the password of basic authentication
    country: Country = "RU"  # how the trunk's spellings of phones are read
    own_routing: bool = False  # the exchange knows where its calls go; we only listen
    recordings: Folder = ""  # where the folder of recordings is published

    def verify(self, hook: Hook) -> None:
        password = _password(hook.header("authorization"))
        if password is not None:
            return tokens.compare(password, self.token)
        # mod_json_cdr adds "?uuid=…" whether or not there is a query already.
        sent = dict(hook.params).get("token", "").partition("?")[0]
        return tokens.compare(sent, self.token)

    def caller(self, raw: Any, *, withheld: bool = False) -> tuple[str | None, bool]:
        """The number, and whether the caller hides it."""
        spelled = fields.text(raw)
        if withheld or phones.is_hidden(spelled) or NOBODY.fullmatch(spelled):
            return None, True
        return trunks.number(spelled, self.country), False

    def recording(self, raw: Any) -> Recording | None:
        """A recording by its address, or by its path in the published folder."""
        told = fields.text(raw, fields.LONGEST_LINK + 1)
        if url := fields.link(told):
            return Recording(id=told[-fields.LONGEST_KEY :], url=url)
        inside = FOLDERS.sub("", told) if FOLDERS.match(told) else told.rpartition("/")[2]  # fmt: skip
        parts = [part for part in inside.split("/") if part not in ("", ".", "..")]
        if not (self.recordings and parts):
            return None
        path = "/".join(parts)
        url = fields.link(f"{self.recordings.rstrip('/')}/{quote(path)}")
        return Recording(id=path[-fields.LONGEST_KEY :], url=url) if url else None


def check_dial(dial: str, like: str) -> None:
    """Raises BadInput when it is no dial string with a place for the number."""
    if not DIAL.fullmatch(dial):
        raise BadInput(f"must be like {like}", field="dial")


def withheld(presentation: str) -> bool:
    """Whether Asterisk's CALLERID(num-pres) says that the caller hides his number."""
    return presentation.startswith(WITHHELD)


def names(setting: str) -> frozenset[str]:
    """The names of a list with commas."""
    return frozenset(one.strip() for one in setting.split(",") if one.strip())


def _password(header: str) -> str | None:
    """Of basic authentication; None where there is none; raises BadSignature."""
    if header[: len(BASIC)].lower() != BASIC:
        return None
    try:
        pair = base64.b64decode(header[len(BASIC) :].strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("the basic authentication is broken") from None
    return pair.decode("utf-8", "replace").partition(":")[2]
