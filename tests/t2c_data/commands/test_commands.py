"""The command line: options, exit codes and messages."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from t2c_data.cli import accept_deprecated

PROGRAM = [sys.executable, "-c", "from t2c_data.cli import main; main()"]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_chain_of_commands_works(graph: Any, built: Path, tmp_path: Path) -> None:
    drafted = run("lexicon", "--snapshot", graph.snapshot, "--out", tmp_path / "lexicon.yaml")
    assert drafted.returncode == 0, drafted.stderr
    pairs = tmp_path / "pairs"
    source = ("--uri", graph.uri, "--snapshot", graph.snapshot, "--lexicon", tmp_path / "lexicon.yaml")
    made = run("build", *source, "--out", pairs, "--pairs", "40")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["pairs"] == 40
    exported = run(
        "export", "--pairs", pairs / "pairs.jsonl", "--snapshot", graph.snapshot, "--out", tmp_path / "export"
    )
    assert json.loads(exported.stdout)["rows"]["train"] > 20, exported.stderr
    assert json.loads(run("stats", "--pairs", built / "pairs.jsonl").stdout)["pairs"] == 480
    split = run("split", "--pairs", built / "pairs.jsonl", "--out", tmp_path / "again.jsonl", "--seed", "5")
    assert json.loads(split.stdout)["skeleton"] == 0


def test_an_edited_lexicon_is_not_replaced(graph: Any, tmp_path: Path) -> None:
    (tmp_path / "lexicon.yaml").write_text("labels: {}\n")
    done = run("lexicon", "--snapshot", graph.snapshot, "--out", tmp_path / "lexicon.yaml")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (tmp_path / "lexicon.yaml").read_text() == "labels: {}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stats", "--pairs", "none.jsonl"), "no pairs at"),
        (("export", "--pairs", "PAIRS", "--out", "x"), "--snapshot"),
        (("export", "--pairs", "PAIRS", "--out", "x", "--snapshot", ".", "--noise", "45"), "--noise"),
        (("build", "--uri", "bolt://127.0.0.1:1", "--snapshot", ".", "--out", "y"), "snapshot"),
        (
            ("build", "--uri", "bolt://x", "--snapshot", ".", "--out", "y", "--pipeline", "magic"),
            "--pipeline 'magic'",
        ),
        (("build", "--uri", "bolt://x", "--snapshot", ".", "--out", "y", "--pipeline", "llm"), "--llm-url"),
        (("build", "--uri", "bolt://x", "--snapshot", ".", "--out", "y", "--pairs", "0"), "--pairs 0"),
        (("validate", "--uri", "bolt://x", "--snapshot", "."), "--labels"),
        (("validate", "--uri", "bolt://x", "--snapshot", ".", "--pairs", "PAIRS"), "--out"),
        (("paraphrase", "--snapshot", ".", "--pairs", "PAIRS", "--out", "y"), "--llm-url"),
        (("nonsense",), "nonsense"),
    ],
)
def test_invalid_input_ends_with_2_and_a_sentence(
    tmp_path: Path, built: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = subprocess.run(
        [*PROGRAM, *(str(built / "pairs.jsonl") if each == "PAIRS" else each for each in arguments)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_that_of_the_distribution() -> None:
    assert run("--version").stdout.strip() == version("graphling")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["reword", "--replies", "r"], ["paraphrase", "--llm-cache", "r"]),
        (["build", "--no-judged", "--budget-tokens=5"], ["build", "--no-llm-judge", "--max-total-tokens=5"]),
        (["build", "--judged", "--no-structured"], ["build", "--llm-judge", "--no-structured-output"]),
        (["validate", "--judged", "f", "--unproven"], ["validate", "--labels", "f", "--keep-inconclusive"]),
    ],
)
def test_deprecated_names_are_accepted_with_a_warning(
    old: list[str], new: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert accept_deprecated(old) == new
    warned = capsys.readouterr().err
    for before, after in zip(old, new, strict=True):
        assert (f"{before.partition('=')[0]} is deprecated" in warned) == (before != after)
    assert accept_deprecated(new) == new
    assert capsys.readouterr().err == ""


def test_user_and_password_variable_are_deprecated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINE", "secret")
    monkeypatch.setenv("NEO4J_USERNAME", "")
    monkeypatch.setenv("NEO4J_PASSWORD", "")
    assert accept_deprecated(["build", "--user", "ann", "--password-env=MINE", "--pairs", "5"]) == [
        "build",
        "--pairs",
        "5",
    ]
    assert (os.environ["NEO4J_USERNAME"], os.environ["NEO4J_PASSWORD"]) == ("ann", "secret")
    assert "NEO4J_USERNAME" in capsys.readouterr().err


def test_an_interrupted_build_says_how_to_resume(build_command: Any, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    process = subprocess.Popen(
        build_command(out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip - a shell in the background ignores SIGINT, which its children inherit
    while not (out / "candidates.sqlite").is_file():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert "run the same command again to resume" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""
    assert sorted(each.name for each in out.iterdir()) == ["candidates.sqlite", "plan.json"]
