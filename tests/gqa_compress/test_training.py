"""Training: rows, batches, resume, the checkpoint that comes out."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.gqa_compress.tiny_models import tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from gqa_compress.checkpoint import attention
from gqa_compress.errors import CheckpointError, RecipeError, RowsError
from gqa_compress.text.training_rows import Batch, make_batch, plan_epoch, tokenize_rows
from gqa_compress.training.checkpoints import TrainerState
from gqa_compress.training.config import ModelConfig, Optimizer, Teacher, TrainingConfig, as_json, read_recipe
from gqa_compress.training.loop import train
from gqa_compress.training.session import prepare
from gqa_compress.training.setup import learning_rate, make_optimizer
from gqa_compress.training.workers import Workers
from graphling_io.outputs import OutputError

RECIPES = Path(__file__).parents[2] / "recipes"
SHAPE = ModelConfig(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
)


@pytest.fixture
def recipe(byte_tokenizer: Path, sorting_rows: Path, tmp_path: Path) -> TrainingConfig:
    return TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=sorting_rows,
        validation_file=sorting_rows,
        tokenizer=byte_tokenizer,
        model=SHAPE,
        max_steps=12,
        max_tokens_per_batch=128,
        max_length=64,
        eval_steps=6,
        save_steps=4,
        threads=1,
        optimizer=Optimizer(learning_rate=3e-3, warmup_steps=2),
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_training_lowers_the_loss_and_writes_a_stock_checkpoint(recipe: TrainingConfig) -> None:
    report = train(recipe)
    first = losses(recipe.output_dir)[0]
    assert report.eval_loss is not None
    assert report.eval_loss < first - 0.5
    assert report.steps == len(losses(recipe.output_dir)) == 12
    model = AutoModelForCausalLM.from_pretrained(recipe.output_dir)
    assert type(model) is LlamaForCausalLM
    assert len(AutoTokenizer.from_pretrained(recipe.output_dir)) == model.config.vocab_size == 257
    assert json.loads((recipe.output_dir / "generation_config.json").read_text())["eos_token_id"] == 0
    assert "attn_implementation" not in (recipe.output_dir / "config.json").read_text()
    assert not (recipe.output_dir / "checkpoints").exists()


def test_a_run_killed_at_any_moment_resumes_to_the_same_losses(
    recipe: TrainingConfig, tmp_path: Path
) -> None:
    whole = replace(recipe, output_dir=tmp_path / "whole", max_steps=40)
    train(whole)
    torn = replace(whole, output_dir=tmp_path / "torn")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(as_json(torn)))
    metrics = torn.output_dir / "metrics.jsonl"
    command = [sys.executable, "-c", "from gqa_compress.cli import main; main()", "train", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) >= 10):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (torn.output_dir / "config.json").exists()
    train(read_recipe(path), resume=True)
    assert losses(torn.output_dir) == losses(whole.output_dir)


def test_resume_of_a_finished_run_returns_its_report(recipe: TrainingConfig) -> None:
    report = train(recipe)
    assert train(recipe, resume=True) == report


def test_resume_refuses_another_recipe(recipe: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gqa_compress.training.artifacts.write_model", stop)
    with pytest.raises(KeyboardInterrupt):
        train(recipe)
    with pytest.raises(CheckpointError, match="seed changed"):
        train(replace(recipe, seed=1), resume=True)


def test_a_filled_folder_is_refused_without_force(recipe: TrainingConfig) -> None:
    train(recipe)
    with pytest.raises(OutputError, match="not empty"):
        train(recipe)
    assert train(recipe, force=True).steps == 12


def test_minutes_end_a_run_and_the_rate_follows_the_clock(recipe: TrainingConfig) -> None:
    chosen = replace(recipe, max_steps=None, max_minutes=0.02)
    report = train(chosen)
    assert report.elapsed_s >= 1.2
    lines = [json.loads(line) for line in (recipe.output_dir / "metrics.jsonl").read_text().splitlines()]
    for before, line in itertools.pairwise(lines):
        state = TrainerState(step=before["step"], elapsed_s=before["elapsed_s"])
        assert line["lr"] <= learning_rate(chosen, state) + 1e-5
        assert line["step"] <= recipe.optimizer.warmup_steps + 1 or line["lr"] < before["lr"]


def test_distillation_starts_at_zero_from_the_teacher_itself(recipe: TrainingConfig, tmp_path: Path) -> None:
    train(recipe)
    student = replace(
        recipe,
        output_dir=tmp_path / "student",
        model=None,
        init_checkpoint=recipe.output_dir,
        max_steps=1,
        precision="fp32",
        teacher=Teacher(checkpoint=recipe.output_dir, kl_weight=1.0),
    )
    train(student)
    assert abs(losses(student.output_dir)[0]) < 1e-6


def test_batches_hold_every_row_once_and_waste_little(byte_tokenizer: Path, sorting_rows: Path) -> None:
    rows = tokenize_rows(sorting_rows, AutoTokenizer.from_pretrained(byte_tokenizer), max_length=64)
    plan = plan_epoch(rows, max_tokens_per_batch=256, seed=3, epoch=0)
    assert sorted(np.concatenate(plan)) == list(range(400))
    padded = sum(len(chosen) * rows.lengths[chosen].max() for chosen in plan)
    assert padded <= 1.05 * rows.lengths.sum()
    assert all(len(chosen) * rows.lengths[chosen].max() <= 256 for chosen in plan)
    again = plan_epoch(rows, max_tokens_per_batch=256, seed=3, epoch=1)
    assert [list(chosen) for chosen in plan] != [list(chosen) for chosen in again]


@pytest.mark.parametrize("prompt_weight", [0.0, 0.25])
def test_the_loss_sits_on_the_completion(byte_tokenizer: Path, tmp_path: Path, prompt_weight: float) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "ab=", "completion": "xy"}\n{"prompt": "a=", "completion": "z"}\n')
    tokenizer = AutoTokenizer.from_pretrained(byte_tokenizer)
    rows = tokenize_rows(path, tokenizer, max_length=64)
    batch = make_batch(rows, np.array([1, 0]), prompt_loss_weight=prompt_weight)
    full = batch.loss_weights == 1
    assert tokenizer.decode(batch.targets[full]) == "z</s>xy</s>"
    assert batch.rows[full].tolist() == [0, 0, 1, 1, 1]
    rest = batch.targets[~full]
    assert tokenizer.decode(rest) == ("=b=" if prompt_weight else "")
    assert torch.all(batch.loss_weights[~full] == prompt_weight)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_causal_products_agree_with_transformers(kv_heads: int) -> None:
    attention.register()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
    )
    model = LlamaForCausalLM(config).eval()
    tokens = torch.randint(50, (3, 11))
    reference = model(tokens).logits
    model.set_attn_implementation(attention.NAME)
    torch.testing.assert_close(model(tokens).logits, reference, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stepz": 5}, "stepz: unknown field"),
        ({"max_steps": 0}, "max_steps: .*greater than 0.*found 0"),
        ({"max_steps": None}, "give `max_steps` or `max_minutes`"),
        ({"model": {"hiden": 3}}, "model.hiden: unknown field"),
        ({"model": {"num_attention_heads": 5}}, "num_attention_heads=5 does not divide hidden_size=256"),
        ({"model": None}, "either `model`"),
        ({"optimizer": {"learning_rate": "fast"}}, "optimizer.learning_rate: .*found 'fast'"),
    ],
)
def test_a_wrong_recipe_is_explained(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        yaml.safe_dump(
            {"output_dir": "o", "train_file": "t.jsonl", "tokenizer": "k", "model": {}, "max_steps": 3}
            | change
        )
    )
    with pytest.raises(RecipeError, match=message):
        read_recipe(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("llama2-7b-*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.optimizer.betas == (0.9, 0.95)
    assert recipe.teacher is not None
    assert (recipe.pruning is None) == path.stem.endswith("-convert")


def test_fields_are_set_over_those_of_the_recipe() -> None:
    path = RECIPES / "llama2-7b-pruning.yaml"
    recipe = read_recipe(path, ["pruning.kv_heads=4", "max_steps=34590", "output_dir=models/gqa4"])
    assert recipe.pruning is not None
    assert (recipe.pruning.kv_heads, recipe.pruning.mask_schedule) == (4, "forced")
    assert (recipe.max_steps, recipe.output_dir) == (34590, Path("models/gqa4"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("max_steps", "is not FIELD=VALUE"),
        ("=3", "is not FIELD=VALUE"),
        ("max_steps.x=3", "max_steps, which is no group"),
        ("max_steps=[", "is not YAML"),
        ("max_stepz=3", "max_stepz: unknown field"),
    ],
)
def test_a_wrong_override_is_refused(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(RECIPES / "llama2-7b-pruning.yaml", [override])


def test_a_recipe_extends_another_field_by_field(tmp_path: Path) -> None:
    shared = {
        "output_dir": "o",
        "train_file": "t.jsonl",
        "tokenizer": "k",
        "model": {"hidden_size": 64},
        "optimizer": {"learning_rate": 0.5, "max_grad_norm": 2.0},
    }
    (tmp_path / "shared.yaml").write_text(yaml.safe_dump(shared))
    path = tmp_path / "own.yaml"
    path.write_text(
        yaml.safe_dump({"extends": "shared.yaml", "max_steps": 3, "optimizer": {"learning_rate": 0.25}})
    )
    recipe = read_recipe(path)
    assert (recipe.max_steps, recipe.optimizer.learning_rate, recipe.optimizer.max_grad_norm) == (
        3,
        0.25,
        2.0,
    )
    assert recipe.model == ModelConfig(hidden_size=64)
    path.write_text(yaml.safe_dump({"extends": "own.yaml"}))
    with pytest.raises(RecipeError, match="name another recipe"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "are empty"),
        ('{"prompt": "a"}\n', ":1 has no strings"),
        ('{"prompt": "a", "completion": "b"}\nnope\n', ":2 is not JSON"),
        ('{"prompt": "a", "completion": "' + "b" * 99 + '"}\n', "no row of at most"),
    ],
)
def test_wrong_rows_are_explained(byte_tokenizer: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(RowsError, match=message):
        tokenize_rows(path, AutoTokenizer.from_pretrained(byte_tokenizer), max_length=64)


def test_missing_rows_are_explained(byte_tokenizer: Path, tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="cannot be read"):
        tokenize_rows(tmp_path / "none.jsonl", AutoTokenizer.from_pretrained(byte_tokenizer), max_length=64)


def test_the_learning_rate_warms_up_and_decays_to_its_minimum(recipe: TrainingConfig) -> None:
    optimizer = Optimizer(learning_rate=0.5, warmup_steps=3, min_lr_ratio=0.1)
    chosen = replace(recipe, optimizer=optimizer, max_steps=100)
    rates = [learning_rate(chosen, TrainerState(step=step)) for step in (0, 1, 3, 50, 100)]
    expected = [0.5 * 0.25, 0.5 * 0.5, 0.5, 0.5 * (0.1 + 0.9 * 0.5), 0.05]
    assert rates == pytest.approx(expected, rel=2e-3)


def test_weights_decay_but_not_norms_biases_and_embeddings() -> None:
    model = tiny_model("qwen2", tie_word_embeddings=False)
    recipe = TrainingConfig(output_dir=Path(), train_file=Path(), init_checkpoint=Path(), max_steps=1)
    decayed = {
        id(parameter)
        for group in make_optimizer(recipe, model).param_groups
        for parameter in group["params"]
        if group["weight_decay"]
    }
    names = {name for name, parameter in model.named_parameters() if id(parameter) in decayed}
    assert names == {
        f"model.layers.{layer}.{part}.weight"
        for layer in (0, 1)
        for part in (
            *(f"self_attn.{name}_proj" for name in "qkvo"),
            *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
        )
    } | {"lm_head.weight"}


def test_exact_match_counts_rows_whose_every_token_is_predicted(recipe: TrainingConfig) -> None:
    alone = Workers(0, 1, torch.device("cpu"))
    run, _ = prepare(replace(recipe, max_eval_samples=400), alone, resume=False)
    rows = run.validation_rows
    assert rows is not None

    def perfect_but(wrong: set[int]) -> Callable[[object, Batch], torch.Tensor]:
        seen = iter(range(len(rows)))

        def logits(_: object, batch: Batch) -> torch.Tensor:
            found = torch.nn.functional.one_hot(batch.targets, 257).float()
            for row in range(len(batch.input_ids)):
                if next(seen) in wrong:
                    first = int((batch.rows == row).nonzero()[0])
                    found[first] = found[first].roll(1)
            return found

        return logits

    for wrong, expected in ((set(), 1.0), ({0, 3, 399}, 1 - 3 / 400)):
        run.logits = perfect_but(wrong)
        assert run.evaluate()["eval_exact_match"] == pytest.approx(expected)
