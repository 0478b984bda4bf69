"""Concurrency limit of the whole service, with a bounded queue; `rate_limits` has the limits of each principal."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2c_service.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ConcurrencyLimiter:
    """A bounded number of slots and a bounded queue for them.

    Args:
        concurrency: Number of slots.
        max_queued: Maximum number of requests queued for a slot.
    """

    def __init__(self, concurrency: int, max_queued: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._max_queued = max_queued
        self.queued = 0
        """Requests that wait for a slot."""
        self.active = 0
        """Requests that hold a slot."""

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot from entry to exit.

        Raises:
            OverloadedError: The queue is full.
        """
        if self._slots.locked() and self.queued >= self._max_queued:
            raise OverloadedError(f"{self.queued} questions are queued already; try again in a moment")
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
