"""The service in front of a real vLLM server: the same questions give the same Cypher as in process."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.model_doubles import overfit_tiny_model

from t2c_core.prompt import SchemaTokenFormat
from t2c_core.schema.model import GraphSchema
from t2c_core.values.index import ValueIndex
from t2c_core.values.linker import Linker
from t2c_service.app import create_app
from t2c_service.settings import GraphSettings, ModelSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TestGraph

STARTER = Path(__file__).parents[2] / "demo" / "starter"
QUESTIONS = Path(__file__).parents[2] / "demo" / "questions.jsonl"
MOST_QUESTIONS = 12
START_S = 600
DIE_WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the kernel kill the program when its parent ends: PR_SET_PDEATHSIG of prctl(2)."""

pytestmark = [
    pytest.mark.graph,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed (make vllm)"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="vLLM's CPU build runs on Linux"),
]


@dataclass(frozen=True)
class Checkpoint:
    """A model to serve and what to ask it."""

    folder: Path
    questions: tuple[str, ...]


LEARNED = {
    "What is the half-life of warfarin?": "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours",
    "How many drugs are there?": "MATCH (drug:Drug) RETURN count(drug)",
    "Which drugs treat asthma?": (
        "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"
    ),
}


@pytest.fixture(scope="module")
def checkpoint(graph: TestGraph, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The starter model, or where there is none a tiny one that knows three questions by heart."""
    if (STARTER / "config.json").is_file():
        rows = map(json.loads, QUESTIONS.read_text(encoding="utf-8").splitlines())
        return Checkpoint(STARTER, tuple(row["question"] for row in rows)[:MOST_QUESTIONS])
    from transformers import PreTrainedTokenizerFast

    from t2c_core.prompt.tokenizer import train_tokenizer

    schema = GraphSchema.load(graph.snapshot)
    form = SchemaTokenFormat(schema)
    with ValueIndex(graph.snapshot / "values.sqlite") as index:
        linker = Linker(index, schema)
        learned = {
            form.render(linker.link(question)): form.encode_completion(cypher)
            for question, cypher in LEARNED.items()
        }
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(schema, list(learned), list(learned.values())),
        eos_token="</s>",
        pad_token="<pad>",
    )
    folder = tmp_path_factory.mktemp("models") / "learned"
    overfit_tiny_model(folder, tokenizer, learned)
    return Checkpoint(folder, tuple(LEARNED))


@pytest.fixture(scope="module")
def server(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's own OpenAI server on loopback; its process group ends with the test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "log"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [
        sys.executable, "-c", DIE_WITH_PARENT, sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint.folder,
        "--served-model-name", "served", "--host", "127.0.0.1", "--port", str(port), "--enforce-eager",
        "--dtype", "float32", "--max-model-len", "256", "--max-num-seqs", "4",
    ]  # fmt: skip
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(f"vLLM did not start (status {process.poll()}):\n{log.read_text()[-4000:]}")


async def answers(
    graph: TestGraph, model: ModelSettings, questions: tuple[str, ...]
) -> list[dict[str, object]]:
    """Ask through POST /query."""
    settings = Settings(graph=GraphSettings(uri=graph.uri), snapshot=graph.snapshot, model=model, page=False)
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as client,
    ):
        responses = [await client.post("/query", json={"question": question}) for question in questions]
    return [response.raise_for_status().json() for response in responses]


async def test_vllm_and_the_local_model_write_the_same_queries(
    graph: TestGraph, checkpoint: Checkpoint, server: str
) -> None:
    local = await answers(graph, ModelSettings(path=checkpoint.folder), checkpoint.questions)
    served = await answers(
        graph, ModelSettings(kind="openai", url=server, name="served", timeout_s=60), checkpoint.questions
    )
    fields = ("cypher", "parameters", "rows", "status")
    same = [
        all(here[field] == there[field] for field in fields)
        for here, there in zip(local, served, strict=True)
    ]
    assert sum(same) >= 0.8 * len(same), (
        same
    )  # the server lacks the rules of scope and values, which change a few
    assert any(answer["status"] == "answered" for answer in served)
    assert {answer["model"] for answer in served} == {"served"}
