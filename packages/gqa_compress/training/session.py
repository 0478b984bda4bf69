"""One run while it goes on: model, teacher, optimiser, rows, and where it is.

Holds their making from a recipe or a checkpoint of the run, the loss of a batch, and the order of batches.
Makes no step.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gqa_compress.checkpoint.environment import disable_malloc_trim
from gqa_compress.checkpoint.reader import load_tokenizer
from gqa_compress.conversion.config import ConversionConfig
from gqa_compress.errors import InputError
from gqa_compress.pruning.initialization import initialize_pruning
from gqa_compress.pruning.masks import HeadMasks
from gqa_compress.pruning.mixed_model import MASKS, MixedHeadModel
from gqa_compress.text.training_rows import Batch, TokenizedDataset, make_batch, plan_epoch, read_rows
from gqa_compress.training import checkpoints as state
from gqa_compress.training.adapters import choose_trainable
from gqa_compress.training.config import Pruning, TrainingConfig, as_json
from gqa_compress.training.losses import bild, cross_entropy, kl_divergence
from gqa_compress.training.schedule import progress_fraction
from gqa_compress.training.setup import make_model, make_optimizer, pick_device, start_model, uses_bf16
from graphling_io.console import CONSOLE

ADDED_FIELDS = ("trainable", "lora", "pruning", "patience", "recompute")


@dataclass
class TrainingSession:
    """Everything one run holds while it goes on."""

    recipe: TrainingConfig
    model: Any
    teacher: Any
    adapter: Any
    student: MixedHeadModel | None
    optimizer: torch.optim.AdamW
    device: torch.device
    bf16: bool
    train: TokenizedDataset
    dev: TokenizedDataset | None
    resume_fingerprint: dict[str, Any]
    progress: state.TrainerState = field(default_factory=state.TrainerState)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which matrix products take the run's precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def logits(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return the logits at the batch's places, (n, V)."""
        with self.autocast():
            hidden = model.base_model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
            chosen = hidden.flatten(0, 1).index_select(0, batch.loss_positions)  # (n, C)
            logits: torch.Tensor = model.get_output_embeddings()(chosen)
        return logits

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the weighted sum of the batch's losses."""
        logits = self.logits(self.model, batch)
        weight = self.recipe.teacher.weight if self.recipe.teacher else 0.0
        loss = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        if weight < 1:
            loss = loss + (1 - weight) * cross_entropy(logits, batch.targets)
        if weight > 0:
            loss = loss + weight * self._distillation_loss(logits, batch)
        return (loss * batch.loss_weights).sum()

    def _distillation_loss(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the distance from the teacher at each place, (n,)."""
        how = self.recipe.teacher
        assert how is not None  # noqa: S101  asked for with a weight
        with torch.no_grad():
            taught = self.logits(self.teacher, batch)
        if how.answers == "kl":
            return kl_divergence(logits, taught, temperature=how.temperature)
        answers, prompts = (torch.nonzero(part)[:, 0] for part in (batch.is_completion, ~batch.is_completion))
        loss = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        compared = bild(logits[answers], taught[answers], top=how.bild_top, temperature=how.bild_temperature)
        loss = loss.index_add(0, answers, compared)
        return loss.index_add(
            0, prompts, kl_divergence(logits[prompts], taught[prompts], temperature=how.temperature)
        )

    def batches(self) -> Iterator[Batch]:
        """Yield batches from where the run is, moving its place forward."""
        recipe, progress = self.recipe, self.progress
        while True:
            plan = plan_epoch(
                self.train, batch_tokens=recipe.batch_tokens, seed=recipe.seed, epoch=progress.epoch
            )
            while progress.batch < len(plan):
                chosen = plan[progress.batch]
                progress.batch += 1
                batch = make_batch(self.train, chosen, prompt_weight=recipe.prompt_weight)
                if len(batch.loss_positions):
                    yield batch.to(self.device)
            progress.epoch, progress.batch = progress.epoch + 1, 0

    def sample_masks(self) -> None:
        """Draw the masks of the coming step, the same whenever the step is made."""
        if self.student is not None:
            seed = int.from_bytes(
                hashlib.sha256(f"{self.recipe.seed} {self.progress.step}".encode()).digest()[:8]
            )
            generator = torch.Generator().manual_seed(seed % 2**63)
            self.student.set_masks(
                self.student.masks.sample(progress_fraction(self.recipe, self.progress), generator)
            )

    def parameters_to_clip(self) -> list[torch.nn.Parameter]:
        """Return the weights whose gradient is clipped; that of masks is on another scale."""
        named = self.model.named_parameters()
        return [parameter for name, parameter in named if not name.startswith(MASKS)]

    def freeze_masks_for_eval(self) -> None:
        """Use masks without noise, to measure."""
        if self.student is not None:
            self.student.set_masks(
                self.student.masks.deterministic(progress_fraction(self.recipe, self.progress))
            )

    def remove_pruned_heads(self) -> None:
        """Leave a stock model with fewer heads as soon as all masks are zero for good."""
        pruning, student = self.recipe.pruning, self.student
        if pruning is None or student is None:
            return
        share = progress_fraction(self.recipe, self.progress)
        if share >= pruning.zero_share or student.masks.all_pruned(share):
            student.remove_original_heads()
            moments = self.optimizer.state
            self.optimizer = _optimizer(self.recipe, self.model, student)
            for parameter in self.model.parameters():
                if parameter in moments:
                    self.optimizer.state[parameter] = moments[parameter]
            self.student = None
            self.progress.pruned = True


def prepare(recipe: TrainingConfig, *, resume: bool) -> tuple[TrainingSession, Any]:
    """Make a run, from its newest checkpoint if it has one and is to be resumed.

    Args:
        recipe: the run.
        resume: go on from the newest checkpoint.

    Returns:
        The run and its tokenizer.

    Raises:
        InputError: the recipe asks for something that is not there or does not fit.
    """
    device = pick_device(recipe)
    if device.type == "cpu":
        disable_malloc_trim()
    folder = recipe.tokenizer or recipe.checkpoint
    assert folder is not None  # noqa: S101  the recipe has checked it
    tokenizer = load_tokenizer(folder)
    rows = read_rows(recipe.train, tokenizer, max_tokens=recipe.max_tokens)
    dev = read_rows(recipe.dev, tokenizer, max_tokens=recipe.max_tokens) if recipe.dev else None
    if rows.dropped:
        CONSOLE.print(f"{rows.dropped} rows of more than {recipe.max_tokens} tokens are left out")
    resume_fingerprint = _identity(recipe, rows, dev)
    saved = state.read(recipe.out / "checkpoints", resume_fingerprint, _defaults()) if resume else None
    model = _model(recipe, tokenizer).to(device).train()
    teacher = _teacher(recipe, tokenizer, device)
    adapter = choose_trainable(model, recipe)
    student = _student(recipe, model, fresh=saved is None)
    optimizer = _optimizer(recipe, model, student)
    progress = saved.progress if saved else state.TrainerState()
    if student is not None and progress.pruned:
        student.remove_original_heads()
        optimizer, student = _optimizer(recipe, model, student), None
    if saved is not None:
        saved.restore(model, optimizer)
    run = TrainingSession(
        recipe=recipe,
        model=model,
        teacher=teacher,
        adapter=adapter,
        student=student,
        optimizer=optimizer,
        device=device,
        bf16=uses_bf16(recipe, device),
        train=rows,
        dev=dev,
        resume_fingerprint=resume_fingerprint,
        progress=progress,
    )
    return run, tokenizer


def _model(recipe: TrainingConfig, tokenizer: Any) -> Any:
    if recipe.checkpoint is not None:
        model = start_model(recipe.checkpoint)
    else:
        assert recipe.model is not None  # noqa: S101  the recipe has checked it
        model = make_model(recipe.model, tokenizer, recipe.seed)
    _check_vocabulary(model, tokenizer)
    if recipe.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def _teacher(recipe: TrainingConfig, tokenizer: Any, device: torch.device) -> Any:
    if recipe.teacher is None:
        return None
    teacher = start_model(recipe.teacher.checkpoint)
    _check_vocabulary(teacher, tokenizer)
    return teacher.to(device).eval().requires_grad_(requires_grad=False)


def _check_vocabulary(model: Any, tokenizer: Any) -> None:
    if model.config.vocab_size < len(tokenizer):
        raise InputError(
            f"the tokenizer has {len(tokenizer)} tokens and the model only {model.config.vocab_size}"
        )


def _student(recipe: TrainingConfig, model: Any, *, fresh: bool) -> MixedHeadModel | None:
    pruning, folder = recipe.pruning, recipe.checkpoint
    if pruning is None or folder is None:
        return None
    plan = ConversionConfig(
        kv_heads=pruning.kv_heads,
        method=pruning.start,
        grouping=pruning.grouping,
        tokens=pruning.tokens,
        seed=recipe.seed,
    )
    text: Path | None = (pruning.calibration or recipe.train) if fresh else None
    starts = initialize_pruning(folder, plan, text)
    layers, heads = model.config.num_hidden_layers, model.config.num_key_value_heads
    masks = HeadMasks(layers, heads, pruning.masks, pruning.ramp_share)
    return MixedHeadModel(model, starts, masks.to(model.device), pruning.kv_heads)


def _optimizer(recipe: TrainingConfig, model: Any, student: MixedHeadModel | None) -> torch.optim.AdamW:
    """Make the optimiser; merged heads and masks have rates of their own."""
    pruning = recipe.pruning or Pruning(kv_heads=1)
    shared = student.shared_parameters if student is not None else set()
    masks = {id(parameter) for parameter in student.masks.parameters()} if student is not None else set()
    rates = dict.fromkeys(shared, pruning.shared_rate)
    rates |= dict.fromkeys(masks, pruning.mask_lr / recipe.optimizer.lr)
    return make_optimizer(recipe, model, rates)


def _identity(recipe: TrainingConfig, rows: TokenizedDataset, dev: TokenizedDataset | None) -> dict[str, Any]:
    """Return what must be equal for a resume to be exact; the output folder may move."""
    plain = as_json(recipe)
    plain.pop("out")
    weights = hashlib.sha256(rows.tokens.tobytes()).hexdigest()
    return {**plain, "train": rows.sha256, "tokens": weights, "dev": dev.sha256 if dev else None}


def _defaults() -> dict[str, Any]:
    """Return what the fields count as that checkpoints of the first version do not name."""
    blank = as_json(TrainingConfig(out=Path(), train=Path(), checkpoint=Path(), steps=1))
    return {name: blank[name] for name in ADDED_FIELDS}
