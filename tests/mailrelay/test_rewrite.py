"""Trace block, return path, line ends, dots."""

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mailrelay import rewrite
from tests.make import NOON

LINES = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"\0", b"a", b"Subject: x", b" "]),
    max_size=40,
).map(b"".join)


@given(LINES)
def test_nothing_canonical_could_be_taken_for_a_command(message: bytes) -> None:
    sent = rewrite.canonical(message)

    assert re.search(rb"(?<!\r)\n|\r(?!\n)", sent) is None
    assert rewrite.stuffed(sent).find(b"\r\n.\r\n") in (
        -1,
        len(rewrite.stuffed(sent)) - 5,
    )
    assert rewrite.canonical(sent) == sent


@given(LINES)
def test_what_was_clean_stays_the_very_bytes(message: bytes) -> None:
    clean = message.replace(b"\r", b"").replace(b"\n", b"\r\n")

    assert rewrite.canonical(clean) is clean


@given(LINES)
def test_stuffing_is_undone_by_any_receiver(message: bytes) -> None:
    sent = rewrite.canonical(message)
    sent += b"" if sent.endswith(b"\r\n") or not sent else b"\r\n"
    wire = b"\r\n" + rewrite.stuffed(sent)

    assert wire.endswith(b"\r\n.\r\n")
    assert wire[:-3].replace(b"\r\n.", b"\r\n")[2:] == sent


def test_a_bare_cr_in_the_header_makes_no_new_field() -> None:
    sent = rewrite.canonical(b"Subject: a\rBcc: x@y\r\n\r\none\rtwo\nthree\r\n")

    assert sent == b"Subject: a Bcc: x@y\r\n\r\none\r\ntwo\r\nthree\r\n"


def test_what_a_client_says_of_itself_cannot_break_the_header() -> None:
    trace = rewrite.trace(
        rewrite.Trace(
            helo="evil\r\nBcc: x@y <b>",
            peer="2001:db8::1",
            host="relay.example",
            protocol="ESMTPS",
            inbox_id=UUID(int=1),
            recipient='info-k"(7\r\n@track.example',
            at=NOON,
        ),
        "mark",
    )

    assert trace.count(b"\r\n") == trace.count(b"\n") == 5
    assert b"from evilBcc:xyb ([IPv6:2001:db8::1])" in trace
    assert b"for <info-k7@track.example>;" in trace
    assert trace.endswith(b"\tMon, 02 Nov 2026 12:00:00 +0000\r\n")


def test_a_return_path_is_short_opaque_and_recognised_in_any_case() -> None:
    token = rewrite.mint_token()
    path = rewrite.return_path("ivan@client.example", token, "track.example")

    assert re.fullmatch(r"rp-[a-z2-7]{20}@track\.example", path)
    assert rewrite.returned_token(path.partition("@")[0]) == token
    assert rewrite.return_path("", token, "track.example") == ""
    assert rewrite.returned_token("rp-short") is None
    assert rewrite.returned_token("info-k7f3q2mx9t") is None


def test_the_header_block_ends_at_the_first_empty_line() -> None:
    assert (
        rewrite.head(b"A: b\r\nC: d\r\n\r\nReceived: x\r\n\r\n") == b"A: b\r\nC: d\r\n"
    )
    assert rewrite.head(b"A: b\n\nbody") == b"A: b\n"
    assert rewrite.head(b"\r\nbody\r\n\r\n") == b""
    assert rewrite.hops(b"Received: a\r\nRECEIVED : b\r\nX-Received: c\r\n") == 2
