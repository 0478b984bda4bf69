"""Rate and concurrency limits in memory and in Redis: the same rules, and what happens when Redis is unreachable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import fakeredis
import pytest

from t2c_service.access.rate_limits import RateLimiter, RedisRateLimiter, rate_limited
from t2c_service.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Clock:
    def __init__(self) -> None:
        self.now = 60_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[RateLimiter]:
    made: RateLimiter
    if request.param == "memory":
        made = RateLimiter(clock)
    else:
        made = RedisRateLimiter(fakeredis.FakeAsyncRedis(), lease_s=30, clock=clock)
    yield made
    await made.close()


async def test_so_many_a_minute_and_no_more(limiter: RateLimiter) -> None:
    assert [await limiter.hit("a", 3) for _ in range(3)] == [0, 0, 0]
    assert await limiter.hit("a", 3) > 0
    assert await limiter.hit("b", 3) == 0


async def test_it_says_when_to_try_again(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(3):
        await limiter.hit("a", 3)
    wait = await limiter.hit("a", 3)
    clock.now += wait - 1
    assert await limiter.hit("a", 3) > 0
    for _ in range(100):
        if (wait := await limiter.hit("a", 3)) == 0:
            break
        clock.now += wait
    assert wait == 0


async def test_what_is_turned_away_is_not_counted(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(50):
        await limiter.hit("a", 2)
    clock.now += 121
    assert await limiter.hit("a", 2) == 0


async def test_the_last_minute_fades_out(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(4):
        assert await limiter.hit("a", 4) == 0
    clock.now += 60
    assert await limiter.hit("a", 4) > 0
    clock.now += 30  # half of them count still
    assert [await limiter.hit("a", 4) == 0 for _ in range(3)] == [True, True, False]


async def test_leases_are_taken_and_given_back(limiter: RateLimiter) -> None:
    first = await limiter.acquire("a", 2)
    assert first is not None
    assert await limiter.acquire("a", 2) is not None
    assert await limiter.acquire("a", 2) is None
    await limiter.release("a", first)
    assert await limiter.acquire("a", 2) is not None


async def test_leases_of_a_replica_that_died_come_back(clock: Clock) -> None:
    limiter = RedisRateLimiter(fakeredis.FakeAsyncRedis(), lease_s=30, clock=clock)
    assert await limiter.acquire("a", 1) is not None
    clock.now += 31
    assert await limiter.acquire("a", 1) is not None
    await limiter.close()


async def test_two_replicas_count_together(clock: Clock) -> None:
    server = fakeredis.FakeServer()
    replicas = [
        RedisRateLimiter(fakeredis.FakeAsyncRedis(server=server), lease_s=30, clock=clock) for _ in range(2)
    ]
    waits = [await replicas[turn % 2].hit("a", 3) for turn in range(4)]
    assert [wait == 0 for wait in waits] == [True, True, True, False]
    for each in replicas:
        await each.close()


async def test_many_at_once_get_no_more_than_is_allowed(limiter: RateLimiter) -> None:
    waits = await asyncio.gather(*(limiter.hit("a", 5) for _ in range(20)))
    assert sum(wait == 0 for wait in waits) <= 5
    leases = await asyncio.gather(*(limiter.acquire("a", 5) for _ in range(20)))
    assert sum(lease is not None for lease in leases) <= 5


async def test_without_redis_each_replica_counts_alone_and_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server = fakeredis.FakeServer()
    limiter = RedisRateLimiter(fakeredis.FakeAsyncRedis(server=server), lease_s=30, clock=clock)
    assert await limiter.hit("a", 2) == 0
    server.connected = False
    assert [await limiter.hit("a", 2) == 0 for _ in range(3)] == [True, True, False]
    lease = await limiter.acquire("a", 1)
    assert lease is not None
    assert await limiter.acquire("a", 1) is None
    await limiter.release("a", lease)
    assert await limiter.acquire("a", 1) is not None
    assert caplog.text.count("each replica counts its own") == 1
    server.connected = True
    assert await limiter.hit("a", 2) == 0
    assert "share their counts" in caplog.text
    await limiter.close()


async def test_a_question_is_counted_and_its_place_comes_back_when_it_fails() -> None:
    limiter = RateLimiter()
    with pytest.raises(KeyError):
        async with rate_limited(limiter, "a", per_minute=None, concurrency=1):
            raise KeyError
    async with rate_limited(limiter, "a", per_minute=1, concurrency=1):
        with pytest.raises(RateLimitedError, match="at most 1 concurrent"):
            async with rate_limited(limiter, "a", per_minute=1, concurrency=1):
                pass
    with pytest.raises(RateLimitedError, match="at most 1 questions per minute") as caught:
        async with rate_limited(limiter, "a", per_minute=1, concurrency=1):
            pass
    assert caught.value.retry_after_s > 0


async def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("t2c_service.access.rate_limits.MAX_SUBJECTS", 10)
    limiter = RateLimiter()
    for number in range(100):
        await limiter.hit(f"address:{number}", 5)
    assert len(limiter._windows) <= 10
