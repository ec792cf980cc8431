"""Reads the cells of a file of costs: days, sums of money, counts and labels. Pure.

Money is never guessed at: `vote` says what a sum tells about the file's decimal mark, and
`money` reads all sums by the one mark that was found.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from tracker import costs, tags
from tracker.errors import BadInput

LONGEST = 4096  # characters
LONGEST_RANGE = 366  # days of one row
NO_VALUE = ("--", "-", "—")  # how Direct writes what it does not know
MARKS = (".", ",")

_FILLERS = re.compile(r"[\s\u00a0\u202f'’]|^[₽$€]|(?:₽|руб\.?|[$€])$", re.IGNORECASE)
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d")
_ONE_DAY = re.compile(r"\d{4}([-./])\d\d?\1\d\d?|\d\d?\.\d\d?\.\d{4}|\d{8}", re.ASCII)
_BETWEEN = ("/", "..", " - ", "–", "—")
_NUMBER = {
    ".": re.compile(r"(?:\d{1,20}|\d{1,3}(?:,\d{3}){1,5})(?:\.\d{1,20})?", re.ASCII),
    ",": re.compile(r"(?:\d{1,20}|\d{1,3}(?:\.\d{3}){1,5})(?:,\d{1,20})?", re.ASCII),
}
_UNCLEAR = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_CURRENCIES = {"₽": "RUB", "РУБ": "RUB", "РУБ.": "RUB", "RUR": "RUB"}


class Wrong(Exception):
    """What is wrong with a cell, and what would be right."""


@lru_cache(maxsize=4096)
def days(text: str) -> tuple[date, date]:
    """The first and the last day: of one day the same, of `2026-03-01/2026-03-31` both."""
    if day := _day(text):
        return day, day
    for between in _BETWEEN:
        first, found, last = text.partition(between)
        since, until = _day(first), _day(last)
        if not (found and since and until):
            continue
        if until < since:
            raise Wrong("ends before it begins")
        if (until - since).days >= LONGEST_RANGE:
            raise Wrong(f"may have {LONGEST_RANGE} days at most")
        return since, until
    raise Wrong(
        f"{_shown(text)} is not a day like 2026-03-01 or 01.03.2026, "
        "nor two of them like 2026-03-01/2026-03-31"
    )


def _day(text: str) -> date | None:
    text = text.strip()
    if not _ONE_DAY.fullmatch(text):
        return None
    for form in _DATES:
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a calendar's day
        except ValueError:
            continue
        return day if costs.EARLIEST <= day <= costs.LATEST else None
    return None


def vote(text: str) -> str | None:
    """Which decimal mark the sum shows; None: any could be, "?": it must be known first."""
    number = _bare(text)
    marks = [symbol for symbol in number if symbol in MARKS]
    if not marks:
        return None
    if len(set(marks)) == 2:
        return marks[-1]
    if len(marks) > 1:  # the groups of thousands
        return "," if marks[0] == "." else "."
    return "?" if _UNCLEAR.fullmatch(number) else marks[0]


def money(text: str, mark: str) -> Decimal:
    """A sum, to four digits after the decimal mark; a dash is nothing."""
    if text in NO_VALUE:
        return Decimal(0)
    number = _bare(text)
    if not number:
        raise Wrong("is empty; write 0 where nothing was paid")
    if not _NUMBER[mark].fullmatch(number):
        if number[0] in "-−" and _NUMBER[mark].fullmatch(number[1:]):
            raise Wrong("must not be negative")
        raise Wrong(f"{_shown(text)} is not a number like 1234{mark}56")
    plain = number.replace("," if mark == "." else ".", "").replace(",", ".")
    try:
        return costs.check_amount(Decimal(plain))
    except BadInput:
        raise Wrong(f"must be below {costs.MOST_AMOUNT}") from None


def count(text: str, mark: str) -> int:
    """How many clicks or impressions; nothing is none."""
    if not text:
        return 0
    amount = money(text, mark)
    if amount != int(amount):
        raise Wrong(f"{_shown(text)} is not a whole number")
    if amount >= costs.MOST_COUNT:
        raise Wrong(f"must be below {costs.MOST_COUNT}")
    return int(amount)


def currency(text: str, wanted: str) -> None:
    """Raises Wrong for any other than the site's."""
    told = text.strip().upper()
    if told and _CURRENCIES.get(told, told) != wanted:
        raise Wrong(
            f"the site counts in {wanted}, not in {_shown(text)}: convert the costs first"
        )


@lru_cache(maxsize=4096)
def label(text: str) -> str:
    """A label as it is kept; a dash is none."""
    return "" if text in NO_VALUE else tags.clean(text)


def told_label(text: str) -> str:
    """A label that must be there."""
    if found := label(text):
        return found
    raise Wrong("is empty; use the words of your links, for instance yandex and cpc")


def _bare(text: str) -> str:
    return text if text.isdecimal() else _FILLERS.sub("", text)


def _shown(text: str) -> str:
    text = tags.clean(text, 41)
    return repr(text if len(text) <= 40 else text[:40] + "…")
