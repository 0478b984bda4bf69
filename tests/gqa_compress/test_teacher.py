"""A teacher's highest logits on disk: the losses of the teacher itself, for the run that they were written for."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.errors import CheckpointError, RecipeError
from gqa_compress.training.config import Optimizer, Teacher, TrainingConfig
from gqa_compress.training.loop import train
from gqa_compress.training.losses import TopLogits, bild, bild_of_top, kl_divergence, kl_of_top
from gqa_compress.training.teacher import write_cache
from graphling_io.outputs import OutputError


@pytest.fixture
def recipe(sorting_rows: Path, tmp_path: Path) -> TrainingConfig:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(sorting_rows.read_text().splitlines(keepends=True)[:60]))
    return TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=rows,
        init_checkpoint=save_tiny(tiny_model("llama"), tmp_path / "start"),
        teacher=Teacher(
            checkpoint=save_tiny(tiny_model("llama", seed=1), tmp_path / "teacher"),
            kl_weight=1.0,
            temperature=2.0,
            cache=tmp_path / "cache",
            cache_top_k=257,
        ),
        max_steps=3,
        prompt_loss_weight=0.5,
        max_tokens_per_batch=256,
        max_length=64,
        precision="fp32",
        threads=1,
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=1),
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def changed(recipe: TrainingConfig, **fields: object) -> TrainingConfig:
    assert recipe.teacher
    return replace(recipe, teacher=replace(recipe.teacher, **fields))


@pytest.mark.parametrize("loss", ["kl", "bild"])
def test_all_logits_of_a_teacher_on_disk_train_as_the_teacher_itself(
    recipe: TrainingConfig, tmp_path: Path, loss: str
) -> None:
    cached = changed(recipe, completion_loss=loss)
    report = write_cache(cached)
    assert report.mean_probability == pytest.approx(1.0, abs=1e-5)
    train(cached)
    live = replace(changed(cached, cache=None), output_dir=tmp_path / "live")
    train(live)
    assert losses(cached.output_dir) == pytest.approx(losses(live.output_dir), rel=1e-4)


def test_few_logits_of_a_teacher_still_teach(recipe: TrainingConfig) -> None:
    few = replace(changed(recipe, cache_top_k=8), max_steps=20)
    assert write_cache(few).top_k == 8
    train(few)
    assert losses(few.output_dir)[-1] < losses(few.output_dir)[0]


def test_the_divergence_over_top_tokens_is_a_lower_bound_and_zero_for_the_teacher_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(6, 40, generator=generator) for _ in range(2))

    def top(logits: torch.Tensor, count: int) -> TopLogits:
        return TopLogits(*torch.log_softmax(logits / 2.0, dim=-1).topk(count))

    exact = kl_divergence(student, teacher, temperature=2.0)
    previous = torch.zeros(6)
    for count in (1, 8, 39):
        found = kl_of_top(student, top(teacher, count), temperature=2.0)
        assert torch.all(found >= previous - 1e-5)
        assert torch.all(found <= exact + 1e-5)
        previous = found
    torch.testing.assert_close(previous, exact, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        kl_of_top(teacher, top(teacher, 8), temperature=2.0), torch.zeros(6), atol=1e-5, rtol=0
    )
    options = {"top_k": 4, "temperature": 3.0}
    whole = bild_of_top(student, top(teacher, 40), scale=2.0, **options)
    torch.testing.assert_close(whole, bild(student, teacher, **options), atol=1e-4, rtol=1e-4)


def test_a_cache_of_other_inputs_is_not_used(recipe: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="run `gqa-compress teach`"):
        train(recipe)
    write_cache(recipe)
    with pytest.raises(OutputError, match="not empty"):
        write_cache(recipe)
    for other, name in (
        (changed(recipe, temperature=1.0), "temperature"),
        (replace(recipe, prompt_loss_weight=0.0), "prompts"),
        (replace(recipe, max_length=32), "max_length"),
        (changed(recipe, checkpoint=recipe.init_checkpoint), "teacher"),
    ):
        with pytest.raises(CheckpointError, match=f"made with other {name};"):
            train(replace(other, output_dir=tmp_path / f"other-{name}"))
    moved = changed(recipe, cache=shutil.move(tmp_path / "cache", tmp_path / "moved"))
    assert train(moved).steps == 3
    with pytest.raises(RecipeError, match=r"needs a recipe with `teacher\.cache`"):
        write_cache(changed(recipe, cache=None))
