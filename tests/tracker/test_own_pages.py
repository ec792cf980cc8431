"""Which addresses are a site's own pages, and which numbers stand in a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import phones
from tracker import own_pages

NUMBER = "+74951000001"
WANTED = {NUMBER, "+74951000002", "+78005550001", "+442071838750"}
DOMAINS = ("acme.example", "xn--e1afmkfd.xn--p1ai", "localhost")


@pytest.mark.parametrize(
    "spelled",
    [
        "+7 (495) 100-00-01",
        "8 (495) 100-00-01",
        "8-495-100-00-01",
        "84951000001",
        "(495) 1000001",
        "+7&nbsp;495&nbsp;100‑00‑01",
        "+7 495 100&#8211;00&#8211;01",
        '<a href="tel:+74951000001">Позвонить</a>',
        '<a href="tel:%2B7%20495%20100-00-01">Call</a>',
        "8 (495) <b>100</b>-<span class='x'>00-01</span>",
        '<script type="application/ld+json">{"telephone": "+7-495-100-00-01"}</script>',
        "Тел.: 8 (495) 222-33-44, 8 (495) 100-00-01",
        "8 495 222-33-44 8 495 100-00-01",
        "8 495\n   100-00-01",
    ],
)
def test_a_number_is_found_however_it_is_spelled(spelled):
    page = f"<html><body><p>{spelled}</p></body></html>"
    assert own_pages.standing(page, WANTED, "RU") == {NUMBER}


@pytest.mark.parametrize(
    "text",
    [
        "8 (495) 100-00-10",
        "order 1234951000001",
        "4951000001234",
        "<td>8 495</td><td>100-00-01</td>",
        "495, 100-00-01",
        "<!-- 8 (495) 100-00-01 -->",
        "100-00-01",
        "",
    ],
)
def test_other_digits_are_not_taken_for_it(text):
    assert own_pages.standing(f"<p>{text}</p>", WANTED, "RU") == set()


def test_numbers_of_other_countries_and_toll_free_ones_are_found_too():
    page = "<p>8 800 555-00-01</p><p>020 7183 8750</p>"
    assert own_pages.standing(page, WANTED, "RU") == {"+78005550001"}
    assert own_pages.standing(page, WANTED, "GB") == {"+442071838750"}
    assert own_pages.standing("+44 20 7183 8750", WANTED, "RU") == {"+442071838750"}


@given(
    st.integers(3000000000, 9999999999).filter(lambda n: str(n)[0] in "3489"),
    st.sampled_from(["8 (495) 000-00-00", "+7 495 000 00 00", "8-495-00-00-000", "84950000000"]),
    st.text(alphabet=st.characters(exclude_categories=["Nd", "Cs"]), max_size=30),
)  # fmt: skip
def test_whatever_the_page_swaps_in_is_found_in_it(digits, pattern, around):
    number = f"+7{digits}"
    spelled = phones.same_spelling(pattern, number)
    page = f"<div>{around}</div><p>{spelled}</p>"
    assert own_pages.standing(page, {number}, "RU") == {number}


@given(st.text(max_size=300))
def test_any_page_is_read(page):
    assert own_pages.standing(page, WANTED, "RU") <= WANTED


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.example/",
        "http://www.acme.example:80/contacts?x=1",
        "https://shop.acme.example:443/",
        "http://localhost:8099/",
        "https://Пример.рф/контакты",
    ],
)
def test_pages_of_the_sites_domains_are_its_own(url):
    assert own_pages.problem(url, DOMAINS) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.example.evil.test/",
        "https://evilacme.example/",
        "https://other.example/",
        "ftp://acme.example/",
        "file:///etc/passwd",
        "https://user:secret@acme.example/",
        "https://acme.example:6379/",
        "https://acme.example:port/",
        "//acme.example/",
        "http://[::1]/",
        "http://[::1/",
        "https://пример.com/",
        "https://\u2488\u2488.рф/",
        "http://169.254.169.254/latest/",
        "https://acme.example/" + "x" * 2000,
        "",
    ],
)
def test_nothing_else_is(url):
    assert own_pages.problem(url, DOMAINS)
