"""Next hops as people write them."""

import pytest

from mailrelay import hops
from tracker.errors import BadInput


@pytest.mark.parametrize(
    ("address", "host", "port", "encryption", "verify"),
    [
        ("smtp://mx.acme.example", "mx.acme.example", 25, "offered", False),
        ("smtp://10.0.0.1:2525", "10.0.0.1", 2525, "offered", False),
        ("smtp://[::1]:25", "::1", 25, "offered", False),
        ("smtp+starttls://mx.acme.example", "mx.acme.example", 587, "starttls", True),
        ("smtps://mx.acme.example", "mx.acme.example", 465, "tls", True),
        ("smtps://mx.acme.example?verify=no", "mx.acme.example", 465, "tls", False),
    ],
)
def test_an_address_is_read(
    address: str, host: str, port: int, encryption: str, verify: bool
) -> None:
    hop = hops.parse(address)

    assert (hop.host, hop.port, hop.encryption, hop.verify) == (
        host,
        port,
        encryption,
        verify,
    )


def test_a_password_is_read_and_never_shown() -> None:
    hop = hops.parse("smtps://us%40er:p%3Ass@mx.acme.example")

    assert (hop.user, hop.password) == ("us@er", "p:ss")
    assert "p:ss" not in repr(hop)
    assert hop.shown == "mx.acme.example:465"


@pytest.mark.parametrize(
    "address", ["", "mx.acme.example", "http://x", "smtp://", "smtp://x:y"]
)
def test_nonsense_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(BadInput, match="must look like smtp://"):
        hops.parse(address)
