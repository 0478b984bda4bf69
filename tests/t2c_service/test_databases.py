"""Snapshots that are replaced while questions go on, and taken anew from the graph."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import neo4j
import pytest
from tests.model_doubles import FakeModel, Reply

from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.snapshot import write_snapshot
from t2c_service.databases import Database, DatabaseResources
from t2c_service.settings import DatabaseSettings, GraphSettings, LimitSettings

from .conftest import Script, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TestGraph

    from t2c_core.graph.client import GraphClient
    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph


async def opened(graph: TestGraph, client: GraphClient, snapshot: Path) -> Database:
    return await Database.open(
        DatabaseResources(
            name="test",
            settings=DatabaseSettings(graph=GraphSettings(uri=graph.uri), snapshot=snapshot),
            graph=client,
            model=FakeModel(["MATCH (n:City) RETURN n.name"]),
            model_timeout_s=5,
            prompt="chat",
            limits=LimitSettings(),
        )
    )


async def test_a_new_snapshot_is_taken_and_used_while_a_question_keeps_the_old_one(
    empty_graph: TestGraph, tmp_path: Path
) -> None:
    from t2c_core.graph.client import GraphClient

    def run(cypher: str) -> None:
        with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
            driver.execute_query(cypher)

    await asyncio.to_thread(run, "CREATE (:City {name: 'Ulm'})")
    snapshot = tmp_path / "snapshot"
    await asyncio.to_thread(write_snapshot, snapshot, uri=empty_graph.uri)
    async with GraphClient(empty_graph.uri) as client:
        database = await opened(empty_graph, client, snapshot)
        before = database.schema.version
        with database.answerer(Policy()) as old:
            await asyncio.to_thread(run, "CREATE (:River {name: 'Danube'})")
            await database.refresh()
            assert database.schema.version != before
            assert "River" in database.schema.label_by_name
            answer = await old.answer("What about Ulm?")
            assert (answer.rows, answer.schema_version) == ((("Ulm",),), before)
        with database.answerer(Policy()) as new:
            answer = await new.answer("What about Danube?")
            assert answer.linked_values[0].text == "Danube"
        database.close()


async def test_a_torn_snapshot_leaves_the_old_one_in_use(
    graph: TestGraph, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from t2c_core.graph.client import GraphClient

    snapshot = tmp_path / "snapshot"
    shutil.copytree(graph.snapshot, snapshot)
    async with GraphClient(graph.uri) as client:
        database = await opened(graph, client, snapshot)
        assert await database.reload_if_changed() is False
        (snapshot / "schema.json").write_text("{")
        (snapshot / "manifest.json").write_text((snapshot / "manifest.json").read_text() + "\n")
        assert await database.reload_if_changed() is False
        assert "the new snapshot is not used" in caplog.text
        assert "Drug" in database.schema.label_by_name
        database.close()


async def test_the_service_follows_a_replaced_folder_with_no_question_waiting(
    settings: Settings, graph: TestGraph, script: Script, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot"
    shutil.copytree(graph.snapshot, snapshot)
    script.says = [Reply("MATCH (d:Drug) RETURN count(d)", delay_s=1)]
    changed = settings.model_copy(update={"snapshot": snapshot, "snapshot_poll_s": 0.05})
    async with running(changed) as client:
        before = (await client.get("/schema")).json()["version"]
        asked = asyncio.create_task(client.post("/query", json={"question": "How many drugs?"}))
        while not script.asked:  # noqa: ASYNC110  (another thread counts)
            await asyncio.sleep(0.01)
        content = json.loads((snapshot / "schema.json").read_text())
        content["server"] = "another"
        (snapshot / "schema.json").write_text(json.dumps(content))
        (snapshot / "manifest.json").write_text((snapshot / "manifest.json").read_text() + "\n")
        for _ in range(2000):
            after = (await client.get("/schema")).json()["version"]
            if after != before:
                break
            await asyncio.sleep(0.05)
        assert after != before
        answer = (await asked).json()
        assert (answer["status"], answer["schema_version"]) == ("answered", before)
