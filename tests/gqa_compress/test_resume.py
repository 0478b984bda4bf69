"""Resuming a training run: only the same run continues, whatever its files are called; signals save a checkpoint."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.errors import CheckpointError, InputError, Interrupted, RecipeError
from gqa_compress.training.checkpoints import list_checkpoints
from gqa_compress.training.config import Optimizer, Pruning, Teacher, TrainingConfig, as_json, read_recipe
from gqa_compress.training.loop import train
from gqa_compress.training.session import TrainingSession
from graphling_io.outputs import OutputError


@pytest.fixture
def recipe(sorting_rows: Path, tmp_path: Path) -> TrainingConfig:
    rows = tmp_path / "in" / "rows.jsonl"
    rows.parent.mkdir()
    shutil.copyfile(sorting_rows, rows)
    start = save_tiny(tiny_model("llama"), tmp_path / "in" / "start")
    return TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=rows,
        validation_file=rows,
        init_checkpoint=start,
        teacher=Teacher(checkpoint=start, kl_weight=0.5),
        max_steps=6,
        max_tokens_per_batch=128,
        max_length=64,
        eval_steps=3,
        max_eval_samples=8,
        save_steps=2,
        precision="fp32",
        threads=1,
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=1),
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def stop_after(monkeypatch: pytest.MonkeyPatch, recipe: TrainingConfig, evaluations: int = 1) -> None:
    """Start a run and break it off at an evaluation."""
    left = iter(range(evaluations - 1, -1, -1))

    def interrupt(_: TrainingSession) -> dict[str, float]:
        if next(left) == 0:
            raise RuntimeError("power cut")
        return {"eval_loss": 0.0}

    with monkeypatch.context() as patch:
        patch.setattr(TrainingSession, "evaluate", interrupt)
        with pytest.raises(RuntimeError, match="power cut"):
            train(recipe)


def change_rows(recipe: TrainingConfig) -> TrainingConfig:
    with recipe.train_file.open("a") as rows:
        rows.write('{"prompt": "b=", "completion": "b"}\n')
    return recipe


def change_checkpoint(recipe: TrainingConfig) -> TrainingConfig:
    assert recipe.init_checkpoint
    save_tiny(tiny_model("llama", seed=7), recipe.init_checkpoint)
    return recipe


def change_teacher(recipe: TrainingConfig) -> TrainingConfig:
    other = save_tiny(tiny_model("llama", seed=7), recipe.output_dir.parent / "teacher")
    return replace(recipe, teacher=Teacher(checkpoint=other, kl_weight=0.5))


def change_tokenizer(recipe: TrainingConfig) -> TrainingConfig:
    assert recipe.init_checkpoint
    path = recipe.init_checkpoint / "tokenizer.json"
    path.write_text(path.read_text() + "\n")
    return recipe


def change_seed(recipe: TrainingConfig) -> TrainingConfig:
    return replace(recipe, seed=1)


@pytest.mark.parametrize("finished", [False, True], ids=["stopped", "finished"])
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (change_rows, "train_file"),
        (change_checkpoint, "init_checkpoint"),
        (change_teacher, r"teacher\.checkpoint changed"),
        (change_tokenizer, "tokenizer"),
        (change_seed, "seed"),
    ],
)
def test_another_run_is_not_resumed(
    recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch, change: object, names: str, finished: bool
) -> None:
    if finished:
        train(recipe)
    else:
        stop_after(monkeypatch, recipe)
    changed = change(recipe)
    with pytest.raises(CheckpointError, match=f"belongs to another run: .*{names}"):
        train(changed, resume=True)


def test_a_run_of_another_folder_is_not_taken_over(
    recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, recipe)
    moved = recipe.output_dir.rename(recipe.output_dir.with_name("moved"))
    with pytest.raises(CheckpointError, match=r"optimizer\.learning_rate changed"):
        train(
            replace(recipe, output_dir=moved, optimizer=Optimizer(learning_rate=2e-3, warmup_steps=1)),
            resume=True,
        )


def test_the_same_run_resumes_after_everything_was_moved(
    recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = train(replace(recipe, output_dir=tmp_path / "whole"))
    stop_after(monkeypatch, recipe)
    inputs, out = (tmp_path / "in").rename(tmp_path / "in2"), recipe.output_dir.rename(tmp_path / "out2")
    moved = replace(
        recipe,
        output_dir=out,
        train_file=inputs / "rows.jsonl",
        validation_file=inputs / "rows.jsonl",
        init_checkpoint=inputs / "start",
        teacher=Teacher(checkpoint=inputs / "start", kl_weight=0.5),
    )
    report = train(moved, resume=True)
    assert losses(out) == losses(tmp_path / "whole")
    assert report.eval_loss == whole.eval_loss
    again = replace(moved, output_dir=out.rename(tmp_path / "out3"))
    assert train(again, resume=True).checkpoint == str(tmp_path / "out3")


def test_runs_of_the_version_before_are_resumed(
    recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train(replace(recipe, output_dir=tmp_path / "whole"))
    stop_after(monkeypatch, recipe)
    for path in (recipe.output_dir / "checkpoints").glob("*/progress.json"):
        content = json.loads(path.read_text())
        old = as_json(recipe)
        stored = {
            "train": content["run"]["train_file"],
            "dev": content["run"]["validation_file"],
            "tokens": "1234",
            "tokenizer": None,
            "checkpoint": old["init_checkpoint"],
            "teacher": {
                "checkpoint": old["teacher"]["checkpoint"],
                "weight": 0.5,
                "answers": "kl",
                "bild_top": 16,
            }
            | {"temperature": 1.0, "bild_temperature": 3.0},
            "optimizer": {"lr": 1e-3, "warmup_steps": 1, "final_share": 0.0, "clip": 1.0}
            | {"betas": [0.9, 0.95], "weight_decay": 0.1},
            "steps": 6,
            "minutes": None,
            "batch_tokens": 128,
            "max_tokens": 64,
            "accumulate": 1,
            "prompt_weight": 0.0,
            "dev_every": 3,
            "dev_rows": 8,
            "checkpoint_every": 2,
            "model": None,
            "precision": "fp32",
            "device": "auto",
            "threads": 1,
            "seed": 0,
        }
        progress = content["progress"]
        progress["best"], progress["stale"] = (
            progress.pop("best_eval_loss"),
            progress.pop("evals_without_improvement"),
        )
        del progress["mask_fraction"]
        path.write_text(json.dumps({"progress": progress, "run": stored}))
    with pytest.raises(CheckpointError, match="seed changed"):
        train(replace(recipe, seed=3), resume=True)
    train(recipe, resume=True)
    assert losses(recipe.output_dir) == losses(tmp_path / "whole")


def test_reports_of_the_version_before_are_read(recipe: TrainingConfig) -> None:
    report = train(recipe)
    path = recipe.output_dir / "training.json"
    content = json.loads(path.read_text())
    del content["fingerprint"], content["eval_loss"], content["eval_exact_match"]
    recipe_before = content["recipe"]
    recipe_before["out"] = recipe_before.pop("output_dir")
    recipe_before["optimizer"]["lr"] = recipe_before["optimizer"].pop("learning_rate")
    path.write_text(json.dumps(content))
    assert train(recipe, resume=True).eval_loss == report.eval_loss
    with pytest.raises(InputError, match="finished run of another recipe"):
        train(replace(recipe, seed=1), resume=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_a_checkpoint_and_says_how_to_resume(
    recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    train(replace(recipe, output_dir=tmp_path / "whole", save_steps=100))
    stopped = replace(recipe, save_steps=100)
    sample = TrainingSession.sample_masks

    def interrupted(run: TrainingSession) -> None:
        if run.state.step == 3:
            os.kill(os.getpid(), number)
        sample(run)

    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingSession, "sample_masks", interrupted)
        with pytest.raises(
            Interrupted, match=r"stopped at step 4; the checkpoint .*step-00000004 is saved: .*--resume"
        ):
            train(replace(stopped, output_dir=tmp_path / "out"))
    assert signal.getsignal(number) is handler
    assert [path.name for path in list_checkpoints(tmp_path / "out" / "checkpoints")] == ["step-00000004"]
    train(stopped, resume=True)
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")


def test_the_command_says_how_to_resume_and_exits_with_130(recipe: TrainingConfig, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(as_json(replace(recipe, max_steps=100_000, eval_steps=100_000))))
    command = [sys.executable, "-c", "from gqa_compress.cli import main; main()", "train", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (recipe.output_dir / "metrics.jsonl").exists():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "--resume" in err
    assert list_checkpoints(recipe.output_dir / "checkpoints")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("inside", ["in", "in/start", "in/start/out"])
def test_an_output_that_overlaps_an_input_is_refused(
    recipe: TrainingConfig, tmp_path: Path, inside: str, force: bool
) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*") if path.is_file()}
    for resume in (False, True):
        with pytest.raises(OutputError, match="input"):
            train(replace(recipe, output_dir=tmp_path / inside), force=force, resume=resume)
    assert {path: path.read_bytes() for path in (tmp_path / "in").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("options", [{"force": True}, {"resume": True}, {}])
def test_a_folder_without_a_run_is_never_written_to(recipe: TrainingConfig, options: dict[str, bool]) -> None:
    recipe.output_dir.mkdir()
    (recipe.output_dir / "thesis.tex").write_text("x")
    with pytest.raises(OutputError):
        train(recipe, **options)
    assert [path.name for path in recipe.output_dir.iterdir()] == ["thesis.tex"]


def test_an_unusable_generation_config_is_found_before_the_first_step(recipe: TrainingConfig) -> None:
    assert recipe.init_checkpoint
    path = recipe.init_checkpoint / "generation_config.json"
    path.write_text(json.dumps({"do_sample": False, "temperature": 0.3, "top_p": 0.9}))
    with pytest.raises(CheckpointError, match=r"generation_config\.json is invalid"):
        train(recipe)
    assert not recipe.output_dir.exists()


def test_a_time_limit_does_not_drop_live_heads(recipe: TrainingConfig) -> None:
    for schedule in ("linear", "forced"):
        pruning = Pruning(kv_heads=2, mask_schedule=schedule, tokens=512)
        out = recipe.output_dir.with_name(schedule)
        short = replace(recipe, output_dir=out, pruning=pruning, max_steps=None, max_minutes=1e-4)
        train(short)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        masks = [line["mean_head_mask"] for line in lines if "mean_head_mask" in line]
        assert masks[0] == 1
        assert masks[-1] < 0.1
        assert len(masks) >= 10
        assert json.loads((out / "config.json").read_text())["num_key_value_heads"] == 2


def test_a_field_under_both_names_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.yaml"
    fields = {"out": "o", "train": "t", "tokenizer": "k", "model": {}, "steps": 3, "optimizer": {"lr": 0.5}}
    path.write_text(yaml.safe_dump(fields))
    found = read_recipe(path)
    assert (found.output_dir, found.max_steps, found.optimizer.learning_rate) == (Path("o"), 3, 0.5)
    assert "optimizer.lr is now optimizer.learning_rate" in capsys.readouterr().err
    path.write_text(yaml.safe_dump(fields | {"max_steps": 4}))
    with pytest.raises(RecipeError, match="steps: unknown field"):
        read_recipe(path)
