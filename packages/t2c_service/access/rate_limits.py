"""How much each caller asks: questions a minute and at once, counted in this process or, for replicas, in Redis.

A sliding window of two fixed ones: what was counted in the last whole minute fades out as the present one goes on.
Source: https://blog.cloudflare.com/counting-things-a-lot-of-different-things/
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from redis.exceptions import RedisError

from t2c_service.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

log = logging.getLogger(__name__)

WINDOW_S = 60
MAX_SUBJECTS = 100_000
"""Callers remembered in memory; the eldest are forgotten first."""
NAMESPACE = "graphling:"


class Tally(Protocol):
    """Counts what callers do."""

    async def count(self, subject: str, most: int) -> float:
        """Count one question, if it may be asked.

        Returns:
            0 if so, else the seconds after which to try again; the question is then not counted.
        """

    async def enter(self, subject: str, most: int) -> str | None:
        """Take one of a caller's places; give its mark, or none if all are taken."""

    async def leave(self, subject: str, mark: str) -> None:
        """Give a place back."""

    async def check(self) -> None:
        """Make sure that counting works.

        Raises:
            RedisError: it does not.
        """

    async def close(self) -> None:
        """Let go of connections."""


class MemoryTally:
    """Counts in this process.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int, int]] = {}
        self._places: dict[str, set[str]] = {}

    async def count(self, subject: str, most: int) -> float:
        """See `Tally.count`."""
        now = self._clock()
        window = int(now // WINDOW_S)
        known, current, before = self._windows.pop(subject, (window, 0, 0))
        if known != window:
            before = current if known == window - 1 else 0
            current = 0
        wait = _wait(now, current, before, most)
        self._windows[subject] = (window, current + (wait == 0), before)
        if len(self._windows) > MAX_SUBJECTS:
            del self._windows[next(iter(self._windows))]
        return wait

    async def enter(self, subject: str, most: int) -> str | None:
        """See `Tally.enter`."""
        places = self._places.setdefault(subject, set())
        if len(places) >= most:
            return None
        mark = secrets.token_hex(8)
        places.add(mark)
        return mark

    async def leave(self, subject: str, mark: str) -> None:
        """See `Tally.leave`."""
        places = self._places.get(subject, set())
        places.discard(mark)
        if not places:
            self._places.pop(subject, None)

    async def check(self) -> None:
        """Counting in memory always works."""

    async def close(self) -> None:
        """Have nothing to let go of."""


class RedisTally:
    """Counts in Redis; places are leases, so that those of a replica that died come back.

    Args:
        redis: connected when needed.
        lease_s: longest time that a place can be taken.
        clock: seconds since the epoch.
    """

    def __init__(self, redis: Redis, *, lease_s: float, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._clock = clock

    async def count(self, subject: str, most: int) -> float:
        """See `Tally.count`."""
        now = self._clock()
        window = int(now // WINDOW_S)
        key = f"{NAMESPACE}rate:{subject}:"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(f"{key}{window}")
            pipeline.expire(f"{key}{window}", 2 * WINDOW_S)
            pipeline.get(f"{key}{window - 1}")
            current, _, before = await pipeline.execute()
        wait = _wait(now, int(current) - 1, int(before or 0), most)
        if wait:
            await self._redis.decr(f"{key}{window}")
        return wait

    async def enter(self, subject: str, most: int) -> str | None:
        """See `Tally.enter`."""
        now = self._clock()
        key = f"{NAMESPACE}places:{subject}"
        mark = secrets.token_hex(8)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(key, "-inf", now)
            pipeline.zadd(key, {mark: now + self._lease_s})
            pipeline.expire(key, int(self._lease_s) + 1)
            pipeline.zcard(key)
            *_, taken = await pipeline.execute()
        if int(taken) <= most:
            return mark
        await self._redis.zrem(key, mark)
        return None

    async def leave(self, subject: str, mark: str) -> None:
        """See `Tally.leave`."""
        await self._redis.zrem(f"{NAMESPACE}places:{subject}", mark)

    async def check(self) -> None:
        """Ask Redis for a sign of life."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class SteadyTally:
    """Counts in Redis while it can be reached, else in this process, and says so.

    Args:
        shared: the count that may fail.
        own: the count that does not.
    """

    def __init__(self, shared: Tally, own: Tally) -> None:
        self._shared = shared
        self._own = own
        self._is_down = False

    async def count(self, subject: str, most: int) -> float:
        """See `Tally.count`."""
        try:
            wait = await self._shared.count(subject, most)
        except (RedisError, OSError) as error:
            self._note(error)
            return await self._own.count(subject, most)
        self._note(None)
        return wait

    async def enter(self, subject: str, most: int) -> str | None:
        """See `Tally.enter`."""
        try:
            mark = await self._shared.enter(subject, most)
        except (RedisError, OSError) as error:
            self._note(error)
            return await self._own.enter(subject, most)
        self._note(None)
        return mark

    async def leave(self, subject: str, mark: str) -> None:
        """See `Tally.leave`."""
        await self._own.leave(subject, mark)
        try:
            await self._shared.leave(subject, mark)
        except (RedisError, OSError) as error:
            self._note(error)

    async def check(self) -> None:
        """See `Tally.check`."""
        await self._shared.check()

    async def close(self) -> None:
        """Close both."""
        await self._shared.close()

    def _note(self, error: Exception | None) -> None:
        if error is not None and not self._is_down:
            log.warning("Redis cannot be reached (%s); each replica counts alone", error)
        if error is None and self._is_down:
            log.warning("Redis is back; replicas count together again")
        self._is_down = error is not None


@asynccontextmanager
async def counted(
    tally: Tally, subject: str, *, per_minute: int | None, concurrency: int | None
) -> AsyncIterator[None]:
    """Count one question from entry to exit.

    Args:
        tally: where.
        subject: whose.
        per_minute: most a minute, if there is a limit.
        concurrency: most at once, if there is a limit.

    Raises:
        RateLimitedError: there were too many; it says when to try again.
    """
    mark = None
    if concurrency is not None:
        mark = await tally.enter(subject, concurrency)
        if mark is None:
            raise RateLimitedError(f"{concurrency} questions at once are allowed", retry_after_s=1.0)
    try:
        wait = 0.0 if per_minute is None else await tally.count(subject, per_minute)
        if wait:
            raise RateLimitedError(f"{per_minute} questions a minute are allowed", retry_after_s=wait)
        yield
    finally:
        if mark is not None:
            await tally.leave(subject, mark)


def _wait(now: float, current: int, before: int, most: int) -> float:
    """Give the seconds until one more is allowed; 0 if it is now."""
    gone = (now % WINDOW_S) / WINDOW_S
    if current + before * (1 - gone) + 1 <= most:
        return 0.0
    left = (1 - gone) * WINDOW_S
    if before and current + 1 <= most:
        needed = 1 - (most - current - 1) / before
        return max(0.1, (needed - gone) * WINDOW_S)
    return max(0.1, left)
