"""The training loop: batches in, a stock checkpoint out, stoppable at any moment.

Holds the steps of one run. What a run is made of is in run.py, what it leaves behind in outcome.py.
"""

import json
import shutil
import time
from collections.abc import Iterator

import numpy as np
import torch
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from gqa_compress.errors import TrainingError
from gqa_compress.text.training_rows import Batch
from gqa_compress.training import artifacts as outcome
from gqa_compress.training import checkpoints as state
from gqa_compress.training.artifacts import TrainingReport
from gqa_compress.training.config import TrainingConfig, as_json
from gqa_compress.training.early_stopping import evaluate, load_best_weights, should_stop_early, update_best
from gqa_compress.training.schedule import learning_rate, progress_fraction
from gqa_compress.training.session import TrainingSession, prepare
from graphling_io.console import CONSOLE
from graphling_io.outputs import check_output_directory, clear_directory, write_json

MARKERS = ("training.json", "recipe.json")

__all__ = ["TrainingReport", "train"]


def train(recipe: TrainingConfig, *, resume: bool = False, force: bool = False) -> TrainingReport:
    """Train as a recipe says and write a stock checkpoint.

    Args:
        recipe: the run.
        resume: go on where the same recipe was stopped; start when it never began.
        force: throw away what the output folder holds.

    Returns:
        What the run came to.

    Raises:
        InputError: the recipe asks for something that is not there or does not fit.
        TrainingError: the loss is no longer finite.

    Writes:
        OUT/metrics.jsonl, OUT/checkpoints/, the checkpoint's own files in OUT, and OUT/training.json last.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    if not resume:
        inputs = [each for each in (recipe.train, recipe.dev, recipe.checkpoint, recipe.tokenizer) if each]
        check_output_directory(recipe.out, markers=MARKERS, inputs=inputs, force=force)
    elif (done := outcome.load_finished_report(recipe)) is not None:
        return done
    run, tokenizer = prepare(recipe, resume=resume)
    if not resume:
        clear_directory(recipe.out, markers=MARKERS)
    checkpoints = recipe.out / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_json(recipe.out / "recipe.json", as_json(recipe))
    outcome.truncate_metrics(recipe.out / "metrics.jsonl", run.progress.step)
    last = _training_loop(run)
    report = outcome.build_report(run, last)
    outcome.write_checkpoint(run, tokenizer, report)
    shutil.rmtree(checkpoints)
    (recipe.out / "recipe.json").unlink()
    return report


def _training_loop(run: TrainingSession) -> dict[str, float]:
    """Make every step that is left; return the last look at the held-out rows."""
    recipe, progress = run.recipe, run.progress
    batches = run.batches()
    resumed_s = progress.elapsed_s
    begun = time.monotonic()
    with (recipe.out / "metrics.jsonl").open("a", encoding="utf-8") as metrics, _bar() as bar:
        task = bar.add_task("training", total=1.0, note="")
        while progress_fraction(recipe, progress) < 1 and not should_stop_early(run):
            measured = _step(run, batches)
            progress.elapsed_s = resumed_s + time.monotonic() - begun
            run.remove_pruned_heads()
            if progress.step % recipe.dev_every == 0 and run.dev is not None:
                measured |= evaluate(run)
                update_best(run, measured["dev_loss"])
            metrics.write(
                json.dumps({"step": progress.step, **measured, **outcome.throughput(progress)}) + "\n"
            )
            metrics.flush()
            speed = outcome.throughput(progress)["tokens_per_s"]
            note = f"step {progress.step}  loss {measured['loss']:.4f}  {speed:,.0f} tokens/s"
            bar.update(task, completed=min(1.0, progress_fraction(recipe, progress)), note=note)
            if progress.step % recipe.checkpoint_every == 0:
                _save(run)
            progress.elapsed_s = resumed_s + time.monotonic() - begun
    run.remove_pruned_heads()
    _save(run)
    load_best_weights(run)
    return evaluate(run)


def _save(run: TrainingSession) -> None:
    state.save(run.recipe.out / "checkpoints", run.progress, run.model, run.optimizer, run.resume_fingerprint)


def _step(run: TrainingSession, batches: Iterator[Batch]) -> dict[str, float]:
    """Make one optimiser step."""
    recipe, progress = run.recipe, run.progress
    rate = learning_rate(recipe, progress)
    for group in run.optimizer.param_groups:
        group["lr"] = rate * group["ratio"]
    gathered = [next(batches) for _ in range(recipe.accumulate)]
    weight = sum(float(batch.loss_weights.sum()) for batch in gathered)
    total = 0.0
    for batch in gathered:
        run.sample_masks()
        loss = run.loss(batch) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    masks = _backward_mask_penalty(run)
    norm = float(torch.nn.utils.clip_grad_norm_(run.parameters_to_clip(), recipe.optimizer.clip))
    if not np.isfinite(total) or not np.isfinite(norm):
        raise TrainingError(
            f"the loss at step {progress.step + 1} is {total}; lower optimizer.lr (now {rate:.2g})"
        )
    run.optimizer.step()
    run.optimizer.zero_grad()
    progress.step += 1
    if run.student is not None:
        run.student.masks.force_lowest_to_zero_(progress_fraction(recipe, progress))
    progress.tokens += sum(batch.tokens for batch in gathered)
    return {"loss": total, "lr": rate, "grad_norm": norm, **masks}


def _backward_mask_penalty(run: TrainingSession) -> dict[str, float]:
    """Add the gradient of the masks' penalty; return what is left of the original heads."""
    pruning, student = run.recipe.pruning, run.student
    if pruning is None or student is None:
        return {}
    share = progress_fraction(run.recipe, run.progress)
    penalty = pruning.penalty * student.masks.sparsity_penalty(share)
    if penalty.requires_grad:
        penalty.backward()  # type: ignore[no-untyped-call]
    return {"penalty": penalty.item(), "heads_left": student.masks.deterministic(share).mean().item()}


def _bar() -> Bar:
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Bar(*columns, console=CONSOLE)
