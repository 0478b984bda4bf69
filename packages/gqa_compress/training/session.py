"""One training run: model, teacher, optimizer, rows, position; its loss, batches, masks and evaluation."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gqa_compress.checkpoint.environment import disable_malloc_trim
from gqa_compress.checkpoint.reader import load_tokenizer
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.pruning.initialization import initialize_pruning
from gqa_compress.pruning.masks import HeadMasks
from gqa_compress.pruning.mixed_model import MASKS, MixedHeadModel
from gqa_compress.text.training_rows import Batch, TokenizedDataset, make_batch, plan_epoch, tokenize_rows
from gqa_compress.training import checkpoints
from gqa_compress.training.config import Pruning, TrainingConfig
from gqa_compress.training.losses import cross_entropy, logits_at_positions
from gqa_compress.training.setup import (
    cast_frozen_,
    check_vocabulary,
    choose_trainable,
    load_for_training,
    make_model,
    make_optimizer,
    uses_bf16,
)
from gqa_compress.training.teacher import CachedTeacher, LiveTeacher, open_teacher
from gqa_compress.training.workers import Workers
from graphling_io.console import print_status


@dataclass
class TrainingSession:
    """A run in progress."""

    recipe: TrainingConfig
    model: Any
    teacher: LiveTeacher | CachedTeacher | None
    adapter: Any
    """peft's wrapper of a model with LoRA."""
    student: MixedHeadModel | None
    """The model as one with original and merged heads, until the original ones are removed."""
    optimizer: torch.optim.AdamW
    device: torch.device
    bf16: bool
    train_rows: TokenizedDataset
    validation_rows: TokenizedDataset | None
    fingerprint: dict[str, Any]
    state: checkpoints.TrainerState
    workers: Workers

    def logits(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return a model's logits at the batch's positions, (n, V), in the precision of the run."""
        # Weights that are shared with other processes are gathered in that precision already.
        casts = self.bf16 and not self.workers.is_sharded
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=casts):
            return logits_at_positions(model, batch)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the weighted sum of the losses of a batch."""
        logits = self.logits(self.model, batch)
        kl_weight = self.teacher.config.kl_weight if self.teacher else 0.0
        loss = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        if kl_weight < 1:
            loss = loss + (1 - kl_weight) * cross_entropy(logits, batch.targets)
        if self.teacher and kl_weight > 0:
            loss = loss + kl_weight * self.teacher.loss(logits, batch, self.logits)
        return (loss * batch.loss_weights).sum()

    def batches(self) -> Iterator[Batch]:
        """Yield batches from the position of the run on, and move it forward."""
        recipe, state = self.recipe, self.state
        while True:
            plan = plan_epoch(
                self.train_rows,
                max_tokens_per_batch=recipe.max_tokens_per_batch,
                seed=recipe.seed,
                epoch=state.epoch,
            )
            while state.batch < len(plan):
                chosen = plan[state.batch]
                state.batch += 1
                batch = make_batch(self.train_rows, chosen, prompt_loss_weight=recipe.prompt_loss_weight)
                if len(batch.loss_positions):
                    yield batch.to(self.device)
            state.epoch, state.batch = state.epoch + 1, 0

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return loss per token and exact match (by greedy decoding) of the held-out completions, if there are any."""
        rows, recipe = self.validation_rows, self.recipe
        if rows is None:
            return {}
        self.model.eval()
        if self.student is not None:
            self.student.set_masks(self.student.masks.deterministic(self.state.mask_fraction))
        count = min(recipe.max_eval_samples, len(rows))
        chosen = np.linspace(0, len(rows) - 1, count).astype(np.int64)
        chosen = chosen[np.argsort(rows.lengths[chosen], kind="stable")]
        loss, tokens, exact = 0.0, 0, 0
        size = max(1, recipe.max_tokens_per_batch // int(rows.lengths[chosen].max()))
        parts = [chosen[begin : begin + size] for begin in range(0, count, size)]
        workers = self.workers
        for begin in range(0, len(parts), workers.count):
            number = begin + workers.rank
            # Every process runs the model as often as the others; what is surplus does not count.
            part = parts[min(number, len(parts) - 1)]
            batch = make_batch(rows, part, prompt_loss_weight=0.0).to(self.device)
            logits = self.logits(self.model, batch)
            if number >= len(parts):
                continue
            loss += float(cross_entropy(logits, batch.targets).sum())
            tokens += len(batch.targets)
            wrong = torch.unique(batch.rows[logits.argmax(-1) != batch.targets])
            exact += len(batch.input_ids) - len(wrong)
        loss, all_tokens, all_exact = workers.sum(loss, tokens, exact)
        self.model.train()
        return {"eval_loss": loss / max(1, all_tokens), "eval_exact_match": all_exact / count}

    def sample_masks(self) -> None:
        """Sample the masks of the next step from a seed that depends on the step alone."""
        if self.student is not None:
            seed = int.from_bytes(
                hashlib.sha256(f"{self.recipe.seed} {self.state.step}".encode()).digest()[:8]
            )
            generator = torch.Generator().manual_seed(seed % 2**63)
            self.student.set_masks(self.student.masks.sample(self.state.mask_fraction, generator))

    def parameters_to_clip(self) -> list[torch.nn.Parameter]:
        """Return the weights whose gradient is clipped: all but the masks, whose scale differs."""
        named = self.model.named_parameters()
        return [parameter for name, parameter in named if not name.startswith(MASKS)]

    def remove_pruned_heads(self) -> None:
        """Remove the original heads once all masks stay zero, or at `mask_off_ratio`."""
        pruning, student, fraction = self.recipe.pruning, self.student, self.state.mask_fraction
        if pruning is None or student is None:
            return
        if fraction >= pruning.mask_off_ratio or student.masks.all_pruned(fraction):
            live = int(student.masks.deterministic(fraction).count_nonzero())
            if live:
                print_status(
                    f"{live} original heads are removed at mask_off_ratio although their masks are not zero"
                )
            student.remove_original_heads()
            moments = self.optimizer.state
            self.optimizer = _make_optimizer(self.recipe, self.model, student)
            for parameter in self.model.parameters():
                if parameter in moments:
                    self.optimizer.state[parameter] = moments[parameter]
            self.student = None
            self.state.pruned = True


def prepare(recipe: TrainingConfig, workers: Workers, *, resume: bool) -> tuple[TrainingSession, Any]:
    """Prepare a run.

    Args:
        recipe: the run.
        workers: the processes of the run.
        resume: continue from the newest checkpoint, if there is one.

    Returns:
        The run and its tokenizer.

    Raises:
        InputError: an input is missing or does not fit, or the checkpoint belongs to another run.
    """
    workers.check_share(recipe.gradient_accumulation_steps)
    device = workers.device
    if device.type == "cpu":
        disable_malloc_trim()
    tokenizer = load_tokenizer(recipe.tokenizer_folder)
    rows = tokenize_rows(recipe.train_file, tokenizer, max_length=recipe.max_length)
    held_out = recipe.validation_file
    validation = tokenize_rows(held_out, tokenizer, max_length=recipe.max_length) if held_out else None
    if rows.dropped and workers.is_first:
        print_status(f"{rows.dropped} rows of more than {recipe.max_length} tokens are left out")
    fingerprint = checkpoints.resume_fingerprint(recipe)
    saved = checkpoints.read(recipe.output_dir / "checkpoints", recipe, fingerprint) if resume else None
    state = saved.state if saved else checkpoints.TrainerState()
    if recipe.max_minutes is None:
        state.advance_masks(recipe)  # checkpoints of older versions do not hold it
    bf16 = uses_bf16(recipe, device)
    model, adapter, student = build_model(recipe, tokenizer, pruned=state.pruned, calibrate=saved is None)
    teacher = open_teacher(recipe, tokenizer)
    for each in (model, teacher.model if isinstance(teacher, LiveTeacher) else None):
        if each is not None and not workers.is_sharded:
            each.to(device)
        elif each is not None:
            has_masks = student is not None and each is model and not state.pruned
            masks = student.masks.parameters() if student is not None and has_masks else ()
            workers.shard_(each, bf16=bf16, whole=masks)
    optimizer = _make_optimizer(recipe, model, student)
    if saved is not None:
        saved.restore(model, optimizer)
    run = TrainingSession(
        recipe=recipe,
        model=model.train(),
        teacher=teacher,
        adapter=adapter,
        student=None if state.pruned else student,
        optimizer=optimizer,
        device=device,
        bf16=bf16,
        train_rows=rows,
        validation_rows=validation,
        fingerprint=fingerprint,
        state=state,
        workers=workers,
    )
    return run, tokenizer


def build_model(
    recipe: TrainingConfig, tokenizer: Any, *, pruned: bool, calibrate: bool
) -> tuple[Any, Any, MixedHeadModel | None]:
    """Build the model of a run on the CPU, with the weights that it starts from.

    Args:
        recipe: the run.
        tokenizer: tokenizer of the model.
        pruned: whether the original KV heads have been removed.
        calibrate: whether a model to be pruned is aligned on text; not needed if its weights are loaded afterwards,
            unless some of those that alignment changes are not trained.

    Returns:
        The model; peft's wrapper of it, if it has LoRA; the model with original and merged heads, if it is pruned.
    """
    model = _load_or_make_model(recipe, tokenizer)
    adapter = choose_trainable(model, recipe)
    cast_frozen_(model, recipe)
    # Alignment turns queries and outputs too, which no checkpoint holds if they are not trained.
    student = _mix_heads(recipe, model, calibrate=calibrate or recipe.trainable == "kv")
    if student is not None and pruned:
        student.remove_original_heads()
    return model, adapter, student


def _load_or_make_model(recipe: TrainingConfig, tokenizer: Any) -> Any:
    if recipe.init_checkpoint is not None:
        model = load_for_training(recipe.init_checkpoint, recipe.max_length)
    else:
        assert recipe.model is not None  # noqa: S101  checked by the recipe
        model = make_model(recipe.model, tokenizer, recipe.seed)
    check_vocabulary(model, tokenizer)
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def _mix_heads(recipe: TrainingConfig, model: Any, *, calibrate: bool) -> MixedHeadModel | None:
    pruning, folder = recipe.pruning, recipe.init_checkpoint
    if pruning is None or folder is None:
        return None
    config = ConversionConfig(
        kv_heads=pruning.kv_heads,
        method=pruning.init,
        grouping=pruning.grouping,
        tokens=pruning.tokens,
        seed=recipe.seed,
    )
    init = initialize_pruning(
        folder, config, (pruning.calibration or recipe.train_file) if calibrate else None
    )
    layers, heads = model.config.num_hidden_layers, model.config.num_key_value_heads
    masks = HeadMasks(layers, heads, pruning.mask_schedule, pruning.sparsity_warmup_ratio)
    return MixedHeadModel(model, init, masks.to(model.device), pruning.kv_heads)


def _make_optimizer(recipe: TrainingConfig, model: Any, student: MixedHeadModel | None) -> torch.optim.AdamW:
    """Build the optimizer; merged heads and masks have their own learning rates."""
    if student is None:
        return make_optimizer(recipe, model)
    pruning = recipe.pruning or Pruning(kv_heads=1)
    ratios = dict.fromkeys(student.merged_parameters, pruning.merged_lr_multiplier)
    mask_ratio = pruning.mask_learning_rate / recipe.optimizer.learning_rate
    ratios |= {id(parameter): mask_ratio for parameter in student.masks.parameters()}
    return make_optimizer(recipe, model, ratios)
