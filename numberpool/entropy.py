"""Random bytes of the operating system, fetched many at a time.

Each visit needs some for its ids and its address; asking the kernel for each costs more than
all the rest of making them.
"""

import os

FETCHED = 8192  # bytes a time

_buffer = b""
_used = 0


def take(count: int) -> bytes:
    """So many random bytes, as good as `os.urandom`'s, never given twice."""
    global _buffer, _used
    start, _used = _used, _used + count
    if _used > len(_buffer):
        _buffer, start, _used = os.urandom(max(FETCHED, count)), 0, count
    return _buffer[start:_used]


def below(limit: int) -> int:
    """A random whole number from 0 to `limit` - 1, all equally likely."""
    bits = (limit - 1).bit_length()
    size = (bits + 7) // 8
    while True:
        number = int.from_bytes(take(size), "big") >> (size * 8 - bits)
        if number < limit:
            return number


def _forget() -> None:
    global _buffer, _used
    _buffer, _used = b"", 0


os.register_at_fork(after_in_child=_forget)  # a child must not repeat its parent
