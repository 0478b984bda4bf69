"""Snapshots that are replaced while questions go on, and taken anew from the graph."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import neo4j
import pytest
from tests.model_doubles import FakeModel, Reply

from t2c_core.errors import PolicyError
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.snapshot import write_snapshot
from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.databases import Database, DatabaseResources
from t2c_service.settings import AccessSettings, DatabaseSettings, GraphSettings, LimitSettings

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
        assert "is not used: not a schema snapshot" in caplog.text
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


async def opened_with_policy(graph: TestGraph, client: GraphClient, policy: Path) -> Database:
    settings = DatabaseSettings(graph=GraphSettings(uri=graph.uri), snapshot=graph.snapshot, policy=policy)
    return await Database.open(
        DatabaseResources(
            name="test",
            settings=settings,
            graph=client,
            model=FakeModel(["MATCH (d:Doctor) RETURN d.name"]),
            model_timeout_s=5,
            prompt="chat",
            limits=LimitSettings(),
        )
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("Patinet", "Patient"), ("Patient.nmae", "Patient.name"), ("TREATED", "TREATS")]
)
async def test_a_policy_name_that_the_graph_does_not_have_is_refused_at_the_start(
    settings: Settings, tmp_path: Path, name: str, hint: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"hidden: [{name}]\n")
    changed = settings.model_copy(update={"policy": policy})
    with pytest.raises(PolicyError, match=hint):
        async with running(changed):
            pass
    policy.write_text(f"hidden: [{name}]\nallow_missing: true\n")
    async with running(changed) as client:
        assert (await client.get("/readyz")).status_code == 200


async def test_a_key_that_hides_an_unknown_name_is_refused_at_the_start_and_when_it_is_added_later(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = ["MATCH (p:Patient) RETURN p.name"]
    store = KeyStore(tmp_path / "keys.json")
    store.create(KeyPermissions(name="good"))
    changed = settings.model_copy(update={"access": AccessSettings(keys_file=tmp_path / "keys.json")})
    async with running(changed) as client:
        late, _ = store.create(KeyPermissions(name="late", hidden=("Patinet",)))
        for method, path, body in (("POST", "/query", {"question": "Who?"}), ("GET", "/schema", None)):
            reply = await client.request(method, path, json=body, headers={"X-API-Key": late})
            assert (reply.status_code, reply.json()["type"]) == (403, "urn:graphling:problem:forbidden")
            assert "Patinet" in reply.json()["detail"]
        assert script.asked == []
    with pytest.raises(PolicyError, match=r"late.*Patinet.*Patient"):
        async with running(changed):
            pass


async def test_a_changed_policy_file_is_taken_up_and_never_half(
    graph: TestGraph, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from t2c_core.graph.client import GraphClient

    file = tmp_path / "policy.yaml"
    whole = "hidden:\n- Patient\n- Doctor.name\n"
    file.write_text("hidden:\n- Doctor.name\n")
    async with GraphClient(graph.uri) as client:
        database = await opened_with_policy(graph, client, file)
        with database.answerer(Policy()) as started_before:
            file.write_text(whole[:18])  # a writer is on its way: this is valid and hides less
            assert await database.reload_if_changed() is False
            file.write_text(whole)
            assert await database.reload_if_changed() is False, "not before the file has settled"
            assert await database.reload_if_changed() is True
            assert "Patient" not in database.schema.label_by_name
            assert await database.reload_if_changed() is False
            assert (await started_before.run("MATCH (d:Doctor) RETURN d.name", {})).status == "refused"
            assert (await started_before.run("MATCH (p:Patient) RETURN count(p)", {})).status == "answered"
        with database.answerer(Policy()) as started_after:
            assert (await started_after.run("MATCH (p:Patient) RETURN count(p)", {})).status == "refused"
        for broken in ("", "hidden: [", "hidden: Patient", "hidden: [Patinet]"):
            file.write_text(broken)
            assert [await database.reload_if_changed() for _ in range(3)] == [False] * 3, broken
            assert "Patient" not in database.schema.label_by_name
        file.unlink()
        assert [await database.reload_if_changed() for _ in range(3)] == [False] * 3
        assert "Patient" not in database.schema.label_by_name
        assert "not used" in caplog.text
        database.close()
