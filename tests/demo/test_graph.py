"""The demo graph's files: what the script writes, large enough, whole."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"
FILES = sorted((DEMO / "graph").glob("*.csv"))
CASTS = {"long": int, "double": float}


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return [cell.partition(":") for cell in header], rows


def space(kind):
    return kind.partition("(")[2].rstrip(")")


def identities():
    found = {}
    for path in FILES:
        header, rows = read(path)
        for place, (_, _, kind) in enumerate(header):
            if kind.startswith("ID("):
                found.setdefault(space(kind), []).extend(row[place] for row in rows)
    return found


def build(folder, *arguments):
    program = [sys.executable, DEMO / "build_graph.py", "--out", folder, *arguments]
    subprocess.run(program, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_committed_files_are_what_the_script_writes(tmp_path):
    assert build(tmp_path / "again") == {path.name: path.read_bytes() for path in FILES}


def test_another_seed_makes_another_hospital_with_the_same_medicine(tmp_path):
    other = build(tmp_path / "other", "--seed", "8")
    assert other.keys() == {path.name for path in FILES}
    assert other["Patient.csv"] != (DEMO / "graph" / "Patient.csv").read_bytes()
    assert other["TREATS.csv"] == (DEMO / "graph" / "TREATS.csv").read_bytes()


def test_graph_is_large_and_varied_enough():
    counts = {"nodes": 0, "relationships": 0}
    labels, types, kinds = set(), set(), set()
    for path in FILES:
        header, rows = read(path)
        columns = [kind for _, _, kind in header]
        kinds.update(kind for name, _, kind in header if name)
        if "TYPE" in columns:
            types.update(row[columns.index("TYPE")] for row in rows)
            counts["relationships"] += len(rows)
        else:
            labels.update(row[columns.index("LABEL")] for row in rows)
            counts["nodes"] += len(rows)
    assert counts["nodes"] >= 800
    assert counts["relationships"] >= 4000
    assert len(labels) >= 12
    assert len(types) >= 14
    assert kinds >= {"", "long", "double", "date", "boolean", "string[]"}
    assert sum(path.stat().st_size for path in FILES) < 1_500_000


def test_identities_are_unique():
    for name, found in identities().items():
        assert len(found) == len(set(found)), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_relationships_join_existing_nodes_and_values_have_their_type(path):
    known = {name: set(found) for name, found in identities().items()}
    header, rows = read(path)
    assert rows
    for row in rows:
        assert len(row) == len(header)
        for (_, _, kind), value in zip(header, row, strict=True):
            if kind.startswith(("START_ID", "END_ID")):
                assert value in known[space(kind)]
            elif kind == "boolean":
                assert value in {"true", "false"}
            elif kind in CASTS and value:
                CASTS[kind](value)


def test_no_pair_is_related_twice_by_one_type():
    for path in FILES:
        header, rows = read(path)
        if header[0][2].startswith("START_ID"):
            pairs = [tuple(row[:2]) for row in rows]
            assert len(pairs) == len(set(pairs)), path.name


def test_nobody_takes_what_is_contraindicated_or_not_tolerated():
    def pairs(name):
        return {(row[0], row[1]) for row in read(DEMO / "graph" / f"{name}.csv")[1]}

    takes, sick, allergic, forbidden = map(
        pairs, ("TAKES", "DIAGNOSED_WITH", "ALLERGIC_TO", "CONTRAINDICATED_IN")
    )
    assert not takes & allergic
    assert not {
        (p, drug) for p, drug in takes for q, disease in sick if p == q and (drug, disease) in forbidden
    }
