"""The tags in a landing address: utm and its relatives, click ids, Openstat, Roistat.

`read` takes the query apart once and keeps only what is known, decoded, cleaned and
bounded; the small readers below it unpack the formats that put several facts into one
value. Pure; whatever comes, nothing is raised.
"""

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import msgspec

from tracker import source_tables

MAX_ADDRESS = 4096  # characters of an address that are looked at
MAX_VALUE = 255
MAX_ID = 512  # a longer click id is no id: cut, it would be somebody else's
MAX_PACKED = 2048  # values that are unpacked further, and the Openstat base64

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
LABELS = (  # stored as they are, they decide nothing (except that `erid` means an ad)
    "utm_id",
    "utm_source_platform",
    "utm_creative_format",
    "utm_marketing_tactic",
    "from",
    "frommarket",
    "erid",
    "roistat_referrer",
    "roistat_pos",
    *(f"roistat_param{number}" for number in range(1, 6)),
)
OPENSTAT = ("openstat_service", "openstat_campaign", "openstat_ad", "openstat_source")
_PACKED = frozenset({"utm_referrer", "roistat", "rs", "_openstat"})

# The Matomo family says the same as utm under many names; utm goes before it.
_MATOMO = {
    f"{prefix}_{name}": f"matomo_{field}"
    for prefix in ("pk", "piwik", "mtm", "matomo")
    for name, field in (
        ("campaign", "campaign"),
        ("cpn", "campaign"),
        ("kwd", "term"),
        ("keyword", "term"),
        ("source", "source"),
        ("medium", "medium"),
        ("content", "content"),
    )
}
_SLOTS = _MATOMO | {
    name: name
    for name in (*UTM, *LABELS, *OPENSTAT, *_PACKED, *source_tables.CLICK_IDS)
}
_NAMES = {
    field: (f"utm_{field}", f"matomo_{field}")
    for field in ("source", "medium", "campaign", "content", "term")
}
_LABELS = frozenset(LABELS)
_CAMPAIGN_SLOTS = frozenset({*UTM, *_MATOMO.values()})

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ID_MACRO = re.compile(r".*\{.*|__[A-Z_]+__")  # ids are random: `__AB__` may be inside
_MACRO = re.compile(r"\{[A-Za-z_][\w.:-]*\}|__[A-Z][A-Z_]+__")


# A struct rather than a dataclass: one is made at every visit, and made five times faster.
class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What one landing address carries. All texts are safe for PostgreSQL."""

    values: dict[str, str]
    click_ids: dict[str, str]
    macro: bool  # some value is a macro that its ad system did not fill in

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def utm(self, field: str) -> str:
        """`source`, `medium`, `campaign`, `content` or `term`, whoever's name it bears."""
        utm, matomo = _NAMES[field]
        values = self.values
        return values.get(utm) or values.get(matomo, "")

    @property
    def labels(self) -> dict[str, str]:
        values = self.values
        return {name: values[name] for name in values if name in _LABELS}


def clean(text: str, limit: int = MAX_VALUE) -> str:
    """The text without control characters and outer blanks, cut to the limit."""
    if not text.isprintable():
        text = _UNSAFE.sub("", text)
    return text.strip()[:limit].rstrip()


_NOTHING = Tags(values={}, click_ids={}, macro=False)


def read(address: str) -> Tags:
    """The known tags of an address. The first non-empty value of a name wins."""
    if "=" not in address:
        return _NOTHING
    page, _, fragment = clean(address, MAX_ADDRESS).partition("#")
    values: dict[str, str] = {}
    _collect(page.partition("?")[2], values)
    if fragment and _CAMPAIGN_SLOTS.isdisjoint(values):
        behind: dict[str, str] = {}
        _collect(fragment.rpartition("?")[2], behind)
        values |= {n: value for n, value in behind.items() if n in _CAMPAIGN_SLOTS}
    known = source_tables.CLICK_IDS
    ids = {n: values.pop(n) for n in [name for name in values if name in known]}
    if not _may_be_macro(address):
        found = {name: one for name, one in ids.items() if len(one) <= MAX_ID}
        return Tags(values=values, click_ids=found, macro=False)
    empty = {name for name, value in ids.items() if _ID_MACRO.fullmatch(value)}
    return Tags(
        values=values,
        click_ids={
            name: value
            for name, value in ids.items()
            if len(value) <= MAX_ID and name not in empty
        },
        macro=bool(empty) or any(map(_MACRO.search, values.values())),
    )


def _may_be_macro(address: str) -> bool:
    """Cheaply: no address without these has an ad system's macro in it."""
    return "{" in address or "__" in address or "%" in address


def parameter(query: str, names: tuple[str, ...]) -> str:
    """The first of these parameters that is in the query and not empty."""
    for name in names:
        for pair in query.split("&"):
            key, _, raw = pair.partition("=")
            if key.lower() == name and (value := clean(decode(raw))):
                return value
    return ""


def decode(raw: str, *, plus: bool = True) -> str:
    """Percent-decoded once; bytes that are not UTF-8 are taken for windows-1251."""
    if plus:
        raw = raw.replace("+", " ")
    if "%" not in raw:
        return raw
    return _text(unquote_to_bytes(raw))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1251", errors="replace")


def _collect(query: str, values: dict[str, str]) -> None:
    for pair in query.split("&"):
        name, _, raw = pair.partition("=")
        if not raw:
            continue
        if "%" in name:
            name = decode(name)
        # `&amp;`: an address that was escaped for HTML once too often
        slot = _SLOTS.get(name.lower().removeprefix("amp;"))
        if slot is None or slot in values:
            continue
        if value := _value(slot, raw):
            values[slot] = value


def _value(slot: str, raw: str) -> str:
    if raw.isalnum() and raw.isascii() and len(raw) <= MAX_VALUE:
        return raw  # as most are: nothing to decode, nothing to clean
    if slot in source_tables.CLICK_IDS:
        return clean(decode(raw, plus=False), MAX_ID + 1)  # one more shows it too long
    if slot in _PACKED:
        return clean(decode(raw, plus=slot != "_openstat"), MAX_PACKED)
    return clean(decode(raw))


@dataclass(frozen=True, slots=True, kw_only=True)
class Openstat:
    """`service;campaign;ad;source`, the label of Russian ad systems before utm."""

    service: str
    campaign: str
    ad: str


def openstat(tags: Tags) -> Openstat | None:
    """Coded, uncoded or spread over parameters; None where there is none to be read."""
    parts = _openstat_parts(tags.get("_openstat")) or [tags.get(n) for n in OPENSTAT]
    service, campaign, ad, *_ = (*map(clean, parts), "", "", "")
    if not service:
        return None
    return Openstat(service=service, campaign=campaign, ad=ad)


def _openstat_parts(value: str) -> list[str]:
    if ";" not in value:
        value = _unpack(value)
    return value.split(";", 3) if ";" in value else []


def _unpack(value: str) -> str:
    """Base64, URL-safe or not, padded or not; empty when it is something else."""
    value = value.replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return ""
    return _text(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A Roistat marker, unpacked; an empty source or medium is not told by it."""

    source: str
    medium: str
    campaign: str = ""
    content: str = ""
    term: str = ""


_SYSTEM = re.compile(r"([a-z]+)\d*", re.IGNORECASE)


def marker(tags: Tags) -> Marker | None:
    """The path of the `roistat` or `rs` parameter: `<system>_<type>_<ad>_<keyword>`."""
    path = tags.get("roistat") or tags.get("rs")
    if not path:
        return None
    system, second, third, rest = map(clean, (path.split("_", 3) + [""] * 3)[:4])
    if system.lower() == "seo":  # written by Roistat itself for visits without tags
        phrase = clean("_".join(filter(None, (third, rest))))
        return Marker(source=second, medium="organic", term=phrase)
    numbered = _SYSTEM.fullmatch(system)
    known = source_tables.MARKERS.get(numbered[1].lower()) if numbered else None
    source, medium = (known.source, known.medium) if known else (system, "")
    if second.lower() in ("search", "context"):
        content = clean(".".join(filter(None, (second, third))))
        return Marker(source=source, medium=medium, content=content, term=rest)
    return Marker(
        source=source, medium=medium, campaign=second, content=third, term=rest
    )
