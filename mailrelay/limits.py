"""How much one peer, and all of them, may ask of the relay; everything here is forgettable.

The defaults follow the habits of other servers; a peer from a trusted network is exempt
from what is counted per address.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from tracker.config import Network

MEBIBYTE = 1 << 20
WINDOW = 60.0  # seconds of the counts by the minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    size: int = 35 * MEBIBYTE  # big providers take files that make about as much
    held: int = 512 * MEBIBYTE  # of all messages in memory together
    header: int = MEBIBYTE
    hops: int = 100  # Received fields (RFC 5321 section 6.3)
    recipients: int = 100  # the least that RFC 5321 section 4.5.3.1.8 allows
    connections: int = 200
    per_address: int = 20  # connections of an IPv4 address or an IPv6 /64
    per_network: int = 60  # connections of an IPv4 /24 or an IPv6 /48
    connects_per_minute: int = 100
    messages_per_minute: int = 60
    unknown: int = 5  # unknown recipients in one connection
    errors: int = 10  # bad commands in one connection
    command: int = 2048
    idle: float = 300.0  # between commands
    data_idle: float = 300.0
    data_total: float = 1800.0
    grace: float = 60.0  # after which a message must come at …
    least_rate: int = 500  # … bytes a second


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we talk to."""

    address: str
    near: str  # one customer's share of addresses
    wide: str  # one provider's
    trusted: bool


def peer(address: str, trusted: Sequence[Network]) -> Peer:
    """The peer behind a socket address; one that is no IP address is trusted (a pipe)."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return Peer(address, address, address, True)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    packed = ip.packed
    near, wide = (packed, packed[:3]) if ip.version == 4 else (packed[:8], packed[:6])
    exempt = any(ip in network for network in trusted if network.version == ip.version)
    return Peer(str(ip), near.hex(), wide.hex(), exempt)


class Peers:
    """Counts connections and messages by peer."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()
        self._total = 0
        self._window = 0
        self._connects: Counter[str] = Counter()
        self._messages: Counter[str] = Counter()

    def enter(self, who: Peer, now: float) -> bool:
        """Whether one more connection is let in; `leave` follows if it was."""
        limits = self._limits
        if self._total >= limits.connections:
            return False
        if not who.trusted:
            self._turn(now)
            self._connects[who.near] += 1
            if (
                self._open[who.near] >= limits.per_address
                or self._open[who.wide] >= limits.per_network
                or self._connects[who.near] > limits.connects_per_minute
            ):
                return False
        self._total += 1
        self._open[who.near] += 1
        self._open[who.wide] += 1
        return True

    def leave(self, who: Peer) -> None:
        """A connection that was let in has ended."""
        self._total -= 1
        for key in (who.near, who.wide):
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]

    def message(self, who: Peer, now: float) -> bool:
        """Whether the peer may begin one more message this minute."""
        if who.trusted:
            return True
        self._turn(now)
        self._messages[who.near] += 1
        return self._messages[who.near] <= self._limits.messages_per_minute

    def _turn(self, now: float) -> None:
        window = int(now // WINDOW)
        if window != self._window:
            self._window = window
            self._connects.clear()
            self._messages.clear()
