"""The rules of the watches in a site's file."""

import pytest

from tests.tracker.test_provision import FILE
from tracker import connections, provision_file
from tracker.errors import BadFile


def read(line: str) -> dict[str, object]:
    text = FILE.replace("[site]\n", f"[site]\n{line}\n", 1)
    return provision_file.read(text, connections.known()).rules


def test_pages_and_the_threshold_are_taken_as_they_are_told():
    rules = read(
        'crawl = ["https://acme.example/", "https://www.acme.example/kontakty"]\n'
        "accuracy_alert = 0.6"
    )
    assert rules["crawl"] == [
        "https://acme.example/",
        "https://www.acme.example/kontakty",
    ]
    assert rules["accuracy_alert"] == 0.6


def test_both_are_off_without_being_told():
    assert read("crawl = []\naccuracy_alert = 0") == read("")


@pytest.mark.parametrize(
    ("line", "place", "remedy"),
    [
        ('crawl = ["https://other.example/"]', "site.crawl[0]", "none of the site's"),
        ('crawl = ["acme.example"]', "site.crawl[0]", "must begin with https://"),
        ("crawl = 5", "site.crawl", "array"),
        ("crawl = [" + '"https://acme.example/",' * 51 + "]", "site.crawl", "50"),
        ("accuracy_alert = 1.5", "site.accuracy_alert", "<= 1"),
        ("accuracy_alert = 60", "site.accuracy_alert", "<= 1"),
        ("accuracy_alert = -0.5", "site.accuracy_alert", ">= 0"),
        ('accuracy_alert = "much"', "site.accuracy_alert", "float"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(line, place, remedy):
    with pytest.raises(BadFile) as error:
        read(line)
    (problem,) = error.value.problems
    assert place in problem
    assert remedy in problem
