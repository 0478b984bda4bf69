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
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot
from t2c_data.dataset.chunk_store import ChunkStore
from t2c_data.dataset.split import leak_report
from t2c_data.errors import DataInputError
from t2c_data.generation.pipeline import TemplatePipelineConfig, build, prepare, read_world
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
    """Killed when the folder is claimed, when the store is opened, and after the first chunk; 20 moments: benchmarks/resume.py."""
    out = tmp_path / "pairs"
    store = out / "candidates.jsonl"
    for reached in ((out / "plan.json").is_file, store.is_file, lambda: bool(store.stat().st_size)):
        process = subprocess.Popen(build_command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not reached():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (out / "manifest.json").exists()
    with store.open("a", encoding="utf-8") as file:
        file.write('{"question": "torn')
    subprocess.run(build_command(out), check=True, capture_output=True)
    for name in ("pairs.jsonl", "candidates.jsonl", "manifest.json"):
        assert (out / name).read_bytes() == (built / name).read_bytes(), name


def test_a_build_that_ran_dry_is_the_same_when_it_is_run_again(
    empty_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2c_data.dataset.collector.MAX_BARREN", 1)
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
            build(out, uri=empty_graph.uri, schema=schema, lexicon=open_lexicon(None, schema), config=config)
        )
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
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
            return await read_world(client, schema, open_lexicon(None, schema))

    sample = asyncio.run(sampled()).sample
    names = {
        label: [sample.nodes[place].properties["name"] for place in held]
        for label, held in sample.by_label.items()
    }
    assert names == {"Author": ["A"], "Book": ["B"], "Person": ["A", "C"]}
    for number, triple in enumerate(schema.triples):
        starts = [
            place for place in sample.by_label[triple.source] if (number, True) in sample.nodes[place].links
        ]
        assert [sample.nodes[place].properties["name"] for place in starts] == ["A"]


def test_another_seed_gives_other_pairs(
    graph: Any, schema: GraphSchema, lexicon: Lexicon, tmp_path: Path, built: Path
) -> None:
    config = TemplatePipelineConfig(pairs=50, seed=8)
    asyncio.run(build(tmp_path, uri=graph.uri, schema=schema, lexicon=lexicon, config=config))
    first = {pair.id for pair in read_pairs(tmp_path / "pairs.jsonl")}
    assert len(first & {pair.id for pair in read_pairs(built / "pairs.jsonl")}) < 10


def test_a_folder_of_something_else_is_not_touched(
    schema: GraphSchema, lexicon: Lexicon, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataInputError, match="--force"):
        prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig())
    prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig(), force=True)
    prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig(workers=2))
    with pytest.raises(DataInputError, match="this very build"):
        prepare(tmp_path, schema=schema, lexicon=lexicon, config=TemplatePipelineConfig(seed=1))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_store_keeps_whole_chunks_only(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    with ChunkStore(path) as store:
        store.append([{"a": 1}, {"a": 2}])
        store.append([])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"a": 3}\n{"a"')
    with ChunkStore(path) as store:
        assert store.chunks == 2
        assert list(store.read()) == [[{"a": 1}, {"a": 2}], []]
    assert path.read_bytes() == whole
