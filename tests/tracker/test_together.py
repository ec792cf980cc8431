"""Group commit: batches, one result each, and nobody who waits for ever."""

import asyncio

import pytest

from tracker.together import Together


class Gate:
    """Settles only when it is let; remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def settle(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        await self.open.wait()
        return [one * 10 for one in batch]


async def until(gate: Gate, batches: int) -> None:
    async with asyncio.timeout(30):
        while len(gate.batches) < batches:
            await asyncio.sleep(0)


async def test_those_who_arrive_together_are_settled_together():
    gate = Gate()
    gate.open.set()
    together = Together(gate.settle)

    results = await asyncio.gather(*(together.add(n) for n in range(5)))

    assert results == [0, 10, 20, 30, 40]
    assert gate.batches == [[0, 1, 2, 3, 4]]


async def test_while_one_batch_is_settled_the_next_gathers():
    gate = Gate()
    together = Together(gate.settle, most=3)
    first = asyncio.create_task(together.add(0))
    await until(gate, 1)
    rest = [asyncio.create_task(together.add(n)) for n in range(1, 6)]
    await asyncio.sleep(0)

    assert together.waiting == 5
    gate.open.set()
    await asyncio.gather(first, *rest)
    assert gate.batches == [[0], [1, 2, 3], [4, 5]]


async def test_so_many_batches_at_once_as_allowed():
    gate = Gate()
    together = Together(gate.settle, most=1, at_once=2)
    tasks = [asyncio.create_task(together.add(n)) for n in range(3)]
    await until(gate, 2)

    assert gate.batches == [[0], [1]]
    gate.open.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20]


async def test_all_of_a_batch_hear_of_its_failure_and_the_next_is_settled():
    failures = [ValueError("broken")]

    async def settle(batch: list[int]) -> list[int]:
        if failures:
            raise failures.pop()
        return batch

    together = Together(settle)

    told = await asyncio.gather(
        together.add(1), together.add(2), return_exceptions=True
    )

    assert [str(one) for one in told] == ["broken", "broken"]
    assert await together.add(3) == 3


async def test_a_caller_who_goes_away_does_not_take_his_item_with_him():
    gate = Gate()
    together = Together(gate.settle)
    caller = asyncio.create_task(together.add(1))
    await until(gate, 1)

    caller.cancel()
    gate.open.set()
    await together.finish()

    assert gate.batches == [[1]]
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_nobody_waits_longer_than_his_patience_while_the_stores_hang():
    gate = Gate()
    together = Together(gate.settle, patience=0.01)

    with pytest.raises(TimeoutError):
        await together.add(1)  # is being settled
    with pytest.raises(TimeoutError):
        await together.add(2)  # still waits

    gate.open.set()
    assert await Together(gate.settle, patience=60).add(3) == 30
    await together.finish()
    assert sorted(gate.batches) == [[1], [2], [3]]
