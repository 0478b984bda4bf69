"""How many questions are worked on at once, and how many may wait; holds no per-person limits."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2c_service.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """Lets a bounded number through at once; a bounded number more may wait, others are turned away at once.

    Args:
        concurrency: most at once.
        waiting: most that wait.
    """

    def __init__(self, concurrency: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._waiting = 0
        self._most_waiting = waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place from entry to exit.

        Raises:
            OverloadedError: as many wait already as may.
        """
        if self._slots.locked() and self._waiting >= self._most_waiting:
            raise OverloadedError(f"{self._waiting} questions already wait; try again in a moment")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()
