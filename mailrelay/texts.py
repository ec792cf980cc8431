"""What a person wrote: HTML made into lines, quotations cut off, phones found. Pure."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher

LONGEST = 20_000  # characters that phones are looked for in
MOST_PHONES = 10

_UNSEEN = frozenset(("style", "script", "head", "title", "template", "noscript"))
_EMPTY = frozenset(
    ("br", "img", "hr", "input", "meta", "link", "area", "base", "col", "wbr", "embed")
)
_BLOCKS = frozenset(
    ("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr", "ul",
     "ol", "section", "article", "header", "footer", "pre", "address")
)  # fmt: skip
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.I
)


class _Lines(HTMLParser):
    """Collects visible text, one block a line; hrefs of `tel:` stand beside their text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []  # open elements since the outermost hidden one

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag in _EMPTY:
            return
        attributes = dict(attrs)
        style = attributes.get("style") or ""
        # Mail programs mark the letter that is answered with `blockquote`.
        unseen = tag in _UNSEEN or tag == "blockquote" or "hidden" in attributes
        if self._hidden or unseen or _HIDDEN.search(style):
            self._hidden.append(tag)
            return
        href = attributes.get("href") or ""
        if href[:4].lower() == "tel:":
            self.parts.append(f" {href[4:60]} ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:  # whatever was left open inside closes with it
            while self._hidden.pop() != tag:
                continue
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " ").replace("\r", " "))


def of_html(html: str) -> str:
    """The visible text of a page, roughly as it is laid out."""
    parser = _Lines()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(lines)


_SEPARATOR = re.compile(
    r"^[\s>]*[-_*=]{2,}\s*(?:"
    r"original message|forwarded message|reply message|begin forwarded message|"
    r"исходное сообщение|исходное письмо|оригинал письма|пересылаемое сообщение|"
    r"пересылаемое письмо|перенаправленное сообщение|конец пересылаемого сообщения"
    r")\b",
    re.I,
)
_FIELD = re.compile(
    r"^\s*\*?(?:from|от|от кого|отправитель|sent|отправлено|date|дата|to|кому|subject|тема)"
    r"\*?\s*:",
    re.I,
)
_FROM = re.compile(r"^\s*\*?(?:from|от|от кого|отправитель)\*?\s*:", re.I)
# "Пн, 2 нояб. 2026 г. в 12:00, Иван <ivan@client.example>:" and "On … wrote:".
_SAYS = re.compile(
    r"(?:пишет|писал|писала|писал\(а\)|написал|написала|написал\(а\)|wrote|writes)\s*:?\s*$",
    re.I,
)
_DATED = re.compile(r"\d{1,2}[:.]\d{2}.*<[^<>@\s]+@[^<>\s]+>\s*:?\s*$")
_NEXT = 4  # lines within which a second field follows the first of a quoted header


def unquoted(text: str) -> str:
    """The text up to the letter it answers, without lines that quote."""
    lines = text.replace("\r\n", "\n").split("\n")
    kept = []
    for number, line in enumerate(lines):
        if _begins_quotation(lines, number):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    return "\n".join(kept)


def _begins_quotation(lines: Sequence[str], number: int) -> bool:
    line = lines[number][:500]
    if _SEPARATOR.match(line) or _DATED.search(line):
        return True
    if _SAYS.search(line):  # the attribution may be broken over two lines
        both = (lines[number - 1][:500] if number else "") + line
        return "@" in both or any(symbol.isdigit() for symbol in both)
    if _FROM.match(line):
        return any(_FIELD.match(one) for one in lines[number + 1 : number + _NEXT])
    return False


# What stands before a number that is no phone.
_OTHER_NUMBER = re.compile(
    r"(?:инн|кпп|огрн|огрнип|окпо|бик|снилс|р/с|к/с|р\.с\.|сч[её]т\w*|заказ\w*|договор\w*|"
    r"накладн\w*|артикул\w*|паспорт\w*|трек\w*|карт\w*|№|#|id|order|invoice|inn|iban|account)"
    r"[\s:.№#-]*$",
    re.I,
)
_BEFORE = 24  # characters looked at before a number


def phones(text: str, region: str = "RU") -> tuple[str, ...]:
    """Telephone numbers in the text, E.164, in order of appearance."""
    text = text[:LONGEST]
    found: dict[str, None] = {}
    try:
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            if _is_phone(text, match.start, match.raw_string):
                number = phonenumbers.format_number(
                    match.number, PhoneNumberFormat.E164
                )
                found.setdefault(number)
            if len(found) >= MOST_PHONES:
                break
    except (phonenumbers.NumberParseException, ValueError):
        pass
    return tuple(found)


def _is_phone(text: str, start: int, raw: str) -> bool:
    if _OTHER_NUMBER.search(text[max(0, start - _BEFORE) : start]):
        return False
    # Ten bare digits are a taxpayer's number as often as a phone; a mobile begins with 9.
    return not (raw.isdigit() and len(raw) == 10 and raw[0] != "9")
