"""The memory that a recipe needs on each device, by part, before anything is loaded.

A training step is run with fake tensors, which have sizes and no content, so that activations are those of the model's
own code. Only config.json of the checkpoints is read. Source: docs/compression.md, "Memory".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from gqa_compress.checkpoint.architectures import SUPPORTED, attention_dims
from gqa_compress.checkpoint.reader import load_tokenizer, read_config
from gqa_compress.errors import RecipeError
from gqa_compress.pruning.initialization import LayerInit
from gqa_compress.pruning.masks import HeadMasks
from gqa_compress.pruning.mixed_model import MixedHeadModel
from gqa_compress.text.training_rows import Batch, make_batch, plan_epoch, tokenize_rows
from gqa_compress.training.config import Teacher, TrainingConfig
from gqa_compress.training.losses import TopLogits
from gqa_compress.training.memory import PARTS, MemoryTracker, Peak
from gqa_compress.training.session import TrainingSession
from gqa_compress.training.setup import (
    cast_frozen_,
    choose_trainable,
    llama_config,
    make_optimizer,
    uses_bf16,
    with_attention,
)
from gqa_compress.training.teacher import CachedTeacher, LiveTeacher
from gqa_compress.training.workers import Workers

DEVICES = (1, 2, 4, 8)
GATHERED_LAYERS = 2
"""Layers whose weights are whole on each device at once: the one that computes and the one fetched meanwhile."""


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """Bytes on each device at the moment of the most memory."""

    devices: int
    """Devices that share the weights that are trained and frozen, the gradients and the optimizer's states."""
    total: int
    """All of them."""
    weights: int
    """Weights of the model."""
    gradients: int
    """Gradients of the weights that are trained."""
    optimizer: int
    """Moments of AdamW."""
    teacher: int
    """Weights of the teacher, if it runs beside the student."""
    logits: int
    """Logits at the positions of the loss, and what is as large."""
    activations: int
    """Everything else that a step keeps."""


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Memory of a recipe; printed by `gqa-compress train RECIPE --plan`."""

    parameters: int
    trained_parameters: int
    rows_per_batch: int
    tokens_per_row: int
    loss_positions: int
    """Positions of the loss in a batch; all of them if the rows cannot be read yet."""
    devices: list[DeviceMemory]


def plan_memory(recipe: TrainingConfig) -> MemoryPlan:
    """Compute the memory that each of 1, 2, 4 and 8 devices needs.

    Args:
        recipe: the run; its checkpoints need no more than config.json, its rows may be missing.

    Returns:
        The plan.

    Raises:
        InputError: a configuration is missing or does not fit.
    """
    device = torch.device("cuda" if recipe.device == "cuda" else "cpu")
    bf16 = recipe.precision == "bf16" or (uses_bf16(recipe, device) and recipe.device != "cuda")
    shape = _largest_batch(recipe)
    one = _Simulation(recipe, shape, bf16=bf16, sharded=False)
    plans = [_on_one_device(one.run())]
    many = _Simulation(recipe, shape, bf16=bf16, sharded=True)
    peak = many.run()
    plans += [many.on_devices(count, peak) for count in DEVICES[1:]]
    return MemoryPlan(
        parameters=one.parameters,
        trained_parameters=one.trained_parameters,
        rows_per_batch=shape.rows,
        tokens_per_row=shape.length,
        loss_positions=shape.positions,
        devices=plans,
    )


@dataclass(frozen=True)
class _BatchShape:
    rows: int
    length: int
    positions: int
    completions: int


def _largest_batch(recipe: TrainingConfig) -> _BatchShape:
    """Return the shape of the batch that needs most memory: the largest possible one if there are no rows yet."""
    if not recipe.train_file.is_file() or not recipe.tokenizer_folder.is_dir():
        rows = max(1, recipe.max_tokens_per_batch // recipe.max_length)
        count = rows * (recipe.max_length - 1)
        return _BatchShape(rows, recipe.max_length, count, count)
    data = tokenize_rows(
        recipe.train_file, load_tokenizer(recipe.tokenizer_folder), max_length=recipe.max_length
    )
    plan = plan_epoch(data, max_tokens_per_batch=recipe.max_tokens_per_batch, seed=recipe.seed, epoch=0)
    lengths = data.lengths
    longest = sorted(plan, key=lambda chosen: -len(chosen) * int(lengths[chosen].max()))[:64]
    found = [make_batch(data, np.asarray(c), prompt_loss_weight=recipe.prompt_loss_weight) for c in longest]
    batch = max(found, key=lambda each: (each.input_ids.numel(), len(each.targets)))
    most = max(found, key=lambda each: len(each.targets))
    rows, length = batch.input_ids.shape
    return _BatchShape(rows, length, len(most.targets), len(most.completions))


def _on_one_device(peak: Peak) -> DeviceMemory:
    return DeviceMemory(devices=1, total=peak.total, **{part: peak.by_part[part] for part in PARTS})


class _Simulation:
    """A training step with fake tensors.

    Args:
        recipe: the run.
        shape: shape of its batches.
        bf16: whether matrix products run in bf16.
        sharded: whether weights are gathered in the data type of matrix products, as when several devices share them,
            or cast by each product.
    """

    def __init__(self, recipe: TrainingConfig, shape: _BatchShape, *, bf16: bool, sharded: bool) -> None:
        self.recipe = recipe
        self.shape = shape
        self.bf16 = bf16
        self.sharded = sharded
        self.compute_bytes = 2 if bf16 else 4
        self.parameters = self.trained_parameters = 0
        self.stored = self.root = self.layer = 0
        self.trained_root = self.trained_layer = 0
        self.teacher_stored = self.teacher_root = self.teacher_layer = 0

    def run(self) -> Peak:
        """Run forward and backward pass of a later batch of a later step; return the moment of the most memory."""
        with FakeTensorMode(allow_non_fake_inputs=True):
            run, tracker = self._session()
            trained = [parameter for parameter in run.model.parameters() if parameter.requires_grad]
            moments = [torch.zeros_like(parameter) for parameter in trained for _ in range(2)]
            tracker.add("optimizer", moments)
            if self.recipe.gradient_accumulation_steps > 1:
                for parameter in trained:
                    parameter.grad = torch.zeros_like(parameter)
                tracker.add("gradients", [parameter.grad for parameter in trained])
            batch = self._batch()
            with tracker:
                run.loss(batch).backward()  # type: ignore[no-untyped-call]
        return tracker.peak

    def on_devices(self, count: int, peak: Peak) -> DeviceMemory:
        """Return the memory on each of several devices, given the peak of one that holds everything."""
        gathered = (self.root + GATHERED_LAYERS * self.layer) * self.compute_bytes
        teacher = -(-self.teacher_stored // count)
        if self.teacher_stored:
            teacher += (self.teacher_root + GATHERED_LAYERS * self.teacher_layer) * self.compute_bytes
        parts = {
            "weights": -(-self.stored // count) + gathered,
            "gradients": 4 * -(-self.trained_parameters // count)
            + (self.trained_root + self.trained_layer) * self.compute_bytes,
            "optimizer": 8 * -(-self.trained_parameters // count),
            "teacher": teacher,
            "logits": peak.by_part["logits"],
            "activations": peak.by_part["activations"],
        }
        return DeviceMemory(devices=count, total=sum(parts.values()), **parts)

    def _session(self) -> tuple[TrainingSession, MemoryTracker]:
        recipe = self.recipe
        config = _config(recipe)
        model, adapter, student = self._student(config)
        teacher = self._teacher()
        tracker = MemoryTracker(config.vocab_size)
        tracker.add("weights", [*model.parameters(), *model.buffers()])
        if isinstance(teacher, LiveTeacher):
            tracker.add("teacher", [*teacher.model.parameters(), *teacher.model.buffers()])
        tracker.follow_gradients(model)
        run = TrainingSession(
            recipe=recipe,
            model=model.train(),
            teacher=teacher,
            adapter=adapter,
            student=student,
            optimizer=make_optimizer(recipe, model),
            device=torch.device("cpu"),
            bf16=self.bf16 and not self.sharded,
            workers=Workers(0, 1, torch.device("cpu")),
            train_rows=None,  # type: ignore[arg-type]
            validation_rows=None,
            fingerprint={},
            state=None,  # type: ignore[arg-type]
        )
        return run, tracker

    def _student(self, config: Any) -> tuple[Any, Any, MixedHeadModel | None]:
        recipe = self.recipe
        with unset_fake_temporarily():
            model = self._model(config)
            if recipe.gradient_checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            adapter = choose_trainable(model, recipe)
            cast_frozen_(model, recipe)
            student = self._mix(model, config)
        self._measure(model)
        _give_sizes_(model, self.gathered_dtype)
        if student is not None:
            student.set_masks(torch.full(student.masks.shape, 0.5, requires_grad=True))
        return model, adapter, student

    @property
    def gathered_dtype(self) -> torch.dtype | None:
        """Data type in which weights are gathered from other devices, if they are."""
        if not self.sharded:
            return None
        return torch.bfloat16 if self.bf16 else torch.float32

    def _model(self, config: Any) -> Any:
        with torch.device("meta"), no_init_weights():
            model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        if self.recipe.device == "cuda":
            model.set_attn_implementation("sdpa")
            return model
        return with_attention(model, self.recipe.max_length)

    def _mix(self, model: Any, config: Any) -> MixedHeadModel | None:
        pruning = self.recipe.pruning
        if pruning is None:
            return None
        arch, dims = SUPPORTED[config.model_type], attention_dims(config)
        rows = pruning.kv_heads * dims.head_dim
        has_bias = model.model.layers[0].get_submodule(arch.k).bias is not None

        def merged() -> dict[str, torch.Tensor]:
            weights = {"weight": torch.empty(rows, dims.hidden_size, device="meta")}
            return weights | ({"bias": torch.empty(rows, device="meta")} if has_bias else {})

        init = [LayerInit({}, {arch.k: merged(), arch.v: merged()}) for _ in range(dims.layers)]
        masks = HeadMasks(dims.layers, dims.num_kv_heads, pruning.mask_schedule, 1.0)
        return MixedHeadModel(model, init, masks, pruning.kv_heads)

    def _measure(self, model: Any) -> None:
        """Count weights: all, those of a layer, and those outside layers."""
        everything = list(model.parameters())
        layer = list(model.model.layers[0].parameters())
        layers = len(model.model.layers)

        def count(parameters: list[Any], *, trained: bool = False) -> int:
            return sum(p.numel() for p in parameters if p.requires_grad or not trained)

        self.parameters = count(everything)
        self.trained_parameters = count(everything, trained=True)
        self.stored = sum(p.numel() * p.element_size() for p in everything)
        self.layer, self.trained_layer = count(layer), count(layer, trained=True)
        self.root = self.parameters - layers * self.layer
        self.trained_root = self.trained_parameters - layers * self.trained_layer

    def _teacher(self) -> LiveTeacher | CachedTeacher | None:
        config = self.recipe.teacher
        if config is None:
            return None
        if config.cache is not None:
            return _FakeCache(config)
        with unset_fake_temporarily():
            model = self._model(read_config(config.checkpoint))
            for parameter in model.parameters():
                parameter.data = parameter.data.to(getattr(torch, self.recipe.frozen_dtype))
        parameters = list(model.parameters())
        self.teacher_stored = sum(p.numel() * p.element_size() for p in parameters)
        self.teacher_layer = sum(p.numel() for p in model.model.layers[0].parameters())
        self.teacher_root = sum(p.numel() for p in parameters) - len(model.model.layers) * self.teacher_layer
        _give_sizes_(model, self.gathered_dtype)
        return LiveTeacher(config, model)

    def _batch(self) -> Batch:
        shape = self.shape
        count, completions = shape.positions, shape.completions
        return Batch(
            input_ids=torch.zeros(shape.rows, shape.length, dtype=torch.long),
            loss_positions=torch.zeros(count, dtype=torch.long),
            targets=torch.zeros(count, dtype=torch.long),
            loss_weights=torch.ones(count),
            completions=torch.zeros(completions, dtype=torch.long),
            prompts=torch.zeros(count - completions, dtype=torch.long),
            sources=torch.zeros(count, dtype=torch.long),
            rows=torch.zeros(count, dtype=torch.long),
            tokens=shape.rows * shape.length,
        )


class _FakeCache(CachedTeacher):
    """A cache of a teacher that has shapes and no content."""

    def __init__(self, config: Teacher) -> None:
        self.config = config

    def top_logits(self, batch: Batch, device: torch.device) -> TopLogits:
        """Return empty values for each position."""
        shape = (len(batch.targets), self.config.cache_top_k)
        return TopLogits(
            torch.empty(shape, device=device), torch.zeros(shape, dtype=torch.long, device=device)
        )


def _give_sizes_(model: torch.nn.Module, dtype: torch.dtype | None) -> None:
    """Replace the weights of a model without memory by fake ones on the CPU, of another data type if one is given."""
    made: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    kept = (
                        tensor.dtype if dtype is None or not isinstance(tensor, torch.nn.Parameter) else dtype
                    )
                    new = torch.empty(tensor.shape, dtype=kept, device="cpu")
                    made[id(tensor)] = (
                        torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
                        if isinstance(tensor, torch.nn.Parameter)
                        else new
                    )
                held[name] = made[id(tensor)]  # type: ignore[assignment]


def _config(recipe: TrainingConfig) -> Any:
    if recipe.init_checkpoint is not None:
        config = read_config(recipe.init_checkpoint)
    else:
        assert recipe.model is not None  # noqa: S101  checked by the recipe
        config = llama_config(recipe.model, load_tokenizer(recipe.tokenizer_folder))
    if recipe.pruning is not None and config.model_type not in SUPPORTED:
        raise RecipeError(f"{config.model_type} cannot be pruned")
    return config
