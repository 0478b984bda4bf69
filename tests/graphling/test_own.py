"""`graphling own`: options, settings, examples, report, and what a second call does."""

import itertools
import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gqa_compress.training.config import read_recipe
from graphling import own
from graphling.cli import main
from graphling.model_report import card, render_report
from graphling.step_runner import StepRunner


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "a/b", "--uri", "bolt://x"], "NAME='a/b'"),
        (["--name", "demo", "--uri", "bolt://x"], "NAME=demo"),
        (["--name", "a"], "either URI="),
        (["--name", "a", "--uri", "bolt://x", "--csv", "demo/graph"], "either URI="),
        (["--name", "a", "--csv", "no/such/folder"], "CSV=no/such/folder"),
        (["--name", "a", "--uri", "bolt://x", "--lexicon", "nothing.yaml"], "LEXICON=nothing.yaml"),
        (["--name", "a", "--uri", "bolt://x", "--feedback", "nothing.jsonl"], "FEEDBACK=nothing.jsonl"),
        (["--name", "a", "--uri", "bolt://x", "--minutes", "0"], "MINUTES=0.0"),
        (["--name", "a", "--uri", "bolt://x", "--minutes", "many"], "many"),
        (["--name", "a", "--uri", "bolt://x", "--distil-minutes", "-1"], "DISTIL_MINUTES=-1.0"),
    ],
)
def test_invalid_options_end_with_status_2_before_anything_is_made(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(own, "build", lambda _: pytest.fail("started"))
    with pytest.raises(SystemExit) as ended:
        main(["own", *arguments])
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert message in " ".join((output.err + output.out).split())


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "ROOT", tmp_path)
    made = own.OwnConfig(name="mine", uri="bolt://x", minutes=1, pairs=1, kv_heads=1)
    made.home.mkdir(parents=True)
    return made


def metrics(right=0.8):
    accuracy = {
        "ex": right,
        "ex_interval": [0.7, 0.9],
        "executable": 1.0,
        "f1": 0.9,
        "answered": 1.0,
        "n": 10,
    }
    shape = {"heads": 8, "kv_cache_bytes_per_token": 12288}
    return {
        "name": "mine",
        "pairs": {"pairs": 60000},
        "validation": {"pairs": 60000, "kept": 59990, "rejected": {"entity.unused": 10}},
        "conversion": {"kv_heads_before": 8, "kv_heads_after": 2, "calibration_tokens": 1000},
        "distillation": {"tokens": 2000},
        "models": {"teacher": shape | {"kv_heads": 8}, "model": shape | {"kv_heads": 2}},
        "evaluation": {
            f"{part}_{name}": value
            for part in ("teacher", "model")
            for name, value in (("text", {"perplexity": 1.5}), ("held_out", accuracy))
        },
    }


def test_the_report_puts_teacher_and_model_side_by_side():
    text = render_report(metrics())
    assert "| KV heads | 8 | 2 |" in text
    assert "| 80.0% (70.0% to 90.0%) | 80.0% (70.0% to 90.0%) |" in text
    assert "60,000 pairs built from the graph, of which 59,990 passed validation" in text
    assert "questions by others:" not in text


def test_the_report_says_when_training_was_too_short():
    short = {"step": 75, "tokens": 168_147, "elapsed_s": 240.0}
    text = render_report(metrics(right=0.48) | {"training": short})
    assert "by others: 75 steps, 168,147 tokens, 4 minutes.\n\n**Too short to be usable:** 48% of" in text
    assert "Too short" not in render_report(metrics() | {"training": short})


def test_the_card_says_how_the_model_was_made():
    text = " ".join(card(metrics()).split())
    assert "8 to 2 KV heads with 1,000 calibration tokens" in text
    assert "distilled towards its teacher for 2,000 tokens" in text


def test_examples_and_held_out_questions_are_kept_pairs_of_the_test_split(config):
    pairs = [
        {
            "question": f"q{number}",
            "split": split,
            "category": "c",
            "template": template,
            "result_rows": rows,
            "keep": keep,
        }
        for number, (split, template, rows, keep) in enumerate(
            [
                ("train", "a", 1, True),
                ("test", "a", 1, True),
                ("test", "a", 2, True),
                ("test", "b", 0, True),
                ("test", "b", 3, True),
                ("test", "d", 3, False),
            ]
        )
    ]
    (config.home / "validated.jsonl").write_text("".join(json.dumps(each) + "\n" for each in pairs))
    kept = own.kept_pairs(config)
    assert [each["question"] for each in kept] == ["q1", "q2", "q3", "q4"]
    assert [each["question"] for each in own.choose_examples(kept)] == ["q1", "q4"]


def test_the_minimum_confidence_loses_few_right_answers_and_other_settings_stay(config):
    (config.home / "evaluation").mkdir()
    for part, settings in own.VARIANTS.items():
        ex = [0.9, 0.89, 0.88, 0.85] if part == "model" else [0.9, 0.8, 0.8, 0.8]
        rows = [{"min_confidence": low, "ex": each} for low, each in zip([0, 0.1, 0.2, 0.3], ex, strict=True)]
        file = config.home / "evaluation" / f"{part}_held_out.json"
        file.write_text(json.dumps({"coverage_by_confidence": rows}))
        (config.home / settings).write_text("title: kept\nlimits: {attempts: 3}\n")
    own.tune_min_confidence(config)
    found = {part: yaml.safe_load((config.home / file).read_text()) for part, file in own.VARIANTS.items()}
    assert found["model"] == {"title": "kept", "limits": {"attempts": 3, "min_confidence": 0.2}}
    assert found["teacher"] == {"title": "kept", "limits": {"attempts": 3, "min_confidence": 0}}


def test_settings_that_a_person_added_survive_a_second_call(config):
    (config.home / "validated.jsonl").write_text("")
    own.write_settings(config)
    file = config.home / "graphling.yaml"
    added = {"access": {"keys": "keys.json"}, "limits": {"attempts": 3, "min_confidence": 0.2}}
    changed = yaml.safe_load(file.read_text()) | added
    changed["graph"]["user"] = "reader"
    file.write_text(yaml.safe_dump(changed))
    own.write_settings(config)
    found = yaml.safe_load(file.read_text())
    assert found["access"] == {"keys": "keys.json"}
    assert found["limits"] == {"attempts": 3}  # tuned anew, on answers that are given without it
    assert found["graph"] == {"uri": "bolt://x", "user": "reader"}


@pytest.mark.parametrize(
    ("make", "is_from_scratch", "recipe", "start"),
    [(own.train, True, "train.yaml", None), (own.train, False, "adapt.yaml", "base"), (own.distil, False, "distil.yaml", "converted")],
)  # fmt: skip
def test_training_follows_a_recipe_and_takes_its_part_of_the_minutes(
    config, monkeypatch, make, is_from_scratch, recipe, start
):
    """The teacher starts from the starter model, whose vocabulary is transferred, or from random weights."""
    made, transferred = [], []

    def script(*command, cwd=None):
        if command[1] == "transfer":
            transferred.append(command)
            folder = config.home / "base"
        else:
            made.append(read_recipe(command[2]))
            folder = cwd / made[-1].output_dir
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(own, "run_console_script", script)
    order = replace(config, from_scratch=is_from_scratch)
    make(order, StepRunner(config.home))
    assert (config.home / recipe).exists()
    assert 0 < made[0].max_minutes < 1
    assert made[0].init_checkpoint == (Path(start) if start else None)
    assert bool(transferred) is (start == "base")
    make(order, StepRunner(config.home))
    assert len(made) == 1
    assert len(transferred) <= 1


def test_another_graph_under_the_same_name_is_refused(config, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for number, path in enumerate((first, second)):
        path.mkdir()
        (path / "a.csv").write_text(str(number))
    by_csv = own.OwnConfig(name="mine", csv=first)
    own.check_source(by_csv)
    (config.home / "snapshot").mkdir()
    own.check_source(by_csv)
    for other in (config, own.OwnConfig(name="mine", csv=second)):
        with pytest.raises(ValueError, match="belongs to another graph, CSV="):
            own.check_source(other)
    shutil.copytree(first, tmp_path / "moved")
    own.check_source(own.OwnConfig(name="mine", csv=tmp_path / "moved"))


class Scripts:
    """Records the console scripts of a run, and writes outputs in their place."""

    def __init__(self, home):
        self.home = home
        self.calls = []

    def __call__(self, name, *arguments):
        command = [name, *map(str, arguments)]
        self.calls.append(command[1])
        options = dict(itertools.pairwise(command))
        match command[1]:
            case "snapshot" | "export":
                self._folder(options["--out"], "manifest.json")
            case "lexicon":
                (self.home / "lexicon.yaml").write_text("drafted\n")
            case "build":
                self._folder(options["--out"], "manifest.json")
                rows = [{"question": each, "split": "train"} for each in "abc"]
                (self.home / "pairs" / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
            case "validate":
                rows = (self.home / "pairs" / "pairs.jsonl").read_text().splitlines()
                (self.home / "validated.jsonl").write_text("\n".join(rows) + "\n")
                assert options["--pairs"].endswith("pairs/pairs.jsonl")
        if command[1] == "export":
            assert options["--pairs"] == str(self.home / "validated.jsonl")
        return "{}"

    def _folder(self, path, marker):
        (self.home / path).mkdir()
        (self.home / path / marker).write_text("{}")


def test_pairs_are_validated_before_they_are_exported(config, monkeypatch):
    scripts = Scripts(config.home)
    monkeypatch.setattr(own, "run_console_script", scripts)
    own.prepare(config, StepRunner(config.home), "bolt://x")
    assert scripts.calls == ["snapshot", "lexicon", "build", "validate", "export"]


def test_after_an_edit_of_the_lexicon_pairs_are_built_anew_and_nothing_before_them(config, monkeypatch):
    scripts = Scripts(config.home)
    monkeypatch.setattr(own, "run_console_script", scripts)
    own.prepare(config, StepRunner(config.home), "bolt://x")
    scripts.calls.clear()
    own.prepare(config, StepRunner(config.home), "bolt://x")
    assert scripts.calls == []
    (config.home / "lexicon.yaml").write_text("edited\n")
    own.prepare(config, StepRunner(config.home), "bolt://x")
    assert scripts.calls == ["build", "validate"]  # the pairs are the same, and so are the rows
    assert (config.home / "lexicon.yaml").read_text() == "edited\n"


def test_feedback_that_passes_validation_is_trained_on(config, tmp_path, monkeypatch):
    given = tmp_path / "given.jsonl"
    given.write_text('{"id": "f1", "question": "q", "split": "train"}\n')
    exported = []

    class WithFeedback(Scripts):
        def __call__(self, name, *arguments):
            command = [name, *map(str, arguments)]
            options = dict(itertools.pairwise(command))
            if command[1] == "validate" and options["--pairs"] == str(given):
                self.calls.append("validate feedback")
                assert "--no-run" not in command
                rows = [
                    {"id": "f1", "question": "q", "keep": True},
                    {"id": "f2", "question": "r", "keep": False},
                ]
                (self.home / "validated_feedback.jsonl").write_text(
                    "".join(json.dumps(r) + "\n" for r in rows)
                )
                return "{}"
            if command[1] == "export":
                self.calls.append("export")
                exported.append(own.Path(options["--pairs"]).read_text().splitlines())
                self._folder(options["--out"], "manifest.json")
                return "{}"
            return super().__call__(name, *arguments)

    scripts = WithFeedback(config.home)
    monkeypatch.setattr(own, "run_console_script", scripts)
    with_feedback = own.OwnConfig(name="mine", uri="bolt://x", minutes=1, pairs=1, feedback=given)
    own.prepare(with_feedback, StepRunner(config.home), "bolt://x")
    assert scripts.calls == ["snapshot", "lexicon", "build", "validate", "validate feedback", "export"]
    questions = [json.loads(each)["question"] for each in exported[0]]
    assert questions == [*"abc", *["q"] * own.FEEDBACK_COPIES]
    assert len({json.loads(each).get("id") for each in exported[0][3:]}) == own.FEEDBACK_COPIES


def test_a_published_folder_is_replaced_only_if_it_is_a_published_model(config, tmp_path):
    for name in ("model", "converted"):
        (config.home / name).mkdir()
    (config.home / "model" / "config.json").write_text("{}")
    (config.home / "model" / "metrics.jsonl").write_text("{}\n")
    (config.home / "converted" / "conversion.json").write_text("{}")
    (config.home / "report.json").write_text(json.dumps(metrics()))
    published = tmp_path / "published"
    own.publish_model(config, published)
    own.publish_model(config, published)
    names = {"config.json", "conversion.json", "report.json", "README.md"}
    assert {each.name for each in published.iterdir()} == names
    thesis = tmp_path / "documents"
    thesis.mkdir()
    (thesis / "thesis.md").write_text("mine")
    for folder in (published, thesis):
        (folder / "thesis.tex").write_text("mine")
        with pytest.raises(ValueError, match="thesis"):
            own.publish_model(config, folder)
        assert (folder / "thesis.tex").exists()


def test_the_report_tells_the_minutes_of_each_step_and_the_card_of_the_model_does_not():
    content = metrics() | {"minutes": {"pairs": 12.34, "teacher": 8.0}}
    assert "| pairs | 12.3 |" in render_report(content)
    assert "| together | 20.3 |" in render_report(content)
    assert "together" not in card(content)


def test_mapping_of_plain_csvs_is_proposed_once_and_an_edit_imports_them_anew(config, monkeypatch, tmp_path):
    calls = []

    def script(name, *arguments):
        command = [name, *map(str, arguments)]
        calls.append(command[-1])
        mapping = Path(dict(itertools.pairwise(command))["--mapping"])
        if command[-1] == "--dry-run":
            mapping.write_text("nodes: {}\n")
        return json.dumps({"mapping": mapping.read_text()})

    monkeypatch.setattr(own, "run_console_script", script)
    monkeypatch.setattr(own, "embedded_graph", lambda *_, **__: nullcontext("bolt://x"))
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "people.csv").write_text("id,name\n1,Ann\n")
    run = own.OwnConfig(name="mine", csv=tmp_path / "csv")

    def open_graph(each):
        with own.open_graph(each, StepRunner(config.home)) as uri:
            assert uri == "bolt://x"
        made = list(calls)
        calls.clear()
        return made

    assert open_graph(run) == ["--dry-run", "--force"]
    assert open_graph(run) == []
    (config.home / "mapping.yaml").write_text("nodes: {people.csv: {label: Human}}\n")
    assert open_graph(run) == ["--force"]
    assert "Human" in (config.home / "graph.json").read_text()
    (tmp_path / "given.yaml").write_text("nodes: {people.csv: {label: Other}}\n")
    assert open_graph(replace(run, mapping=tmp_path / "given.yaml")) == ["--force"]
    assert "Other" in (config.home / "graph.json").read_text()
