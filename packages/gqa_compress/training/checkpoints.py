"""Checkpoints of a training run: written atomically, read back exactly, and only by the run that wrote them."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gqa_compress.checkpoint.reader import content_hash
from gqa_compress.checkpoint.writer import TOKENIZER_FILES, write_tensors
from gqa_compress.deprecated import TRAINER_STATE, rename_fields, rename_recipe_fields
from gqa_compress.errors import CheckpointError
from gqa_compress.text.rows import file_hash
from gqa_compress.training.config import TrainingConfig, as_json
from gqa_compress.training.workers import like, load_optimizer_state_, whole_optimizer_state, whole_tensor
from graphling_io.outputs import atomic_directory, atomic_file

SAVE_TOTAL_LIMIT = 2
# Values of fields that runs of earlier versions do not record.
ADDED_FIELDS: dict[str, Any] = {"frozen_dtype": "float32"}
ADDED_FIELDS_OF_GROUPS: dict[str, dict[str, Any]] = {
    "lora": {"targets": "attention"},
    "teacher": {"cache": False, "cache_top_k": 64},
}
BEST = "best.safetensors"
# Pruning within a time limit fades the original heads over at least this many steps, however slow they are.
MIN_PRUNING_STEPS = 50


@dataclass
class TrainerState:
    """Position of a run.

    Attributes:
        step: number of optimizer steps.
        epoch: epoch of the next batch.
        batch: index of the next batch in that epoch.
        tokens: number of tokens trained on, without padding.
        elapsed_s: seconds of training, over all resumed parts.
        pruned: whether the original KV heads have been removed.
        mask_fraction: position in the mask schedule, from 0 to 1.
        best_eval_loss: lowest evaluation loss.
        best_step: step of that loss.
        evals_without_improvement: evaluations since then.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    pruned: bool = False
    mask_fraction: float = 0.0
    best_eval_loss: float | None = None
    best_step: int | None = None
    evals_without_improvement: int = 0

    def progress_fraction(self, recipe: TrainingConfig) -> float:
        """Return the used fraction of the steps or of the minutes, whichever is larger; 1 or more at the end."""
        by_steps = self.step / recipe.max_steps if recipe.max_steps else 0.0
        by_time = self.elapsed_s / (60 * recipe.max_minutes) if recipe.max_minutes else 0.0
        return max(by_steps, by_time)

    def advance_masks(self, recipe: TrainingConfig) -> None:
        """Move the position in the mask schedule after a step; a time limit moves it by a small step at most."""
        fraction = self.progress_fraction(recipe)
        limit = self.mask_fraction + 1 / MIN_PRUNING_STEPS if recipe.max_minutes else fraction
        self.mask_fraction = min(fraction, limit)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that was read.

    Attributes:
        state: position of the run.
        weights: trainable weights by name.
        optimizer: state of the optimizer and of the random generators.
    """

    state: TrainerState
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]

    def restore(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Load the checkpoint into a model and its optimizer."""
        load_trainable_(model, self.weights)
        load_optimizer_state_(optimizer, self.optimizer["optimizer"])
        torch.set_rng_state(self.optimizer["generators"]["cpu"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(self.optimizer["generators"]["cuda"])


def save(
    folder: Path,
    state: TrainerState,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    fingerprint: Mapping[str, Any],
    *,
    writes: bool = True,
) -> Path:
    """Write a checkpoint and remove all but the last two; a call of all processes.

    Args:
        folder: folder of all checkpoints of the run.
        state: position of the run.
        model: its trainable weights are written.
        optimizer: its state is written.
        fingerprint: identity of the run.
        writes: whether this process is the one that writes.

    Returns:
        Folder of the checkpoint.

    Writes:
        FOLDER/step-00000200/{model.safetensors, optimizer.pt, progress.json}.
    """
    path = folder / f"step-{state.step:08d}"
    weights, moments = trainable_state_dict(model), whole_optimizer_state(optimizer)
    if not writes:
        return path
    with atomic_directory(path, markers=["progress.json"], force=True) as temporary:
        write_tensors(temporary / "model.safetensors", weights)
        generators = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        torch.save({"optimizer": moments, "generators": generators}, temporary / "optimizer.pt")
        content = {"progress": asdict(state), "run": fingerprint}
        (temporary / "progress.json").write_text(json.dumps(content))
    for old in list_checkpoints(folder)[:-SAVE_TOTAL_LIMIT]:
        shutil.rmtree(old)
    return path


def save_best(folder: Path, model: torch.nn.Module, *, writes: bool = True) -> None:
    """Write the trainable weights of the best evaluation into the folder of all checkpoints."""
    weights = trainable_state_dict(model)
    if writes:
        with atomic_file(folder / BEST) as temporary:
            write_tensors(temporary, weights)


def load_best(folder: Path, model: torch.nn.Module) -> None:
    """Load the weights of the best evaluation."""
    load_trainable_(model, load_file(folder / BEST))


def trainable_state_dict(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the trainable weights by name, whole; a call of all processes."""
    return {
        name: whole_tensor(parameter.detach()).contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


@torch.no_grad()
def load_trainable_(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Set the trainable weights, given all of them by name."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(like(weights[name], parameter))


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the folders of complete checkpoints, oldest first."""
    return sorted(path.parent for path in folder.glob("step-*/progress.json"))


def read(folder: Path, recipe: TrainingConfig, fingerprint: Mapping[str, Any]) -> LoadedCheckpoint | None:
    """Read the newest checkpoint.

    Args:
        folder: folder of all checkpoints of the run.
        recipe: the run.
        fingerprint: identity of the run.

    Returns:
        The checkpoint, or None if there is none.

    Raises:
        CheckpointError: the checkpoint belongs to another recipe or other data, or is corrupt.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    try:
        content = json.loads((newest / "progress.json").read_text())
        weights = load_file(newest / "model.safetensors")
        optimizer = torch.load(newest / "optimizer.pt", weights_only=True)
        state = TrainerState(**rename_fields(content["progress"], TRAINER_STATE))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the checkpoint {newest} cannot be read ({error}); delete it and resume again"
        ) from error
    check_fingerprint(newest, recipe, fingerprint, content["run"])
    return LoadedCheckpoint(state, weights, optimizer)


def resume_fingerprint(recipe: TrainingConfig) -> dict[str, Any]:
    """Return the identity of a run: its recipe, with the content instead of the path of everything it reads.

    The output folder and the inputs may be moved or renamed.
    """
    found = as_json(recipe)
    del found["output_dir"]
    found["train_file"] = file_hash(recipe.train_file)
    found["validation_file"] = file_hash(recipe.validation_file) if recipe.validation_file else None
    found["tokenizer"] = content_hash(recipe.tokenizer_folder, *TOKENIZER_FILES)
    found["init_checkpoint"] = content_hash(recipe.init_checkpoint) if recipe.init_checkpoint else None
    if recipe.teacher:
        found["teacher"] = as_json(recipe)["teacher"] | {  # type: ignore[operator]
            "checkpoint": content_hash(recipe.teacher.checkpoint),
            "cache": recipe.teacher.cache is not None,
        }
    if recipe.pruning and recipe.pruning.calibration:
        found["pruning"] = as_json(recipe)["pruning"] | {"calibration": file_hash(recipe.pruning.calibration)}  # type: ignore[operator]
    return found | {"format": 2}


def check_fingerprint(
    folder: Path, recipe: TrainingConfig, fingerprint: Mapping[str, Any], stored: Mapping[str, Any]
) -> None:
    """Check that a stored run is this one.

    Args:
        folder: where the run is stored.
        recipe: the run.
        fingerprint: its identity.
        stored: identity that was stored; those of older versions hold paths of checkpoints and old field names.

    Raises:
        CheckpointError: they differ; the message names the fields.
    """
    now = dict(fingerprint)
    if "format" not in stored:
        now = as_json(recipe) | {name: fingerprint[name] for name in ("train_file", "validation_file")}
        del now["output_dir"]
        if fingerprint["teacher"]:
            now["teacher"] = now["teacher"] | {"cache": fingerprint["teacher"]["cache"]}  # type: ignore[operator]
        defaults = as_json(
            TrainingConfig(output_dir=Path(), train_file=Path(), init_checkpoint=Path(), max_steps=1)
        )
        stored = defaults | rename_recipe_fields(stored)[0]
        stored = {name: value for name, value in stored.items() if name in now}
    if changed := _differences(now, _completed(stored)):
        raise CheckpointError(
            f"{folder} belongs to another run: {', '.join(changed)} changed since it was started (files count by their "
            "content); restore that, name another output_dir, or start anew with --force"
        )


def _completed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored identity with the fields that its version did not have yet."""
    found = ADDED_FIELDS | dict(stored)
    for group, fields in ADDED_FIELDS_OF_GROUPS.items():
        if isinstance(found.get(group), Mapping):
            found[group] = fields | found[group]
    return found


def _differences(now: Mapping[str, Any], stored: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name in sorted(now.keys() | stored.keys()):
        new, old = now.get(name), stored.get(name)
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            found += _differences(new, old, f"{prefix}{name}.")
        elif new != old:
            found.append(prefix + name)
    return found
