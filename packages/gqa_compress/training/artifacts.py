"""Outputs of a run: metrics.jsonl, the standard checkpoint, training.json."""

import contextlib
import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch

from gqa_compress.checkpoint.architectures import attention_dims
from gqa_compress.checkpoint.environment import versions
from gqa_compress.checkpoint.reader import read_config
from gqa_compress.deprecated import rename_output_fields, with_old_names
from gqa_compress.errors import InputError, TrainingError
from gqa_compress.training.checkpoints import (
    TrainerState,
    check_fingerprint,
    load_trainable_,
    resume_fingerprint,
    trainable_state_dict,
)
from gqa_compress.training.config import TrainingConfig, as_json, same_run
from gqa_compress.training.session import TrainingSession, build_model
from graphling_io.outputs import apply_umask, write_json

REPORT = "training.json"
RECIPE = "recipe.json"
MARKERS = (REPORT, RECIPE)
"""Files of which the folder of a run has one: the report at its end, the recipe before."""


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """Result of a finished run; written as `training.json`."""

    checkpoint: str
    steps: int
    tokens: int
    epochs: int
    elapsed_s: float
    tokens_per_s: float
    parameters: int
    trained_parameters: int = 0
    train_loss: float
    eval_loss: float | None
    eval_exact_match: float | None
    best_step: int | None = None
    rows: int
    rows_dropped: int
    precision: str
    device: str
    seed: int
    versions: dict[str, str]
    recipe: dict[str, object]
    fingerprint: dict[str, Any] = field(default_factory=dict)


def load_finished_report(recipe: TrainingConfig) -> TrainingReport | None:
    """Return the report of a run, or None if it has not finished.

    Raises:
        InputError: the folder holds another run.
    """
    path = recipe.output_dir / REPORT
    if not path.exists():
        return None
    content = rename_output_fields(json.loads(path.read_text(encoding="utf-8")))
    if content.get("fingerprint"):
        check_fingerprint(recipe.output_dir, recipe, resume_fingerprint(recipe), content["fingerprint"])
    elif not same_run(recipe, content["recipe"]):
        raise InputError(
            f"{recipe.output_dir} holds a finished run of another recipe; name another output_dir or give --force"
        )
    known = {each.name for each in fields(TrainingReport)}
    kept = {name: value for name, value in content.items() if name in known}
    return TrainingReport(**kept | {"checkpoint": str(recipe.output_dir)})


def throughput(state: TrainerState) -> dict[str, float]:
    """Return tokens, seconds, and tokens per second."""
    return {
        "tokens": state.tokens,
        "elapsed_s": round(state.elapsed_s, 3),
        "tokens_per_s": round(state.tokens / max(state.elapsed_s, 1e-9), 1),
    }


def truncate_metrics(run: TrainingSession) -> None:
    """Drop the lines of metrics.jsonl that were written after the checkpoint that the run resumes from."""
    path = run.recipe.output_dir / "metrics.jsonl"
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            if json.loads(line)["step"] <= run.state.step:
                kept.append(line + "\n")
    path.write_text("".join(kept), encoding="utf-8")


def build_report(run: TrainingSession, evaluation: dict[str, float]) -> TrainingReport:
    """Build the report of a run at its end.

    Args:
        run: the run.
        evaluation: its last evaluation.

    Returns:
        The report.
    """
    state, parameters = run.state, list(run.model.parameters())
    lines = (run.recipe.output_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-50:]
    return TrainingReport(
        checkpoint=str(run.recipe.output_dir),
        steps=state.step,
        tokens=state.tokens,
        epochs=state.epoch,
        elapsed_s=round(state.elapsed_s, 2),
        tokens_per_s=throughput(state)["tokens_per_s"],
        parameters=sum(p.numel() for p in parameters),
        trained_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        train_loss=float(np.mean([json.loads(line)["loss"] for line in lines])),
        eval_loss=evaluation.get("eval_loss"),
        eval_exact_match=evaluation.get("eval_exact_match"),
        best_step=state.best_step,
        rows=len(run.train_rows),
        rows_dropped=run.train_rows.dropped,
        precision="bf16" if run.bf16 else "fp32",
        device=run.device.type,
        seed=run.recipe.seed,
        versions=versions(),
        recipe=as_json(run.recipe),
        fingerprint=run.fingerprint,
    )


def _output_dtype(recipe: TrainingConfig) -> torch.dtype:
    name: str = recipe.dtype
    if name == "source":
        name = (
            attention_dims(read_config(recipe.init_checkpoint)).dtype if recipe.init_checkpoint else "float32"
        )
    found: torch.dtype = getattr(torch, name)
    return found


def _whole_model(run: TrainingSession, tokenizer: Any) -> tuple[Any, Any]:
    """Return the model and peft's wrapper of it; the first process builds anew what is shared with others."""
    if not run.workers.is_sharded:
        return run.model, run.adapter
    weights = trainable_state_dict(run.model)
    if not run.workers.is_first:
        return None, None
    model, adapter, _ = build_model(run.recipe, tokenizer, pruned=run.state.pruned, calibrate=False)
    load_trainable_(model, weights)
    return model, adapter


def write_model(run: TrainingSession, tokenizer: Any, report: TrainingReport) -> None:
    """Write the standard checkpoint; its config.json comes last, so an incomplete one cannot be loaded.

    A call of all processes; the first one writes.

    Args:
        run: the run at its end.
        tokenizer: tokenizer of the model.
        report: written after the checkpoint.

    Raises:
        TrainingError: a weight is not finite in the data type that is written.

    Writes:
        OUT: the checkpoint with its tokenizer, and training.json.
    """
    out = run.recipe.output_dir
    folder = out / "checkpoints" / "final"
    model, adapter = _whole_model(run, tokenizer)
    if not run.workers.is_first:
        return
    shutil.rmtree(folder, ignore_errors=True)
    model = model if adapter is None else adapter.merge_and_unload()
    model.to(_output_dtype(run.recipe))
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise TrainingError(f"{name} has values that {parameter.dtype} cannot hold; set dtype: float32")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):
        apply_umask(weights)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(out / path.name)
    write_json(out / REPORT, with_old_names(asdict(report)))
