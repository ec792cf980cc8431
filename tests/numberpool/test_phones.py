"""Phone numbers as typed, as told by providers, and as shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import phones

MOSCOW = "+74951000001"


@pytest.mark.parametrize(
    "typed",
    [
        "+74951000001",
        "+7 (495) 100-00-01",
        "8 495 100 00 01",
        "84951000001",
        "74951000001",
        "4951000001",
        "(495) 100\u201300\u201301",
        "+7 495 100-00-01 доб. 12",
    ],
)
def test_every_way_to_write_a_moscow_number_is_one_number(typed):
    assert phones.e164(typed) == MOSCOW


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 20 7946 0958", "RU", "+442079460958"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("8 800 100-00-01", "RU", "+78001000001"),
        ("8 701 234 56 78", "KZ", "+77012345678"),
    ],
)
def test_a_local_spelling_is_read_by_the_sites_country(typed, country, number):
    assert phones.e164(typed, country) == number


@pytest.mark.parametrize(
    "typed",
    ["", "ring me", "12", "+7 495", "1" * 65, "+" + "9" * 40, "info@acme.example"],
)
def test_what_is_no_number_is_none(typed):
    assert phones.e164(typed) is None


@given(st.text(max_size=80))
def test_whatever_is_typed_gives_e164_or_none(text):
    number = phones.e164(text)
    assert number is None or phones.is_e164(number)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (MOSCOW, "+7 495 100-00-01"),
        ("+78001000001", "8 800 100-00-01"),
        ("+77012345678", "+7 701 234-56-78"),
        ("+442079460958", "+44 20 7946 0958"),
        ("not a number", "not a number"),
    ],
)
def test_a_number_is_shown_as_people_read_it(number, shown):
    assert phones.display(number) == shown


@given(st.from_regex(r"\+7[0-9]{10}", fullmatch=True))
def test_what_is_shown_reads_back_as_the_same_number(number):
    assert phones.e164(phones.display(number)) == number


@pytest.mark.parametrize(
    ("pattern", "number", "spelled"),
    [
        ("8 (495) 000-00-00", MOSCOW, "8 (495) 100-00-01"),
        ("+7 (495) 000-00-00", MOSCOW, "+7 (495) 100-00-01"),
        ("+7 495 000 00 00", "+78001000001", "+7 800 100 00 01"),
        ("(495) 000-00-00", MOSCOW, "(495) 100-00-01"),
        ("74950000000", MOSCOW, "74951000001"),
        ("000-00-00", MOSCOW, "+7 495 100-00-01"),
        ("call us", MOSCOW, "+7 495 100-00-01"),
        ("020 0000 0000", "+442079460958", "020 7946 0958"),
        ("+44 20 0000 0000", "+442079460958", "+44 20 7946 0958"),
    ],
)
def test_a_number_takes_the_pages_own_spelling(pattern, number, spelled):
    assert phones.same_spelling(pattern, number) == spelled


@pytest.mark.parametrize(
    ("raw", "plan", "number"),
    [
        ("+74951000001", "e164", MOSCOW),
        ("0074951000001", "e164", MOSCOW),
        ("74951000001", "e164", None),
        ("tel:+7-495-100-00-01", "e164", MOSCOW),
        ("sip:+74951000001@pbx.example;user=phone", "e164", MOSCOW),
        ("74951000001", "e164-no-plus", MOSCOW),
        ("84912345678", "e164-no-plus", "+84912345678"),
        ("84912345678", "ru-local", "+74912345678"),
        ("88001234567", "ru-local", "+78001234567"),
        ("4951000001", "ru-local", MOSCOW),
        ("7012345678", "ru-local", None),
        ("810442079460958", "ru-local", "+442079460958"),
        ("101", "ru-local", None),
        ("101", "e164-no-plus", None),
        ("alice", "e164-no-plus", None),
        ("sip:alice@pbx.example", "e164", None),
        ("+7378742833", "e164", None),
        ("Anonymous", "e164-no-plus", None),
        ("７４９５１０００００１", "e164-no-plus", None),
        (None, "e164", None),
    ],
)
def test_a_providers_number_is_read_by_its_plan(raw, plan, number):
    assert phones.digits_to_e164(raw, plan) == number


@given(st.text(max_size=80), st.sampled_from(["e164", "e164-no-plus", "ru-local"]))
def test_whatever_a_provider_tells_gives_e164_or_none(raw, plan):
    number = phones.digits_to_e164(raw, plan)
    assert number is None or phones.is_e164(number)


@pytest.mark.parametrize(
    "raw",
    [
        None, "", " ", "anonymous", "ANONYMOUS", "Restricted", "скрыт", "0", "<unknown>",
        "+266696687", "266696687", "+86282452253", "sip:anonymous@anonymous.invalid",
    ],
)  # fmt: skip
def test_a_withheld_caller_is_recognised(raw):
    assert phones.is_hidden(raw)


@pytest.mark.parametrize("raw", [MOSCOW, "101", "alice", "00"])
def test_a_told_caller_is_not_hidden(raw):
    assert not phones.is_hidden(raw)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+74951000001", "+7 495"),
        ("+78121000001", "+7 812"),
        ("+78001000001", "+7 toll-free"),
        ("+78041000001", "+7 toll-free"),
        ("+79161000001", "+7 mobile"),
        ("+77272500000", "+7 7272"),
        ("+77012500000", "+7 mobile"),
        ("+442071838750", "+44 20"),
        ("+12125550100", "+1 212"),
        ("+18005550100", "+1 toll-free"),
        ("+8882345678", "+888"),
        ("+999", "+999"),
    ],
)
def test_what_people_see_in_a_number(number, kind):
    assert phones.kind(number) == kind
