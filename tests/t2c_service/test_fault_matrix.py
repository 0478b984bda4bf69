"""Every dependency, every way to misbehave: what the caller is told, and that nothing has to be restarted afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import httpx2
import pytest
import yaml
from tests.model_doubles import Reply, ScriptedServer

from t2c_service.settings import GraphSettings, ModelSettings

from .conftest import Script, running
from .faults import Cable, Nonsense, nonsense

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.conftest import TestGraph

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

GOOD = "MATCH (drug:Drug) RETURN count(drug)"
PROBLEM = "urn:graphling:problem:"


@dataclass(frozen=True)
class Told:
    """What the caller is told: an HTTP status, and the kind of problem or the answer's status."""

    status: int
    kind: str


TIMEOUT = Told(504, "timeout")
NO_GRAPH = Told(503, "graph-unavailable")
NO_MODEL = Told(503, "model-unavailable")
FAILED = Told(200, "failed")
REFUSED = Told(200, "refused")
ANSWERED = Told(200, "answered")


async def ask(client: httpx2.AsyncClient) -> Told:
    response = await client.post("/query", json={"question": "How many drugs are there?"})
    body = response.json()
    return Told(response.status_code, body.get("type", "").removeprefix(PROBLEM) or body["status"])


@pytest.fixture
async def cable(graph: TestGraph) -> AsyncIterator[Cable]:
    line = Cable(graph.uri)
    await line.mend()
    yield line
    await line.cut()


def over(cable: Cable, settings: Settings, *, request_s: float = 20.0) -> Settings:
    limits = settings.limits.model_copy(update={"request_timeout_s": request_s})
    return settings.model_copy(update={"graph": GraphSettings(uri=cable.uri), "limits": limits})


@pytest.mark.parametrize("kind", [*get_args(Nonsense), "down"])
async def test_the_database(kind: Nonsense, settings: Settings, script: Script, cable: Cable) -> None:
    script.says = [GOOD]
    await cable.cut()
    patient = 2.0 if kind in {"silent", "endless"} else 30.0
    async with running(over(cable, settings, request_s=patient)) as client:
        if kind == "down":
            told = await ask(client)
        else:
            async with nonsense(kind, cable.port):
                told = await ask(client)
        assert told in (
            {TIMEOUT} if kind == "silent" else {NO_GRAPH, TIMEOUT} if kind == "endless" else {NO_GRAPH}
        )
        assert (await client.get("/healthz")).status_code == 200
        await cable.mend()
        await eventually(lambda: ask(client), ANSWERED)


async def test_a_slow_database(settings: Settings, script: Script, cable: Cable) -> None:
    script.says = [GOOD]
    async with running(over(cable, settings, request_s=2.0)) as client:
        cable.delay_s = 1.2
        assert await ask(client) == TIMEOUT
        cable.delay_s = 0.0
        await eventually(lambda: ask(client), ANSWERED)


async def test_a_database_that_goes_and_comes_under_load(
    settings: Settings, script: Script, cable: Cable
) -> None:
    script.says = [Reply(GOOD, delay_s=0.05)]
    unhurried = settings.model.model_copy(update={"timeout_s": 60.0})
    patient = over(cable, settings, request_s=60).model_copy(update={"model": unhurried})
    async with running(patient) as client:
        asking = [asyncio.create_task(ask(client)) for _ in range(24)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        await cable.cut()
        told = set(await asyncio.gather(*asking))
        assert ANSWERED in told
        assert told <= {ANSWERED, NO_GRAPH}
        await cable.mend()
        assert set(await asyncio.gather(*(ask(client) for _ in range(8)))) == {ANSWERED}


MODEL = {
    "slow": (Reply(GOOD, delay_s=3), TIMEOUT),
    "busy": (Reply(status=429, raw=b'{"error": {"message": "busy"}}'), NO_MODEL),
    "broken": (Reply(status=500, raw=b"oops"), NO_MODEL),
    "a web page": (Reply(raw=b"<html>"), FAILED),
    "other JSON": (Reply(raw=b'{"choices": 7}'), FAILED),
    "no choices": (Reply(raw=b'{"choices": []}'), FAILED),
    "half a reply": (Reply(raw=b'{"choices": [{"text": "MATCH'), FAILED),
    "endless": (Reply(endless=True), FAILED),
    "without end": (Reply("MATCH (n) " * 20, finish="length"), FAILED),
    "nothing": (Reply(""), FAILED),
    "chatter": (Reply("I am sorry, I cannot do that."), REFUSED),
    "a write": (Reply("MATCH (n) DETACH DELETE n"), REFUSED),
    "too deep": (Reply("RETURN " + "(" * 2000 + "1" + ")" * 2000), REFUSED),
}


@pytest.mark.parametrize("fault", MODEL)
async def test_the_model(fault: str, settings: Settings, script: Script) -> None:
    reply, expected = MODEL[fault]
    script.says = [reply]
    hasty = settings.model.model_copy(update={"timeout_s": 0.4 if fault == "slow" else 5.0})
    async with running(settings.model_copy(update={"model": hasty})) as client:
        assert await ask(client) == expected
        script.says = [GOOD]
        await eventually(lambda: ask(client), ANSWERED)  # a breaker may take a moment to try again


async def test_a_model_server_that_goes_and_comes(settings: Settings) -> None:
    def reply(_: object) -> Reply:
        return Reply(GOOD)

    with ScriptedServer(reply) as server:
        port = int(server.url.rpartition(":")[2].removesuffix("/v1"))
    there = ModelSettings(kind="openai", url=server.url, name="scripted", timeout_s=5)
    async with running(settings.model_copy(update={"model": there})) as client:
        for _ in range(2):
            assert await ask(client) == NO_MODEL
            assert (await client.get("/readyz")).status_code == 503
            with ScriptedServer(reply, port=port):
                await eventually(lambda: ask(client), ANSWERED)
                assert (await client.get("/readyz")).status_code == 200


async def test_a_model_server_that_dies_under_load(settings: Settings) -> None:
    def reply(_: object) -> Reply:
        return Reply(GOOD, delay_s=0.05)

    limits = settings.limits.model_copy(update={"concurrency": 4})
    with ExitStack() as dying:
        server = dying.enter_context(ScriptedServer(reply))
        there = ModelSettings(kind="openai", url=server.url, name="scripted", timeout_s=60)
        port = int(server.url.rpartition(":")[2].removesuffix("/v1"))
        patient = settings.model_copy(update={"model": there, "limits": limits})
        async with running(patient) as client:
            asking = [asyncio.create_task(ask(client)) for _ in range(24)]
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.to_thread(dying.close)
            told = set(await asyncio.gather(*asking))
            assert told == {ANSWERED, NO_MODEL}
            with ScriptedServer(reply, port=port):
                await eventually(lambda: ask(client), ANSWERED)
                assert set(await asyncio.gather(*(ask(client) for _ in range(8)))) == {ANSWERED}


async def test_a_snapshot_that_is_spoilt_or_gone_while_it_is_in_use(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [GOOD]
    folder, kept = tmp_path / "snapshot", tmp_path / "kept"
    shutil.copytree(settings.snapshot, folder)
    watched = settings.model_copy(update={"snapshot": folder, "snapshot_poll_s": 0.05})
    async with running(watched) as client:
        version = (await client.get("/schema")).json()["version"]
        folder.rename(kept)
        await asyncio.sleep(0.2)
        assert await ask(client) == ANSWERED
        folder.mkdir()
        for name in ("manifest.json", "schema.json", "values.sqlite"):
            (folder / name).write_bytes(b"\x00rubbish")
        await asyncio.sleep(0.3)
        assert await ask(client) == ANSWERED
        assert (await client.get("/schema")).json()["version"] == version
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        schema = json.loads((folder / "schema.json").read_text())
        schema["labels"][0]["count"] += 1
        (folder / "schema.json").write_text(json.dumps(schema))
        (folder / "manifest.json").touch()
        await eventually(lambda: has_schema_other_than(client, version), True)
        assert await ask(client) == ANSWERED


def served(settings: Settings, folder: Path) -> subprocess.Popen[str]:
    config = folder / "graphling.yaml"
    content = {
        "graph": {"uri": settings.graph.uri},
        "snapshot": str(settings.snapshot),
        "model": {"kind": "openai", "url": settings.model.url},
        "page": False,
        "port": 0,
        "limits": {"concurrency": 4, "max_queued": 100},
    }
    config.write_text(yaml.safe_dump(content))
    command = [Path(sys.executable).with_name("t2c-service"), "serve", "--config", config]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


async def test_a_stop_under_load_drops_no_request_that_was_accepted(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [Reply(GOOD, delay_s=0.4)]
    count = 20
    with served(settings, tmp_path) as process:
        try:
            assert process.stdout is not None
            address = (await asyncio.to_thread(process.stdout.readline)).strip()
            async with httpx2.AsyncClient(base_url=address, timeout=60) as client:
                asking = [asyncio.create_task(ask(client)) for _ in range(count)]
                # The first ones may be done already.
                await eventually(lambda: has_in_progress(client, count - 3), True)
                process.send_signal(signal.SIGTERM)
                assert set(await asyncio.gather(*asking)) == {ANSWERED}
            started = time.monotonic()
            assert await asyncio.to_thread(process.wait, 30) == 0
            assert time.monotonic() - started < 30
        finally:
            process.kill()


async def has_in_progress(client: httpx2.AsyncClient, count: int) -> bool:
    lines = (await client.get("/metrics")).text.splitlines()
    gauges = ("t2c_questions_active ", "t2c_questions_waiting ")
    return sum(float(line.split()[1]) for line in lines if line.startswith(gauges)) >= count


async def has_schema_other_than(client: httpx2.AsyncClient, version: str) -> bool:
    return bool((await client.get("/schema")).json()["version"] != version)


async def eventually(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    found = None
    for _ in range(200):
        found = await look()
        if found == wanted:
            return
        await asyncio.sleep(0.05)
    assert found == wanted
