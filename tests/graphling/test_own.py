import json
import os

import pytest
import yaml

from gqa_compress.training.config import read_recipe
from graphling import own
from graphling.model_report import card, render_report


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--name", "a/b", "--uri", "bolt://x"], "NAME='a/b'"),
        (["--name", "a"], "either URI="),
        (["--name", "a", "--uri", "bolt://x", "--csv", "demo/graph"], "either URI="),
        (["--name", "a", "--csv", "no/such/folder"], "CSV=no/such/folder"),
        (["--name", "a", "--uri", "bolt://x", "--lexicon", "nothing.yaml"], "LEXICON=nothing.yaml"),
        (["--name", "a", "--uri", "bolt://x", "--minutes", "0"], "MINUTES=0.0"),
    ],
)
def test_wrong_requests_end_with_status_2_before_anything_is_made(arguments, told, capsys, monkeypatch):
    monkeypatch.setattr(own, "build", lambda _: pytest.fail("started"))
    assert own.main(arguments) == 2
    assert told in capsys.readouterr().err


def figures():
    accuracy = {"ex": 0.8, "ex_interval": [0.7, 0.9], "executable": 1.0, "f1": 0.9, "answered": 1.0, "n": 10}
    shape = {"heads": 8, "cache_bytes_a_token": 12288}
    return {
        "name": "mine",
        "pairs": {"pairs": 60000},
        "conversion": {"kv_heads_before": 8, "kv_heads_after": 2, "calibration_tokens": 1000},
        "distillation": {"tokens": 2000},
        "models": {"teacher": shape | {"kv_heads": 8}, "model": shape | {"kv_heads": 2}},
        "evaluation": {
            f"{part}_{name}": value
            for part in ("teacher", "model")
            for name, value in (("text", {"perplexity": 1.5}), ("held_out", accuracy))
        },
    }


def run_in(home):
    return own.Run(
        home=home,
        uri="bolt://x",
        csv=None,
        lexicon=None,
        pairs_dev=None,
        minutes=1,
        pairs=1,
        kv_heads=1,
        seed=0,
    )


def test_the_report_puts_teacher_and_model_side_by_side():
    text = render_report(figures())
    assert "| key-value heads | 8 | 2 |" in text
    assert "| 80.0% (70.0% to 90.0%) | 80.0% (70.0% to 90.0%) |" in text
    assert "questions by others:" not in text


def test_the_report_says_when_training_was_too_short():
    short = {"step": 75, "tokens": 168_147, "elapsed_s": 240.0}
    text = render_report(figures() | {"training": short})
    assert "by others: 75 steps, 168,147 tokens, 4 minutes.\n\n**Too short" in text
    assert "Too short" not in render_report(figures() | {"training": short | {"tokens": 3_600_000}})


def test_the_card_says_how_the_model_was_made():
    text = " ".join(card(figures()).split())
    assert "8 to 2 key-value heads with 1,000 calibration tokens" in text
    assert "distilled towards its teacher for 2,000 tokens" in text


def test_examples_are_held_out_questions_of_different_templates(tmp_path):
    pairs = [
        {
            "question": f"q{number}",
            "split": split,
            "category": "c",
            "template": template,
            "result_rows": rows,
        }
        for number, (split, template, rows) in enumerate(
            [("train", "a", 1), ("test", "a", 1), ("test", "a", 2), ("test", "b", 0), ("test", "b", 3)]
        )
    ]
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "pairs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in pairs))
    assert [each["question"] for each in own.examples(run_in(tmp_path))] == ["q1", "q4"]


def test_doubtful_answers_are_refused_as_long_as_few_right_ones_are_lost(tmp_path):
    (tmp_path / "evaluation").mkdir()
    for part, config in own.VARIANTS.items():
        kept = [0.9, 0.89, 0.88, 0.85] if part == "model" else [0.9, 0.8, 0.8, 0.8]
        rows = [
            {"min_confidence": least, "ex": ex} for least, ex in zip([0, 0.1, 0.2, 0.3], kept, strict=True)
        ]
        (tmp_path / "evaluation" / f"{part}_held_out.json").write_text(json.dumps({"by_confidence": rows}))
        (tmp_path / config).write_text("title: kept\n")
    own.tune_min_confidence(run_in(tmp_path))
    found = {part: yaml.safe_load((tmp_path / config).read_text()) for part, config in own.VARIANTS.items()}
    assert found["model"] == {"title": "kept", "limits": {"min_confidence": 0.2}}
    assert found["teacher"] == {"title": "kept", "limits": {"min_confidence": 0}}


@pytest.mark.parametrize(("make", "recipe"), [(own.train, "train.yaml"), (own.distil, "distil.yaml")])
def test_what_is_trained_is_a_recipe_and_takes_its_share_of_the_minutes(tmp_path, monkeypatch, make, recipe):
    made = []

    def script(*command, cwd):
        made.append(read_recipe(command[2]))
        (cwd / made[0].out).mkdir()
        (cwd / made[0].out / "config.json").write_text("{}")

    monkeypatch.setattr(own, "script", script)
    make(run_in(tmp_path))
    assert (tmp_path / recipe).exists()
    assert 0 < made[0].minutes < 1
    assert (made[0].checkpoint is None) == (make is own.train)
    recipe = tmp_path / recipe
    reordered = dict(reversed(yaml.safe_load(recipe.read_text()).items()))
    recipe.write_text(yaml.safe_dump(reordered, sort_keys=False))
    os.utime(recipe, (0, 0))
    make(run_in(tmp_path))
    assert len(made) == 1, "the same recipe in another order trains nothing anew"
