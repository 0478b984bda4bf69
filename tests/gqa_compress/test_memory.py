"""The plan of memory against measured peaks, and that the shipped recipes fit the devices they are meant for."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.training import loop
from gqa_compress.training.config import Lora, Pruning, Teacher, TrainingConfig, read_recipe
from gqa_compress.training.memory import MemoryTracker
from gqa_compress.training.memory_plan import DeviceMemory, plan_memory
from gqa_compress.training.session import prepare
from gqa_compress.training.teacher import LiveTeacher, write_cache
from gqa_compress.training.workers import Workers

RECIPES = Path(__file__).parents[2] / "recipes"
GB = 10**9
LLAMA2_7B = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32000, "hidden_size": 4096,
    "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
    "max_position_embeddings": 4096, "tie_word_embeddings": False, "dtype": "bfloat16",
}  # fmt: skip


def measured_peak(recipe: TrainingConfig) -> int:
    """Run the steps of a training and return the peak of all tensors."""
    run, _ = prepare(recipe, Workers(0, 1, torch.device("cpu")), resume=False)
    tracker = MemoryTracker(run.model.config.vocab_size)
    tracker.add("weights", [*run.model.parameters(), *run.model.buffers()])
    if isinstance(run.teacher, LiveTeacher):
        tracker.add("teacher", [*run.teacher.model.parameters(), *run.teacher.model.buffers()])
    batches = run.batches()
    with tracker:
        for _ in range(4):
            loop._step(run, batches)
    return tracker.peak.total


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"gradient_checkpointing": True, "gradient_accumulation_steps": 2},
        {"trainable": "lora", "lora": Lora(r=8, targets="all")},
        {"trainable": "kv", "precision": "bf16", "frozen_dtype": "bfloat16"},
        {"trainable": "kv", "pruning": Pruning(kv_heads=2, tokens=512)},
        {"teacher": "live"},
        {"teacher": "cached", "prompt_loss_weight": 1.0},
    ],
    ids=lambda fields: "-".join(fields) or "full",
)
def test_the_plan_is_within_a_tenth_of_the_measured_peak(
    tmp_path: Path, sorting_rows: Path, fields: dict[str, Any]
) -> None:
    shape = {"hidden_size": 128, "intermediate_size": 256}
    start = save_tiny(tiny_model("llama", **shape), tmp_path / "start")
    teacher = Teacher(checkpoint=start, kl_weight=0.5, completion_loss="bild", cache=tmp_path / "cache")
    kind = fields.get("teacher")
    if kind:
        fields = fields | {"teacher": teacher if kind == "cached" else replace(teacher, cache=None)}
    recipe = TrainingConfig(
        output_dir=tmp_path / "out", train_file=sorting_rows, init_checkpoint=start, max_steps=4,
        max_tokens_per_batch=512, max_length=64, device="cpu", threads=1, **({"precision": "fp32"} | fields),
    )  # fmt: skip
    if kind == "cached":
        write_cache(recipe)
    planned = plan_memory(recipe).devices[0].total
    assert planned == pytest.approx(measured_peak(recipe), rel=0.1)


def plan_7b(tmp_path: Path, name: str, *overrides: str) -> dict[int, DeviceMemory]:
    """Plan a shipped recipe with nothing but the configurations of its checkpoints."""
    recipe = read_recipe(RECIPES / name, overrides)
    assert recipe.init_checkpoint is not None
    assert recipe.teacher is not None
    kv_heads = 8 if recipe.pruning is None else 32
    for folder, heads in (("start", kv_heads), ("teacher", 32)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text(json.dumps(LLAMA2_7B | {"num_key_value_heads": heads}))
    planned = plan_memory(
        replace(
            recipe,
            init_checkpoint=tmp_path / "start",
            teacher=replace(recipe.teacher, checkpoint=tmp_path / "teacher"),
        )
    )
    return {each.devices: each for each in planned.devices}


@pytest.mark.parametrize("name", ["llama2-7b-convert.yaml", "llama2-7b-pruning.yaml"])
def test_recipes_for_7b_fit_one_device_of_80_gb_and_four_of_24(tmp_path: Path, name: str) -> None:
    planned = plan_7b(tmp_path, name)
    assert planned[1].total < 72 * GB
    assert planned[4].total < 21 * GB
    assert planned[8].total < planned[4].total < planned[2].total < planned[1].total
    for each in planned.values():
        parts = (each.weights, each.gradients, each.optimizer, each.teacher, each.logits, each.activations)
        assert sum(parts) == each.total


def test_parts_are_counted_and_forgotten() -> None:
    tracker = MemoryTracker(vocabulary=7)
    weight = torch.nn.Parameter(torch.zeros(100))
    tracker.add("weights", [weight])
    tracker.follow_gradients(torch.nn.ParameterList([weight]))
    with tracker:
        logits = weight[:7].expand(3, 7).contiguous()
        assert tracker.now["logits"] == 3 * 7 * 4
        logits.sum().backward()
        del logits
    assert (tracker.now["weights"], tracker.now["gradients"], tracker.now["logits"]) == (400, 400, 0)
    assert tracker.peak.total >= 400 + 84
