"""Accuracy of the validators on labelled pairs of the demo graph."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from t2c_data.errors import PairsError
from t2c_data.validators.evaluation import read_labelled_pairs

LABELLED = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)", True),
    ("What are the names of all diseases?", "MATCH (d:Disease) RETURN d.name", "1"),
    ("How many drugs are there?", "MATCH (d:Drug) RETURN d.name", False),
    ("How many drugs are there?", "MATCH (d:Drug) WHERE d.name = 'Aspirin' RETURN count(d)", "0"),
    ("Which drugs are there?", "MATCH (d:Dragon) RETURN d.name", True),
]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    file = tmp_path / "labels.jsonl"
    rows = [
        {
            "question": question,
            "cypher": cypher,
            "logically_correct" if isinstance(right, str) else "right": right,
        }
        for question, cypher, right in LABELLED
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("option", ["--labels", "--judged"])
def test_recall_and_false_positives_are_counted_and_listed(
    graph: Any, labels: Path, tmp_path: Path, option: str
) -> None:
    source = ["--uri", graph.uri, "--snapshot", graph.snapshot]
    command = ["validate", option, labels, *source, "--out", tmp_path / "r.json"]
    program = "from t2c_data.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["wrong"], report["right"]) == (2, 3)
    assert ("deprecated" in done.stderr) == (option == "--judged")
    assert report["all"]["true_positives"] == report["all"]["found"] == 2
    assert report["all"]["false_positives"] == report["by_code"]["schema.label"]["false_positives"] == 1
    assert report["all"]["false_positive_rate"]["percent"] == 33.33
    assert report["by_validator"]["coherence"]["true_positives"] == 1
    assert report["by_validator"]["entity"]["recall"]["percent"] == 50.0
    full = json.loads((tmp_path / "r.json").read_text())
    assert full["false_negatives"] == []
    assert [each["cypher"] for each in full["false_positives"]] == [LABELLED[4][1]]


def test_rows_without_a_label_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    for text in ("{}", '{"question": "q", "cypher": "c", "right": "perhaps"}', "[1]", "no"):
        file.write_text(text + "\n")
        with pytest.raises(PairsError, match="line 1"):
            read_labelled_pairs(file)
