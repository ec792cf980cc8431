"""The script's settings: the file in, the site's rules, the file out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.test_provision import FILE, URL, apply, refused, shown
from tracker import (
    connections,
    opening_hours,
    provision_file,
    provision_read,
    provision_snippet,
    provision_text,
)
from tracker.errors import BadInput
from tracker.provision_snippet import selector_problem
from tracker.sites import Directory
from tracker.snippet_rules import Messenger
from tracker.tables import Problems, Table

SNIPPET = """
[snippet]
address = "https://calls.acme.example/"
consent = "tcf"
privacy_signals = true
within = "main, footer > .phone:not(.fax)"
skip = "[data-fixed='1,2']"
chats = true
pictures = true
forms = true
messengers = true
session_cookie = true
ga4 = "G-ABC1234567"

[snippet.fields]
"your-city" = "city"
"поле 1" = "размер"

[widget]
callback = true
side = "left"
colour = "#0A7D4B"
hours = "Mo-Fr 09:00-18:00; Sa 10:00-16:00"
greeting = { ru = "Поможем выбрать", en = "" }
policy = "https://acme.example/personal-data?full"

[[widget.messenger]]
kind = "telegram"
address = "https://t.me/acme_bot"

[[widget.messenger]]
kind = "viber"
address = "viber://pa?chatURI=acme"
"""


async def test_the_scripts_settings_become_rules_of_the_site(db, pool, seal):
    await apply(db, seal, FILE + SNIPPET)

    directory = Directory(pool, seal)
    await directory.load()
    site = directory.site("acme")
    assert site is not None
    snippet, widget = site.rules.snippet, site.rules.widget
    assert site.reached("https://track.example") == "https://calls.acme.example"
    assert (snippet.consent, snippet.within) == (
        "tcf",
        "main, footer > .phone:not(.fax)",
    )
    assert snippet.fields == {"your-city": "city", "поле 1": "размер"}
    assert (widget.side, widget.colour, widget.greeting) == (
        "left",
        "#0a7d4b",
        {"ru": "Поможем выбрать"},
    )
    assert widget.policy == "https://acme.example/personal-data?full"
    assert widget.messenger[0] == Messenger(
        kind="telegram", address="https://t.me/acme_bot"
    )


async def test_what_is_shown_can_be_applied_and_changes_nothing(db, seal):
    await apply(db, seal, FILE + SNIPPET)

    text = await shown(db, seal)

    assert '[snippet.fields]\nyour-city = "city"\n' in text
    assert text.count("[[widget.messenger]]") == 2
    assert await apply(db, seal, text) == ()
    assert await shown(db, seal) == text
    less = (FILE + SNIPPET).replace("forms = true\n", "")
    assert await apply(db, seal, less) == ("site acme: snippet changed",)
    assert await apply(db, seal) == ("site acme: snippet, widget changed",)


async def test_scripts_are_told_the_settings_and_where_the_script_is(db, seal):
    await apply(db, seal, FILE + SNIPPET)
    stored = await provision_read.load(db, "acme", seal)
    assert stored is not None

    told = provision_text.as_json(
        stored.setup, connections.known(), public_url=URL, secrets=False
    )

    assert told["site"]["snippet"] == "https://calls.acme.example/s/acme.js"
    assert told["snippet"]["fields"] == {"your-city": "city", "поле 1": "размер"}
    assert told["widget"]["hours"] == "Mo-Fr 09:00-18:00; Sa 10:00-16:00"
    assert "widget" not in told["site"]


async def test_tables_that_say_only_the_usual_leave_nothing_behind(db, seal):
    await apply(db, seal)

    usual = '[snippet]\nconsent = "auto"\nforms = false\n[widget]\nside = "right"\n'

    assert await apply(db, seal, FILE + usual) == ()
    assert "[snippet]" not in await shown(db, seal)


MANY = ", ".join(f"f{n} = 'x'" for n in range(51))


def at(line: str) -> str:
    """The file with this line in the table that stands before it."""
    table, _, setting = line.partition(": ")
    return f"{FILE}\n[{table}]\n{setting}\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('snippet: consent = "yes"', "consent: must be one of auto, wait, tcf, google"),
        ("snippet: forms = 1", "forms: must be true or false"),
        ("snippet: form = true", "form: is not known here; there are address, chats"),
        ('snippet: within = ".a<b"', "within: must be a CSS selector such as"),
        ('snippet: skip = "a[b"', "skip: has [ that is never closed"),
        ('snippet: skip = ".a,,.b"', "skip: has nothing before or behind a comma"),
        (f'snippet: skip = "{"a" * 256}"', "skip: must be a CSS selector"),
        ('snippet: ga4 = "UA-1"', "ga4: must be a measurement id such as"),
        ('snippet: address = "acme.example"', "address: must be where pages reach"),
        (
            'snippet: address = "https://a.example?x"',
            "address: must be where pages reach",
        ),
        (
            'snippet: address = "https://a.example:x"',
            "address: must be where pages reach",
        ),
        ("snippet: fields = []", "fields: must be a table"),
        ("snippet: fields = { a = 1 }", "fields.a: must be the name that"),
        (f'snippet: fields = {{ a = "{"b" * 101}" }}', "fields.a: must have at most"),
        (
            f"snippet: fields = {{ {MANY} }}",
            "fields: must have at most 50",
        ),
        ('widget: colour = "green"', "colour: must be a colour such as #0a7d4b"),
        ('widget: policy = "javascript:a()"', "policy: must be a link such as"),
        ('widget: side = "top"', "side: must be one of right, left"),
        ('widget: hours = "daily"', "hours: must be like Mo-Fr 09:00-18:00"),
        ('widget: greeting = { de = "Hallo" }', "greeting.de: is not known here"),
        (
            'widget: messenger = [{ kind = "icq", address = "icq:1" }]',
            "messenger[0].kind: must be one of telegram",
        ),
        (
            'widget: messenger = [{ kind = "vk", address = "http://vk.me/acme" }]',
            "messenger[0].address: must be like https://vk.me/…",
        ),
        (
            'widget: messenger = [{ kind = "telegram", address = "viber:x" }]',
            "messenger[0].address: must be like https://t.me/… or tg:…",
        ),
        (
            'widget: messenger = [{ kind = "max", address = "https://evil.example/max.ru" }]',
            "messenger[0].address: must be like https://max.ru/…",
        ),
        (
            'widget: messenger = [{ kind = "max", address = "javascript:alert(1)" }]',
            "messenger[0].address: must be like https://max.ru/…",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line_and_remedy(line, problem):
    text = at(line)
    table = line.partition(":")[0]

    (told,) = refused(text)

    assert told.startswith(f"line {text.count(chr(10))}: {table}.{problem}")


@pytest.mark.parametrize(
    "selector",
    [".a", "#b > c, d ~ e", '[title="),(" i]', "a:not(.b, [c])", r".sm\:w", "a,b"],
)
def test_selectors_that_browsers_take_are_taken(selector):
    assert selector_problem(selector) == ""


@pytest.mark.parametrize(
    "selector", ["a)", "(a", "a[b)", "a(]", "'a", '"', "a\\", ",", "a,", "</style>"]
)
def test_selectors_that_no_browser_takes_are_refused(selector):
    assert selector_problem(selector)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("Mo 09:00-18:00", [(1, 540, 1080)]),
        ("Sa-Mo 10:00-11:00", [(1, 600, 660), (6, 600, 660), (7, 600, 660)]),
        ("Mo,We 09:00-13:00,14:00-18:00", [(1, 540, 780), (1, 840, 1080), (3, 540, 780), (3, 840, 1080)]),
        ("Mo-Tu 09:00-18:00; Tu 10:00-24:00", [(1, 540, 1080), (2, 600, 1440)]),
        ("Su 22:00-02:00", [(1, 0, 120), (7, 1320, 1440)]),
        ("Su 22:00-00:00", [(7, 1320, 1440)]),
    ],
)  # fmt: skip
def test_opening_hours_are_read_as_they_are_written(text, spans):
    assert list(opening_hours.read(text)) == spans


@pytest.mark.parametrize(
    "text",
    ["daily", "Mo", "Mo 9:00-18:00", "Mo 09:00-25:00", "Mo 09:60-18:00", "Mo 09:00-09:00",
     "Mo-Xx 09:00-18:00", "Mo 24:00-24:00", "Mo 09:00-18:00;", ";".join(["Mo 09:00-18:00"] * 8)],
)  # fmt: skip
def test_opening_hours_that_say_nothing_are_refused(text):
    with pytest.raises(BadInput):
        opening_hours.read(text)


def test_settings_that_are_left_out_are_off():
    found = provision_file.read(FILE, connections.known())

    assert not {"snippet", "widget"} & found.rules.keys()


names = st.sampled_from(
    ["consent", "within", "fields", "forms", "hours", "greeting", "messenger", "kind", "address"]
)  # fmt: skip
values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(["snippet", "widget"]), st.dictionaries(names, values))
def test_any_values_are_read_or_refused_with_reasons(name, given_values):
    problems = Problems({})
    rules = provision_snippet.read(Table({name: given_values}, (), problems))

    assert rules.keys() <= {name}
    assert all(line.startswith(f"line 1: {name}") for line in problems.lines())
