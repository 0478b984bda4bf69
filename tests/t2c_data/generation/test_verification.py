"""A share of every build is compared with an evaluation in plain Python, and what disagrees is dropped."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from t2c_core.graph.credentials import GraphConnection
from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.store import CandidateStore
from t2c_data.generation.pipeline import TemplatePipelineConfig, build, prepare
from t2c_data.generation.verification import ALWAYS, AnswerVerifier, order_column
from t2c_data.lexicon.model import Lexicon
from t2c_data.planning import cypher_writer
from t2c_data.planning.evaluation_graph import EvaluationGraph


@pytest.fixture
def build_pairs(graph: Any, schema: GraphSchema, lexicon: Lexicon, tmp_path: Path) -> Any:
    def run(name: str, **options: Any) -> dict[str, Any]:
        config = TemplatePipelineConfig(pairs=150, seed=3, **options)
        out = tmp_path / name
        prepare(out, schema=schema, lexicon=lexicon, config=config)
        found = build(
            out, graph=GraphConnection(uri=graph.uri), schema=schema, lexicon=lexicon, config=config
        )
        return {**asyncio.run(found), "out": out}

    return run


def test_every_build_says_how_many_answers_were_compared(built: Path) -> None:
    counts = json.loads((built / "manifest.json").read_text(encoding="utf-8"))["evaluation"]
    assert counts["evaluated"] >= ALWAYS
    assert counts["evaluated"] == counts["agreed"]
    assert counts["disagreed"] == 0


def test_wrong_queries_are_dropped_under_their_own_code(
    build_pairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = cypher_writer.CypherTemplateWriter.write
    monkeypatch.setattr(
        cypher_writer.CypherTemplateWriter,
        "write",
        lambda self, builder: written(self, builder).replace(" > $", " <= $").replace(" < $", " >= $"),
    )
    manifest = build_pairs("wrong", verified=1.0)
    counts = manifest["evaluation"]
    assert counts["disagreed"] > 5
    assert counts["agreed"] > 50
    assert manifest["dropped"]["evaluation"] == counts["disagreed"]
    rows = [json.loads(line) for line in (manifest["out"] / "pairs.jsonl").read_text("utf-8").splitlines()]
    assert all("evaluation" not in row for row in rows)
    with closing(sqlite3.connect(manifest["out"] / "candidates.sqlite")) as base:
        verdicts = {
            json.loads(row)["question"]: json.loads(row)["evaluation"]
            for (row,) in base.execute("SELECT row FROM candidate WHERE row LIKE '%\"evaluation\"%'")
        }
    assert all(verdicts.get(row["question"]) != "disagreed" for row in rows)


def test_a_graph_too_large_to_read_is_skipped_and_said(
    build_pairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_large(read: Any) -> None:
        return None

    monkeypatch.setattr(EvaluationGraph, "read", too_large)
    counts = build_pairs("large")["evaluation"]
    assert counts["skipped"] > ALWAYS
    assert counts["evaluated"] == 0


def test_a_share_of_zero_compares_nothing(build_pairs: Any) -> None:
    assert "evaluation" not in build_pairs("none", verified=0.0)


def test_the_choice_depends_on_the_place_alone() -> None:
    verifier = AnswerVerifier(None, None, ratio=0.01)  # type: ignore[arg-type]
    due = [place for place in range(1000) if verifier.is_due(place)]
    assert due == [*range(ALWAYS), *range(100, 1000, 100)]


def test_a_graph_is_not_read_if_it_is_too_large() -> None:
    queries = []

    async def read(cypher: str, parameters: dict[str, Any]) -> list[list[Any]]:
        queries.append(cypher)
        return [[300]]

    assert asyncio.run(EvaluationGraph.read(read, max_entities=599)) is None
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("cypher", "column"),
    [
        ("MATCH (a:A) RETURN a.x, a.y ORDER BY a.y DESC LIMIT $v1", 1),
        ("MATCH (a:A) RETURN a.x ORDER BY a.y LIMIT 1", None),
        ("MATCH (a:A) RETURN a.x", None),
    ],
)
def test_the_ordering_column_is_found(cypher: str, column: int | None) -> None:
    assert order_column(cypher) == column


def test_a_store_counts_verdicts_and_returns_rows_without_them() -> None:
    row = {"question": "how many", "cypher": "RETURN 1", "category": "count"}
    with CandidateStore() as store:
        store.add([{**row, "evaluation": "agreed"}, {**row, "drop": "evaluation", "evaluation": "disagreed"}])
        assert store.evaluation == {"evaluated": 2, "agreed": 1, "disagreed": 1, "skipped": 0}
        assert [*store.rows()] == [row]
        assert store.dropped == {"evaluation": 1}
