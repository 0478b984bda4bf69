import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = "from t2c_data.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_chain_of_commands_works(graph: Any, built: Path, tmp_path: Path) -> None:
    drafted = run("lexicon", "--snapshot", graph.snapshot, "--out", tmp_path / "lexicon.yaml")
    assert drafted.returncode == 0, drafted.stderr
    pairs = tmp_path / "pairs"
    made = run(
        "build",
        "--uri",
        graph.uri,
        "--snapshot",
        graph.snapshot,
        "--out",
        pairs,
        "--pairs",
        "40",
        "--lexicon",
        tmp_path / "lexicon.yaml",
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["pairs"] == 40
    exported = run(
        "export", "--pairs", pairs / "pairs.jsonl", "--snapshot", graph.snapshot, "--out", tmp_path / "export"
    )
    assert json.loads(exported.stdout)["rows"]["train"] > 20
    assert json.loads(run("stats", "--pairs", built / "pairs.jsonl").stdout)["pairs"] == 480
    split = run("split", "--pairs", built / "pairs.jsonl", "--out", tmp_path / "again.jsonl", "--seed", "5")
    assert json.loads(split.stdout)["skeleton"] == 0


def test_an_edited_lexicon_is_not_replaced(graph: Any, tmp_path: Path) -> None:
    (tmp_path / "lexicon.yaml").write_text("labels: {}\n")
    done = run("lexicon", "--snapshot", graph.snapshot, "--out", tmp_path / "lexicon.yaml")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (tmp_path / "lexicon.yaml").read_text() == "labels: {}\n"


def test_mistakes_end_with_2_and_a_sentence(tmp_path: Path, built: Path) -> None:
    for arguments in (
        ("stats", "--pairs", tmp_path / "none.jsonl"),
        ("export", "--pairs", built / "pairs.jsonl", "--out", tmp_path / "x"),
        ("build", "--uri", "bolt://127.0.0.1:1", "--snapshot", tmp_path, "--out", tmp_path / "y"),
        ("nonsense",),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr
