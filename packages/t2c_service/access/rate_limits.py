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


class RateLimiter(Protocol):
    """Counts what callers do."""

    async def hit(self, subject: str, limit: int) -> float:
        """Count one question, if it may be asked.

        Returns:
            0 if so, else the seconds after which to try again; the question is then not counted.
        """

    async def acquire(self, subject: str, limit: int) -> str | None:
        """Take one of a caller's places; give its mark, or none if all are taken."""

    async def release(self, subject: str, lease_id: str) -> None:
        """Give a place back."""

    async def check(self) -> None:
        """Make sure that counting works.

        Raises:
            RedisError: it does not.
        """

    async def close(self) -> None:
        """Let go of connections."""


class InMemoryRateLimiter:
    """Counts in this process.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int, int]] = {}
        self._places: dict[str, set[str]] = {}

    async def hit(self, subject: str, limit: int) -> float:
        """See `Tally.count`."""
        now = self._clock()
        window = int(now // WINDOW_S)
        known, current, before = self._windows.pop(subject, (window, 0, 0))
        if known != window:
            before = current if known == window - 1 else 0
            current = 0
        wait = _retry_after(now, current, before, limit)
        self._windows[subject] = (window, current + (wait == 0), before)
        if len(self._windows) > MAX_SUBJECTS:
            del self._windows[next(iter(self._windows))]
        return wait

    async def acquire(self, subject: str, limit: int) -> str | None:
        """See `Tally.enter`."""
        places = self._places.setdefault(subject, set())
        if len(places) >= limit:
            return None
        lease_id = secrets.token_hex(8)
        places.add(lease_id)
        return lease_id

    async def release(self, subject: str, lease_id: str) -> None:
        """See `Tally.leave`."""
        places = self._places.get(subject, set())
        places.discard(lease_id)
        if not places:
            self._places.pop(subject, None)

    async def check(self) -> None:
        """Counting in memory always works."""

    async def close(self) -> None:
        """Have nothing to let go of."""


class RedisRateLimiter:
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

    async def hit(self, subject: str, limit: int) -> float:
        """See `Tally.count`."""
        now = self._clock()
        window = int(now // WINDOW_S)
        key = f"{NAMESPACE}rate:{subject}:"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(f"{key}{window}")
            pipeline.expire(f"{key}{window}", 2 * WINDOW_S)
            pipeline.get(f"{key}{window - 1}")
            current, _, before = await pipeline.execute()
        wait = _retry_after(now, int(current) - 1, int(before or 0), limit)
        if wait:
            await self._redis.decr(f"{key}{window}")
        return wait

    async def acquire(self, subject: str, limit: int) -> str | None:
        """See `Tally.enter`."""
        now = self._clock()
        key = f"{NAMESPACE}places:{subject}"
        lease_id = secrets.token_hex(8)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(key, "-inf", now)
            pipeline.zadd(key, {lease_id: now + self._lease_s})
            pipeline.expire(key, int(self._lease_s) + 1)
            pipeline.zcard(key)
            *_, taken = await pipeline.execute()
        if int(taken) <= limit:
            return lease_id
        await self._redis.zrem(key, lease_id)
        return None

    async def release(self, subject: str, lease_id: str) -> None:
        """See `Tally.leave`."""
        await self._redis.zrem(f"{NAMESPACE}places:{subject}", lease_id)

    async def check(self) -> None:
        """Ask Redis for a sign of life."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class FallbackRateLimiter:
    """Counts in Redis while it can be reached, else in this process, and says so.

    Args:
        shared: the count that may fail.
        own: the count that does not.
    """

    def __init__(self, shared: RateLimiter, own: RateLimiter) -> None:
        self._shared = shared
        self._own = own
        self._is_down = False

    async def hit(self, subject: str, limit: int) -> float:
        """See `Tally.count`."""
        try:
            wait = await self._shared.hit(subject, limit)
        except (RedisError, OSError) as error:
            self._note(error)
            return await self._own.hit(subject, limit)
        self._note(None)
        return wait

    async def acquire(self, subject: str, limit: int) -> str | None:
        """See `Tally.enter`."""
        try:
            lease_id = await self._shared.acquire(subject, limit)
        except (RedisError, OSError) as error:
            self._note(error)
            return await self._own.acquire(subject, limit)
        self._note(None)
        return lease_id

    async def release(self, subject: str, lease_id: str) -> None:
        """See `Tally.leave`."""
        await self._own.release(subject, lease_id)
        try:
            await self._shared.release(subject, lease_id)
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
async def rate_limited(
    tally: RateLimiter, subject: str, *, per_minute: int | None, concurrency: int | None
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
    lease_id = None
    if concurrency is not None:
        lease_id = await tally.acquire(subject, concurrency)
        if lease_id is None:
            raise RateLimitedError(f"{concurrency} questions at once are allowed", retry_after_s=1.0)
    try:
        wait = 0.0 if per_minute is None else await tally.hit(subject, per_minute)
        if wait:
            raise RateLimitedError(f"{per_minute} questions a minute are allowed", retry_after_s=wait)
        yield
    finally:
        if lease_id is not None:
            await tally.release(subject, lease_id)


def _retry_after(now: float, current: int, before: int, limit: int) -> float:
    """Give the seconds until one more is allowed; 0 if it is now."""
    gone = (now % WINDOW_S) / WINDOW_S
    if current + before * (1 - gone) + 1 <= limit:
        return 0.0
    left = (1 - gone) * WINDOW_S
    if before and current + 1 <= limit:
        needed = 1 - (limit - current - 1) / before
        return max(0.1, (needed - gone) * WINDOW_S)
    return max(0.1, left)
