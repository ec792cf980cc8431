"""Phone numbers: whatever was typed or told becomes E.164, E.164 becomes what people read.

Pure. What people type is read with `phonenumbers`; what a provider's machine tells follows
that provider's number plan and is never guessed at, because the same eleven digits are a
Moscow number in one plan and a Vietnamese one in another.
"""

import re
from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

Plan = Literal["e164", "e164-no-plus", "ru-local"]

LONGEST_INPUT = 64  # characters; nothing longer is a phone number
RUSSIAN_PLAN = ("RU", "KZ")  # country code 7, trunk prefix 8
TOLL_FREE = "+7800"

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164: at most 15 digits
_DIGIT = re.compile(r"[0-9]")
_FILLERS = re.compile(r"[\s().\-\u2010-\u2015\u2212]")
_SCHEME = re.compile(r"^(?:tel|sips?):", re.IGNORECASE)

HIDDEN = frozenset(
    {
        "", "anonymous", "restricted", "private", "unavailable", "unknown", "withheld",
        "blocked", "undisclosed", "hidden", "скрыт", "0", "null", "<unknown>",
        # The same words spelled on a phone's keypad; some carriers send them as the number.
        "266696687", "7378742833", "86282452253", "8656696", "2562533",
    }
)  # fmt: skip


def is_e164(text: str) -> bool:
    """Whether the text is a plus and 7 to 15 digits, nothing else."""
    return _E164.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def e164(text: str, country: str = "RU") -> str | None:
    """A number as people type it, in E.164; None when it is none.

    `country` (ISO 3166) says how a number without a country code is read. Only the length
    is checked beyond the form: ranges are opened more often than tables are updated.
    """
    if len(text) > LONGEST_INPUT:
        return None
    if country in RUSSIAN_PLAN and (number := _russian(_digits(text))):
        return number
    try:
        parsed = phonenumbers.parse(text, country)
    except NumberParseException:
        return None
    verdict = phonenumbers.is_possible_number_with_reason(parsed)
    if verdict != ValidationResult.IS_POSSIBLE:
        return None
    number = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return number if is_e164(number) else None


@lru_cache(maxsize=4096)
def display(number: str) -> str:
    """An E.164 number as people read it: "+7 495 100-00-01", "8 800 100-00-01".

    Toll-free numbers of country code 7 are known by their 8-800 form and are dialled so.
    """
    if re.fullmatch(r"\+7[0-9]{10}", number):
        head = "8" if number.startswith(TOLL_FREE) else "+7"
        return f"{head} {number[2:5]} {number[5:8]}-{number[8:10]}-{number[10:]}"
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=65_536)
def kind(number: str) -> str:
    """What people see in an E.164 number: "+7 495", "+7 toll-free", "+7 mobile".

    Two numbers of one kind are taken for numbers of the same town, or cost the caller the
    same.
    """
    if len(number) == 12 and number.startswith(("+73", "+74", "+78", "+79")):
        return _russian_kind(number)
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return number
    country = f"+{parsed.country_code}"
    type_ = phonenumbers.number_type(parsed)
    if type_ == PhoneNumberType.TOLL_FREE:
        return f"{country} toll-free"
    area = phonenumbers.length_of_geographical_area_code(parsed)
    if type_ != PhoneNumberType.MOBILE and area:
        return f"{country} {phonenumbers.national_significant_number(parsed)[:area]}"
    return f"{country} mobile" if type_ == PhoneNumberType.MOBILE else country


def _russian_kind(number: str) -> str:
    """By the code alone: pools of ten thousand numbers are looked through."""
    if number.startswith(("+7800", "+7804")):
        return "+7 toll-free"
    return "+7 mobile" if number[2] == "9" else f"+7 {number[2:5]}"


def same_spelling(pattern: str, number: str) -> str:
    """The number written the way `pattern` (what stands on the page) is written.

    "8 (495) 000-00-00" and +74951000001 give "8 (495) 100-00-01". Where the digits do not
    fit one to one, the usual `display`.
    """
    wanted = len(_DIGIT.findall(pattern))
    digits = _spelled(pattern, wanted, number)
    if digits is None or wanted == 0:
        return display(number)
    left = iter(digits)
    return _DIGIT.sub(lambda _: next(left), pattern)


def _spelled(pattern: str, wanted: int, number: str) -> str | None:
    """The digits to put in place of the pattern's `wanted` ones; None: they do not fit."""
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return None
    national = phonenumbers.national_significant_number(parsed)
    if wanted == len(national):
        return national
    trunk = _trunk_prefix(parsed)
    first = "".join(_DIGIT.findall(pattern))[: len(trunk)]
    if "+" not in pattern and trunk and first == trunk:
        return trunk + national if wanted == len(trunk + national) else None
    return number[1:] if wanted == len(number) - 1 else None


def _trunk_prefix(parsed: phonenumbers.PhoneNumber) -> str:
    """What is dialled before a number inside its country: 8 in Russia, 0 in Britain."""
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    return (metadata.national_prefix or "") if metadata else ""


def is_hidden(raw: str | None) -> bool:
    """Whether a provider's caller field says that the caller withheld the number."""
    if raw is None:
        return True
    word = _user_part(raw[:LONGEST_INPUT]).casefold()
    return word in HIDDEN or word.removeprefix("+") in HIDDEN


def digits_to_e164(raw: str | None, plan: Plan = "e164") -> str | None:
    """A provider's number in E.164, read by the plan that its connector declares.

    None for withheld callers, extensions, short codes and SIP users. A plus is believed in
    every plan. Without one: `e164` takes only a leading 00; `e164-no-plus` takes the digits
    as international; `ru-local` reads the spellings of Russian trunks and 810.
    """
    if raw is None or len(raw) > LONGEST_INPUT or is_hidden(raw):
        return None
    text = _FILLERS.sub("", _user_part(raw))
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if not text.startswith("+"):
        digits = _international(digits, plan)
    return number if is_e164(number := f"+{digits}") else None


def _international(digits: str, plan: Plan) -> str:
    """Country code and number; an empty string when the plan cannot tell."""
    if plan == "e164-no-plus":
        return digits
    if plan == "ru-local":
        if number := _russian(digits):
            return number[1:]
        return digits[3:] if digits.startswith("810") and len(digits) > 11 else ""
    return digits[2:] if digits.startswith("00") else ""


def _russian(digits: str) -> str | None:
    """The national spellings of country code 7: 10 digits, 8 and 10, or 7 and 10."""
    if len(digits) == 10 and digits[0] in "3489":
        return f"+7{digits}"
    if len(digits) == 11 and digits[0] in "78":
        return f"+7{digits[1:]}"
    return None


def _digits(text: str) -> str:
    """The digits of a plainly written number without a plus; else an empty string."""
    plain = _FILLERS.sub("", text)
    return plain if plain.isascii() and plain.isdigit() else ""


def _user_part(raw: str) -> str:
    """What stands before the host and the parameters of a tel: or sip: address."""
    return re.split(r"[@;]", _SCHEME.sub("", raw.strip()), maxsplit=1)[0].strip()
