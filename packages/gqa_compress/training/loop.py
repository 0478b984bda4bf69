"""The training loop: batches in, a standard checkpoint out. A run can be stopped at any time and resumed exactly."""

import json
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gqa_compress.deprecated import with_old_names
from gqa_compress.errors import Interrupted, TrainingError
from gqa_compress.text.training_rows import Batch
from gqa_compress.training import artifacts, checkpoints
from gqa_compress.training.config import TrainingConfig, as_json
from gqa_compress.training.session import TrainingSession, prepare
from gqa_compress.training.setup import learning_rate, pick_device
from gqa_compress.training.workers import Workers, whole_tensor
from graphling_io.console import CONSOLE, print_status
from graphling_io.outputs import check_no_overlap, check_output_directory, clear_directory, write_json


def train(recipe: TrainingConfig, *, resume: bool = False, force: bool = False) -> artifacts.TrainingReport:
    """Train by a recipe and write a standard checkpoint.

    SIGINT and SIGTERM save a checkpoint after the present step and stop the run.

    Args:
        recipe: the run.
        resume: continue the same run where it was stopped; start if it never began.
        force: delete what the output folder holds, if it holds a run.

    Returns:
        The report.

    Raises:
        InputError: an input is missing or does not fit, or the output folder holds another run.
        OutputError: the output folder overlaps an input, is not empty or cannot be written.
        TrainingError: the loss is not finite.
        Interrupted: the run was stopped by a signal.

    Writes:
        OUT/metrics.jsonl, OUT/checkpoints/, the model in OUT, and OUT/training.json last.
    """
    out = recipe.output_dir
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    workers = Workers.join(pick_device(recipe))
    check_no_overlap(out, recipe.inputs)
    if (finished := _check_output(recipe, workers, resume=resume, force=force)) is not None:
        workers.leave()
        return finished
    run, tokenizer = prepare(recipe, workers, resume=resume)
    if workers.is_first:
        if not resume:
            clear_directory(out, markers=artifacts.MARKERS)
        (out / "checkpoints").mkdir(parents=True, exist_ok=True)
        write_json(out / artifacts.RECIPE, as_json(recipe))
        artifacts.truncate_metrics(run)
    workers.wait()
    evaluation = _training_loop(run)
    report = artifacts.build_report(run, evaluation)
    artifacts.write_model(run, tokenizer, report)
    if workers.is_first:
        shutil.rmtree(out / "checkpoints")
        (out / artifacts.RECIPE).unlink()
    workers.leave()
    return report


def _check_output(
    recipe: TrainingConfig, workers: Workers, *, resume: bool, force: bool
) -> artifacts.TrainingReport | None:
    """Check the output folder; return the report of the run if it has finished."""
    out = recipe.output_dir
    folder = out / "checkpoints"
    if not resume or not (folder.is_dir() or any((out / name).exists() for name in artifacts.MARKERS)):
        if workers.is_first:
            check_output_directory(out, markers=artifacts.MARKERS, force=force and not resume)
        return None
    finished = artifacts.load_finished_report(recipe)
    if finished is not None and workers.is_first:
        shutil.rmtree(folder, ignore_errors=True)
    return finished


def _training_loop(run: TrainingSession) -> dict[str, float]:
    """Run all remaining steps; return the last evaluation."""
    recipe, state, workers = run.recipe, run.state, run.workers
    batches = run.batches()
    resumed_s = state.elapsed_s
    begun = time.monotonic()
    with _stop_signals() as stop, _metrics_file(run) as metrics, _progress_bar(workers) as bar:
        task = bar.add_task("training", total=1.0, note="")
        while _has_steps_left(run):
            measured = _step(run, batches)
            state.elapsed_s = workers.from_first(resumed_s + time.monotonic() - begun)
            run.remove_pruned_heads()
            if state.step % recipe.eval_steps == 0 and run.validation_rows is not None:
                measured |= run.evaluate()
                _update_best(run, measured["eval_loss"])
            line = {"step": state.step, **measured, **artifacts.throughput(state)}
            if metrics is not None:
                metrics.write(json.dumps(with_old_names(line)) + "\n")
                metrics.flush()
            note = f"step {state.step}  loss {measured['loss']:.4f}  {line['tokens_per_s']:,.0f} tokens/s"
            bar.update(task, completed=min(1.0, state.progress_fraction(recipe)), note=note)
            state.elapsed_s = workers.from_first(resumed_s + time.monotonic() - begun)
            is_stopped = workers.sum(stop.is_set())[0] > 0
            if is_stopped or state.step % recipe.save_steps == 0:
                path = _save(run)
                if is_stopped:
                    raise Interrupted(
                        f"stopped at step {state.step}; the checkpoint {path} is saved: the same command with --resume "
                        "continues from it"
                    )
    run.remove_pruned_heads()
    _save(run)
    if recipe.early_stopping_patience is not None and state.best_eval_loss is not None:
        checkpoints.load_best(recipe.output_dir / "checkpoints", run.model)
    return run.evaluate()


def _save(run: TrainingSession) -> Path:
    """Write a checkpoint; all processes go on when it is there."""
    folder = run.recipe.output_dir / "checkpoints"
    path = checkpoints.save(
        folder, run.state, run.model, run.optimizer, run.fingerprint, writes=run.workers.is_first
    )
    run.workers.wait()
    return path


@contextmanager
def _metrics_file(run: TrainingSession) -> Iterator[TextIO | None]:
    if not run.workers.is_first:
        yield None
        return
    with (run.recipe.output_dir / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        yield metrics


def _has_steps_left(run: TrainingSession) -> bool:
    """Return whether the run continues; with a time limit it goes on until the original heads have faded."""
    patience = run.recipe.early_stopping_patience
    if patience is not None and run.state.evals_without_improvement >= patience:
        return False
    return run.student is not None or run.state.progress_fraction(run.recipe) < 1


def _update_best(run: TrainingSession, loss: float) -> None:
    """Save the weights of the best evaluation, if the recipe stops early and no original heads are left."""
    state = run.state
    if run.recipe.early_stopping_patience is None or run.student is not None:
        return
    if state.best_eval_loss is None or loss < state.best_eval_loss:
        state.best_eval_loss, state.best_step, state.evals_without_improvement = loss, state.step, 0
        folder = run.recipe.output_dir / "checkpoints"
        checkpoints.save_best(folder, run.model, writes=run.workers.is_first)
        run.workers.wait()
    else:
        state.evals_without_improvement += 1


def _step(run: TrainingSession, batches: Iterator[Batch]) -> dict[str, float]:
    """Make one optimizer step, of which each process computes a share; return its metrics."""
    recipe, state = run.recipe, run.state
    rate = learning_rate(recipe, state)
    for group in run.optimizer.param_groups:
        group["lr"] = rate * group["ratio"]
    step_batches = [next(batches) for _ in range(recipe.gradient_accumulation_steps)]
    weight = sum(float(batch.loss_weights.sum()) for batch in step_batches)
    total = 0.0
    for batch in run.workers.share(step_batches):
        run.sample_masks()
        loss = run.loss(batch) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    total = run.workers.sum(total)[0]
    if run.student is not None:
        run.workers.sum_gradients_(run.student.masks.parameters())
    mask_metrics = _backward_mask_penalty(run)
    found = torch.nn.utils.clip_grad_norm_(run.parameters_to_clip(), recipe.optimizer.max_grad_norm)
    norm = float(whole_tensor(found))
    if not np.isfinite(total) or not np.isfinite(norm):
        raise TrainingError(
            f"the loss at step {state.step + 1} is {total}; lower optimizer.learning_rate (now {rate:.2g})"
        )
    run.optimizer.step()
    run.optimizer.zero_grad()
    state.step += 1
    state.advance_masks(recipe)
    if run.student is not None:
        run.student.masks.force_lowest_to_zero_(state.mask_fraction)
    state.tokens += sum(batch.tokens for batch in step_batches)
    return {"loss": total, "lr": rate, "grad_norm": norm, **mask_metrics}


def _backward_mask_penalty(run: TrainingSession) -> dict[str, float]:
    """Add the gradient of the sparsity penalty; return its metrics."""
    pruning, student = run.recipe.pruning, run.student
    if pruning is None or student is None:
        return {}
    fraction = run.state.mask_fraction
    penalty = pruning.sparsity_penalty_weight * student.masks.sparsity_penalty(fraction)
    if penalty.requires_grad:
        penalty.backward()  # type: ignore[no-untyped-call]
    return {"penalty": penalty.item(), "mean_head_mask": student.masks.deterministic(fraction).mean().item()}


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event; the second one stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print_status("stopping after this step")

    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _progress_bar(workers: Workers) -> Progress:
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=CONSOLE, disable=not workers.is_first)
