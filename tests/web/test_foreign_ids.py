"""What first-party cookies of other systems tell, as browsers hold them."""

import pytest

from web import foreign_ids

HEX = "0a1b2c3d" * 4


@pytest.mark.parametrize(
    ("cookies", "ids"),
    [
        (
            {"_ym_uid": "1734680388574908198"},
            {"ym_client_id": "1734680388574908198"},
        ),
        (
            {"_ga": "GA1.1.1234567890.1700000000"},
            {"ga_client_id": "1234567890.1700000000"},
        ),
        ({"_ga": "GA1.3-2.111.222"}, {"ga_client_id": "111.222"}),
        (
            {"_ga_ABC": "GS1.1.1734680388.1.0.1734680388.0.0.0"},
            {"ga_session_id": "1734680388"},
        ),
        (
            {"_ga_ABC": "GS2.1.s1734680388$o1$g0$t1734680388$j60$l0$h0"},
            {"ga_session_id": "1734680388"},
        ),
        ({"_ga_ABC": "GS2.1.o1$g0$s1734680388$t1"}, {"ga_session_id": "1734680388"}),
        ({"_fbp": "fb.1.1771990000000.1098115397"}, "fbp"),
        ({"_fbc": "fb.1.1772000000000.IwAR2F4.AQ"}, "fbc"),
        ({"_gcl_aw": "GCL.1772000000.Cj0K-_w"}, "gcl_aw"),
        ({"_gcl_gb": "GCL.1772000000.Cj0K-_w"}, "gcl_gb"),
        ({"_gcl_ag": "2.1.kCj0K$i1772000000$bx"}, "gcl_ag"),
        ({"_uetmsclkid": f"_uet{HEX}"}, "uetmsclkid"),
        ({"tmr_lvid": HEX}, {"vk_id": HEX}),
    ],
    ids=str,
)
def test_a_cookie_is_read_by_its_systems_shape(cookies, ids):
    (value,) = cookies.values()

    assert foreign_ids.read(cookies) == ({ids: value} if isinstance(ids, str) else ids)


@pytest.mark.parametrize(
    "cookies",
    [
        None,
        {},
        {"_ym_uid": "deleted"},
        {"_ym_uid": "12345"},
        {"_ga": "deleted"},
        {"_ga_ABC": "deleted"},
        {"_ga_ABC": "GS2.1.o1$g0"},
        {"_fbp": "no"},
        {"_gcl_aw": f"GCL.1.{'x' * 600}"},
        {"tmr_lvid": "short"},
        {"_uetmsclkid": ""},
        {"session": "secret"},
    ],
    ids=str,
)
def test_what_has_another_shape_is_dropped(cookies):
    assert foreign_ids.read(cookies) == {}


def test_the_sites_own_stream_is_chosen_among_several():
    cookies = {"_ga_ONE": "GS1.1.111.1", "_ga_TWO": "GS1.1.222.1"}

    assert foreign_ids.read(cookies, "G-TWO") == {"ga_session_id": "222"}
    assert foreign_ids.read(cookies, "G-THREE") == {}
    assert foreign_ids.read(cookies) == {"ga_session_id": "111"}


def test_an_id_told_by_our_name_goes_before_the_cookie():
    told = {"_ym_uid": "1734680388574908198", "ym_client_id": "42", "vk_id": 7}

    assert foreign_ids.read(told) == {"ym_client_id": "42", "vk_id": "7"}
