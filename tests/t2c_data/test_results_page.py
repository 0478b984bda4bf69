"""Figures and drawings of a set of pairs."""

import json
from pathlib import Path
from typing import Any

import pytest

from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.plots import draw_bars, write_results
from t2c_data.dataset.stats import coverage, describe, read_drops, variety
from t2c_data.errors import PairsError
from t2c_data.pairs import Pair, read_pairs


def test_variety_tells_copies_from_different_wordings() -> None:
    copies = variety(["how many drugs are there"] * 9 + ["how many drugs are here"])
    mixed = variety(
        ["how many drugs are there", "list each disease by name", "who treats pain", "oldest trial"]
    )
    assert copies["distinct_2"] < 0.2 < mixed["distinct_2"]
    assert copies["self_bleu"] > mixed["self_bleu"]
    assert variety(["one"])["self_bleu"] == 0.0


def test_coverage_lists_what_no_pair_touches(schema: GraphSchema) -> None:
    pairs = [
        Pair(id="1", question="x", cypher="MATCH (d:Drug)-[t:TREATS]->(x) WHERE d.name = $v1 RETURN x.name")
    ]
    found = coverage(pairs, schema)
    assert found["labels"]["Drug"] == found["types"]["TREATS"] == found["properties"]["Drug.name"] == 1
    assert "Disease.name" not in found["untouched"]["properties"]
    assert "TREATS" not in found["untouched"]["types"]
    assert {"Drug", "TREATS"}.isdisjoint(found["untouched"]["labels"])
    assert found["untouched"]["labels"]


def test_the_results_page_shows_every_figure(built: Path, schema: GraphSchema, tmp_path: Path) -> None:
    pairs = read_pairs(built / "pairs.jsonl")
    figures = describe(pairs, schema=schema, dropped=read_drops(built / "manifest.json"))
    write_results(figures, {5: 3, 9: 1}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {
        "category", "difficulty", "lengths", "distinct", "dropped", "coverage_labels", "coverage_types",
        "coverage_properties",
    }  # fmt: skip
    assert all(f"({name}.png)" in page for name in drawn)
    assert all((tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in drawn)
    assert json.loads((tmp_path / "stats.json").read_text()) == figures


def test_names_that_fonts_and_mathematics_mistake_are_drawn(tmp_path: Path) -> None:
    draw_bars(
        "$x^{ of 北京",
        {"$y_{": 2, "北京\n": 0, "a" * 99: 1} | {str(n): n for n in range(60)},
        tmp_path / "x.png",
    )
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_a_file_that_is_no_manifest_is_told(tmp_path: Path) -> None:
    assert read_drops(tmp_path / "none.json") is None
    (tmp_path / "m.json").write_text("[]")
    with pytest.raises(PairsError, match="no manifest of a build"):
        read_drops(tmp_path / "m.json")


def test_pairs_without_an_answer_touch_nothing(schema: GraphSchema) -> None:
    found: dict[str, Any] = coverage([Pair(id="1", question="x", cypher="")], schema)
    assert not any(found["labels"].values())
