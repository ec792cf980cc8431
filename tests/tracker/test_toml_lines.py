"""Where in a TOML text a value stands."""

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracker import provision_text, toml_lines

TEXT = '''\
# a comment with [brackets] and "quotes
[site]
key = "a" # [not.a.table]
"odd.key".inner = 1
when = 2020-01-01 10:00:00
long = """
[pool]
x = 1
"""
[[pool]]
numbers = ["1",
  "2", # , and ]
  { a = 1, b.c = [1, 2] },
]
[pool.terms]
late = true
[[pool]]
numbers = []
quoted = 'C:\\path'
'''


def paths(value: Any, path: toml_lines.Path = ()) -> Iterator[toml_lines.Path]:
    """Every path of a parsed value."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, child in children:
        yield (*path, name)
        yield from paths(child, (*path, name))


def test_tables_keys_and_elements_are_found_on_their_lines():
    lines = toml_lines.locate(TEXT)

    assert lines["site",] == 2
    assert lines["site", "key"] == 3
    assert lines["site", "odd.key", "inner"] == 4
    assert lines["site", "long"] == 6
    assert lines["pool", 0] == 10
    assert lines["pool", 0, "numbers", 1] == 12
    assert lines["pool", 0, "numbers", 2, "b", "c", 1] == 13
    assert lines["pool", 0, "terms", "late"] == 16
    assert lines["pool", 1, "numbers"] == 18
    assert lines["pool", 1, "quoted"] == 19


def test_every_value_of_a_document_has_a_line():
    assert set(paths(tomllib.loads(TEXT))) == set(toml_lines.locate(TEXT))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts.filter(bool), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(st.dictionaries(texts.filter(bool), values, max_size=5))
def test_what_we_write_is_read_back_and_every_value_located(table):
    written = provision_text.table("[one]", table)

    parsed = tomllib.loads(written)

    assert parsed == {"one": table}
    lines = toml_lines.locate(written)
    assert set(lines) == set(paths(parsed))
    for number, name in enumerate(table, start=2):
        assert lines["one", name] == number
