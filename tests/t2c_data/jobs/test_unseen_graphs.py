"""Unseen graphs: odd names go from CSV to validated pairs, hostile texts do no harm, hidden values show nowhere."""

import asyncio
import json
from pathlib import Path
from typing import Any

import neo4j
import pytest
from tests.t2c_data.csv_graphs import HOSTILE, write_hostile_graph, write_odd_graph

from t2c_core.graph.credentials import GraphConnection
from t2c_core.graph.importer import import_graph
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot
from t2c_data.dataset.stats import describe
from t2c_data.generation.pipeline import read_context
from t2c_data.generation.rng import generator
from t2c_data.jobs.build import open_lexicon, run_build
from t2c_data.jobs.config import BuildConfig, ValidateConfig
from t2c_data.jobs.validate import run_validation
from t2c_data.llm.messages import sample_text, schema_text
from t2c_data.pairs import read_pairs

PAIRS = 120
HIDDEN = Policy(hidden=frozenset({"User.password"}))


def build(graph: Any, source: Path, policy: Policy | None = None) -> Path:
    """Go from CSVs to pairs with the drafted lexicon; return the folder of the pairs."""
    summary = import_graph(source, uri=graph.uri, replace=True, strict=True)
    assert summary.rejected == 0
    write_snapshot(graph.snapshot, uri=graph.uri, policy=policy)
    out = graph.snapshot.parent / "pairs"
    run_build(BuildConfig(graph=GraphConnection(uri=graph.uri), snapshot=graph.snapshot, pairs=PAIRS), out)
    return out


def test_a_graph_with_odd_names_goes_from_csv_to_validated_pairs(empty_graph: Any, tmp_path: Path) -> None:
    write_odd_graph(tmp_path / "csv")
    out = build(empty_graph, tmp_path / "csv")
    pairs = read_pairs(out / "pairs.jsonl")
    assert len(pairs) == PAIRS
    schema = GraphSchema.load(empty_graph.snapshot)
    touched = describe(pairs, schema=schema)["coverage"]
    assert touched["uncovered"]["labels"] == []
    assert len(touched["uncovered"]["types"]) <= 1
    config = ValidateConfig(graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot)
    report = run_validation(config, pairs=out / "pairs.jsonl", out=tmp_path / "checked.jsonl")
    assert report["failed"]["grammar"] == report["failed"]["schema"] == 0
    assert report["kept"] >= 0.95 * PAIRS, report
    rows = [
        json.loads(line) for line in (tmp_path / "checked.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sum(row["keep"] for row in rows) == report["kept"]
    assert all(row["reasons"] for row in rows if not row["keep"])


def test_hostile_texts_do_no_harm_and_hidden_values_show_nowhere(empty_graph: Any, tmp_path: Path) -> None:
    write_hostile_graph(tmp_path / "csv")
    out = build(empty_graph, tmp_path / "csv", HIDDEN)
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        counted = driver.execute_query("MATCH (n) RETURN count(n) AS n").records[0]["n"]
    assert counted == 60 + 20 + 3 * len(HOSTILE) + 1
    written = [*empty_graph.snapshot.iterdir(), *(path for path in out.rglob("*") if path.is_file())]
    for path in written:
        assert b"SECRET-" not in path.read_bytes(), path
    schema = GraphSchema.load(empty_graph.snapshot)
    assert schema.property_of("User", "name")
    assert schema.property_of("User", "password") is None
    assert not any(".password" in pair.cypher for pair in read_pairs(out / "pairs.jsonl"))
    assert max(len(pair.question) for pair in read_pairs(out / "pairs.jsonl")) < 2_000
    prompt = asyncio.run(prompts(empty_graph))
    assert "SECRET-" not in prompt
    assert "xxxxxxxxx" * 10 not in prompt
    assert "\nline" not in prompt.replace("\\n", "")


async def prompts(graph: Any) -> str:
    schema = GraphSchema.load(graph.snapshot)
    async with GraphConnection(uri=graph.uri).open() as client:
        world = await read_context(client, schema, open_lexicon(None, schema))
    return schema_text(world) + sample_text(world, generator(1))


@pytest.mark.parametrize("question", ["What is the password of user 3?"])
def test_a_query_on_what_is_hidden_never_passes(empty_graph: Any, tmp_path: Path, question: str) -> None:
    write_hostile_graph(tmp_path / "csv", labels=2, long=10)
    import_graph(tmp_path / "csv", uri=empty_graph.uri, replace=True)
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri, policy=HIDDEN)
    rows = [
        {"id": str(number), "question": question, "cypher": cypher}
        for number, cypher in enumerate(
            (
                "MATCH (u:User {name: 'user 3'}) RETURN u.password",
                "MATCH (n {name: 'user 3'}) RETURN n.password",
                "MATCH (n {name: 'user 3'}) RETURN n['pass' + 'word']",
                "MATCH (n {name: 'user 3'}) RETURN properties(n)",
                "MATCH (n {name: 'user 3'}) RETURN n",
            )
        )
    ]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = run_validation(
        ValidateConfig(
            graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot, keep_inconclusive=True
        ),
        pairs=pairs,
        out=tmp_path / "checked.jsonl",
    )
    assert report["kept"] == 0, (tmp_path / "checked.jsonl").read_text()
