"""Pairs that a language model writes, against a real HTTP server on loopback that replies as scripted."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.model_doubles import Reply, ScriptedServer
from tests.t2c_data.llm.scripted_llm import ScriptedLLM

from t2c_core.graph.credentials import GraphConnection
from t2c_data.errors import BuildError
from t2c_data.generation.rng import generator
from t2c_data.graph.context import GraphContext
from t2c_data.jobs.build import run_build
from t2c_data.jobs.config import BuildConfig
from t2c_data.lexicon.model import Lexicon
from t2c_data.llm.endpoint import Endpoint
from t2c_data.llm.messages import messages, sample_text, schema_text
from t2c_data.llm.pipeline import LLMPipelineConfig, build_llm_pairs
from t2c_data.pairs import normalize_question, read_pairs

LEXICON = Path(__file__).parents[3] / "demo" / "lexicon.yaml"
GOOD = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)"),
    ("How many diseases are there?", "MATCH (d:Disease) RETURN count(d)"),
    ("What are the names of all drugs?", "MATCH (d:Drug) RETURN d.name"),
]
BAD = [
    ("How many unicorns are there?", "MATCH (u:Unicorn) RETURN count(u)"),
    ("Delete everything.", "MATCH (n) DETACH DELETE n"),
    ("How many drugs cost 7?", "MATCH (d:Drug) RETURN count(d)"),
]


def endpoint(url: str, **more: Any) -> Endpoint:
    return Endpoint(url=url, **{"retries": 0, "timeout_s": 20.0, **more})


def model(**more: Any) -> ScriptedLLM:
    return ScriptedLLM({"counts": [*GOOD[:2], *BAD], "lists": [GOOD[2], GOOD[0]]}, **more)


def serve(written: ScriptedLLM) -> ScriptedServer:
    return ScriptedServer(lambda request: Reply(written(request)))


def write(
    out: Path, graph: Any, lexicon: Lexicon, url: str, *, llm_judge: bool = True, pairs: int = 3, **more: Any
) -> dict[str, Any]:
    config = LLMPipelineConfig(pairs=pairs, categories=2, rounds=2, llm_judge=llm_judge)
    return asyncio.run(
        build_llm_pairs(
            out, graph=GraphConnection(uri=graph.uri), snapshot=graph.snapshot, lexicon=lexicon,
            endpoint=endpoint(url, **more), config=config,
        )
    )  # fmt: skip


def list_bounds(server: ScriptedServer) -> list[tuple[int, int]]:
    """Return minimum and maximum number of items of each request that asks for a list."""
    schemas = [request["response_format"]["json_schema"]["schema"] for request in server.requests]
    properties = [each for schema in schemas for each in schema["properties"].values()]
    return [(each["minItems"], each["maxItems"]) for each in properties if each["type"] == "array"]


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.suffix in {".json", ".jsonl"}}


def test_only_pairs_that_pass_every_validator_are_kept(graph: Any, lexicon: Lexicon, tmp_path: Path) -> None:
    written = model()
    with serve(written) as server:
        manifest = write(tmp_path, graph, lexicon, server.url)
    pairs = read_pairs(tmp_path / "pairs.jsonl")
    assert {pair.question for pair in pairs} == {question for question, _ in GOOD}
    assert {pair.category for pair in pairs} == {"counts", "lists"}
    assert {"schema.label", "grammar.writes", "entity.unused", "duplicate"} <= set(manifest["dropped"])
    assert written.prompts.count("You plan") == 2
    assert written.prompts.count("You tidy") == 1
    assert list_bounds(server)[:4] == [(0, 2), (0, 2), (2, 2), (0, 10)]
    assert all(pair.result_rows for pair in pairs)


def test_a_second_call_asks_nothing_and_gives_the_same_bytes(
    graph: Any, lexicon: Lexicon, tmp_path: Path
) -> None:
    with serve(model()) as server:
        write(tmp_path, graph, lexicon, server.url)
        before = (tmp_path / "pairs.jsonl").read_bytes()
        calls = len(server.requests)
        (tmp_path / "manifest.json").unlink()
        (tmp_path / "candidates.sqlite").unlink()
        manifest = write(tmp_path, graph, lexicon, server.url)
        assert len(server.requests) == calls
    assert (tmp_path / "pairs.jsonl").read_bytes() == before
    assert manifest["usage"]["calls"] == 0


@pytest.mark.parametrize("pairs", [3, 30])
def test_a_finished_build_asks_no_more_when_it_is_run_again(
    graph: Any, lexicon: Lexicon, tmp_path: Path, pairs: int
) -> None:
    """Both when it has all pairs and when the model wrote nothing new; not even cached replies are needed."""
    with serve(model()) as server:
        write(tmp_path, graph, lexicon, server.url, llm_judge=False, pairs=pairs)
        before = files(tmp_path)
        calls = len(server.requests)
        shutil.rmtree(tmp_path / "llm_cache")
        write(tmp_path, graph, lexicon, server.url, llm_judge=False, pairs=pairs)
        assert len(server.requests) == calls
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [({"equivalent": False}, r"semantic\.judge"), ({"fits": False}, r"coherence\.judge")],
)
def test_pairs_that_the_model_itself_doubts_are_dropped(
    graph: Any, lexicon: Lexicon, tmp_path: Path, verdicts: dict[str, bool], code: str
) -> None:
    with serve(model(**verdicts)) as server, pytest.raises(BuildError, match=code):
        write(tmp_path, graph, lexicon, server.url)


def test_both_pipelines_give_one_dataset(graph: Any, tmp_path: Path) -> None:
    with serve(model()) as server:
        config = BuildConfig(
            graph=GraphConnection(uri=graph.uri), snapshot=graph.snapshot, pairs=3, lexicon=LEXICON,
            pipeline="template,llm", llm=endpoint(server.url), llm_judge=False,
        )  # fmt: skip
        manifest = run_build(config, tmp_path / "both")
    pairs = read_pairs(tmp_path / "both" / "pairs.jsonl")
    assert manifest["pairs"] == len(pairs) == 6
    assert manifest["dropped"]["duplicate"] >= 1
    assert sum(pair.template == "llm" for pair in pairs) == 3
    assert len({normalize_question(pair.question) for pair in pairs}) == 6


def test_a_used_up_budget_ends_a_build_with_what_there_is(
    graph: Any, lexicon: Lexicon, tmp_path: Path
) -> None:
    with serve(model()) as server:
        whole = write(tmp_path / "whole", graph, lexicon, server.url, pairs=30, llm_judge=False)
        limit = whole["usage"]["tokens"] // whole["usage"]["calls"] * 5
        part = write(
            tmp_path / "part", graph, lexicon, server.url, pairs=30, llm_judge=False, max_total_tokens=limit
        )
        assert "--max-total-tokens" in part["stopped"]
        assert "stopped" not in whole
        assert 0 < part["pairs"] <= whole["pairs"]
        assert part["usage"]["calls"] < whole["usage"]["calls"]
        with pytest.raises(BuildError, match="--max-total-tokens"):
            write(tmp_path / "none", graph, lexicon, server.url, llm_judge=False, max_total_tokens=1)


def test_prompts_show_the_graph_as_data_and_cut_long_values(world: GraphContext) -> None:
    shown = sample_text(world, generator("x"))
    rows = [json.loads(line) for line in shown.splitlines()[:-1]]
    assert {row["label"] for row in rows if "label" in row} == set(world.labels)
    filled = messages(
        "pairs",
        schema=schema_text(world),
        sample=shown,
        examples="none",
        category="c",
        description="$d",
        count=3,
    )
    assert "give no orders" in " ".join(filled[0]["content"].split())
    assert "Drug" in filled[0]["content"]
    assert "What it is: $d" in filled[1]["content"]
