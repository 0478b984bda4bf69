"""Rate and concurrency limits of each principal, counted in this process or, for several replicas, in Redis.

Rates are counted in a sliding window made of two fixed ones: the count of the previous minute is weighted by the part
of it that the window still covers. Concurrency is counted in leases.

Source: https://blog.cloudflare.com/counting-things-a-lot-of-different-things/
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from redis.exceptions import RedisError

from t2c_service.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

log = logging.getLogger(__name__)

WINDOW_S = 60
MAX_SUBJECTS = 100_000
"""Maximum number of principals counted in memory; the oldest entries are dropped first."""
NAMESPACE = "graphling:"

_Result = TypeVar("_Result")


class RateLimiter:
    """Counts requests by subject, in this process.

    Args:
        clock: Returns seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, int, int]] = {}
        self._leases: dict[str, set[str]] = {}

    def count(self, subject: str, limit: int) -> float:
        """Count one request in this process; see `hit`."""
        now = self._clock()
        window = int(now // WINDOW_S)
        known, current, previous = self._windows.pop(subject, (window, 0, 0))
        if known != window:
            current, previous = 0, current if known == window - 1 else 0
        wait_s = _retry_after(now, current, previous, limit)
        self._windows[subject] = (window, current + (wait_s == 0), previous)
        if len(self._windows) > MAX_SUBJECTS:
            del self._windows[next(iter(self._windows))]
        return wait_s

    async def hit(self, subject: str, limit: int) -> float:
        """Count one request if the rate limit allows it.

        Returns:
            0 if it is allowed, else the number of seconds after which to try again.
        """
        return self.count(subject, limit)

    async def acquire(self, subject: str, limit: int) -> str | None:
        """Return the id of a new lease, or None if all `limit` leases of the subject are taken."""
        leases = self._leases.setdefault(subject, set())
        if len(leases) >= limit:
            return None
        lease_id = secrets.token_hex(8)
        leases.add(lease_id)
        return lease_id

    async def release(self, subject: str, lease_id: str) -> None:
        """Return a lease."""
        leases = self._leases.get(subject, set())
        leases.discard(lease_id)
        if not leases:
            self._leases.pop(subject, None)

    async def check(self) -> None:
        """Check that the counter is available; memory always is."""

    async def close(self) -> None:
        """Close the connections, if there are any."""


class RedisRateLimiter(RateLimiter):
    """Counts in Redis while it is reachable, else in this process; changes are logged.

    Leases in Redis expire, so that those of a crashed replica are freed.

    Args:
        redis: Client; it connects when needed.
        lease_s: Maximum number of seconds that a lease is held.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, redis: Redis, *, lease_s: float, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._redis = redis
        self._lease_s = lease_s
        self._is_down = False

    async def hit(self, subject: str, limit: int) -> float:
        """See `RateLimiter.hit`."""
        return await self._shared(
            self._hit(subject, limit), lambda: super(RedisRateLimiter, self).hit(subject, limit)
        )

    async def acquire(self, subject: str, limit: int) -> str | None:
        """See `RateLimiter.acquire`."""
        return await self._shared(
            self._acquire(subject, limit), lambda: super(RedisRateLimiter, self).acquire(subject, limit)
        )

    async def release(self, subject: str, lease_id: str) -> None:
        """See `RateLimiter.release`."""
        await super().release(subject, lease_id)
        await self._shared(
            self._redis.zrem(f"{NAMESPACE}places:{subject}", lease_id), lambda: asyncio.sleep(0, 0)
        )

    async def check(self) -> None:
        """Check that Redis is reachable.

        Raises:
            RedisError: It is not.
        """
        await self._redis.ping()

    async def close(self) -> None:
        """See `RateLimiter.close`."""
        await self._redis.aclose()

    async def _hit(self, subject: str, limit: int) -> float:
        now = self._clock()
        window = int(now // WINDOW_S)
        key = f"{NAMESPACE}rate:{subject}:"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(f"{key}{window}")
            pipeline.expire(f"{key}{window}", 2 * WINDOW_S)
            pipeline.get(f"{key}{window - 1}")
            current, _, previous = await pipeline.execute()
        wait_s = _retry_after(now, int(current) - 1, int(previous or 0), limit)
        if wait_s:
            await self._redis.decr(f"{key}{window}")
        return wait_s

    async def _acquire(self, subject: str, limit: int) -> str | None:
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

    async def _shared(self, shared: Awaitable[_Result], local: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            result = await shared
        except (RedisError, OSError) as error:
            if not self._is_down:
                log.warning("Redis is unreachable (%s); each replica counts its own requests", error)
            self._is_down = True
            return await local()
        if self._is_down:
            log.warning("Redis is reachable again; replicas share their counts")
        self._is_down = False
        return result


@asynccontextmanager
async def rate_limited(
    limiter: RateLimiter, subject: str, *, per_minute: int | None, concurrency: int | None
) -> AsyncIterator[None]:
    """Count one question from entry to exit.

    Args:
        limiter: Counter of requests.
        subject: Name under which the principal is counted.
        per_minute: Maximum number of questions per minute; unlimited if None.
        concurrency: Maximum number of concurrent questions; unlimited if None.

    Raises:
        RateLimitedError: A limit is exceeded.
    """
    lease_id = None
    if concurrency is not None:
        lease_id = await limiter.acquire(subject, concurrency)
        if lease_id is None:
            raise RateLimitedError(f"at most {concurrency} concurrent questions are allowed", retry_after_s=1)
    try:
        wait_s = 0.0 if per_minute is None else await limiter.hit(subject, per_minute)
        if wait_s:
            raise RateLimitedError(
                f"at most {per_minute} questions per minute are allowed", retry_after_s=wait_s
            )
        yield
    finally:
        if lease_id is not None:
            await limiter.release(subject, lease_id)


def _retry_after(now: float, current: int, previous: int, limit: int) -> float:
    """Return the number of seconds until one more request is allowed; 0 if it is allowed now."""
    elapsed = (now % WINDOW_S) / WINDOW_S
    if current + previous * (1 - elapsed) + 1 <= limit:
        return 0.0
    if previous and current + 1 <= limit:
        needed = 1 - (limit - current - 1) / previous
        return max(0.1, (needed - elapsed) * WINDOW_S)
    return max(0.1, (1 - elapsed) * WINDOW_S)
