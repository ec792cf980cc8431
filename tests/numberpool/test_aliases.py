"""Minted addresses: what they look like, which mistakes they catch, whose they are."""

import itertools
import random
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import aliases
from tests.conftest import NOON

tokens = st.text(aliases.ALPHABET, min_size=9, max_size=9).map(
    lambda symbols: symbols + aliases.check_symbol(symbols)
)


def minting(alias, **changes):
    usual = dict(
        token=alias.token, site_id=1, mailbox_id=5, base=alias.base, minted_at=NOON, session_id=uuid4()
    )  # fmt: skip
    return aliases.Minting(**usual | changes)


def test_a_minted_address_looks_like_the_mailbox_and_reads_back():
    alias = aliases.mint("Info@acme.example")

    assert alias.local_part == f"info-{alias.token}"
    assert len(alias.token) == 10
    assert set(alias.token) <= set("23456789bcdfghjkmnpqrstvwxz")
    assert aliases.parse(alias.local_part) == alias.token


def test_minted_addresses_differ():
    assert len({aliases.mint("info").token for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("mailbox", "base"),
    [
        ("info@acme.example", "info"),
        ("Sales.Team+web@acme.example", "sales.team"),
        (".a..b.@acme.example", "a.b"),
        ("почта@acme.example", ""),
        ("very.long.local.part.indeed@acme.example", "very.long.local.part"),
        ("a_b-c@acme.example", "abc"),
    ],
)
def test_the_base_is_the_mailboxs_plain_name(mailbox, base):
    assert aliases.natural_base(mailbox) == base
    assert aliases.parse(aliases.mint(mailbox).local_part)


@given(tokens, st.sampled_from(".-+_="), st.sampled_from(["", "info", "a.b", "x-y"]))
def test_any_separator_and_any_case_is_understood(token, separator, base):
    assert aliases.parse(f"{base}{separator}{token.upper()}") == token


@pytest.mark.parametrize(
    "local",
    ["", "info", "info-", "info-234567892", "info-" + "2" * 11, "x" * 500, "info-k\u212a3f3q2mx9"],
)  # fmt: skip
def test_what_is_no_alias_is_none(local):
    assert aliases.parse(local) is None


@given(st.text(max_size=200))
def test_whatever_comes_gives_a_valid_token_or_none(local):
    token = aliases.parse(local)
    assert token is None or aliases.valid(token)


def test_every_wrong_symbol_and_every_swap_of_neighbours_is_caught():
    # The check is linear, so a mistake shows or not whatever the other symbols are: all
    # pairs of symbols at all places are the whole of it.
    filler = random.Random(1)
    for place, (right, wrong) in itertools.product(
        range(9), itertools.permutations(aliases.ALPHABET, 2)
    ):
        symbols = filler.choices(aliases.ALPHABET, k=9)
        symbols[place] = right
        token = "".join(symbols)
        token += aliases.check_symbol(token)
        assert aliases.valid(token)
        assert not aliases.valid(token[:place] + wrong + token[place + 1 :])
        pair = token[place : place + 2]
        if pair[0] != pair[1]:
            swapped = token[:place] + pair[::-1] + token[place + 2 :]
            assert not aliases.valid(swapped)
    for a, b in itertools.permutations(aliases.ALPHABET, 2):  # neighbours, all pairs
        for place in range(8):
            symbols = filler.choices(aliases.ALPHABET, k=9)
            symbols[place : place + 2] = [a, b]
            token = "".join(symbols)
            token += aliases.check_symbol(token)
            symbols[place : place + 2] = [b, a]
            assert not aliases.valid("".join(symbols) + token[-1])


@given(tokens, st.integers(0, 9), st.sampled_from(aliases.ALPHABET))
def test_one_changed_symbol_is_never_a_token(token, place, symbol):
    changed = token[:place] + symbol + token[place + 1 :]
    assert aliases.valid(changed) == (changed == token)


def test_one_junk_guess_in_27_passes_the_check():
    guess = random.Random(2)
    junk = ("".join(guess.choices(aliases.ALPHABET, k=10)) for _ in range(27_000))
    assert 800 < sum(map(aliases.valid, junk)) < 1200


async def test_a_kept_alias_tells_whose_it_is(db):
    alias = aliases.mint("info@acme.example")
    row = minting(alias)
    assert await aliases.keep(db, [row]) == {alias.token}

    found = await aliases.find(db, alias.token)

    assert found is not None
    assert (found.site_id, found.mailbox_id, found.session_id) == (1, 5, row.session_id)
    assert found.local_part == alias.local_part
    assert found.source_id is None
    assert not found.retired


async def test_a_token_is_never_given_twice(db):
    alias = aliases.mint("info")
    first = minting(alias)
    await aliases.keep(db, [first])

    assert await aliases.keep(db, [minting(alias)]) == set()

    found = await aliases.find(db, alias.token)
    assert found is not None and found.session_id == first.session_id


async def test_an_unknown_token_is_nobodys(db):
    assert await aliases.find(db, aliases.mint("info").token) is None
    assert await aliases.find(db, "rubbish'--") is None


async def test_a_session_finds_its_aliases_again(db):
    session, other = uuid4(), uuid4()
    mine = [
        minting(aliases.mint("info"), session_id=session, mailbox_id=n) for n in (1, 2)
    ]
    await aliases.keep(db, [*mine, minting(aliases.mint("info"), session_id=other)])

    found = await aliases.of_sessions(db, [(1, session), (1, session), (2, other)])

    assert {one.token for one in found[session]} == {one.token for one in mine}
    assert list(found) == [session]


async def test_a_retired_alias_is_known_but_refused(db):
    row = minting(aliases.mint("info"))
    await aliases.keep(db, [row])

    assert not await aliases.retire(db, site_id=2, token=row.token, at=NOON)
    assert await aliases.retire(db, site_id=1, token=row.token, at=NOON)
    assert await aliases.retire(
        db, site_id=1, token=row.token, at=NOON + timedelta(days=1)
    )

    found = await aliases.find(db, row.token)
    assert found is not None and found.retired
    assert await aliases.of_sessions(db, [(1, row.session_id)]) == {}
