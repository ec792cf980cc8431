"""Group commit: callers that are in the air at the same moment are settled together.

`Together(settle)` collects what `add` is given; `settle` gets the whole batch and returns
one result for each. While one batch is being settled the next one gathers, so a quiet
server answers at once and a busy one shares its transactions.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Batches of up to `most` items, at most `at_once` of them under way.

    With `patience` (seconds) a caller who has waited about that long gets TimeoutError; the
    batch itself goes on, so whether its item was settled is then unknown.
    """

    def __init__(
        self,
        settle: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        most: int = 200,
        at_once: int = 1,
        patience: float | None = None,
    ) -> None:
        self._settle = settle
        self._most = most
        self._free = at_once
        self._patience = patience
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: deque[tuple[float, asyncio.Future[Result]]] = deque()

    @property
    def waiting(self) -> int:
        """How many items have not yet been taken into a batch."""
        return len(self._waiting)

    async def add(self, item: Item) -> Result:
        """The item's own result, once its batch is settled; raises what settling raised.

        A caller that goes away does not take the item with it.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._patience is not None:
            self._watch(future, loop, self._patience)
        if self._free and len(self._waiting) == 1:
            loop.call_soon(self._start)  # after all that is ready in this turn
        return await future

    async def finish(self) -> None:
        """Wait until everything that was added is settled."""
        while self._tasks or self._waiting:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _watch(
        self,
        future: asyncio.Future[Result],
        loop: asyncio.AbstractEventLoop,
        patience: float,
    ) -> None:
        # One timer for all callers: cheaper than one each.
        if not self._asked:
            loop.call_later(patience, self._expire, loop, patience)
        self._asked.append((loop.time(), future))

    def _expire(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        now = loop.time()
        while self._asked and (
            self._asked[0][1].done() or self._asked[0][0] + patience <= now
        ):
            _, future = self._asked.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        if self._asked:
            loop.call_later(
                self._asked[0][0] + patience - now, self._expire, loop, patience
            )

    def _start(self) -> None:
        while self._free and self._waiting:
            batch, self._waiting = (
                self._waiting[: self._most],
                self._waiting[self._most :],
            )
            self._free -= 1
            task = asyncio.create_task(self._run(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._settle([item for item, _ in batch])
            self._next()  # before the callers go on: the stores work while they do
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except Exception as error:  # the callers raise it, each in its own request
            self._next()
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise

    def _next(self) -> None:
        self._free += 1
        if self._waiting:
            self._start()
