"""The whole chain of `graphling own`, with console scripts that write what they are made of: what runs again, and when."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphling import own
from graphling.step_runner import StepError

MADE = {"ex": 0.8, "ex_interval": [0.7, 0.9], "executable": 1.0, "f1": 0.9, "answered": 1.0, "n": 10}
EVALUATED = MADE | {"coverage_by_confidence": [{"min_confidence": 0.0, "ex": 0.8}]}
SHAPE = {"heads": 8, "kv_heads": 2, "kv_cache_bytes_per_token": 12}
BEFORE_THE_LEXICON = ["snapshot", "lexicon"]
MODELS = ["train", "convert", "train"]
EVALUATIONS = ["evaluate text", "evaluate text", "evaluate", "evaluate"]
REPORT = ["inspect", "inspect"]


class Scripts:
    """Writes outputs in place of the console scripts; each holds the text of what it is made from."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.calls: list[str] = []
        self.stop_at = ""

    def __call__(self, _: str, *arguments: object, **__: object) -> str:
        words = [str(each) for each in arguments]
        options = dict(itertools.pairwise(words))
        self.calls.append(words[0] + (" text" if "--text" in options else ""))
        if words[0] == self.stop_at:
            raise StepError("stopped")
        return getattr(self, words[0])(words, options) or "{}"

    def snapshot(self, _: list[str], options: dict[str, str]) -> None:
        write(options["--out"], {"manifest.json": "{}"})

    def lexicon(self, _: list[str], options: dict[str, str]) -> None:
        Path(options["--out"]).write_text("drafted\n")

    def build(self, _: list[str], options: dict[str, str]) -> None:
        question = Path(options["--lexicon"]).read_text().partition("#")[0].strip()
        row = {"question": question, "split": "test", "result_rows": 1, "category": "c", "template": "t"}
        write(options["--out"], {"pairs.jsonl": json.dumps(row), "manifest.json": '{"pairs": 1}'})

    def validate(self, _: list[str], options: dict[str, str]) -> None:
        Path(options["--out"]).write_text(Path(options["--pairs"]).read_text())

    def export(self, _: list[str], options: dict[str, str]) -> None:
        text = Path(options["--pairs"]).read_text()
        names = ("train.jsonl", "dev.jsonl", "test.jsonl", "calibration.jsonl")
        write(options["--out"], {**dict.fromkeys(names, text), "manifest.json": "{}"})
        write(options["--out"] + "/tokenizer", {"tokenizer.json": "{}"})

    def transfer(self, _: list[str], options: dict[str, str]) -> None:
        write(options["--out"], {"config.json": "base"})

    def train(self, words: list[str], _: dict[str, str]) -> None:
        recipe = yaml.safe_load(Path(words[1]).read_text())
        start = (self.home / recipe["init_checkpoint"] / "config.json").read_text()
        made = start + (self.home / "rows" / "train.jsonl").read_text()
        metrics = json.dumps({"step": 1, "tokens": 2, "elapsed_s": 3.0})
        write(self.home / recipe["output_dir"], {"config.json": made, "metrics.jsonl": metrics})

    def convert(self, words: list[str], options: dict[str, str]) -> None:
        made = Path(words[1], "config.json").read_text()
        write(options["--out"], {"config.json": made, "conversion.json": "{}"})

    def evaluate(self, _: list[str], options: dict[str, str]) -> str:
        return json.dumps({"perplexity": 1.5} if "--text" in options else EVALUATED)

    def inspect(self, _: list[str], __: dict[str, str]) -> str:
        return json.dumps(SHAPE)

    def run(self, config: own.OwnConfig) -> list[str]:
        """Run the chain; return the scripts called, whether it was stopped or not."""
        self.calls.clear()
        try:
            own.build(config)
        except StepError:
            assert self.stop_at
        return list(self.calls)


def write(folder: str | Path, files: dict[str, str]) -> None:
    Path(folder).mkdir()
    for name, text in files.items():
        Path(folder, name).write_text(text + "\n")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> own.OwnConfig:
    monkeypatch.setattr(own, "ROOT", tmp_path)
    return own.OwnConfig(name="mine", uri="bolt://x", minutes=1, pairs=1)


@pytest.fixture
def scripts(config: own.OwnConfig, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    """Scripts of a run that is finished."""
    made = Scripts(config.home)
    monkeypatch.setattr(own, "run_console_script", made)
    first = made.run(config)
    assert first == [
        *BEFORE_THE_LEXICON, "build", "validate", "export", "transfer", *MODELS, *EVALUATIONS, *REPORT,
    ]  # fmt: skip
    return made


def edit(config: own.OwnConfig, text: str) -> None:
    (config.home / "lexicon.yaml").write_text(text)


def words_of(config: own.OwnConfig, model: str) -> Any:
    return (config.home / model / "config.json").read_text()


def test_a_finished_run_is_only_reported_again(config: own.OwnConfig, scripts: Scripts) -> None:
    assert scripts.run(config) == REPORT


def test_after_an_edit_of_the_lexicon_all_that_pairs_are_read_by_is_made_anew(
    config: own.OwnConfig, scripts: Scripts
) -> None:
    edit(config, "edited\n")
    again = scripts.run(config)
    assert again == [
        "build",
        "validate",
        "export",
        *MODELS,
        *EVALUATIONS,
        *REPORT,
    ]  # the vocabulary is the same
    for model in ("teacher", "converted", "model"):
        assert "edited" in words_of(config, model)
        assert "drafted" not in words_of(config, model)
    assert (config.home / "lexicon.yaml").read_text() == "edited\n"
    assert not list(config.home.glob("*.outdated-*"))
    assert scripts.run(config) == REPORT


def test_an_edit_that_changes_no_pair_trains_nothing_and_evaluates_answers_again(
    config: own.OwnConfig, scripts: Scripts
) -> None:
    """Answers are read with the lexicon too."""
    edit(config, "drafted # a word that no question has\n")
    assert scripts.run(config) == ["build", "validate", "evaluate", "evaluate", *REPORT]


@pytest.mark.parametrize(
    "stopped", ["build", "validate", "export", "train", "convert", "evaluate", "inspect"]
)
def test_a_run_stopped_after_an_edit_goes_on_from_that_step(
    config: own.OwnConfig, scripts: Scripts, stopped: str
) -> None:
    edit(config, "edited\n")
    scripts.stop_at = stopped
    first = scripts.run(config)
    assert first[-1].split()[0] == stopped
    scripts.stop_at = ""
    second = scripts.run(config)
    assert second[: len(second) - len(REPORT)] == [
        "build", "validate", "export", *MODELS, *EVALUATIONS,
    ][len(first) - 1 :]  # fmt: skip
    assert "edited" in words_of(config, "model")


def test_an_edit_while_a_run_is_stopped_leaves_nothing_of_the_former_lexicon(
    config: own.OwnConfig, scripts: Scripts
) -> None:
    edit(config, "edited\n")
    scripts.stop_at = "convert"
    scripts.run(config)
    edit(config, "edited twice\n")
    scripts.stop_at = ""
    assert scripts.run(config)[:3] == ["build", "validate", "export"]
    assert "edited twice" in words_of(config, "model")
    assert "edited\\n" not in words_of(config, "model")
