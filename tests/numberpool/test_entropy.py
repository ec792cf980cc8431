"""Random bytes: never twice, never short, and numbers without a preference."""

import os
from collections import Counter

from numberpool import entropy


def test_bytes_are_never_given_twice():
    taken = [entropy.take(8) for _ in range(5000)]

    assert len(set(taken)) == 5000
    assert {len(one) for one in taken} == {8}


def test_more_than_the_buffer_holds_can_be_taken():
    assert len(entropy.take(entropy.FETCHED * 3)) == entropy.FETCHED * 3


def test_numbers_below_a_limit_are_all_equally_likely():
    counts = Counter(entropy.below(27) for _ in range(54_000))

    assert set(counts) == set(range(27))
    assert all(abs(count - 2000) < 300 for count in counts.values())  # six sigma


def test_a_child_process_does_not_repeat_its_parent():
    entropy.take(1)  # so that something is left in the buffer
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, entropy.take(16))
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 16) != entropy.take(16)
    os.close(read)
    os.close(write)
