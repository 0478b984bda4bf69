"""Counting callers, in memory and in Redis: the same rules, and what happens when Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import fakeredis
import pytest

from t2c_service.access.rate_limits import MemoryTally, RedisTally, SteadyTally, counted
from t2c_service.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2c_service.access.rate_limits import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 60_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
async def tally(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Tally]:
    made: Tally
    if request.param == "memory":
        made = MemoryTally(clock)
    else:
        made = RedisTally(fakeredis.FakeAsyncRedis(), lease_s=30, clock=clock)
    yield made
    await made.close()


async def test_so_many_a_minute_and_no_more(tally: Tally) -> None:
    assert [await tally.count("a", 3) for _ in range(3)] == [0, 0, 0]
    assert await tally.count("a", 3) > 0
    assert await tally.count("b", 3) == 0


async def test_it_says_when_to_try_again(tally: Tally, clock: Clock) -> None:
    for _ in range(3):
        await tally.count("a", 3)
    wait = await tally.count("a", 3)
    clock.now += wait - 1
    assert await tally.count("a", 3) > 0
    for _ in range(100):
        if (wait := await tally.count("a", 3)) == 0:
            break
        clock.now += wait
    assert wait == 0


async def test_what_is_turned_away_is_not_counted(tally: Tally, clock: Clock) -> None:
    for _ in range(50):
        await tally.count("a", 2)
    clock.now += 121
    assert await tally.count("a", 2) == 0


async def test_the_last_minute_fades_out(tally: Tally, clock: Clock) -> None:
    for _ in range(4):
        assert await tally.count("a", 4) == 0
    clock.now += 60
    assert await tally.count("a", 4) > 0
    clock.now += 30  # half of them count still
    assert [await tally.count("a", 4) == 0 for _ in range(3)] == [True, True, False]


async def test_places_are_taken_and_given_back(tally: Tally) -> None:
    first = await tally.enter("a", 2)
    assert first is not None
    assert await tally.enter("a", 2) is not None
    assert await tally.enter("a", 2) is None
    await tally.leave("a", first)
    assert await tally.enter("a", 2) is not None


async def test_places_of_a_replica_that_died_come_back(clock: Clock) -> None:
    tally = RedisTally(fakeredis.FakeAsyncRedis(), lease_s=30, clock=clock)
    assert await tally.enter("a", 1) is not None
    clock.now += 31
    assert await tally.enter("a", 1) is not None
    await tally.close()


async def test_two_replicas_count_together(clock: Clock) -> None:
    server = fakeredis.FakeServer()
    replicas = [
        RedisTally(fakeredis.FakeAsyncRedis(server=server), lease_s=30, clock=clock) for _ in range(2)
    ]
    waits = [await replicas[turn % 2].count("a", 3) for turn in range(4)]
    assert [wait == 0 for wait in waits] == [True, True, True, False]
    for each in replicas:
        await each.close()


async def test_many_at_once_get_no_more_than_is_allowed(tally: Tally) -> None:
    waits = await asyncio.gather(*(tally.count("a", 5) for _ in range(20)))
    assert sum(wait == 0 for wait in waits) <= 5
    marks = await asyncio.gather(*(tally.enter("a", 5) for _ in range(20)))
    assert sum(mark is not None for mark in marks) <= 5


async def test_without_redis_each_replica_counts_alone_and_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server = fakeredis.FakeServer()
    tally = SteadyTally(
        RedisTally(fakeredis.FakeAsyncRedis(server=server), lease_s=30, clock=clock), MemoryTally(clock)
    )
    assert await tally.count("a", 2) == 0
    server.connected = False
    assert [await tally.count("a", 2) == 0 for _ in range(3)] == [True, True, False]
    mark = await tally.enter("a", 1)
    assert mark is not None
    assert await tally.enter("a", 1) is None
    await tally.leave("a", mark)
    assert await tally.enter("a", 1) is not None
    assert caplog.text.count("each replica counts alone") == 1
    server.connected = True
    assert await tally.count("a", 2) == 0
    assert "count together again" in caplog.text
    await tally.close()


async def test_a_question_is_counted_and_its_place_comes_back_when_it_fails() -> None:
    tally = MemoryTally()
    with pytest.raises(KeyError):
        async with counted(tally, "a", per_minute=None, concurrency=1):
            raise KeyError
    async with counted(tally, "a", per_minute=1, concurrency=1):
        with pytest.raises(RateLimitedError, match="1 questions at once"):
            async with counted(tally, "a", per_minute=1, concurrency=1):
                pass
    with pytest.raises(RateLimitedError, match="1 questions a minute") as caught:
        async with counted(tally, "a", per_minute=1, concurrency=1):
            pass
    assert caught.value.retry_after_s > 0


async def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("t2c_service.access.rate_limits.MAX_SUBJECTS", 10)
    tally = MemoryTally()
    for number in range(100):
        await tally.count(f"address:{number}", 5)
    assert len(tally._windows) <= 10
