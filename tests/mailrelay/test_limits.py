"""What is counted per peer."""

from ipaddress import ip_network

from mailrelay.limits import Limits, Peers, peer


def test_neighbours_share_a_count() -> None:
    assert peer("192.0.2.1", ()).wide == peer("192.0.2.254", ()).wide
    assert peer("192.0.2.1", ()).near != peer("192.0.2.2", ()).near
    assert peer("2001:db8::1", ()).near == peer("2001:db8::2", ()).near
    assert peer("2001:db8:0:1::1", ()).wide == peer("2001:db8:0:2::1", ()).wide
    assert peer("::ffff:192.0.2.1", ()) == peer("192.0.2.1", ())


def test_a_trusted_network_is_exempt() -> None:
    trusted = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

    assert peer("10.1.2.3", trusted).trusted
    assert peer("fd00::1", trusted).trusted
    assert not peer("11.1.2.3", trusted).trusted


def test_a_connection_that_ends_makes_room_for_another() -> None:
    peers = Peers(Limits(per_address=1, connections=2))
    one, two, three = (peer(f"192.0.2.{n}", ()) for n in (1, 2, 3))

    assert peers.enter(one, 0)
    assert not peers.enter(one, 0)
    assert peers.enter(two, 0)
    assert not peers.enter(three, 0)  # the total
    peers.leave(one)
    assert peers.enter(three, 0)


def test_counts_by_the_minute_begin_anew() -> None:
    peers = Peers(Limits(connects_per_minute=2, messages_per_minute=1))
    one = peer("192.0.2.1", ())

    assert [peers.enter(one, 1) for _ in range(3)] == [True, True, False]
    assert [peers.message(one, 1) for _ in range(2)] == [True, False]
    assert peers.enter(one, 61)
    assert peers.message(one, 61)
