"""Statistics of pairs, and the report with charts."""

import json
from pathlib import Path
from typing import Any

import pytest

from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.report import dataset_card, draw_bars, write_report
from t2c_data.dataset.stats import coverage, describe, lexical_diversity, read_drops
from t2c_data.errors import PairsError
from t2c_data.pairs import Pair, read_pairs


def test_copies_are_less_diverse_than_different_wordings() -> None:
    copies = lexical_diversity(["how many drugs are there"] * 9 + ["how many drugs are here"])
    mixed = lexical_diversity(
        ["how many drugs are there", "list each disease by name", "who treats pain", "oldest trial"]
    )
    assert copies["distinct_2"] < 0.2 < mixed["distinct_2"]
    assert copies["self_bleu"] > mixed["self_bleu"]
    assert lexical_diversity(["one"])["self_bleu"] == 0.0


def test_coverage_lists_what_no_pair_uses(schema: GraphSchema) -> None:
    pairs = [
        Pair(id="1", question="x", cypher="MATCH (d:Drug)-[t:TREATS]->(x) WHERE d.name = $v1 RETURN x.name")
    ]
    found = coverage(pairs, schema)
    assert found["labels"]["Drug"] == found["types"]["TREATS"] == found["properties"]["Drug.name"] == 1
    assert "Disease.name" not in found["uncovered"]["properties"]
    assert "TREATS" not in found["uncovered"]["types"]
    assert {"Drug", "TREATS"}.isdisjoint(found["uncovered"]["labels"])
    assert found["uncovered"]["labels"]


def test_the_report_shows_every_chart(built: Path, schema: GraphSchema, tmp_path: Path) -> None:
    pairs = read_pairs(built / "pairs.jsonl")
    statistics = describe(pairs, schema=schema, dropped=read_drops(built / "manifest.json"))
    write_report(statistics, {5: 3, 9: 1}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {
        "category", "difficulty", "lengths", "distinct", "dropped", "coverage_labels", "coverage_types",
        "coverage_properties",
    }  # fmt: skip
    assert all(f"({name}.png)" in page for name in drawn)
    assert all((tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in drawn)
    written = json.loads((tmp_path / "stats.json").read_text())
    assert written == {name: each for name, each in statistics.items() if name in written}
    assert set(statistics) - set(written) == {"variety", "query_shapes", "question_words"}


def test_fields_are_also_written_under_the_names_of_the_version_before(built: Path) -> None:
    statistics = describe(read_pairs(built / "pairs.jsonl"))
    assert statistics["variety"] == statistics["lexical_diversity"]
    assert statistics["query_shapes"] == statistics["query_skeletons"] > 80
    assert statistics["question_words"] == statistics["question_length"]
    assert statistics["pairs"] == sum(statistics["by_category"].values()) == 480
    assert describe([]) == {"pairs": 0}


def test_the_dataset_card_lists_files_counts_and_leaks(built: Path) -> None:
    pairs = read_pairs(built / "pairs.jsonl")
    page = dataset_card(pairs, {"train": 5, "dev": 0})
    assert "path: train.parquet" in page
    assert "dev.parquet" not in page
    assert f"| train | {sum(pair.split == 'train' for pair in pairs)} |" in page
    assert "0 query skeletons, 0 questions, 0 near-duplicates" in page


def test_names_that_fonts_and_mathematics_mistake_are_drawn(tmp_path: Path) -> None:
    draw_bars(
        "$x^{ of 北京",
        {"$y_{": 2, "北京\n": 0, "a" * 99: 1} | {str(n): n for n in range(60)},
        tmp_path / "x.png",
    )
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    assert read_drops(tmp_path / "none.json") is None
    (tmp_path / "m.json").write_text("[]")
    with pytest.raises(PairsError, match="not the manifest of a build"):
        read_drops(tmp_path / "m.json")


def test_unanswerable_pairs_cover_nothing(schema: GraphSchema) -> None:
    found: dict[str, Any] = coverage([Pair(id="1", question="x", cypher="")], schema)
    assert not any(found["labels"].values())
