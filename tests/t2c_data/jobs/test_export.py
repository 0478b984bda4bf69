"""Exports as a job: what is left out, and which folders are replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphling_io.outputs import OutputError
from t2c_data.jobs.config import ExportConfig
from t2c_data.jobs.export import run_export


@pytest.fixture
def validated(built: Path, tmp_path: Path) -> Path:
    """60 pairs, every third of which validation rejected."""
    rows = [
        json.loads(line) for line in (built / "pairs.jsonl").read_text(encoding="utf-8").splitlines()[:60]
    ]
    marked = [{**row, "keep": bool(number % 3), "reasons": []} for number, row in enumerate(rows)]
    path = tmp_path / "validated.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in marked), encoding="utf-8")
    return path


def exported_ids(out: Path, form: str) -> set[str]:
    if form == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return {row["id"] for path in out.glob("*.parquet") for row in parquet.read_table(path).to_pylist()}
    files = [out / f"{name}.jsonl" for name in ("train", "dev", "test")]
    return {
        json.loads(line)["id"] for path in files for line in path.read_text(encoding="utf-8").splitlines()
    }


@pytest.mark.parametrize("form", ["atoms", "chat", "completion", "parquet"])
def test_rejected_pairs_are_not_exported_unless_asked_for(
    graph: Any, validated: Path, tmp_path: Path, form: Any
) -> None:
    """Rows with `"keep": false` were exported and trained on."""
    rejected = {row["id"] for row in map(json.loads, validated.read_text().splitlines()) if not row["keep"]}
    config = ExportConfig(pairs=validated, format=form, snapshot=graph.snapshot)
    manifest = run_export(config, tmp_path / "kept")
    assert manifest["dropped"]["rejected"] == len(rejected) == 20
    assert not exported_ids(tmp_path / "kept", form) & rejected
    config = ExportConfig(pairs=validated, format=form, snapshot=graph.snapshot, include_rejected=True)
    manifest = run_export(config, tmp_path / "all")
    assert "rejected" not in manifest.get("dropped", {})
    assert exported_ids(tmp_path / "all", form) & rejected


def test_an_unvalidated_file_is_exported_whole(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    manifest = run_export(ExportConfig(pairs=built / "pairs.jsonl", format="parquet"), tmp_path / "out")
    assert sum(manifest["rows"].values()) == 480
    assert "dropped" not in manifest


def test_force_replaces_an_export_and_nothing_else(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / "out"
    run_export(ExportConfig(pairs=built / "pairs.jsonl", format="parquet"), out)
    with pytest.raises(OutputError, match="--force"):
        run_export(ExportConfig(pairs=built / "pairs.jsonl", format="parquet"), out)
    run_export(ExportConfig(pairs=built / "pairs.jsonl", format="parquet", force=True), out)
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        run_export(ExportConfig(pairs=built / "pairs.jsonl", format="parquet", force=True), out)
    assert (out / "thesis.tex").read_text() == "mine"


def test_an_output_that_overlaps_an_input_is_refused(built: Path, graph: Any, tmp_path: Path) -> None:
    before = (built / "pairs.jsonl").read_bytes()
    for out in (built, built.parent, graph.snapshot):
        config = ExportConfig(pairs=built / "pairs.jsonl", snapshot=graph.snapshot, force=True)
        with pytest.raises(OutputError, match="input"):
            run_export(config, out)
    assert (built / "pairs.jsonl").read_bytes() == before
    assert (graph.snapshot / "schema.json").is_file()
