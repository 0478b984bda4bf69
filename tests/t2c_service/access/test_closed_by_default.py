"""What the service refuses, bounds and records by default: open addresses, invalid keys, queues, internal details."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.model_doubles import Reply
from tests.t2c_service.conftest import Script, running

from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.errors import SettingsError
from t2c_service.server import serve
from t2c_service.settings import AccessSettings, GraphSettings, ModelSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "MATCH (drug:Drug) RETURN count(drug)"
QUESTION = {"question": "How many drugs are there?"}
PROBLEM = "urn:graphling:problem:"


def minimal(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(
        graph=GraphSettings(uri="bolt://127.0.0.1:1"),
        snapshot=tmp_path / "none",
        model=ModelSettings(kind="openai", url="http://127.0.0.1:1/v1"),
        port=0,
        **changes,
    )


def with_keys(settings: Settings, folder: Path, **access: Any) -> tuple[Settings, str]:
    file = folder / "keys.json"
    key, _ = KeyStore(file).create(KeyPermissions(name="ward", scopes=("query", "metrics")))
    changed = AccessSettings(keys_file=file, audit_log=folder / "audit.jsonl", **access)
    return settings.model_copy(update={"access": changed}), key


def audit(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "graph.example"])
def test_an_address_of_the_network_without_keys_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="--allow-anonymous"):
        serve(minimal(tmp_path, host=host), lambda _: None)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "127.0.0.1"},
        {"host": "localhost"},
        {"host": "::1"},
        {"host": "0.0.0.0", "access": {"allow_anonymous": True}},
        {"host": "0.0.0.0", "access": {"keys_file": "keys.json"}},
        {"host": "0.0.0.0", "published_host": "127.0.0.1"},
    ],
)
def test_a_loopback_address_keys_or_consent_are_enough(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"none|snapshot") as caught:  # the next thing that is missing
        serve(minimal(tmp_path, **changes), lambda _: None)
    assert "--allow-anonymous" not in str(caught.value)


def test_a_container_that_is_published_to_the_network_needs_keys_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"published on 0\.0\.0\.0"):
        serve(minimal(tmp_path, host="0.0.0.0", published_host="0.0.0.0"), lambda _: None)


@pytest.mark.graph
async def test_invalid_keys_are_recorded_and_throttled_per_address(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [GOOD]
    changed, key = with_keys(settings, tmp_path, invalid_keys_per_minute=5)
    async with running(changed) as client:
        headers = {"Authorization": "Bearer gk_0badc0de_secret"}
        replies = [await client.post("/query", json=QUESTION, headers=headers) for _ in range(20)]
        replies += [await client.get("/schema", headers={"X-API-Key": "guess"}) for _ in range(3)]
        replies += [await client.post("/mcp", json={}, headers={"X-API-Key": "guess"}) for _ in range(3)]
        assert [each.status_code for each in replies] == [401] * 5 + [429] * 21
        assert all(int(each.headers["retry-after"]) >= 1 for each in replies[5:])
        valid = await client.post("/query", json=QUESTION, headers={"X-API-Key": key})
        assert valid.json()["status"] == "answered", "a valid key is not locked out"
        text = (await client.get("/metrics", headers={"X-API-Key": key})).text
        assert 't2c_questions_rejected_total{reason="unauthenticated"} 5.0' in text
        assert 't2c_questions_rejected_total{reason="rate-limited"} 21.0' in text
    found = [each for each in audit(tmp_path) if each["status"] == "unauthenticated"]
    assert len(found) == 5, "the audit log cannot be flooded"
    assert {each["address"] for each in found} == {"127.0.0.1"}
    assert found[0]["key"] == "0badc0de"
    assert "secret" not in (tmp_path / "audit.jsonl").read_text()


@pytest.mark.graph
async def test_strangers_see_no_internal_addresses(settings: Settings, tmp_path: Path) -> None:
    down = {
        "graph": GraphSettings(uri="bolt://127.0.0.1:9"),
        "model": ModelSettings(kind="openai", url="http://127.0.0.1:8/v1", name="x"),
    }
    changed, key = with_keys(settings.model_copy(update=down), tmp_path)
    async with running(changed) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["dependencies"]["graph"]["state"]) == (503, "down")
        assert "127.0.0.1" not in ready.text
        ready = await client.get("/readyz", headers={"X-API-Key": key})
        assert "127.0.0.1:9" in ready.json()["dependencies"]["graph"]["detail"]
        wrong = await client.get("/readyz", headers={"X-API-Key": "guess"})
        assert (wrong.status_code, "127.0.0.1" in wrong.text) == (503, False)

    exposed = settings.model_copy(
        update={**down, "host": "0.0.0.0", "access": AccessSettings(allow_anonymous=True)}
    )
    async with running(exposed) as client:
        assert "127.0.0.1" not in (await client.get("/readyz")).text
        for headers in ({}, {"Accept": "text/event-stream"}):
            failed = await client.post("/query", json=QUESTION, headers=headers)
            assert f"{PROBLEM}model-unavailable" in failed.text
            assert "127.0.0.1" not in failed.text
        failed = await client.post("/cypher", json={"cypher": GOOD})
        assert failed.json()["type"] == f"{PROBLEM}graph-unavailable"
        assert "127.0.0.1" not in failed.text


@pytest.mark.graph
@pytest.mark.parametrize("path", ["/query", "/cypher"])
async def test_internal_errors_reach_audit_log_and_metrics(
    settings: Settings, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr("t2c_core.guard.guard.Guard.require", broken)
    script.says = [GOOD]
    access = AccessSettings(audit_log=tmp_path / "audit.jsonl")
    async with running(settings.model_copy(update={"access": access})) as client:
        body = QUESTION if path == "/query" else {"cypher": GOOD}
        assert (await client.post(path, json=body)).status_code == 500
        text = (await client.get("/metrics")).text
    assert 't2c_answers_total{channel="http",database="",entry="http",status="fault"} 1.0' in text
    (record,) = audit(tmp_path)
    assert record["status"] == "fault"
    assert "secret" not in json.dumps(record)


@pytest.mark.graph
async def test_the_time_limit_of_a_request_includes_its_wait(settings: Settings, script: Script) -> None:
    script.says = [Reply(GOOD, delay_s=2.0)]
    limits = settings.limits.model_copy(update={"concurrency": 1, "max_queued": 10, "request_timeout_s": 3.5})
    loop = asyncio.get_running_loop()

    async def timed() -> tuple[int, str, float]:
        started = loop.time()
        response = await client.post("/query", json=QUESTION)
        return response.status_code, response.json().get("type", ""), loop.time() - started

    async with running(settings.model_copy(update={"limits": limits})) as client:
        replies = await asyncio.gather(*(timed() for _ in range(6)))
        statuses = sorted(status for status, _, _ in replies)
        assert statuses[0] == 200
        assert set(statuses[1:]) == {503, 504}, (
            "those that wait give up at the limit; the one that runs is stopped"
        )
        assert {kind for status, kind, _ in replies if status == 503} == {f"{PROBLEM}overloaded"}
        assert max(elapsed for _, _, elapsed in replies) < 10, "six of 2 s each would take 12 s"
        text = (await client.get("/metrics")).text
        assert "t2c_questions_active 0.0" in text
        assert "t2c_questions_waiting 0.0" in text


@pytest.mark.graph
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_are_answered_under_any_host_name(settings: Settings, path: str) -> None:
    changed = settings.model_copy(update={"host": "0.0.0.0", "allowed_hosts": ("ask.example.org",)})
    async with running(changed) as client:
        pod = {"Host": "10.42.3.17:8080"}
        assert (await client.get(path, headers=pod)).status_code == 200
        assert (await client.get("/schema", headers=pod)).status_code == 421
        assert (await client.post("/query", json=QUESTION, headers=pod)).status_code == 421
        assert (await client.get("/schema", headers={"Host": "ask.example.org"})).status_code == 200
