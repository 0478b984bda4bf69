"""How often validators agree with people, on judged pairs of the demo graph."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from t2c_data.errors import PairsError
from t2c_data.validators.evaluation import read_judged

JUDGED = [
    ("How many drugs are there?", "MATCH (d:Drug) RETURN count(d)", True),
    ("What are the names of all diseases?", "MATCH (d:Disease) RETURN d.name", "1"),
    ("How many drugs are there?", "MATCH (d:Drug) RETURN d.name", False),
    ("How many drugs are there?", "MATCH (d:Drug) WHERE d.name = 'Aspirin' RETURN count(d)", "0"),
    ("Which drugs are there?", "MATCH (d:Dragon) RETURN d.name", True),
]


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    file = tmp_path / "judged.jsonl"
    rows = [
        {
            "question": question,
            "cypher": cypher,
            "logically_correct" if isinstance(right, str) else "right": right,
        }
        for question, cypher, right in JUDGED
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_recall_and_false_alarms_are_counted_and_listed(graph: Any, judged: Path, tmp_path: Path) -> None:
    command = [
        "validate",
        "--judged",
        judged,
        "--uri",
        graph.uri,
        "--snapshot",
        graph.snapshot,
        "--out",
        tmp_path / "r.json",
    ]
    program = "from t2c_data.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["wrong"], report["right"]) == (2, 3)
    assert report["all"]["found"] == 2
    assert report["all"]["alarms"] == report["by_code"]["schema.label"]["alarms"] == 1
    assert report["by_validator"]["coherence"]["found"] == 1
    assert report["by_validator"]["entity"]["recall"]["percent"] == 50.0
    full = json.loads((tmp_path / "r.json").read_text())
    assert full["missed"] == []
    assert [each["cypher"] for each in full["false_alarms"]] == [JUDGED[4][1]]


def test_rows_that_are_not_judged_are_told(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    for text in ("{}", '{"question": "q", "cypher": "c", "right": "perhaps"}', "[1]", "no"):
        file.write_text(text + "\n")
        with pytest.raises(PairsError, match="line 1"):
            read_judged(file)
