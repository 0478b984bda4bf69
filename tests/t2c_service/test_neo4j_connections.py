"""An embedded store is kept running by the service that started it, within bounds."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.errors import EmbeddedError, GraphUnavailableError
from t2c_core.graph.client import GraphClient
from t2c_core.graph.embedded import EmbeddedGraph
from t2c_service import neo4j_connections as graphs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[EmbeddedGraph]:
    """Every server that is started."""
    made: list[EmbeddedGraph] = []
    start = EmbeddedGraph.start

    def noted(self: EmbeddedGraph, **options: Any) -> EmbeddedGraph:
        made.append(self)
        return start(self, **options)

    monkeypatch.setattr(EmbeddedGraph, "start", noted)
    return made


@pytest.mark.graph
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
async def test_a_store_whose_process_is_killed_answers_again_at_the_same_address(
    tmp_path: Path, started: list[EmbeddedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "INITIAL_BACKOFF_S", 0.1)
    home = tmp_path / "store"
    async with graphs.supervised_store(home) as uri, GraphClient(uri) as client:
        await client.verify_connectivity()
        process = started[0]._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        with pytest.raises(GraphUnavailableError):
            await client.verify_connectivity()
        while len(started) < 2 or not started[1].is_running:  # noqa: ASYNC110  (another thread starts it)
            await asyncio.sleep(0.05)
        await client.verify_connectivity()
        assert (home / graphs.URI_FILE).read_text() == uri == started[1].uri
    assert not (home / graphs.URI_FILE).exists()
    assert not any(each.is_running for each in started)


class Doomed:
    """A store whose process has always just ended."""

    uri = "bolt://127.0.0.1:1"
    is_running = False

    def __init__(self) -> None:
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


async def test_a_store_that_keeps_dying_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts: list[int] = []
    pauses: list[float] = []
    sleep = asyncio.sleep

    def start(_home: Path, port: int) -> Doomed:
        starts.append(port)
        if len(starts) == 3:
            raise EmbeddedError("the store is torn")
        return Doomed()

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(graphs, "_start", start)
    monkeypatch.setattr(graphs.asyncio, "sleep", noted)
    async with graphs.supervised_store(tmp_path):
        while "is not restarted; see" not in caplog.text:
            await sleep(0)
    assert starts == [0, *[1] * graphs.MAX_RESTARTS]
    assert [each for each in pauses if each != graphs.POLL_INTERVAL_S] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert "the store is torn" in caplog.text


async def test_a_store_that_is_starting_again_when_the_service_ends_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Doomed] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def start(_home: Path, _port: int) -> Doomed:
        if made:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        made.append(Doomed())
        return made[-1]

    monkeypatch.setattr(graphs, "_start", start)
    monkeypatch.setattr(graphs, "POLL_INTERVAL_S", 0.0)
    monkeypatch.setattr(graphs, "INITIAL_BACKOFF_S", 0.0)

    async def serve() -> None:
        async with graphs.supervised_store(tmp_path):
            await begun.wait()
            loop.call_later(0.05, go_on.set)

    await serve()
    assert [each.stops for each in made] == [1, 1]
