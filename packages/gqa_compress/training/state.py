"""Checkpoints of a training run: written whole or not at all, read back exactly.

Holds saving, finding and restoring; the last two are kept. Knows nothing of rows or losses.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from gqa_compress.atomic import new_folder
from gqa_compress.errors import CheckpointError

KEPT = 2


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        step: optimiser steps made.
        epoch: epoch of the next batch.
        batch: index in that epoch of the next batch.
        tokens: tokens seen, padding not counted.
        elapsed_s: seconds trained, resumed time counted in.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0


def save(
    folder: Path,
    progress: Progress,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    run: dict[str, Any],
) -> None:
    """Write one checkpoint and remove all but the last two.

    Args:
        folder: of all checkpoints of the run.
        progress: where the run is.
        model: its weights are written, shared ones once.
        optimizer: its state is written.
        run: what must be equal for a resume to be exact.

    Writes:
        FOLDER/step-00000200/{model.safetensors, optimizer.pt, progress.json}.
    """
    with new_folder(folder / f"step-{progress.step:08d}", force=True) as partial:
        save_file(dict(model.named_parameters()), partial / "model.safetensors")
        generators = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        torch.save({"optimizer": optimizer.state_dict(), "generators": generators}, partial / "optimizer.pt")
        (partial / "progress.json").write_text(json.dumps({"progress": asdict(progress), "run": run}))
    for old in found(folder)[:-KEPT]:
        shutil.rmtree(old)


def found(folder: Path) -> list[Path]:
    """List whole checkpoints, oldest first.

    Args:
        folder: of all checkpoints of the run.

    Returns:
        Their folders.
    """
    return sorted(path.parent for path in folder.glob("step-*/progress.json"))


def load(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, run: dict[str, Any]
) -> Progress | None:
    """Restore the newest checkpoint.

    Args:
        folder: of all checkpoints of the run.
        model: receives the weights.
        optimizer: receives its state.
        run: what must be equal for a resume to be exact.

    Returns:
        Where the run was, or None when there is no checkpoint.

    Raises:
        CheckpointError: the checkpoint belongs to another recipe or other data, or is torn.
    """
    checkpoints = found(folder)
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    try:
        content = json.loads((newest / "progress.json").read_text())
        weights = load_file(newest / "model.safetensors")
        saved = torch.load(newest / "optimizer.pt", weights_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint {newest} cannot be read ({error}); delete it and resume again"
        ) from error
    differing = sorted(
        key for key in run.keys() | content["run"].keys() if run.get(key) != content["run"].get(key)
    )
    if differing:
        raise CheckpointError(
            f"cannot resume from {newest}: {', '.join(differing)} changed since; restore that or use --force"
        )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["generators"]["cpu"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(saved["generators"]["cuda"])
    return Progress(**content["progress"])
