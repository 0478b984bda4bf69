"""How many questions are worked on at once, and how many may wait, all callers together (for each: `rates`)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2c_service.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ConcurrencyLimiter:
    """Lets a bounded number through at once; a bounded number more may wait, others are turned away at once.

    Args:
        concurrency: most at once.
        waiting: most that wait.
    """

    def __init__(self, concurrency: int, queued: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._most_waiting = queued
        self.queued = 0
        """Questions that wait now."""
        self.active = 0
        """Questions worked on now."""

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place from entry to exit.

        Raises:
            OverloadedError: as many wait already as may.
        """
        if self._slots.locked() and self.queued >= self._most_waiting:
            raise OverloadedError(f"{self.queued} questions already wait; try again in a moment")
        self.queued += 1
        try:
            await self._slots.acquire()
        finally:
            self.queued -= 1
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            self._slots.release()
