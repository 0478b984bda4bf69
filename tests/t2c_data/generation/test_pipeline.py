import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import neo4j
import pytest

from t2c_core.graph.client import GraphClient
from t2c_core.graph.credentials import GraphConnection
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot
from t2c_data.dataset.split import leak_report
from t2c_data.errors import DataInputError
from t2c_data.generation.pipeline import TemplatePipelineConfig, build, prepare, read_context
from t2c_data.graph.context import GraphContext
from t2c_data.jobs.build import open_lexicon
from t2c_data.lexicon.model import Lexicon
from t2c_data.pairs import normalize_question, read_pairs

PAIRS = 480


def test_every_row_has_what_the_contract_says(built: Path) -> None:
    rows = [json.loads(line) for line in (built / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == PAIRS
    fields = {
        "id",
        "question",
        "cypher",
        "parameters",
        "category",
        "template",
        "difficulty",
        "split",
        "graph",
        "result_rows",
    }
    assert all(set(row) == fields for row in rows)
    assert len({row["id"] for row in rows}) == PAIRS
    assert len({normalize_question(row["question"]) for row in rows}) == PAIRS
    answered = [row for row in rows if row["category"] != "unanswerable"]
    assert all(row["result_rows"] > 0 and row["cypher"] for row in answered)
    assert 0 < len(rows) - len(answered) < PAIRS * 0.1


def test_queries_run_and_give_as_many_rows_as_said(built: Path, run_all) -> None:
    pairs = [pair for pair in read_pairs(built / "pairs.jsonl") if pair.cypher][::15]
    for pair, rows in zip(pairs, run_all([(pair.cypher, pair.parameters) for pair in pairs]), strict=True):
        assert pair.result_rows == min(len(rows), 25), pair


def test_no_shape_and_no_wording_stands_on_both_sides(built: Path) -> None:
    pairs = read_pairs(built / "pairs.jsonl")
    report = leak_report(pairs)
    assert (report["skeleton"], report["question"], report["near"]) == (0, 0, 0)
    assert report["splits"]["dev"] > 5
    assert report["splits"]["test"] > 5


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    build_command: Any, built: Path, tmp_path: Path
) -> None:
    """Killed when the folder is claimed, when the store is opened, and after the first chunk; 20 moments: benchmarks/t2c_data/resume.py."""
    out = tmp_path / "pairs"
    store = out / "candidates.sqlite"
    for reached in ((out / "plan.json").is_file, store.is_file, lambda: store.stat().st_size > 40_000):
        process = subprocess.Popen(build_command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not reached():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (out / "manifest.json").exists()
    subprocess.run(build_command(out), check=True, capture_output=True)
    for name in ("pairs.jsonl", "manifest.json"):
        assert (out / name).read_bytes() == (built / name).read_bytes(), name


def test_a_build_that_ran_dry_is_the_same_when_it_is_run_again(
    empty_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2c_data.dataset.collector.MAX_CHUNKS_WITHOUT_PROGRESS", 1)
    monkeypatch.setattr("t2c_data.generation.pipeline.CHUNK", 20)
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query("UNWIND range(1, 3) AS i CREATE (:Town {name: 'town ' + i})")
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    schema = GraphSchema.load(empty_graph.snapshot)
    out = tmp_path / "pairs"
    config = TemplatePipelineConfig(pairs=100_000, unanswerable=0.0)
    made = []
    for _ in range(2):
        asyncio.run(
            build(
                out,
                graph=GraphConnection(uri=empty_graph.uri),
                schema=schema,
                lexicon=open_lexicon(None, schema),
                config=config,
            )
        )
        made.append({path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".sqlite"})
    assert made[0] == made[1]
    assert 0 < json.loads(made[0]["manifest.json"])["pairs"] < 100_000


def test_a_node_with_several_labels_is_sampled_under_each(empty_graph: Any) -> None:
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "CREATE (:Person:Author {name: 'A'})-[:WROTE]->(:Book {name: 'B'}), (:Person {name: 'C'})"
        )
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    schema = GraphSchema.load(empty_graph.snapshot)

    async def sampled() -> GraphContext:
        async with GraphClient(empty_graph.uri) as client:
            return await read_context(client, schema, open_lexicon(None, schema))

    sample = asyncio.run(sampled()).sample
    names = {
        label: [sample.nodes[place].properties["name"] for place in held]
        for label, held in sample.by_label.items()
    }
    assert names == {"Author": ["A"], "Book": ["B"], "Person": ["A", "C"]}
    for number, triple in enumerate(schema.triples):
        starts = [
            place
            for place in sample.by_label[triple.source]
            if (number, True) in sample.nodes[place].relationships
        ]
        assert [sample.nodes[place].properties["name"] for place in starts] == ["A"]


def test_another_seed_gives_other_pairs(
    graph: Any, schema: GraphSchema, lexicon: Lexicon, tmp_path: Path, built: Path
) -> None:
    config = TemplatePipelineConfig(pairs=50, seed=8)
    asyncio.run(
        build(tmp_path, graph=GraphConnection(uri=graph.uri), schema=schema, lexicon=lexicon, config=config)
    )
    first = {pair.id for pair in read_pairs(tmp_path / "pairs.jsonl")}
    assert len(first & {pair.id for pair in read_pairs(built / "pairs.jsonl")}) < 10


def test_only_the_same_build_is_resumed(schema: GraphSchema, lexicon: Lexicon, tmp_path: Path) -> None:
    prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig())
    prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig(workers=2))
    with pytest.raises(DataInputError, match="another build"):
        prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig(seed=1))


def test_few_pairs_are_not_all_unanswerable_and_splits_have_as_many(
    graph: Any, schema: GraphSchema, lexicon: Lexicon, tmp_path: Path, built: Path
) -> None:
    config = TemplatePipelineConfig(pairs=20)
    asyncio.run(
        build(tmp_path, graph=GraphConnection(uri=graph.uri), schema=schema, lexicon=lexicon, config=config)
    )
    few = read_pairs(tmp_path / "pairs.jsonl")
    assert sum(not pair.cypher for pair in few) <= 8
    rates = {}
    for split in ("train", "dev", "test"):
        pairs = [pair for pair in read_pairs(built / "pairs.jsonl") if pair.split == split]
        rates[split] = sum(not pair.cypher for pair in pairs) / len(pairs)
    assert max(rates.values()) < 0.12, rates
