"""Pruning: masks, the model with original and merged heads, and the standard model that is left."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.gqa_compress.tiny_models import save_tiny, tiny_model
from transformers import AutoModelForCausalLM

from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.conversion.convert import convert
from gqa_compress.pruning.initialization import initialize_pruning
from gqa_compress.pruning.masks import SHARPNESS, TEMPERATURE, HeadMasks, target_sparsity
from gqa_compress.pruning.mixed_model import MixedHeadModel
from gqa_compress.training.config import Lora, Optimizer, Pruning, Teacher, TrainingConfig
from gqa_compress.training.loop import train
from gqa_compress.training.losses import bild

TOKENS = torch.randint(1, 257, (2, 20), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tiny_model("llama"), tmp_path_factory.mktemp("models") / "source")


@pytest.fixture
def recipe(source: Path, sorting_rows: Path, tmp_path: Path) -> TrainingConfig:
    return TrainingConfig(
        output_dir=tmp_path / "out",
        train_file=sorting_rows,
        validation_file=sorting_rows,
        init_checkpoint=source,
        teacher=Teacher(checkpoint=source, kl_weight=1.0),
        max_steps=10,
        max_tokens_per_batch=128,
        max_length=64,
        eval_steps=5,
        max_eval_samples=16,
        save_steps=2,
        prompt_loss_weight=1.0,
        precision="fp32",
        threads=1,
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=1),
    )


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in lines(folder)]


def changed(before: Path, after: Path) -> set[str]:
    first, second = (load_file(folder / "model.safetensors") for folder in (before, after))
    assert first.keys() == second.keys()
    return {name for name in first if not torch.equal(first[name], second[name])}


def test_targets_rise_and_the_mask_falls_to_the_end_of_the_ramp() -> None:
    assert [target_sparsity(share, 0.3) for share in (0, 0.15, 0.3, 0.9)] == [0, 0.5, 1, 1]
    masks = HeadMasks(1, 1, "linear", 0.3)
    assert [float(masks.deterministic(fraction)) for fraction in (0, 0.15, 0.3, 0.9)] == [1, 0.5, 0, 0]


def test_masks_begin_at_one_whatever_is_drawn() -> None:
    masks = HeadMasks(2, 4, "learned", 0.3)
    drawn = masks.sample(0.0, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, torch.ones(2, 4))
    assert torch.equal(masks.deterministic(0.0), drawn)
    drawn.sum().backward()
    assert (masks.log_alpha.grad > 0).all()


def test_the_expected_score_is_the_chance_of_not_being_zero() -> None:
    masks = HeadMasks(1, 3, "learned", 0.3)
    with torch.no_grad():
        masks.log_alpha.copy_(torch.tensor([[-2.0, 0.0, 2.0]]) * SHARPNESS * TEMPERATURE)
    wanted = [1 / (1 + math.exp(-(math.log(199) / 3 + logit))) for logit in (-2, 0, 2)]
    torch.testing.assert_close(masks.prob_nonzero(), torch.tensor([wanted]))
    missed = abs(1 - sum(wanted) / 3 - 0.5)
    assert masks.sparsity_penalty(0.15).item() == pytest.approx(missed + (missed + 1e-6) ** 2)
    drawn = torch.stack([masks.sample(0, torch.Generator().manual_seed(seed)) for seed in range(64)])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    middle = torch.sigmoid(torch.logit(torch.tensor([0.4, 0.6])))
    assert ((drawn[:, 0, 1] - 0.5).abs() <= (middle[1] - 0.5) * 1.005 + 1e-6).all()


def test_forced_masks_push_the_lowest_down_by_rule() -> None:
    masks = HeadMasks(2, 2, "forced", 0.5)
    with torch.no_grad():
        masks.log_alpha[1, 0] -= 1e-6
    masks.force_lowest_to_zero_(0.125)
    assert masks.deterministic(0.125).tolist() == [[1, 1], [0, 1]]
    masks.force_lowest_to_zero_(0.5)
    assert not masks.deterministic(0.5).any()
    assert masks.all_pruned(0.5)
    free = HeadMasks(2, 2, "learned", 0.5)
    free.force_lowest_to_zero_(0.5)
    assert free.deterministic(0.5).all()
    assert not free.all_pruned(1.0)


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "gemma", "phi", "cohere", "stablelm"])
def test_a_student_goes_from_the_original_to_the_converted_model(
    tmp_path: Path, sorting_rows: Path, model_type: str
) -> None:
    source = save_tiny(tiny_model(model_type), tmp_path / "source")
    plan = ConversionConfig(
        kv_heads=2, method="aligned", grouping="search", refit=False, distill_steps_per_layer=0, tokens=4096
    )
    original, model = (AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32) for _ in range(2))
    masks = HeadMasks(2, 8, "linear", 0.3)
    student = MixedHeadModel(model, initialize_pruning(source, plan, sorting_rows), masks, 2)
    with torch.no_grad():
        student.set_masks(masks.deterministic(0.0))
        torch.testing.assert_close(model(TOKENS).logits, original(TOKENS).logits, atol=1e-4, rtol=1e-4)
        student.set_masks(masks.deterministic(0.1))
        assert not torch.allclose(model(TOKENS).logits, original(TOKENS).logits, atol=1e-3)
        student.set_masks(masks.deterministic(1.0))
        faded = model(TOKENS).logits
        student.remove_original_heads()
        torch.testing.assert_close(model(TOKENS).logits, faded, atol=1e-5, rtol=1e-5)
    model.save_pretrained(tmp_path / "out")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    assert saved.config.num_key_value_heads == 2
    torch.testing.assert_close(saved(TOKENS).logits, faded, atol=1e-5, rtol=1e-5)


def test_faded_heads_start_where_the_conversion_does(
    tmp_path: Path, source: Path, sorting_rows: Path
) -> None:
    plan = ConversionConfig(kv_heads=2, method="mean", refit=False, distill_steps_per_layer=0)
    convert(source, sorting_rows, tmp_path / "converted", plan)
    model = AutoModelForCausalLM.from_pretrained(source)
    student = MixedHeadModel(model, initialize_pruning(source, plan, None), HeadMasks(2, 8, "linear", 0.3), 2)
    student.set_masks(torch.zeros(2, 8))
    expected = AutoModelForCausalLM.from_pretrained(tmp_path / "converted")(TOKENS).logits
    torch.testing.assert_close(model(TOKENS).logits, expected, atol=1e-5, rtol=1e-5)


def test_original_projections_are_not_computed_once_their_masks_are_zero(source: Path) -> None:
    plan = ConversionConfig(kv_heads=2, method="mean")
    model = AutoModelForCausalLM.from_pretrained(source)
    student = MixedHeadModel(model, initialize_pruning(source, plan, None), HeadMasks(2, 8, "linear", 0.3), 2)
    calls = []
    student.mixed[1][0].original.register_forward_hook(lambda *_: calls.append(1))
    for z in (torch.ones(2, 8), torch.zeros(2, 8)):
        student.set_masks(z)
        model(TOKENS)
    assert len(calls) == 1


@pytest.mark.parametrize("masks", ["learned", "forced", "linear"])
def test_pruning_ends_in_a_stock_model(recipe: TrainingConfig, masks: str) -> None:
    report = train(
        replace(
            recipe, pruning=Pruning(kv_heads=2, mask_schedule=masks, tokens=1024, mask_learning_rate=1e-2)
        )
    )
    found = lines(recipe.output_dir)
    assert found[0]["mean_head_mask"] == 1
    assert found[0]["loss"] == pytest.approx(0, abs=1e-4)
    assert "mean_head_mask" not in found[-1]
    model = AutoModelForCausalLM.from_pretrained(recipe.output_dir)
    assert model.config.num_key_value_heads == 2
    assert model.model.layers[0].self_attn.k_proj.weight.shape == (16, 64)
    assert report.eval_loss == pytest.approx(found[-1]["eval_loss"], rel=1e-4)
    assert not any("mask" in name for name in load_file(recipe.output_dir / "model.safetensors"))


@pytest.mark.parametrize("stop", [1, 2], ids=["while heads fade", "when they are gone"])
@pytest.mark.parametrize("masks", ["learned", "forced"])
def test_a_stopped_pruning_resumes_to_the_same_losses(
    recipe: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masks: str, stop: int
) -> None:
    pruning = Pruning(
        kv_heads=2,
        mask_schedule=masks,
        tokens=1024,
        sparsity_warmup_ratio=0.4,
        mask_off_ratio=0.7,
        mask_learning_rate=1e-2,
    )
    whole = replace(recipe, output_dir=tmp_path / "whole", pruning=pruning, eval_steps=4)
    train(whole)
    looks = iter(range(1, 10))

    def interrupt(*_: object) -> dict[str, float]:
        if next(looks) == stop:
            raise KeyboardInterrupt
        return {"eval_loss": 0.0}

    torn = replace(whole, output_dir=tmp_path / "torn")
    with monkeypatch.context() as patch:
        patch.setattr("gqa_compress.training.session.TrainingSession.evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(torn)
    train(torn, resume=True)
    assert losses(torn.output_dir) == losses(whole.output_dir)
    assert (torn.output_dir / "model.safetensors").read_bytes() == (
        whole.output_dir / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("trainable", "parts"),
    [("kv", "kv"), ("attention", "qkvo"), ("lora", "qkvo")],
    ids=["kv", "qkvo", "lora"],
)
def test_only_what_is_to_move_moves(recipe: TrainingConfig, source: Path, trainable: str, parts: str) -> None:
    chosen = replace(recipe, trainable=trainable, lora=Lora(r=2), teacher=None, max_steps=3)
    report = train(chosen)
    moved = {f"model.layers.{layer}.self_attn.{part}_proj.weight" for layer in (0, 1) for part in parts}
    assert changed(source, recipe.output_dir) == moved
    assert 0 < report.trained_parameters < report.parameters


def test_low_rank_training_resumes_to_the_same_bytes(
    recipe: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(recipe, output_dir=tmp_path / "whole", trainable="lora", max_steps=5)
    train(whole)
    torn = replace(whole, output_dir=tmp_path / "torn")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gqa_compress.training.session.TrainingSession.evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            train(torn)
    train(torn, resume=True)
    assert losses(torn.output_dir) == losses(whole.output_dir)
    assert not changed(whole.output_dir, torn.output_dir)


def test_training_ends_when_it_stops_getting_better(recipe: TrainingConfig, source: Path) -> None:
    still = replace(
        recipe,
        max_steps=50,
        eval_steps=1,
        early_stopping_patience=3,
        optimizer=Optimizer(learning_rate=1e-30, weight_decay=0.0),
    )
    report = train(still)
    assert report.steps == 4
    assert report.best_step == 1
    assert not changed(source, recipe.output_dir)


def test_recomputed_activations_give_the_same_losses(recipe: TrainingConfig, tmp_path: Path) -> None:
    train(replace(recipe, max_steps=2))
    train(replace(recipe, max_steps=2, gradient_checkpointing=True, output_dir=tmp_path / "again"))
    assert losses(tmp_path / "again") == pytest.approx(losses(recipe.output_dir), abs=1e-6)


def test_bild_compares_all_ranked_differences_both_ways() -> None:
    student, teacher = (torch.randn(3, 9, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))

    def one_way(leader: torch.Tensor, row: int) -> float:
        ranked = sorted(range(9), key=lambda token: -leader[row, token])[:4]
        pairs = [(ranked[i], ranked[j]) for i in range(4) for j in range(i + 1, 4)]
        p, q = (
            torch.softmax(torch.stack([z[row, a] - z[row, b] for a, b in pairs]) / 3, dim=0)
            for z in (teacher, student)
        )
        return float((p * (p / q).log()).sum())

    expected = [one_way(teacher, row) + one_way(student, row) for row in range(3)]
    torch.testing.assert_close(bild(student, teacher, top_k=4, temperature=3.0), torch.tensor(expected))
    torch.testing.assert_close(bild(teacher + 2, teacher, top_k=4, temperature=3.0), torch.zeros(3))


def test_answers_by_bild_and_prompts_by_divergence(recipe: TrainingConfig) -> None:
    teacher = replace(recipe.teacher, completion_loss="bild")
    train(replace(recipe, teacher=teacher, max_steps=2))
    found = losses(recipe.output_dir)
    assert found[0] == pytest.approx(0, abs=1e-5)
    assert found[1] > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pruning": Pruning(kv_heads=2), "trainable": "lora"}, "other than lora"),
        ({"early_stopping_patience": 2, "validation_file": None}, "needs `validation_file`"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(
    recipe: TrainingConfig, fields: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(recipe, **fields)
