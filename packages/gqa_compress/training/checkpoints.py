"""Checkpoints of a training run: written whole or not at all, read back exactly.

Holds saving, finding and restoring; the last two are kept. Knows nothing of rows or losses.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gqa_compress.checkpoint.writer import write_tensors
from gqa_compress.errors import CheckpointError
from graphling_io.outputs import atomic_directory

SAVE_TOTAL_LIMIT = 2


@dataclass
class TrainerState:
    """Where a run is.

    Attributes:
        step: optimiser steps made.
        epoch: epoch of the next batch.
        batch: index in that epoch of the next batch.
        tokens: tokens seen, padding not counted.
        elapsed_s: seconds trained, resumed time counted in.
        pruned: whether the original key-value heads are gone for good.
        best: least held-out loss seen.
        best_step: step at which it was seen.
        stale: looks at the held-out rows since then.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    pruned: bool = False
    best_eval_loss: float | None = None
    best_step: int | None = None
    evals_without_improvement: int = 0


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that was read.

    Attributes:
        progress: where the run was.
        weights: those that are trained, by name.
        optimizer: its state and those of the generators.
    """

    progress: TrainerState
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]

    def restore(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put the checkpoint back.

        Args:
            model: receives the weights.
            optimizer: receives its state.
        """
        load_trainable_(model, self.weights)
        optimizer.load_state_dict(self.optimizer["optimizer"])
        torch.set_rng_state(self.optimizer["generators"]["cpu"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(self.optimizer["generators"]["cuda"])


def save(
    folder: Path,
    progress: TrainerState,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    run: dict[str, Any],
) -> None:
    """Write one checkpoint and remove all but the last two.

    Args:
        folder: of all checkpoints of the run.
        progress: where the run is.
        model: its trained weights are written, shared ones once.
        optimizer: its state is written.
        run: what must be equal for a resume to be exact.

    Writes:
        FOLDER/step-00000200/{model.safetensors, optimizer.pt, progress.json}.
    """
    with atomic_directory(
        folder / f"step-{progress.step:08d}", markers=["progress.json"], force=True
    ) as partial:
        write_tensors(partial / "model.safetensors", trainable_state_dict(model))
        generators = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        torch.save({"optimizer": optimizer.state_dict(), "generators": generators}, partial / "optimizer.pt")
        (partial / "progress.json").write_text(json.dumps({"progress": asdict(progress), "run": run}))
    for old in list_checkpoints(folder)[:-SAVE_TOTAL_LIMIT]:
        shutil.rmtree(old)


def trainable_state_dict(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that training moves.

    Args:
        model: of the run.

    Returns:
        Them by name.
    """
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


@torch.no_grad()
def load_trainable_(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Set the weights that training moves.

    Args:
        model: of the run.
        weights: by name, all of them.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.copy_(weights[name])


def list_checkpoints(folder: Path) -> list[Path]:
    """List whole checkpoints, oldest first.

    Args:
        folder: of all checkpoints of the run.

    Returns:
        Their folders.
    """
    return sorted(path.parent for path in folder.glob("step-*/progress.json"))


def read(folder: Path, run: dict[str, Any], defaults: dict[str, Any]) -> LoadedCheckpoint | None:
    """Read the newest checkpoint.

    Args:
        folder: of all checkpoints of the run.
        run: what must be equal for a resume to be exact.
        defaults: what fields count as that an older checkpoint does not name.

    Returns:
        The checkpoint, or None when there is none.

    Raises:
        CheckpointError: the checkpoint belongs to another recipe or other data, or is torn.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    try:
        content = json.loads((newest / "progress.json").read_text())
        weights = load_file(newest / "model.safetensors")
        optimizer = torch.load(newest / "optimizer.pt", weights_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint {newest} cannot be read ({error}); delete it and resume again"
        ) from error
    stored = defaults | content["run"]
    differing = sorted(key for key in run.keys() | stored.keys() if run.get(key) != stored.get(key))
    if differing:
        raise CheckpointError(
            f"cannot resume from {newest}: {', '.join(differing)} changed since; restore that or use --force"
        )
    return LoadedCheckpoint(TrainerState(**content["progress"]), weights, optimizer)
