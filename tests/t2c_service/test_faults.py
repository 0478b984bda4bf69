"""What happens when the graph, the model or the questions misbehave; nothing needs a restart to recover."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.model_doubles import Reply

from t2c_core.errors import EmbeddedError, GraphOverloadedError, SnapshotError
from t2c_core.graph.client import GraphClient, QueryLimits
from t2c_service.access.concurrency import ConcurrencyLimiter
from t2c_service.errors import ModelFolderError, OverloadedError, SettingsError, problem_type_of
from t2c_service.settings import GraphSettings, ModelSettings

from .conftest import Script, running
from .faults import Cable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2
    from tests.conftest import TestGraph

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

GOOD = "MATCH (drug:Drug) RETURN count(drug)"


@pytest.fixture
async def cable(graph: TestGraph) -> AsyncIterator[Cable]:
    line = Cable(graph.uri)
    await line.mend()
    yield line
    await line.cut()


async def ask(client: httpx2.AsyncClient, question: str = "How many drugs are there?") -> httpx2.Response:
    return await client.post("/query", json={"question": question})


async def test_the_graph_may_be_down_at_the_start_go_and_come_back(
    settings: Settings, script: Script, cable: Cable
) -> None:
    script.says = [GOOD]
    await cable.cut()
    cut = settings.model_copy(update={"graph": GraphSettings(uri=cable.uri)})
    async with running(cut) as client:
        for _ in range(2):
            response = await ask(client)
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
            assert response.json()["type"] == "urn:graphling:problem:graph-unavailable"
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            states = ready.json()["dependencies"]
            assert (states["graph"]["state"], states["model"]["state"]) == ("down", "up")
            assert cable.uri in states["graph"]["detail"]
            assert (await client.get("/healthz")).status_code == 200
            await cable.mend()
            assert (await ask(client)).json()["status"] == "answered"
            assert (await client.get("/readyz")).status_code == 200
            await cable.cut()


async def test_a_model_that_is_down_is_a_problem_and_readiness_says_so(settings: Settings) -> None:
    down = ModelSettings(kind="openai", url="http://127.0.0.1:9/v1", name="x")
    async with running(settings.model_copy(update={"model": down})) as client:
        response = await ask(client)
        assert response.status_code == 503
        assert response.json()["type"] == "urn:graphling:problem:model-unavailable"
        assert "127.0.0.1:9" in response.json()["detail"]
        assert (await client.get("/readyz")).json()["dependencies"]["model"]["state"] == "down"


async def test_a_slow_model_is_a_timeout(settings: Settings, script: Script) -> None:
    script.says = [Reply("x", delay_s=3)]
    hasty = settings.model.model_copy(update={"timeout_s": 0.2})
    async with running(settings.model_copy(update={"model": hasty})) as client:
        response = await ask(client)
    assert (response.status_code, response.json()["type"]) == (504, "urn:graphling:problem:timeout")


async def test_a_question_has_a_deadline_over_all_attempts(settings: Settings, script: Script) -> None:
    script.says = [Reply("x", delay_s=3)]
    limits = settings.limits.model_copy(update={"request_timeout_s": 0.2})
    async with running(settings.model_copy(update={"limits": limits})) as client:
        response = await ask(client)
    assert response.status_code == 504
    assert "no answer within 0.2 s" in response.json()["detail"]


async def test_babble_fails_the_question_only(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [Reply(raw=b"<html>"), Reply(endless=True)]
    answer = (await ask(client)).json()
    assert answer["status"] == "failed"
    assert [attempt["codes"] for attempt in answer["attempts"]] == [["completion"]] * 2
    script.says = [GOOD]
    assert (await ask(client)).json()["status"] == "answered"


async def test_more_questions_than_places_are_turned_away(settings: Settings, script: Script) -> None:
    script.says = [Reply(GOOD, delay_s=0.5)]
    limits = settings.limits.model_copy(update={"concurrency": 1, "max_queued": 1})
    async with running(settings.model_copy(update={"limits": limits})) as client:
        responses = await asyncio.gather(*(ask(client) for _ in range(4)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200, 200, 503, 503]
    refused = next(response for response in responses if response.status_code == 503)
    assert refused.json()["type"] == "urn:graphling:problem:overloaded"


async def test_a_gate_counts_those_who_leave() -> None:
    gate = ConcurrencyLimiter(1, 1)
    async with gate.slot():
        waiting = asyncio.create_task(gate.slot().__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await gate.slot().__aenter__()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        second = asyncio.create_task(gate.slot().__aenter__())
        await asyncio.sleep(0)
    await asyncio.wait_for(second, 5)


async def test_what_is_not_there_at_the_start_is_named(settings: Settings, tmp_path: Path) -> None:
    for changes, error, told in (
        ({"snapshot": tmp_path / "none"}, SnapshotError, "none"),
        ({"model": ModelSettings(path=tmp_path / "none")}, ModelFolderError, "no such folder"),
        ({"graph": GraphSettings(home=tmp_path / "none")}, SettingsError, "no graph in `graph.home`"),
        ({"examples": tmp_path / "none.jsonl"}, SettingsError, "cannot read `examples`"),
    ):
        with pytest.raises(error, match=told):
            async with running(settings.model_copy(update=changes)):
                pass


async def test_an_address_is_used_where_home_has_no_store(
    settings: Settings, graph: TestGraph, tmp_path: Path
) -> None:
    """A container that is given the settings of a clone, whose store is elsewhere."""
    changed = settings.model_copy(update={"graph": GraphSettings(uri=graph.uri, home=tmp_path / "none")})
    async with running(changed) as client:
        assert (await client.get("/readyz")).json()["status"] == "ready"
    assert not (tmp_path / "none").exists()


async def test_a_store_in_use_by_another_program_is_named(settings: Settings, graph: TestGraph) -> None:
    with pytest.raises(EmbeddedError, match="in use by another running Neo4j"):
        async with running(settings.model_copy(update={"graph": GraphSettings(home=graph.home)})):
            pass


async def test_a_store_that_is_served_already_is_used_where_it_is(
    settings: Settings, graph: TestGraph, script: Script
) -> None:
    script.says = [GOOD]
    both = GraphSettings(home=graph.home, uri=graph.uri)
    async with running(settings.model_copy(update={"graph": both})) as client:
        assert (await ask(client)).json()["status"] == "answered"


async def test_a_wait_for_a_connection_is_overload_not_a_slow_query(graph: TestGraph) -> None:
    slow = "UNWIND range(1, 40000000) AS n WITH n WHERE n % 7 = 8 RETURN count(n)"
    async with GraphClient(graph.uri, concurrency=1) as client:
        busy = asyncio.create_task(client.execute_read(slow, limits=QueryLimits(timeout_s=30)))
        await asyncio.sleep(0.2)
        with pytest.raises(GraphOverloadedError, match="in use") as caught:
            await client.execute_read("RETURN 1", limits=QueryLimits(timeout_s=0.2))
        assert problem_type_of(caught.value) == OverloadedError.problem_type
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        assert (await client.execute_read("RETURN 1")).rows == ((1,),), (
            "a cancelled query gives its place back"
        )
