"""`t2c-graph check`: one line of output per line of input, without a database."""

import json
import os
import subprocess
import sys

import pytest

from t2c_core.errors import InputError
from t2c_core.guard.jsonl import check_jsonl

from .conftest import SCHEMA


def check_rows(guard, *rows):
    return [json.loads(line) for line in check_jsonl(guard, [json.dumps(row).encode() for row in rows])]


def test_each_line_gets_a_verdict_in_order(guard):
    found = check_rows(
        guard,
        {"id": 7, "cypher": "MATCH (d:Drug) RETURN count(d)"},
        {"id": "b", "cypher": "MATCH (d:Drug) SET d.name = 1"},
        {
            "id": None,
            "cypher": "MATCH (d:drug {name: 'aspirin'}) RETURN count(d)",
            "params": {"v1": "Aspirin"},
        },
    )
    assert [row["id"] for row in found] == [7, "b", None]
    assert [row["verdict"] for row in found] == ["allow", "refuse", "allow"]
    assert [row["codes"] for row in found] == [[], ["parse.write"], []]
    assert [row["position"] for row in found] == [None, 15, None]
    assert [row["repaired"] for row in found] == [
        None,
        None,
        "MATCH (d:Drug {name: $v1}) RETURN count(d)",
    ]
    assert found[2]["repairs"] == [
        {"code": "repair.label", "message": "drug → Drug", "told": "drug → Drug", "position": 9},
        {"code": "repair.parameter", "message": "'aspirin' → $v1", "told": "'aspirin' → $v1", "position": 21},
    ]


def test_invalid_unicode_gets_a_verdict(guard):
    assert check_rows(guard, {"id": 1, "cypher": "RETURN '\ud800'"})[0]["codes"] == ["parse.token"]
    assert list(check_jsonl(guard, [b"\n", b"  \n"])) == []


@pytest.mark.parametrize("line", [b"[1]", b"{", b'{"id": 1}', b'{"cypher": 1}', b'{"cypher": "", "params": [1]}', b"\xff", b"[" * 90_000])  # fmt: skip
def test_invalid_line_is_an_input_error(line, guard):
    with pytest.raises(InputError, match="line 2"):
        list(check_jsonl(guard, [b'{"cypher": "RETURN 1"}', line]))


def test_command_needs_no_database(tmp_path):
    schema, policy = tmp_path / "schema.json", tmp_path / "policy.yaml"
    schema.write_text(SCHEMA.to_json(), encoding="utf-8")
    policy.write_text("hidden: [Patient.name]\n", encoding="utf-8")
    lines = [
        {"id": 1, "cypher": "MATCH (p:Patient) RETURN p.name"},
        {"id": 2, "cypher": "MATCH (d:Drug) RETURN d.nme"},
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from t2c_core.cli import main; main()", "check", "--schema", schema, "--policy", policy],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes = [json.loads(line)["codes"] for line in done.stdout.splitlines()]
    assert codes == [["policy.property"], ["schema.property"]]
    assert done.stderr == ""
