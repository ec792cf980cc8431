"""Bytes of unknown or wrongly named charset → text that PostgreSQL can hold. Pure.

Russian mail comes in five code pages, often unnamed or misnamed. UTF-8 proves itself; among
the others a model of letters decides: how common each letter is in Russian, and that a
capital does not follow a small letter.
"""

import base64
import binascii
import codecs
import quopri
import re
import unicodedata

CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5")
_PRIOR = {"cp1251": 0.3, "koi8-r": 0.2, "cp866": -0.2, "iso8859-5": -0.3}
_ALIASES = {
    "win-1251": "cp1251",
    "win1251": "cp1251",
    "cp-1251": "cp1251",
    "windows1251": "cp1251",
    "x-cp1251": "cp1251",
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "koi-8": "koi8-r",
    "x-koi8-r": "koi8-r",
    "dos-866": "cp866",
    "utf8mb4": "utf-8",
    "ks_c_5601-1987": "cp949",
}
_NAMELESS = ("", "x-unknown", "unknown-8bit", "unknown", "default", "8bit", "binary")
_WESTERN = ("ascii", "iso8859-1", "cp1252", "iso8859-15", "latin-1")
_RARE = 0.2  # of a letter that Russian hardly uses
# Occurrences among a thousand letters of running text.
_COMMON = dict(
    zip(
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
        (110, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16,
         16, 14, 12, 10, 9, 7, 6, 5, 4, 3, 3, 0.4, 0.4),
        strict=True,
    )
)  # fmt: skip
MODEL = 4096  # bytes are enough to tell

_FOLD = re.compile(r"\r?\n(?=[ \t])|[\r\n]+")
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_CONTROLS = re.compile(
    "[\x01-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_BLANKS = re.compile(r"[^\S\n]+")
_MANY_LINES = re.compile(r"\n{3,}")
LONGEST = 20_000  # characters of a header field that are looked at


def decode(raw: bytes, charset: str = "") -> str:
    """The text, by the named charset when it fits, else by the best guess; never raises."""
    if raw.isascii() and not charset.lower().startswith(("utf-7", "iso-2022", "hz")):
        return raw.decode("ascii")
    name = _codec(charset)
    if name is not None and not (name in _WESTERN and _looks_cyrillic(raw)):
        try:
            return raw.decode(name)
        except (LookupError, ValueError, OverflowError):
            pass
    return guess(raw)


def _codec(charset: str) -> str | None:
    label = charset.strip().strip("\"'").lower()
    if label in _NAMELESS:
        return None
    try:
        return codecs.lookup(_ALIASES.get(label, label)).name
    except (LookupError, ValueError):
        return None


def guess(raw: bytes) -> str:
    """UTF-8 when it is, else the likeliest Cyrillic code page, else Western."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= max(len(raw) - 3, 8):  # cut inside a character
            return raw.decode("utf-8", "replace")
    sample = raw[:MODEL]
    if not _looks_cyrillic(sample):
        return raw.decode("cp1252", "replace")
    best = max(CYRILLIC, key=lambda name: _likeness(sample, name))
    return raw.decode(best, "replace")


def _looks_cyrillic(raw: bytes) -> bool:
    """Western text has few letters above ASCII, Cyrillic text has mostly such."""
    high = sum(byte >= 0x80 for byte in raw[:MODEL])
    letters = sum(chr(byte).isalpha() for byte in raw[:MODEL] if byte < 0x80)
    return high > 0.4 * (high + letters)


def _likeness(raw: bytes, name: str) -> float:
    """How much like Russian the bytes read in that code page; per character."""
    text = raw.decode(name, "replace")
    score, count, before = 0.0, 0, " "
    for symbol in text:
        if symbol.isascii():
            before = symbol
            continue
        count += 1
        weight = _COMMON.get(symbol.lower())
        if weight is None:
            score -= 3 if not symbol.isalpha() and symbol not in "«»—–№…“”„ " else 1
        else:
            score += _points(weight)
            if symbol.isupper() and before.isalpha():
                score -= 2 if before.islower() else 0.15
        before = symbol
    return score / max(count, 1) + _PRIOR[name]


def _points(weight: float) -> float:
    """From about 0 for the rarest letter to about 2.4 for the commonest."""
    return float(max(weight, _RARE) ** 0.2 - 0.7)


def words(value: str, hint: str = "") -> str:
    """A header field's value with its encoded words read (RFC 2047), as senders write them.

    `value` may hold raw bytes as surrogate escapes; `hint` is the charset the body names.
    """
    value = _FOLD.sub("", value[:LONGEST])
    pieces: list[tuple[str, bytes]] = []  # (charset; '' for raw text, bytes)
    end = 0
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        if between.strip() or not pieces or not pieces[-1][0]:
            pieces.append(("", _bytes(between)))
        charset, how, text = match.groups()
        raw = _unbase64(text) if how in "bB" else _unquote(text)
        if pieces and pieces[-1][0] == charset.lower():
            # One character may be cut between two words.
            pieces[-1] = (charset.lower(), pieces[-1][1] + raw)
        else:
            pieces.append((charset.lower(), raw))
        end = match.end()
    pieces.append(("", _bytes(value[end:])))
    return "".join(decode(raw, name or hint) for name, raw in pieces)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace")


def _escaped(text: str) -> bool:
    """Whether every surrogate in the text stands for a byte."""
    return all("\udc80" <= one <= "\udcff" for one in _SURROGATE.findall(text))


def _unbase64(text: str) -> bytes:
    """Base 64 with its padding mended."""
    kept = re.sub(r"[^A-Za-z0-9+/]", "", text)
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4))
    except (binascii.Error, ValueError):
        return b""


def _unquote(text: str) -> bytes:
    return quopri.decodestring(_bytes(text.replace("_", " ")), header=False)


def clean(text: str, most: int) -> str:
    """One line fit for PostgreSQL and for a page: no control, no direction trick."""
    text = _tidy(text[: most * 4])
    return _SPACE.sub(" ", text).strip()[:most].rstrip()


def clean_lines(text: str, most: int) -> str:
    """The same for text of several lines."""
    text = text[: most * 4].replace("\r\n", "\n").replace("\r", "\n")
    text = _BLANKS.sub(" ", _tidy(text)).replace(" \n", "\n").replace("\n ", "\n")
    return _MANY_LINES.sub("\n\n", text).strip()[:most].rstrip()


def _tidy(text: str) -> str:
    text = text.replace("\0", "")
    text = _SURROGATE.sub("\ufffd", text)
    return unicodedata.normalize("NFC", _CONTROLS.sub(" ", text))
