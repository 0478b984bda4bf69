"""Distillation from a teacher: a model that runs beside the student, or the highest logits of one, cached on disk."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.reader import content_hash, load_tokenizer
from gqa_compress.checkpoint.writer import TOKENIZER_FILES
from gqa_compress.errors import CheckpointError, RecipeError
from gqa_compress.text.rows import file_hash
from gqa_compress.text.training_rows import Batch, make_batch, plan_epoch, tokenize_rows
from gqa_compress.training.config import Teacher, TrainingConfig
from gqa_compress.training.losses import (
    TopLogits,
    bild,
    bild_of_top,
    kl_divergence,
    kl_of_top,
    logits_at_positions,
)
from gqa_compress.training.setup import check_vocabulary, load_for_training
from graphling_io.console import CONSOLE
from graphling_io.outputs import atomic_directory, check_free_space, write_json

MANIFEST = "manifest.json"
POSITIONS, LOG_PROBABILITIES, TOKENS = "positions.npy", "log_probabilities.npy", "tokens.npy"

RunModel = Callable[[Any, Batch], torch.Tensor]
"""From a model and a batch to logits, (n, V), in the precision of the run."""


class LiveTeacher:
    """A frozen model that the student learns from.

    Args:
        config: losses.
        model: the model, on its device.
    """

    def __init__(self, config: Teacher, model: Any) -> None:
        self.config = config
        self.model = model.eval().requires_grad_(requires_grad=False)

    def loss(self, logits: torch.Tensor, batch: Batch, run_model: RunModel) -> torch.Tensor:
        """Return the distillation loss at each position, (n,), given the student's logits, (n, V)."""
        config = self.config
        with torch.no_grad():
            target = run_model(self.model, batch)
        if config.completion_loss == "kl":
            return kl_divergence(logits, target, temperature=config.temperature)
        completion, prompt = batch.completions, batch.prompts
        losses = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        by_bild = bild(
            logits[completion],
            target[completion],
            top_k=config.bild_top_k,
            temperature=config.bild_temperature,
        )
        by_kl = kl_divergence(logits[prompt], target[prompt], temperature=config.temperature)
        return losses.index_add(0, completion, by_bild).index_add(0, prompt, by_kl)


class CachedTeacher:
    """The highest logits of a teacher at each position of the loss.

    Args:
        recipe: the run, with a folder that `write_cache` wrote for the same rows, tokenizer and teacher.

    Raises:
        CheckpointError: there is no such folder, or it belongs to other inputs.
    """

    def __init__(self, recipe: TrainingConfig) -> None:
        config, folder = _cache_of(recipe)
        self.config = config
        try:
            stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"there is no cache of the teacher in {folder} ({error}); run `gqa-compress teach` with this recipe"
            ) from error
        expected = cache_identity(recipe)
        if changed := [name for name in expected if stored.get(name) != expected[name]]:
            raise CheckpointError(
                f"the cache of the teacher in {folder} was made with other {', '.join(changed)}; run `gqa-compress "
                "teach` again with this recipe"
            )
        self._positions = np.load(folder / POSITIONS)
        self._log_probabilities = np.load(folder / LOG_PROBABILITIES, mmap_mode="r")
        self._tokens = np.load(folder / TOKENS, mmap_mode="r")

    def loss(self, logits: torch.Tensor, batch: Batch, run_model: RunModel) -> torch.Tensor:
        """Return the distillation loss at each position; see `LiveTeacher.loss`."""
        del run_model
        config = self.config
        target = self.top_logits(batch, logits.device)
        if config.completion_loss == "kl":
            return kl_of_top(logits, target, temperature=config.temperature)
        completion, prompt = batch.completions, batch.prompts
        losses = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        by_bild = bild_of_top(
            logits[completion],
            target.at(completion),
            top_k=config.bild_top_k,
            temperature=config.bild_temperature,
            scale=config.temperature,
        )
        by_kl = kl_of_top(logits[prompt], target.at(prompt), temperature=config.temperature)
        return losses.index_add(0, completion, by_bild).index_add(0, prompt, by_kl)

    def top_logits(self, batch: Batch, device: torch.device) -> TopLogits:
        """Read the highest logits at the positions of a batch."""
        rows = np.searchsorted(self._positions, batch.sources.cpu().numpy())
        return TopLogits(
            torch.from_numpy(self._log_probabilities[rows]).to(device),
            torch.from_numpy(self._tokens[rows]).to(device, torch.long),
        )


def open_teacher(recipe: TrainingConfig, tokenizer: Any) -> LiveTeacher | CachedTeacher | None:
    """Return the teacher of a run, on the CPU, or None if it has none.

    Raises:
        CheckpointError: its checkpoint or cache cannot be used.
    """
    config = recipe.teacher
    if config is None:
        return None
    if config.cache is not None:
        return CachedTeacher(recipe)
    model = load_for_training(config.checkpoint, recipe.max_length)
    check_vocabulary(model, tokenizer)
    return LiveTeacher(config, model.to(getattr(torch, recipe.frozen_dtype)))


def cache_identity(recipe: TrainingConfig) -> dict[str, object]:
    """Return what a cache of the teacher depends on: inputs by their content, and settings."""
    config, _ = _cache_of(recipe)
    return {
        "train_file": file_hash(recipe.train_file),
        "tokenizer": content_hash(recipe.tokenizer_folder, *TOKENIZER_FILES),
        "teacher": content_hash(config.checkpoint),
        "max_length": recipe.max_length,
        "prompts": recipe.prompt_loss_weight > 0,
        "temperature": config.temperature,
        "cache_top_k": config.cache_top_k,
    }


@dataclass(frozen=True, kw_only=True)
class CacheReport:
    """A cache of a teacher that was written."""

    cache: str
    rows: int
    positions: int
    top_k: int
    bytes: int
    mean_probability: float
    """Mean probability that the cached tokens have together."""


def write_cache(recipe: TrainingConfig, *, force: bool = False) -> CacheReport:
    """Run the teacher of a recipe once over its rows and write its highest logits, for `teacher.cache`.

    Args:
        recipe: the run that will use them.
        force: replace the folder if it holds such a cache.

    Returns:
        The report.

    Raises:
        InputError: an input is missing or does not fit.
        OutputError: the folder is not empty or cannot be written.

    Writes:
        CACHE: positions in the tokenized rows, log-probabilities and tokens; the manifest last.
    """
    config, folder = _cache_of(recipe)
    device = choose_device(recipe.device)
    tokenizer = load_tokenizer(recipe.tokenizer_folder)
    rows = tokenize_rows(recipe.train_file, tokenizer, max_length=recipe.max_length)
    model = load_for_training(config.checkpoint, recipe.max_length)
    check_vocabulary(model, tokenizer)
    model.to(device, getattr(torch, recipe.frozen_dtype)).requires_grad_(requires_grad=False)
    plan = plan_epoch(rows, max_tokens_per_batch=recipe.max_tokens_per_batch, seed=0, epoch=0)
    batches = [make_batch(rows, chosen, prompt_loss_weight=recipe.prompt_loss_weight) for chosen in plan]
    positions = np.sort(np.concatenate([batch.sources.numpy() for batch in batches]))
    shape = (len(positions), min(config.cache_top_k, model.config.vocab_size))
    check_free_space(folder, 8 * shape[0] * shape[1])
    inputs = [recipe.train_file, recipe.tokenizer_folder, config.checkpoint]
    with atomic_directory(folder, markers=[MANIFEST], inputs=inputs, force=force) as new:
        np.save(new / POSITIONS, positions)
        values = np.lib.format.open_memmap(new / LOG_PROBABILITIES, "w+", np.float32, shape)  # type: ignore[no-untyped-call]
        tokens = np.lib.format.open_memmap(new / TOKENS, "w+", np.int32, shape)  # type: ignore[no-untyped-call]
        covered = 0.0
        for batch in track(batches, "teaching", console=CONSOLE, transient=True):
            top = _top_logits(
                model, batch.to(device), config, shape[1], bf16=recipe.frozen_dtype == "bfloat16"
            )
            at = np.searchsorted(positions, batch.sources.numpy())
            values[at], tokens[at] = top.log_probabilities.cpu().numpy(), top.tokens.cpu().numpy()
            covered += float(top.log_probabilities.exp().sum())
        values.flush()
        tokens.flush()
        size = sum(path.stat().st_size for path in new.iterdir())
        write_json(new / MANIFEST, cache_identity(recipe) | {"positions": len(positions)})
    return CacheReport(
        cache=str(folder),
        rows=len(rows),
        positions=len(positions),
        top_k=shape[1],
        bytes=size,
        mean_probability=covered / max(1, len(positions)),
    )


@torch.no_grad()
def _top_logits(model: Any, batch: Batch, config: Teacher, count: int, *, bf16: bool) -> TopLogits:
    if len(batch.loss_positions) == 0:
        return TopLogits(torch.empty(0, count), torch.empty(0, count, dtype=torch.long))
    with torch.autocast(batch.input_ids.device.type, dtype=torch.bfloat16, enabled=bf16):
        logits = logits_at_positions(model, batch)
    values, tokens = torch.log_softmax(logits.float() / config.temperature, dim=-1).topk(count, dim=-1)
    return TopLogits(values, tokens)


def _cache_of(recipe: TrainingConfig) -> tuple[Teacher, Path]:
    if recipe.teacher is None or recipe.teacher.cache is None:
        raise RecipeError("`teach` needs a recipe with `teacher.cache`, the folder to write")
    return recipe.teacher, recipe.teacher.cache
