"""A look at the held-out rows.

Holds the measurements and when a run has stopped getting better. Trains nothing.
"""

import numpy as np
import torch
from safetensors.torch import load_file

from gqa_compress.checkpoint.writer import write_tensors
from gqa_compress.text.training_rows import make_batch
from gqa_compress.training import checkpoints as state
from gqa_compress.training.losses import cross_entropy
from gqa_compress.training.session import TrainingSession
from graphling_io.outputs import atomic_file

BEST = "best.safetensors"


@torch.no_grad()
def evaluate(run: TrainingSession) -> dict[str, float]:
    """Measure held-out completions: loss a token, share of rows that greedy decoding gets right.

    Args:
        run: with held-out rows; without them nothing is measured.

    Returns:
        `dev_loss` and `dev_exact`.
    """
    rows = run.dev
    if rows is None:
        return {}
    run.model.eval()
    run.freeze_masks_for_eval()
    count = min(run.recipe.dev_rows, len(rows))
    chosen = np.linspace(0, len(rows) - 1, count).astype(np.int64)
    chosen = chosen[np.argsort(rows.lengths[chosen], kind="stable")]
    loss, places, right = 0.0, 0, 0
    size = max(1, run.recipe.batch_tokens // int(rows.lengths[chosen].max()))
    for begin in range(0, count, size):
        batch = make_batch(rows, chosen[begin : begin + size], prompt_weight=0.0).to(run.device)
        logits = run.logits(run.model, batch)
        loss += float(cross_entropy(logits, batch.targets).sum())
        places += len(batch.targets)
        wrong = torch.unique(batch.rows[logits.argmax(-1) != batch.targets])
        right += len(batch.input_ids) - len(wrong)
    run.model.train()
    return {"dev_loss": loss / max(1, places), "dev_exact": right / count}


def update_best(run: TrainingSession, loss: float) -> None:
    """Remember the best weights; only if the recipe has `patience` and no original heads are left to fade.

    Args:
        run: after a look.
        loss: what the look found.

    Writes:
        OUT/checkpoints/best.safetensors.
    """
    progress = run.progress
    if run.recipe.patience is None or run.student is not None:
        return
    if progress.best_eval_loss is None or loss < progress.best_eval_loss:
        progress.best_eval_loss, progress.best_step, progress.evals_without_improvement = (
            loss,
            progress.step,
            0,
        )
        with atomic_file(run.recipe.out / "checkpoints" / BEST) as partial:
            write_tensors(partial, state.trainable_state_dict(run.model))
    else:
        progress.evals_without_improvement += 1


def should_stop_early(run: TrainingSession) -> bool:
    """Tell whether the run has not got better for as many looks as the recipe allows.

    Args:
        run: of the recipe.

    Returns:
        Never True without `patience`.
    """
    return run.recipe.patience is not None and run.progress.evals_without_improvement >= run.recipe.patience


def load_best_weights(run: TrainingSession) -> None:
    """Put the best weights back, where they were kept.

    Args:
        run: at its end.
    """
    if run.recipe.patience is not None and run.progress.best_eval_loss is not None:
        state.load_trainable_(run.model, load_file(run.recipe.out / "checkpoints" / BEST))
