"""Verified queries over HTTP, MCP and the command line, on the real demo graph."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from tests.model_doubles import Reply
from tests.t2c_service.conftest import Script, running

from t2c_core.errors import PolicyError
from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.errors import SettingsError
from t2c_service.settings import AccessSettings, DatabaseSettings, GraphSettings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from tests.conftest import TestGraph

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

TREATING = """
queries:
- name: drugs_for_disease
  description: Drugs that treat a disease, the newest first.
  questions: ["Which drugs treat {disease}?", "The {count} newest drugs for {disease}"]
  cypher: |-
    MATCH (d:Drug)-[:TREATS]->(x:Disease) WHERE x.name = $disease
    RETURN d.name AS drug, d.approvalYear AS year ORDER BY year DESC, drug LIMIT $count
  parameters:
    disease: {values_of: Disease.name, example: Asthma}
    count: {type: integer, default: 2, minimum: 1, maximum: 10}
"""
ADMITTED = """
- name: patients_of_ward
  description: Patients by name.
  questions: ["All patients"]
  cypher: MATCH (p:Patient) RETURN p.name LIMIT 2
"""
PROBLEM = "urn:graphling:problem:"
BROKEN = Reply("", status=500)


def with_verified(settings: Settings, folder: Path, text: str = TREATING, **more: Any) -> Settings:
    file = folder / "verified.yaml"
    file.write_text(textwrap.dedent(text))
    return settings.model_copy(update={"verified_queries": file, **more})


def with_key(settings: Settings, folder: Path, **grant: Any) -> tuple[Settings, dict[str, str]]:
    key, _ = KeyStore(folder / "keys.json").create(KeyPermissions(name="ward", **grant))
    access = AccessSettings(keys_file=folder / "keys.json", audit_log=folder / "audit.jsonl")
    return settings.model_copy(update={"access": access}), {"X-API-Key": key}


async def ask(client: httpx2.AsyncClient, question: str, **more: Any) -> dict[str, Any]:
    response = await client.post("/query", json={"question": question}, **more)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


async def test_a_question_with_its_wording_is_answered_without_the_model(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [BROKEN]
    async with running(with_verified(settings, tmp_path)) as client:
        answer = await ask(client, "Which drugs treat the asthma?")
        assert (answer["status"], answer["origin"]) == ("answered", "verified")
        assert (answer["verified_query"], answer["model"]) == ("drugs_for_disease", "")
        assert answer["parameters"] == {"disease": "Asthma", "count": 2}
        assert answer["columns"] == ["drug", "year"]
        assert len(answer["rows"]) == 2
        assert answer["linked_values"][0]["text"] == "the asthma"
        three = await ask(client, "the 3 newest drugs for asthma")
        assert (three["parameters"]["count"], len(three["rows"])) == (3, 3)
        assert script.asked == []
        failing = await client.post("/query", json={"question": "Which drugs treat bad asthma?"})
        assert (failing.status_code, len(script.asked) > 0) == (503, True)
        lines = (await client.get("/metrics")).text
        assert 't2c_verified_answers_total{database="default",query="drugs_for_disease"} 2.0' in lines


async def test_the_model_answers_what_has_no_wording(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = ["MATCH (d:Drug) RETURN count(d)"]
    async with running(with_verified(settings, tmp_path)) as client:
        answer = await ask(client, "How many drugs treat asthma?")
        own = (await client.post("/cypher", json={"cypher": "RETURN 1 AS one"})).json()
    assert (answer["origin"], answer["verified_query"], answer["model"]) == ("model", None, "scripted")
    assert (own["origin"], own["verified_query"]) == ("caller", None)


async def test_they_are_listed_and_run_by_name(settings: Settings, tmp_path: Path) -> None:
    async with running(with_verified(settings, tmp_path)) as client:
        listed = (await client.get("/verified-queries")).json()
        query = listed["verified_queries"][0]
        assert (listed["database"], query["name"]) == ("default", "drugs_for_disease")
        assert query["example"] == "Which drugs treat Asthma?"
        assert query["parameters"]["required"] == ["disease"]
        path = "/verified-queries/drugs_for_disease"
        body = {"parameters": {"disease": "ASTHMA", "count": 3}}
        answer = (await client.post(path, json=body)).json()
        assert (answer["origin"], answer["verified_query"]) == ("verified", "drugs_for_disease")
        assert (answer["parameters"]["disease"], len(answer["rows"])) == ("Asthma", 3)
        dry = (await client.post(path, json=body | {"options": {"dry_run": True}})).json()
        assert (dry["status"], dry["rows"]) == ("answered", [])
        for parameters, pointer in (
            ({}, "#/parameters/disease"),
            ({"disease": "Asthma", "count": 11}, "#/parameters/count"),
            ({"disease": "Asthma", "other": 1}, "#/parameters"),
            ({"disease": ["Asthma"]}, "#/parameters/disease"),
        ):
            response = await client.post(path, json={"parameters": parameters})
            assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
        unknown = await client.post("/verified-queries/other", json={})
        assert (unknown.status_code, unknown.json()["type"]) == (404, f"{PROBLEM}unknown-query")


@pytest.mark.parametrize("hidden", ["Patient.name", "Patient"])
async def test_a_principal_neither_sees_nor_runs_what_is_hidden_from_it(
    settings: Settings, script: Script, tmp_path: Path, hidden: str
) -> None:
    script.says = ["<unanswerable>"]
    verified = with_verified(settings, tmp_path, TREATING + ADMITTED)
    changed, headers = with_key(verified, tmp_path, scopes=("query", "schema"), hidden=(hidden,))
    async with running(changed) as client:
        listed = (await client.get("/verified-queries", headers=headers)).json()["verified_queries"]
        assert [each["name"] for each in listed] == ["drugs_for_disease"]
        run = await client.post("/verified-queries/patients_of_ward", json={}, headers=headers)
        assert (run.status_code, run.json()["type"]) == (404, f"{PROBLEM}unknown-query")
        assert "patients_of_ward'; available: drugs_for_disease" in run.json()["detail"]
        answer = await ask(client, "All patients", headers=headers)
        assert (answer["origin"], answer["status"]) == ("model", "unanswerable")
        seen = await ask(client, "Which drugs treat asthma?", headers=headers)
        assert seen["origin"] == "verified"
        assert (await client.get("/verified-queries")).status_code == 401
        assert (await client.post("/verified-queries/drugs_for_disease", json={})).status_code == 401
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(each["verified_query"], each["status"]) for each in records] == [
        ("patients_of_ward", "unknown-query"),
        (None, "unanswerable"),
        ("drugs_for_disease", "answered"),
        ("drugs_for_disease", "unauthenticated"),
    ]


async def test_a_query_that_the_policy_of_the_graph_hides_stops_the_start(
    settings: Settings, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("hidden: [Patient.name]\n")
    changed = with_verified(settings, tmp_path, TREATING + ADMITTED, policy=policy)
    with pytest.raises(SettingsError, match=r"'patients_of_ward' is refused \(policy"):
        async with running(changed):
            pass


async def test_a_changed_file_is_taken_up_if_it_is_valid(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from t2c_core.graph.client import GraphClient
    from t2c_core.guard.policy.policy import Policy
    from t2c_service.databases import Database, DatabaseResources

    file = tmp_path / "verified.yaml"
    file.write_text(TREATING)
    assert settings.graph.uri is not None
    async with GraphClient(settings.graph.uri) as client:
        database = await Database.open(
            DatabaseResources(
                name="test",
                settings=DatabaseSettings(
                    graph=GraphSettings(uri=settings.graph.uri),
                    snapshot=settings.snapshot,
                    verified_queries=file,
                ),
                graph=client,
                model=None,  # type: ignore[arg-type]
                model_timeout_s=5,
                prompt="atoms",
                limits=settings.limits,
            )
        )
        file.write_text(TREATING + ADMITTED)
        assert [await database.reload_if_changed() for _ in range(2)] == [False, True]
        assert len(database.verified_for(Policy())) == 2
        file.write_text("queries: [")
        assert [await database.reload_if_changed() for _ in range(3)] == [False] * 3
        assert len(database.verified_for(Policy())) == 2
        assert "is not used" in caplog.text
        database.close()


async def test_chat_clients_are_told_which_query_answered(settings: Settings, tmp_path: Path) -> None:
    async with running(with_verified(settings, tmp_path)) as client:
        body = {
            "model": "default",
            "messages": [{"role": "user", "content": "Which drugs treat asthma?"}],
        }
        said = (await client.post("/v1/chat/completions", json=body)).json()["choices"][0]["message"]
    assert "verified query drugs\\_for\\_disease" in said["content"]


async def test_each_is_a_tool_for_those_who_may_run_it(
    settings: Settings, script: Script, tmp_path: Path, graph: TestGraph
) -> None:
    script.says = [BROKEN]
    second = DatabaseSettings(
        graph=GraphSettings(uri=graph.uri),
        snapshot=graph.snapshot,
        verified_queries=tmp_path / "verified.yaml",
    )
    verified = with_verified(settings, tmp_path, TREATING + ADMITTED, databases={"second-one": second})
    changed, headers = with_key(verified, tmp_path, scopes=("query",), hidden=("Patient.name",))
    _, other = with_key(verified, tmp_path, scopes=("cypher",))
    async with running(changed) as http:
        http.headers.update(headers)
        async with Client(streamable_http_client("http://127.0.0.1/mcp", http_client=http)) as client:
            tools = {each.name: each for each in (await client.list_tools()).tools}
            assert tools.keys() - {"ask", "run_read_cypher", "get_schema"} == {
                "drugs_for_disease",
                "second_one_drugs_for_disease",
            }
            tool = tools["drugs_for_disease"]
            assert tool.description == "Drugs that treat a disease, the newest first."
            assert tool.input_schema["properties"]["count"]["default"] == 2
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True
            result = await client.call_tool("drugs_for_disease", {"disease": "asthma", "count": 1})
            content = result.structured_content
            assert (content["status"], len(content["rows"])) == ("answered", 1)
            assert content["verified_query"] == "drugs_for_disease"
            there = await client.call_tool("second_one_drugs_for_disease", {"disease": "asthma"})
            assert there.structured_content["database"] == "second-one"
            for name, arguments, reason in (
                ("drugs_for_disease", {}, "'disease' is required"),
                ("patients_of_ward", {}, "Unknown tool"),
                ("other", {}, "Unknown tool"),
            ):
                failed = await client.call_tool(name, arguments)
                assert failed.is_error
                assert reason in str(failed.content)
        http.headers.update(other)
        async with Client(streamable_http_client("http://127.0.0.1/mcp", http_client=http)) as client:
            assert len((await client.list_tools()).tools) == 3
            assert (await client.call_tool("drugs_for_disease", {"disease": "asthma"})).is_error
    assert script.asked == []


def test_doctor_reads_every_file_of_the_settings(settings: Settings, tmp_path: Path) -> None:
    from t2c_service.bootstrap import check_files

    changed = with_verified(settings, tmp_path)
    found = check_files(changed)
    assert found["databases"]["default"]["verified_queries"] == ["drugs_for_disease"]  # type: ignore[index]
    with pytest.raises(SettingsError, match="is refused"):
        check_files(with_verified(settings, tmp_path, TREATING.replace("d.approvalYear", "d.nothing")))
    policy = tmp_path / "policy.yaml"
    policy.write_text("hidden: [Patinet]\n")
    with pytest.raises(PolicyError):
        check_files(changed.model_copy(update={"policy": policy}))
