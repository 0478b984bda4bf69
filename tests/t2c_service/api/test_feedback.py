"""Feedback over HTTP on the real demo graph: who may give it, what is kept of it, and what becomes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.t2c_service.conftest import Script, running

from t2c_service import cli
from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.settings import AccessSettings, FeedbackSettings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
YEAR = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.approvalYear"
QUESTION = "What is the half-life of warfarin?"
PROBLEM = "urn:graphling:problem:"


def keeping(settings: Settings, folder: Path, **more: Any) -> Settings:
    kept = FeedbackSettings(file=folder / "feedback.jsonl", **more)
    return settings.model_copy(update={"feedback": kept})


async def answered(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await client.post("/query", json={"question": QUESTION}, **more)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


def kept(folder: Path) -> list[dict[str, Any]]:
    file = folder / "feedback.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def test_a_verdict_is_kept_with_question_and_query_and_without_rows(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [HALF_LIFE]
    async with running(keeping(settings, tmp_path)) as client:
        answer = await answered(client)
        body = {"answer_id": answer["request_id"], "verdict": "right", "comment": "yes"}
        response = await client.post("/feedback", json=body)
        assert (response.status_code, response.json()["verdict"]) == (200, "right")
        metrics = (await client.get("/metrics")).text
        assert 't2c_feedback_total{database="default",verdict="right"} 1.0' in metrics
    record = kept(tmp_path)[0]
    assert (record["question"], record["cypher"]) == (QUESTION, HALF_LIFE)
    assert (record["parameters"], record["verdict"], record["comment"]) == (
        {"v1": "Warfarin"},
        "right",
        "yes",
    )
    assert "40" not in json.dumps(
        {key: value for key, value in record.items() if key not in {"timestamp", "answer_id"}}
    )


async def test_a_corrected_query_passes_the_guard_first(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [YEAR]
    async with running(keeping(settings, tmp_path)) as client:
        answer_id = (await answered(client))["request_id"]
        wrong = {"answer_id": answer_id, "verdict": "wrong"}
        for cypher, code in (
            ("MATCH (n) DETACH DELETE n", "parse.write"),
            ("MATCH (d:Drug) RETURN d.nothing", "schema.property"),
            ("MATCH (d:Drug) WHERE d.name = $absent RETURN d.name", "$absent"),
        ):
            response = await client.post("/feedback", json=wrong | {"cypher": cypher})
            assert response.status_code == 422, cypher
            assert response.json()["errors"][0]["pointer"] == "#/cypher"
            assert code in response.json()["detail"]
        assert kept(tmp_path) == []
        response = await client.post("/feedback", json=wrong | {"cypher": HALF_LIFE})
        assert response.json() == {"answer_id": answer_id, "verdict": "wrong", "cypher": HALF_LIFE}
        right = {"answer_id": answer_id, "verdict": "right", "cypher": HALF_LIFE}
        assert (await client.post("/feedback", json=right)).status_code == 422
    record = kept(tmp_path)[0]
    assert (record["cypher"], record["corrected_cypher"]) == (YEAR, HALF_LIFE)
    assert record["corrected_parameters"] == {"v1": "Warfarin"}


async def test_only_those_who_received_an_answer_may_judge_it(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [HALF_LIFE]
    store = KeyStore(tmp_path / "keys.json")
    one, _ = store.create(KeyPermissions(name="one", scopes=("query",), per_minute=4))
    other, _ = store.create(KeyPermissions(name="other", scopes=("query",), hidden=("Drug.halfLifeHours",)))
    reader, _ = store.create(KeyPermissions(name="reader", scopes=("schema",)))
    access = AccessSettings(keys_file=tmp_path / "keys.json", audit_log=tmp_path / "audit.jsonl")
    changed = keeping(settings, tmp_path).model_copy(update={"access": access})
    async with running(changed) as client:
        answer_id = (await answered(client, headers={"X-API-Key": one}))["request_id"]
        body = {"answer_id": answer_id, "verdict": "right"}
        for headers, status, kind in (
            ({}, 401, "unauthenticated"),
            ({"X-API-Key": reader}, 403, "forbidden"),
            ({"X-API-Key": other}, 404, "unknown-answer"),
        ):
            response = await client.post("/feedback", json=body, headers=headers)
            assert (response.status_code, response.json()["type"]) == (status, PROBLEM + kind)
        script.says = ["<unanswerable>"]
        seen = await answered(client, headers={"X-API-Key": other})
        hidden = {"answer_id": seen["request_id"], "verdict": "wrong", "cypher": HALF_LIFE}
        response = await client.post("/feedback", json=hidden, headers={"X-API-Key": other})
        assert (response.status_code, "policy" in response.json()["detail"]) == (422, True)
        statuses = [
            (await client.post("/feedback", json=body, headers={"X-API-Key": one})).status_code
            for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
    assert [each["caller"] for each in kept(tmp_path)] == ["one"] * 3
    audit = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [each["status"] for each in audit].count("feedback-right") == 3
    assert {"unauthenticated", "forbidden", "unknown-answer", "invalid", "rate-limited"} <= {
        each["status"] for each in audit
    }


async def test_without_a_file_nothing_is_kept(settings: Settings, script: Script) -> None:
    script.says = [HALF_LIFE]
    async with running(settings) as client:
        answer_id = (await answered(client))["request_id"]
        response = await client.post("/feedback", json={"answer_id": answer_id, "verdict": "right"})
    assert (response.status_code, response.json()["type"]) == (404, PROBLEM + "no-feedback")


async def test_a_full_file_is_told(settings: Settings, script: Script, tmp_path: Path) -> None:
    script.says = [HALF_LIFE]
    async with running(keeping(settings, tmp_path, max_bytes=1000)) as client:
        body = {"answer_id": (await answered(client))["request_id"], "verdict": "right"}
        responses = [await client.post("/feedback", json=body) for _ in range(3)]
    assert responses[0].status_code == 200
    assert (responses[2].status_code, responses[2].json()["type"]) == (507, PROBLEM + "feedback-full")


async def test_the_query_of_a_refused_answer_is_not_kept(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = ["MATCH (d:Drug) WHERE d.name = 'a secret guess' DETACH DELETE d"]
    async with running(keeping(settings, tmp_path)) as client:
        body = {"answer_id": (await answered(client))["request_id"], "verdict": "wrong"}
        assert (await client.post("/feedback", json=body)).status_code == 200
    assert kept(tmp_path)[0]["cypher"] is None
    assert "a secret guess" not in (tmp_path / "feedback.jsonl").read_text()


async def test_feedback_is_exported_as_pairs(
    settings: Settings, script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says = [HALF_LIFE]
    async with running(keeping(settings, tmp_path)) as client:
        body = {"answer_id": (await answered(client))["request_id"], "verdict": "right"}
        await client.post("/feedback", json=body)
    config = tmp_path / "graphling.yaml"
    content = {
        "graph": {"uri": settings.graph.uri},
        "snapshot": str(settings.snapshot),
        "model": {"kind": "openai", "url": "http://127.0.0.1:1/v1"},
        "feedback": {"file": "feedback.jsonl"},
    }
    config.write_text(yaml.safe_dump(content))
    out = tmp_path / "pairs.jsonl"
    with pytest.raises(SystemExit) as ended:
        cli.main(["feedback", "export", "--config", str(config), "--out", str(out)])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out) == {"records": 1, "pairs": 1, "left_out": {}}
    assert json.loads(out.read_text())["cypher"] == HALF_LIFE
    with pytest.raises(SystemExit) as ended:
        cli.main(["feedback", "export", "--config", str(config), "--out", str(out), "--database", "other"])
    assert ended.value.code == 2
    assert "available: default" in capsys.readouterr().err
