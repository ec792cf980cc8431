"""Every spelling of a number is found and kept; other digits never are."""

import re
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tests.snippet.conftest import Spelling

OWN = "+74950000000"
OTHER = "+74951234567"

many = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# ---- what a library prints ---------------------------------------------------------

TYPES = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE)
ABROAD = ("RU", "KZ", "US", "GB", "DE", "AU", "JP", "BR", "CN")
PRINTED = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)
SHORTEST_ALONE = 7  # fewer digits without a prefix could be anything


def examples() -> Iterator[phonenumbers.PhoneNumber]:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for type_ in TYPES:
            number = phonenumbers.example_number_for_type(region, type_)
            if number is not None:
                yield number


def prints(number: phonenumbers.PhoneNumber) -> set[str]:
    """Every way in which phonenumbers writes a number."""
    ways = {phonenumbers.format_number(number, way) for way in PRINTED}
    for region in ABROAD:
        ways.add(phonenumbers.format_out_of_country_calling_number(number, region))
        for spaced in (True, False):
            ways.add(
                phonenumbers.format_number_for_mobile_dialing(number, region, spaced)
            )
    return ways - {""}


def tellable(printed: str, national: str) -> bool:
    """Whether the print shows all national digits in a row, and enough of them.

    Argentina writes its mobile numbers inside the country with other digits.
    """
    digits = re.sub(r"\D", "", printed)
    return digits.endswith(national) and len(digits) >= SHORTEST_ALONE


def other_national(national: str) -> str:
    """Digits of another number that is as long."""
    return "".join(str((int(digit) + 3) % 10) for digit in national)


def respelt(text: str, old: str, new: str) -> str:
    """The text with its last `old` digits written as `new`, nothing else touched."""
    digits = re.sub(r"\D", "", text)
    assert digits.endswith(old)
    written = iter(digits.removesuffix(old) + new)
    return re.sub(r"\d", lambda _: next(written), text)


@pytest.mark.parametrize("around", ["{}", "Тел. {}, звоните", "«{}»", "a\n{}\nb"])
def test_whatever_phonenumbers_prints_is_found_and_keeps_its_shape(
    spelling: Spelling, around: str
):
    missed = []
    for number in examples():
        own = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        national = phonenumbers.national_significant_number(number)
        fresh = other_national(national)
        for printed in prints(number):
            if not tellable(printed, national):
                continue
            text = around.format(printed)
            to = own.removesuffix(national) + fresh
            expected = around.format(respelt(printed, national, fresh))
            if spelling.swap(text, own, to)[0] != expected:
                missed.append((own, printed))
    assert missed == []


def test_only_argentine_mobile_and_very_short_numbers_cannot_be_told_in_some_print():
    untold = {
        phonenumbers.region_code_for_number(number)
        for number in examples()
        for printed in prints(number)
        if not tellable(printed, phonenumbers.national_significant_number(number))
        and len(phonenumbers.national_significant_number(number)) >= SHORTEST_ALONE
    }
    assert untold == {"AR"}


# ---- what people type --------------------------------------------------------------

AREAS = ("495", "499", "812", "843", "800", "926", "495", "4852", "84955")
PREFIXES = ("+7", "7", "8", "007", "8-10-7", "8~10 7", "+7 (8)", "(8)", "+ 7", "+8 ")
JOINTS = (
    *("", "-", " ", ".", "/", "  ", " - ", "--"),
    *("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212"),  # dashes
    *("\u00a0", "\u2007", "\u2009", "\u202f", "\u3000"),  # spaces
    *("\u00ad", "\u200b", "\u2060", "\ufeff", "\n      ", "\u2022", "\u00b7"),
)
BEFORE = (
    *("", "тел.", "Тел.: ", "дом 5, ", "c 9 до 18\n", "(", "«", "Phone:", "a=1; "),
    *("Звоните: ", "tel:", "офис 12. Телефон ", "https://wa.me/", "24/7, "),
)
BEHIND = (
    *("", " доб. 12", ", доб. 12", " ext. 5", "#12", " #12", " — звоните", ")", "."),
    *(";ext=12", ";phone-context=+7", ", 8", "\n24/7", "?text=1", " (доб. 12)", "»"),
)

russian = st.builds(
    lambda area, rest: (area + rest)[:10],
    st.sampled_from(AREAS),
    st.text("0123456789", min_size=7, max_size=7),
)


@st.composite
def spelt(draw: st.DrawFn, national: str, *, prefixed: bool) -> str:
    """A national number as somebody might type it."""
    joint = st.sampled_from(JOINTS)
    area, rest = national[:3], national[3:]
    opening, closing = draw(
        st.sampled_from([("", ""), ("(", ")"), ("[", "]"), ("", ")"), ("(", "")])
    )
    groups = draw(st.sampled_from([(3, 2, 2), (2, 2, 3), (3, 4), (7,), (1, 3, 3)]))
    usual = draw(joint)  # people mostly stay with one
    text = opening + area + closing + usual
    for size in groups:
        text += rest[:size] + draw(st.sampled_from([usual, usual, draw(joint)]))
        rest = rest[size:]
    text = text.rstrip("".join(JOINTS))
    if not prefixed:
        return text
    prefix = draw(st.sampled_from(PREFIXES))
    gap = draw(joint)
    assume(not (prefix == "+8 " and text[0] != "(" and not gap.strip(" ")))
    return prefix + gap + text


@many
@given(data=st.data(), national=russian, fresh=russian, prefixed=st.booleans())
def test_what_people_type_is_found_and_keeps_its_shape(
    spelling: Spelling, data: st.DataObject, national: str, fresh: str, prefixed: bool
):
    typed = data.draw(spelt(national, prefixed=prefixed))
    before, behind = (data.draw(st.sampled_from(place)) for place in (BEFORE, BEHIND))

    swapped, bodies = spelling.swap(
        before + typed + behind, "+7" + national, "+7" + fresh
    )

    assert len(bodies) == 1
    assert swapped == before + respelt(typed, national, fresh) + behind


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("дом 5, 8 (495) 000-00-00", "8 (495) 000-00-00"),
        ("c 9 до 18 8 (495) 000-00-00", "8 (495) 000-00-00"),
        ("24/7 8 (495) 000-00-00", "8 (495) 000-00-00"),
        ("24/7 (495) 000-00-00", "(495) 000-00-00"),
        ("до 18.00 7 495 000-00-00", "7 495 000-00-00"),
        ("8 (495) 000-00-00 24/7", "8 (495) 000-00-00"),
        ("8 495 000 00 00 9:00–18:00", "8 495 000 00 00"),
        ("тел.84950000000", "84950000000"),
        ("тел84950000000x12", "84950000000"),
        ("(+7 495) 000-00-00", "(+7 495) 000-00-00"),
        ("(8 (495) 000-00-00)", "8 (495) 000-00-00"),
        ("(495 000-00-00)", "495 000-00-00"),
        ("8 (495) 111-22-33/8 (495) 000-00-00", "8 (495) 000-00-00"),
        ("8 (495) 000-00-00/8 (495) 111-22-33", "8 (495) 000-00-00"),
        ("84951112233,84950000000", "84950000000"),
        ("84950000000, 84951112233", "84950000000"),
        ("84951112233 84950000000", "84950000000"),
        ("8 495 111-22-33\n8 495 000-00-00", "8 495 000-00-00"),
        ("495 111-22-33 495 000-00-00", "495 000-00-00"),
        ("495 000-00-00 495 111-22-33", "495 000-00-00"),
    ],
)
def test_a_number_is_told_from_its_neighbours(spelling: Spelling, text: str, body: str):
    display = "+44 20 7123 4567"
    assert spelling.swap(text, OWN, "+442071234567", display) == (
        text.replace(body, display),
        [body],
    )


def test_each_of_several_occurrences_is_swapped(spelling: Spelling):
    text = "8 495 000-00-00 495 000-00-00, +74950000000/+74950000000"
    assert spelling.swap(text, OWN, OTHER) == (
        "8 495 123-45-67 495 123-45-67, +74951234567/+74951234567",
        ["8 495 000-00-00", "495 000-00-00", "+74950000000", "+74950000000"],
    )


# ---- letters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "body"),
    [
        ("+78003569377", "8-800-FLOWERS"),
        ("+78003569377", "8 (800) flowers"),
        ("+78003569377", "8 800 Flo-Wers"),
        ("+18002668228", "1-800-CONTACTS"),  # letters too many are not dialled
        ("+74952365522", "8 (495) БЕТОН-22"),
    ],
)
def test_letters_of_the_keypad_become_the_usual_spelling(
    spelling: Spelling, own: str, body: str
):
    swapped = spelling.swap(f"Звоните {body} 24/7", own, own[:5] + "1234567", "NEW")[0]
    assert swapped == "Звоните NEW 24/7"


def test_another_word_on_the_same_line_of_numbers_is_left_alone(spelling: Spelling):
    assert spelling.found("8-800-TAXICAB, 8-800-FLOWERY", "+78003569377") == []


# ---- other digits ------------------------------------------------------------------


@many
@given(data=st.data(), national=russian, prefixed=st.booleans())
def test_another_number_is_never_taken_for_ours(
    spelling: Spelling, data: st.DataObject, national: str, prefixed: bool
):
    place = data.draw(st.integers(0, 9))
    digit = data.draw(st.sampled_from("0123456789".replace(national[place], "")))
    other = national[:place] + digit + national[place + 1 :]
    typed = data.draw(spelt(other, prefixed=prefixed))
    assert spelling.found(f"Тел. {typed}, звоните", "+7" + national) == []


@many
@given(text=st.text("0123456789+-.,/() \n№$", max_size=300), national=russian)
def test_random_digits_are_never_taken_for_a_number(
    spelling: Spelling, text: str, national: str
):
    assert spelling.found(text, "+7" + national) == []


TIGHT = st.sampled_from(["", "-", ".", "\u2013", "\u00ad", "\u200b", ")-", "("])
digits = st.text("0123456789", min_size=1, max_size=12)


@many
@given(data=st.data(), national=russian, more=digits, prefixed=st.booleans())
def test_digits_joined_to_more_digits_are_no_number_of_ours(
    spelling: Spelling,
    data: st.DataObject,
    national: str,
    more: str,
    prefixed: bool,
):
    typed = data.draw(spelt(national, prefixed=prefixed)).lstrip("+([")
    typed = re.sub(r"[\s\ufeff/]+", "-", typed)  # else it may be two numbers
    joint = data.draw(TIGHT)
    own = "+7" + national
    longer = more + joint + typed
    whole = re.sub(r"\D", "", longer)
    assume(not re.fullmatch(r"(7|8|007|8107|78|0078|81078)" + national, whole))
    assume(national not in whole[:-10])
    assert spelling.found(longer, own) == []
    if "(" not in joint:  # behind a number a bracket opens a note
        assert spelling.found(typed + joint + more, own) == []


@pytest.mark.parametrize(
    "text",
    [
        "+1 495 000-00-00",
        "+1 (495) 000-00-00",
        "1 (495) 000-00-00",
        "+1 8 495 000-00-00",
        "+380 495 000 00 00",
        "+4950000000",
        "+84950000000",
        "12-495-000-00-00",
        "495-000-00-00-55",
        "8 495 000-00-00-55",
        "1234 8495 0000 000",
        "8495 0000 000 1234",
        "8495-0000-0001-234",
        "40817810 4950000000",
        "40817810495000000012",
        "4 950 000 000",
        "8 495 000 00 00 руб.",
        "84 950 000 000 ₽",
        "$4950000000",
        "4950000000 €",
        "4950000000,55",
        "ИНН 4950000000",
        "инн: 4950000000",
        "№ 4950000000",
        "#4950000000",
        "37.4950000000",
        "37,4950000000",
        "1:4950000000",
        "id84950000000",
        "a84950000000f",
        "84950000000@c.us",
        "@84950000000",
        "user+74950000000@acme.example",
        "2024-84950000000",
        "495 000-00-01",
        "000-00-00",
        "495 000-00-0",
        "495, 000, 00, 00",
    ],
)
def test_what_only_looks_like_the_number_is_left_alone(spelling: Spelling, text: str):
    assert spelling.found(text, OWN) == []
    assert spelling.found(f"Итого: {text} (всего)", OWN) == []


@pytest.mark.parametrize("date", ["20.12.2024", "20-12-2024", "20/12/2024"])
def test_a_date_is_no_danish_number(spelling: Spelling, date: str):
    assert spelling.found(date, "+4520122024") == []
    assert spelling.found("20 12 20 24", "+4520122024") == ["20 12 20 24"]


def test_few_digits_need_a_prefix(spelling: Spelling):
    assert spelling.found("Индекс 22158", "+29022158") == []
    assert spelling.found("+290 22158", "+29022158") == ["+290 22158"]


# ---- there and back ----------------------------------------------------------------


@many
@given(data=st.data(), national=russian, fresh=russian)
def test_swapping_twice_is_swapping_once_and_can_be_undone(
    spelling: Spelling, data: st.DataObject, national: str, fresh: str
):
    assume(national != fresh)
    typed = [
        data.draw(spelt(national, prefixed=data.draw(st.booleans()))) for _ in "12"
    ]
    text = "Тел.: " + "; ".join(typed)
    own, to = "+7" + national, "+7" + fresh

    once = spelling.swap(text, own, to)[0]

    assert once != text
    assert spelling.swap(once, own, to)[0] == once
    assert spelling.swap(once, to, own)[0] == text


@pytest.mark.parametrize(
    "to", ["+442071234567", "+7495123456", "+79", "info@a.example"]
)
def test_a_number_of_another_kind_is_shown_in_its_own_spelling(
    spelling: Spelling, to: str
):
    swapped = spelling.swap("Тел. (495) 000-00-00, звоните", OWN, to, "NEW")[0]
    assert swapped == "Тел. NEW, звоните"


# ---- addresses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Пишите: info@acme.example.", "Пишите: new@b.example."),
        ("INFO@Acme.Example", "new@b.example"),
        ("mailto:info@acme.example?subject=8", "mailto:new@b.example?subject=8"),
        ("info@acme.example,info@acme.example", "new@b.example,new@b.example"),
        ("info@acme.example.com", None),
        ("my.info@acme.example", None),
        ("my+info@acme.example", None),
        ("info@acme-example", None),
        ("info@acme.example-shop", None),
    ],
)
def test_an_address_is_swapped_whole_or_not_at_all(
    spelling: Spelling, text: str, expected: str | None
):
    swapped = spelling.swap(text, "info@acme.example", "x@y.example", "new@b.example")
    assert swapped[0] == (expected or text)


# ---- pieces ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["+7", "(495)", "000-00-00", " 8 ", "00", "7 (495", "\u00a0000"]
)
def test_a_part_of_the_number_may_be_a_piece_of_it(spelling: Spelling, text: str):
    assert spelling.ask(do="piece", text=text, number=OWN) is True


@pytest.mark.parametrize("text", ["", " ", "—", "123", "495 руб", "495:000", "9 12"])
def test_what_is_no_part_of_the_number_is_no_piece(spelling: Spelling, text: str):
    assert spelling.ask(do="piece", text=text, number=OWN) is False


# ---- much text ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [
        *("0", "4950000000", "495-", "8-495-", "8 ", "8 (495) 000-00-0 ", "\n8"),
        *("(", " ", "+7(", "7" + " " * 20, "4" + " " * 19 + "9", "8-495-flowers "),
        *("8 (495) 111-22-33, ", "@", "a", "/8/"),
    ],
)
def test_a_hostile_megabyte_is_read_in_one_go(spelling: Spelling, unit: str):
    """Work that grew faster than the text would take hours, past the answer's patience."""
    hostile = unit * (1_000_000 // len(unit))
    found = spelling.found(hostile + " звоните: 8 (495) 000-00-00", OWN)
    assert found == ["8 (495) 000-00-00"]
