"""Unseen graphs: odd names go from CSV to validated pairs, hostile texts do no harm, hidden values show nowhere."""

import asyncio
import json
from dataclasses import replace
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
    report = run_validation(config, out / "pairs.jsonl", tmp_path / "checked.jsonl")
    assert report["failed"]["grammar"] == report["failed"]["schema"] == 0
    assert report["kept"] >= 0.95 * PAIRS, report
    rows = [
        json.loads(line) for line in (tmp_path / "checked.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sum(row["keep"] for row in rows) == report["kept"]
    assert all(row["reasons"] for row in rows if not row["keep"])


def test_pairs_that_have_run_are_validated_without_a_server_and_in_processes(
    empty_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_odd_graph(tmp_path / "csv")
    pairs = build(empty_graph, tmp_path / "csv") / "pairs.jsonl"
    wrong = [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]
    wrong[0]["cypher"] = "MATCH (n:Nowhere) RETURN n.name"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in wrong), encoding="utf-8")
    online = ValidateConfig(graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot)
    run_validation(online, pairs, tmp_path / "run.jsonl")
    monkeypatch.setattr("t2c_data.jobs.validate.MIN_PAIRS_FOR_PROCESSES", 1)
    offline = replace(online, graph=GraphConnection(uri="bolt://127.0.0.1:1"), run=False)
    run_validation(offline, pairs, tmp_path / "compared.jsonl")
    ran, compared = (
        [json.loads(line)["reasons"] for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
        for name in ("run.jsonl", "compared.jsonl")
    )
    of_rows = {"coherence.empty", "coherence.null", "coherence.zero", "coherence.duplicates"}
    assert compared == [[code for code in codes if code not in of_rows] for codes in ran]
    assert "schema.label" in compared[0]


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
        pairs,
        tmp_path / "checked.jsonl",
    )
    assert report["kept"] == 0, (tmp_path / "checked.jsonl").read_text()


def test_tools_labels_and_embeddings_stay_out_of_pairs_and_prompts(empty_graph: Any, tmp_path: Path) -> None:
    """52 of 250 pairs compared `embedding` before; one answer was 186 KB."""
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "UNWIND range(1, 30) AS i "
            "CREATE (d:Doc {title: 'doc ' + i, pages: i % 7, embedding: [x IN range(1, 128) | x / 7.0 + i], "
            "scores: [i / 2.0, i / 3.0]})-[:ABOUT {vector: [x IN range(1, 64) | x * 0.5]}]->(t:Topic {name: 'topic ' + (i % 5)}) "
            "CREATE (:_Bloom_Perspective_ {name: 'view ' + i})-[:_Bloom_HAS_SCENE_]->(:_Bloom_Scene_ {name: 's' + i})"
        )
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    config = BuildConfig(
        graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot, pairs=PAIRS
    )
    run_build(config, tmp_path / "pairs")
    pairs = read_pairs(tmp_path / "pairs" / "pairs.jsonl")
    assert len(pairs) == PAIRS
    for word in ("embedding", "vector", "bloom", "scene"):
        assert not [pair for pair in pairs if word in f"{pair.question} {pair.cypher}".lower()], word
    assert any(".title" in pair.cypher for pair in pairs)
    prompt = asyncio.run(prompts(empty_graph))
    assert "Doc" in prompt
    assert not {each for each in ("embedding", "vector", "Bloom") if each in prompt}


@pytest.mark.parametrize(
    "days", [["9999-12-31", "9999-01-01"], ["-0044-03-15", "0000-01-01"], ["-9999-01-01", "12026-05-06"]]
)
def test_dates_outside_the_years_of_python_are_text(
    empty_graph: Any, tmp_path: Path, days: list[str]
) -> None:
    """A `datetime` of year 9999 or before year 1 ended a build with a traceback."""
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "UNWIND range(1, 40) AS i WITH i, CASE WHEN i % 4 = 0 THEN $days[i % 2] WHEN i % 4 = 1 THEN $days[1] "
            "ELSE toString(date('2020-01-01') + duration({days: i})) END AS day "
            "CREATE (:Event {name: 'event ' + i, day: date(CASE WHEN day STARTS WITH '12' THEN '+' + day ELSE day END), "
            "moment: datetime({date: date(CASE WHEN day STARTS WITH '12' THEN '+' + day ELSE day END), timezone: 'Z'})})",
            days=days,
        )
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    config = BuildConfig(
        graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot, pairs=PAIRS
    )
    run_build(config, tmp_path / "pairs")
    pairs = read_pairs(tmp_path / "pairs" / "pairs.jsonl")
    assert len(pairs) == PAIRS
    assert any(".day" in pair.cypher or ".moment" in pair.cypher for pair in pairs)
    report = run_validation(
        ValidateConfig(graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot),
        tmp_path / "pairs" / "pairs.jsonl",
        tmp_path / "validated.jsonl",
    )
    assert report["failed"]["grammar"] == 0
    assert report["kept"] >= 0.95 * PAIRS, report


def test_parameters_of_every_type_are_validated(empty_graph: Any, tmp_path: Path) -> None:
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query("UNWIND range(1, 3) AS i CREATE (:Doc {title: 'doc ' + i, pages: i})")
    write_snapshot(empty_graph.snapshot, uri=empty_graph.uri)
    values = (None, ["doc 1", None, 3], {"name": "doc 1"}, [[1.5]], [{"a": 1}], True, [], "doc 1", 2.5)
    given = [{"v1": value} for value in values] + [{}]
    rows = [
        {
            "id": "1", "question": "Which docs are 'doc 1'?", "parameters": parameters,
            "cypher": f"MATCH (d:Doc) WHERE {comparison} RETURN d.pages",
        }
        for parameters in given
        for comparison in ("d.title = $v1", "d.title IN $v1", "d.pages > $v1", "d.pages IN [$v1]")
    ]  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = ValidateConfig(graph=GraphConnection(uri=empty_graph.uri), snapshot=empty_graph.snapshot)
    report = run_validation(config, tmp_path / "pairs.jsonl", tmp_path / "validated.jsonl")
    assert report["pairs"] == len(rows)
    written = [json.loads(line) for line in (tmp_path / "validated.jsonl").read_text().splitlines()]
    assert [row["parameters"] for row in written] == [row["parameters"] for row in rows]
    kept = [row["parameters"]["v1"] for row in written if row["keep"] and " = " in row["cypher"]]
    assert kept == ["doc 1"]
