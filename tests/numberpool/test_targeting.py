"""Whom a pool is for, and which of several pools lends."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numberpool import pools, targeting
from numberpool.targeting import Facts, Origin, Target
from tests.numberpool import make

CITY, TOLL_FREE = "+74950000000", "+78000000000"


def facts(**changes):
    usual = dict(
        source="yandex",
        medium="cpc",
        campaign="kitchens",
        path="/moscow/kitchens",
        region="Moscow",
        device="mobile",
        visitor=make.visitor(1),
    )
    return Facts(**usual | changes)


@pytest.mark.parametrize(
    ("target", "fits"),
    [
        (Target(), True),
        (Target(sources=(Origin(source="Yandex", campaign="K*"),)), True),
        (Target(sources=(Origin(source="yandex", campaign="d*"),)), False),
        (Target(sources=(Origin(source="vk"), Origin(medium="cpc"))), True),
        (Target(sources=(Origin(source="vk"),)), False),
        (Target(paths=("/moscow/*",)), True),
        (Target(paths=("/moscow",)), False),
        (Target(paths=("/spb/*", "*/kitchens")), True),
        (Target(regions=("RU-MOW", "moscow")), True),
        (Target(regions=("Saint*",)), False),
        (Target(devices=("mobile",)), True),
        (Target(devices=("desktop",)), False),
        (Target(devices=("mobile",), paths=("/spb/*",)), False),
        (Target(devices=("mobile",), paths=("/moscow/*",)), True),
    ],
)
def test_everything_that_is_named_must_fit_and_of_one_kind_any(target, fits):
    assert target.fits(facts(), "main") is fits


def test_a_visitor_of_unknown_region_is_for_no_regional_pool():
    assert not Target(regions=("*",)).fits(facts(region=""), "main")
    assert Target(regions=("*",)).fits(facts(), "main")


def test_a_share_of_visitors_is_about_that_share_and_always_the_same_ones():
    half = Target(traffic=0.3)
    people = [facts(visitor=UUID(int=n * 7919)) for n in range(4000)]
    taken = [half.fits(one, "main") for one in people]

    assert 0.27 < sum(taken) / len(taken) < 0.33
    assert taken == [half.fits(one, "main") for one in people]
    # Another pool's share are others: else the second would never get any.
    both = [
        one and half.fits(who, "other") for one, who in zip(taken, people, strict=True)
    ]
    assert 0.07 < sum(both) / len(both) < 0.11


@given(st.text("ab*", max_size=8), st.text("abAB", max_size=8))
def test_a_pattern_means_what_a_regular_expression_of_it_means(pattern, text):
    meant = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert targeting.alike(pattern, text) == bool(re.fullmatch(meant, text, re.I))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://acme.example/moscow/?utm_source=yandex#top", "/moscow/"),
        ("https://acme.example", "/"),
        ("https://acme.example/%D0%BC%D1%81%D0%BA/a", "/мск/a"),
        ("", ""),
        ("https://[broken", ""),
    ],
)
def test_the_path_of_an_address(url, path):
    assert targeting.path_of(url) == path


@given(st.text(max_size=50))
def test_any_address_has_a_path_of_some_kind(url):
    assert isinstance(targeting.path_of(url), str)


def test_what_is_told_of_a_target_is_what_was_named():
    target = Target(sources=(Origin(source="vk"),), devices=("mobile",), traffic=0.5)
    assert target.told() == {
        "sources": [{"source": "vk"}],
        "devices": ["mobile"],
        "traffic": 0.5,
    }
    assert Target().told() == {"traffic": 1.0}


# Several pools for one page number ---------------------------------------------------------


def pool(id_, *, numbers=("+74951000001",), replaces=(CITY,), **terms):
    return make.pool(
        id=id_,
        name=f"pool{id_}",
        replaces=replaces,
        numbers=tuple(enumerate(numbers)),
        **terms,
    )


def lends(among, *, number=CITY, held=(), **changes):
    """The id of the pool that lends; None: none."""
    found = pools.replacing(among).get(number)
    if isinstance(found, pools.Choice):
        found = found.of(lambda: facts(**changes), held)
    return None if found is None else found.id


YANDEX = Target(sources=(Origin(source="yandex"),))
MOBILE = Target(devices=("mobile",))


def test_one_pool_for_everybody_needs_no_facts():
    (one,) = among = [pool(1)]
    assert pools.replacing(among) == {CITY: one}


def test_the_first_in_the_owners_order_that_fits_lends_and_one_for_everybody_last():
    among = [pool(1), pool(2, target=YANDEX), pool(3, target=MOBILE)]
    assert lends(among) == 2
    assert lends(among, source="vk") == 3
    assert lends(among, source="vk", device="desktop") == 1


def test_whoever_fits_no_pool_keeps_the_pages_own_number():
    assert lends([pool(1, target=YANDEX)], source="vk") is None


def test_a_session_stays_with_the_pool_whose_number_it_holds():
    among = [pool(1), pool(2, target=YANDEX)]
    assert lends(among, held={1: "+74951000001"}) == 1


def test_a_pool_of_the_page_numbers_own_kind_goes_first():
    both = (CITY, TOLL_FREE)
    among = [
        pool(1, numbers=("+74951000001", "+74951000002"), replaces=both),
        pool(2, numbers=("+78001000001",), replaces=both),
        pool(3, numbers=("+78121000001",), replaces=both, target=YANDEX),
    ]
    assert lends(among) == 1
    assert lends(among, number=TOLL_FREE) == 2
    # Held for the other number of the page, it does not cost this one its kind.
    assert lends(among, number=TOLL_FREE, held={1: "+74951000001"}) == 2


def test_with_no_pool_of_the_kind_another_lends():
    among = [pool(1, numbers=("+78121000001",)), pool(2, target=MOBILE)]
    assert lends(among) == 2
    assert lends(among, device="desktop") == 1


def test_a_mixed_pool_is_of_no_kind():
    mixed = pool(1, numbers=("+74951000001", "+78001000001"), target=YANDEX)
    assert lends([mixed, pool(2)]) == 2


@pytest.mark.parametrize(
    ("numbers", "kinds", "replaced"),
    [
        (("+74951000001", "+74951000002"), None, None),
        (("+74951000001", "+78001000001"), ("+7 495", "+7 toll-free"), ()),
        (("+78121000001",), ("+7 812",), (CITY,)),
        ((), None, None),
    ],
)
def test_numbers_that_do_not_go_together_are_told(numbers, kinds, replaced):
    found = pools.misfit((CITY,), numbers)
    assert found == (None if kinds is None else pools.Misfit(kinds, replaced))


def test_resting_changes_what_the_live_state_must_be_loaded_with():
    rested = make.pool(resting=frozenset({make.number(0)}))
    assert rested.fingerprint != make.pool().fingerprint
