"""What a run leaves behind: its measurements, its report, its stock checkpoint.

Holds their reading and writing. Trains nothing.
"""

import contextlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gqa_compress.checkpoint.environment import versions
from gqa_compress.errors import InputError
from gqa_compress.training.adapters import merged
from gqa_compress.training.checkpoints import TrainerState
from gqa_compress.training.config import TrainingConfig, as_json, same_run
from gqa_compress.training.session import TrainingSession
from graphling_io.outputs import apply_umask, write_json

REPORT = "training.json"


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What a finished run comes to; also written as `training.json`."""

    checkpoint: str
    steps: int
    tokens: int
    epochs: int
    elapsed_s: float
    tokens_per_s: float
    parameters: int
    trained_parameters: int = 0
    train_loss: float
    dev_loss: float | None
    dev_exact: float | None
    best_step: int | None = None
    rows: int
    rows_dropped: int
    precision: str
    device: str
    seed: int
    versions: dict[str, str]
    recipe: dict[str, object]


def load_finished_report(recipe: TrainingConfig) -> TrainingReport | None:
    """Return the report of a run that has ended.

    Args:
        recipe: the run.

    Returns:
        Its report, or None when it has not ended.

    Raises:
        InputError: the folder holds a finished run of another recipe.
    """
    path = recipe.out / REPORT
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if not same_run(recipe, content["recipe"]):
        raise InputError(
            f"{recipe.out} holds a finished run of another recipe; name another folder or give --force"
        )
    return TrainingReport(**content)


def throughput(progress: TrainerState) -> dict[str, float]:
    """Return how far and how fast a run is.

    Args:
        progress: where it is.

    Returns:
        Tokens, seconds, and tokens a second.
    """
    return {
        "tokens": progress.tokens,
        "elapsed_s": round(progress.elapsed_s, 3),
        "tokens_per_s": round(progress.tokens / max(progress.elapsed_s, 1e-9), 1),
    }


def truncate_metrics(path: Path, step: int) -> None:
    """Drop lines written after the checkpoint that the run goes on from.

    Args:
        path: of metrics.jsonl.
        step: of the checkpoint.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    path.write_text("".join(kept), encoding="utf-8")


def build_report(run: TrainingSession, last: dict[str, float]) -> TrainingReport:
    """Say what a run came to.

    Args:
        run: at its end.
        last: the last look at the held-out rows.

    Returns:
        The report.
    """
    progress, parameters = run.progress, list(run.model.parameters())
    return TrainingReport(
        checkpoint=str(run.recipe.out),
        steps=progress.step,
        tokens=progress.tokens,
        epochs=progress.epoch,
        elapsed_s=round(progress.elapsed_s, 2),
        tokens_per_s=throughput(progress)["tokens_per_s"],
        parameters=sum(p.numel() for p in parameters),
        trained_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        train_loss=_recent_loss(run.recipe.out / "metrics.jsonl"),
        dev_loss=last.get("dev_loss"),
        dev_exact=last.get("dev_exact"),
        best_step=progress.best_step,
        rows=len(run.train),
        rows_dropped=run.train.dropped,
        precision="bf16" if run.bf16 else "fp32",
        device=run.device.type,
        seed=run.recipe.seed,
        versions=versions(),
        recipe=as_json(run.recipe),
    )


def write_checkpoint(run: TrainingSession, tokenizer: Any, report: TrainingReport) -> None:
    """Write the stock checkpoint; config.json comes last of its files, so a torn one cannot be loaded.

    Args:
        run: at its end.
        tokenizer: of the model.
        report: written last.

    Writes:
        OUT: the checkpoint with its tokenizer, and training.json.
    """
    out = run.recipe.out
    partial = out / ".final.partial"
    shutil.rmtree(partial, ignore_errors=True)
    merged(run.model, run.adapter).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    for weights in partial.glob("*.safetensors"):
        apply_umask(weights)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(out / path.name)
    partial.rmdir()
    write_json(out / REPORT, asdict(report))


def _recent_loss(path: Path) -> float:
    lines = path.read_text(encoding="utf-8").splitlines()[-50:]
    return float(np.mean([json.loads(line)["loss"] for line in lines]))
