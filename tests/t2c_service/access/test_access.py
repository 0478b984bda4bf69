"""Keys, policies, limits and the audit log over HTTP, on the real demo graph."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.model_doubles import Reply
from tests.t2c_service.conftest import Script, running

from t2c_service.access.audit import AuditLog, mask_literals
from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.settings import AccessSettings, DatabaseSettings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
QUESTION = "What is the half-life of warfarin?"
PROBLEM = "urn:graphling:problem:"


def locked(settings: Settings, folder: Path, **grant: Any) -> tuple[Settings, dict[str, str]]:
    """Settings that ask for keys, and the header of one."""
    file = folder / "keys.json"
    key, _ = KeyStore(file).create(KeyPermissions(name="ward", **grant))
    access = AccessSettings(keys_file=file, audit_log=folder / "audit.jsonl")
    return settings.model_copy(update={"access": access}), {"Authorization": f"Bearer {key}"}


async def ask(
    client: httpx2.AsyncClient, headers: dict[str, str], question: str = QUESTION, **body: Any
) -> httpx2.Response:
    return await client.post("/query", json={"question": question, **body}, headers=headers)


async def test_nothing_is_told_without_a_key(settings: Settings, script: Script, tmp_path: Path) -> None:
    changed, headers = locked(settings, tmp_path, scopes=("query",))
    script.says = [HALF_LIFE]
    async with running(changed) as client:
        for path in ("/schema", "/databases", "/examples", "/metrics"):
            response = await client.get(path)
            assert (response.status_code, response.json()["type"]) == (401, f"{PROBLEM}unauthenticated")
            assert response.headers["www-authenticate"] == "Bearer"
            assert (await client.get(path, headers=headers)).json()["type"] == f"{PROBLEM}forbidden"
        assert (await ask(client, {})).status_code == 401
        assert (await ask(client, {"X-API-Key": "gk_00000000_nope"})).status_code == 401
        assert (await ask(client, headers)).json()["rows"] == [[40.0]]
        body = {"cypher": "RETURN 1"}
        assert (await client.post("/cypher", json=body, headers=headers)).status_code == 403
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
    assert len(script.asked) == 1


async def test_anonymous_callers_may_do_what_the_settings_say(settings: Settings, tmp_path: Path) -> None:
    changed, _ = locked(settings, tmp_path)
    access = changed.access.model_copy(update={"anonymous": ("schema",)})
    async with running(changed.model_copy(update={"access": access})) as client:
        assert (await client.get("/schema")).status_code == 200
        assert (await ask(client, {})).status_code == 401


async def test_a_keys_policy_hides_from_schema_prompt_links_and_answers(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    hidden = ("Patient", "Doctor.name", "TREATS")
    changed, headers = locked(settings, tmp_path, scopes=("query", "schema", "cypher"), hidden=hidden)
    changed = changed.model_copy(update={"prompt": "chat"})
    script.says = ["MATCH (d:Doctor) RETURN d.name"]
    async with running(changed) as client:
        shape = (await client.get("/schema", headers=headers)).json()["schema"]
        assert "Patient" not in {label["name"] for label in shape["labels"]}
        assert "TREATS" not in {kind["name"] for kind in shape["types"]}
        assert all("Patient" not in (each["source"], each["target"]) for each in shape["triples"])
        answer = (await ask(client, headers, "When was Farid Achterberg hired?")).json()
        assert (answer["status"], answer["attempts"][0]["codes"]) == ("refused", ["policy.property"])
        assert answer["linked_values"] == []
        prompt = json.dumps(script.asked[0]["messages"])
        assert "Patient" not in prompt
        assert "TREATS" not in prompt
        assert "Farid Achterberg" not in prompt.replace("When was Farid Achterberg hired?", "")
        for cypher in (
            "MATCH (p:Patient) RETURN p.name",
            "MATCH (n) WHERE n:Patient RETURN n",
            "MATCH (d:Doctor) RETURN properties(d)",
            "MATCH (d:Doctor) WITH d AS x RETURN x.name",
            "MATCH (d:Doctor) RETURN d ORDER BY d.name",
            "MATCH (a)-[r:TREATS]->(b) RETURN count(r)",
            "MATCH (d:Doctor) WHERE d['na' + 'me'] STARTS WITH 'F' RETURN count(d)",
        ):
            response = await client.post("/cypher", json={"cypher": cypher}, headers=headers)
            assert "Achterberg" not in response.text.replace(cypher, "")
            body = response.json()
            assert body["status"] in {"refused", "failed"} or "name" not in json.dumps(body["rows"]), cypher
        whole = await client.post(
            "/cypher", json={"cypher": "MATCH (d:Doctor) RETURN d LIMIT 3"}, headers=headers
        )
        assert "Achterberg" not in whole.text
        assert all("name" not in json.dumps(row) for row in whole.json()["rows"])


async def test_a_key_has_its_own_limits(settings: Settings, script: Script, tmp_path: Path) -> None:
    changed, headers = locked(settings, tmp_path, max_rows=2, per_minute=2)
    script.says = ["MATCH (drug:Drug) RETURN drug.name"]
    async with running(changed) as client:
        for _ in range(2):
            answer = (await ask(client, headers)).json()
            assert (len(answer["rows"]), answer["truncated"]) == (2, True)
        response = await ask(client, headers)
        assert (response.status_code, response.json()["type"]) == (429, f"{PROBLEM}rate-limited")
        assert 1 <= int(response.headers["retry-after"]) <= 60


async def test_a_caller_has_so_many_questions_at_once(settings: Settings, script: Script) -> None:
    script.says = [Reply("MATCH (drug:Drug) RETURN count(drug)", delay_s=0.5)]
    changed = settings.model_copy(update={"access": AccessSettings(concurrency=1)})
    async with running(changed) as client:
        statuses = [each.status_code for each in await asyncio.gather(*(ask(client, {}) for _ in range(3)))]
        assert sorted(statuses) == [200, 429, 429]
        assert (await ask(client, {})).status_code == 200


async def test_every_question_is_written_down_and_no_value_is(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    changed, headers = locked(settings, tmp_path, scopes=("query", "cypher"), hidden=("Patient.name",))
    script.says = [HALF_LIFE]
    async with running(changed) as client:
        await ask(client, {**headers, "X-Request-ID": "mine-1"})
        guess = {"cypher": "MATCH (p:Patient {name: 'Thea Bellweather'}) RETURN p.birthDate"}
        await client.post("/cypher", json=guess, headers=headers)
        await ask(client, headers, "")
        await ask(client, {})
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["answered", "refused", "invalid", "unauthenticated"]
    first, second = lines[:2]
    assert (first["request_id"], first["caller"], first["question"]) == ("mine-1", "ward", QUESTION)
    assert first["cypher"].startswith("MATCH (drug:Drug")
    assert (first["rows"], first["channel"], first["entry"]) == (1, "http", "http")
    assert first["timestamp"] == first["at"]
    assert second["cypher"] == "MATCH (p:Patient {name: '…'}) RETURN p.birthDate"
    assert second["codes"] == ["policy.property"]
    text = (tmp_path / "audit.jsonl").read_text()
    assert "Bellweather" not in text
    assert "40.0" not in text


@pytest.mark.parametrize(
    ("cypher", "masked"),
    [
        ("RETURN 'a\\'b' + \"c'd\"", "RETURN '…' + '…'"),
        ("RETURN 'never closed", "RETURN '…'"),
        ("RETURN 1", "RETURN 1"),
    ],
)
def test_literals_are_masked_whatever_their_quotes(cypher: str, masked: str) -> None:
    assert mask_literals(cypher) == masked


async def test_a_full_disk_is_said_and_questions_go_on(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [HALF_LIFE]
    access = AccessSettings(audit_log=tmp_path / "missing" / "audit.jsonl")
    async with running(settings.model_copy(update={"access": access})) as client:
        assert (await ask(client, {})).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["dependencies"]["audit"]["state"] == "impaired"
        (tmp_path / "missing").mkdir()
        await ask(client, {})
        assert (await client.get("/readyz")).json()["dependencies"]["audit"]["state"] == "up"
        assert "t2c_audit_failures_total 1.0" in (await client.get("/metrics")).text


def test_nothing_is_written_without_a_file() -> None:
    assert AuditLog(None).is_enabled is False


async def test_several_databases_are_asked_by_name(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [HALF_LIFE]
    policy = tmp_path / "policy.yaml"
    policy.write_text("hidden: [Patient]\n")
    other = DatabaseSettings(
        graph=settings.graph, snapshot=settings.snapshot, policy=policy, prompt="chat", title="The other"
    )
    changed = settings.model_copy(update={"databases": {"other": other}})
    changed, headers = locked(changed, tmp_path, databases=("other",))
    async with running(changed) as client:
        listed = (await client.get("/databases", headers=headers)).json()["databases"]
        assert [(each["name"], each["title"]) for each in listed] == [("other", "The other")]
        answer = (await ask(client, headers)).json()
        assert (answer["database"], answer["rows"]) == ("other", [[40.0]])
        assert "messages" in script.asked[0]
        assert "Patient" not in script.asked[0]["messages"][0]["content"]
        assert (await ask(client, headers, database="other")).status_code == 200
        for name in ("default", "nowhere"):
            response = await ask(client, headers, database=name)
            assert (response.status_code, response.json()["type"]) == (404, f"{PROBLEM}unknown-database")
            assert response.json()["detail"] == f"unknown database '{name}'; available: other"
