"""Ending background tasks."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger(__name__)

ROUND, ROUNDS = 0.3, 10  # seconds for tasks to end, and how often they are told to


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks until they are gone.

    Once is not enough: a connection that was cut may answer a cancel with its own error,
    which the task then takes for trouble and waits out.
    """
    left = set(tasks)
    for _ in range(ROUNDS):
        if not left:
            return
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ROUND)
    log.warning("tasks did not end", extra={"count": len(left)})
