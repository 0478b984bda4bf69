"""How far a run is, and the learning rate that follows from it.

Holds the share of the budget used up and the rate. Knows nothing of models.
"""

import math

from gqa_compress.training.checkpoints import TrainerState
from gqa_compress.training.config import TrainingConfig


def progress_fraction(recipe: TrainingConfig, progress: TrainerState) -> float:
    """Return the share of the steps or of the minutes that is used up, whichever is more.

    Args:
        recipe: with `steps`, `minutes` or both.
        progress: where the run is.

    Returns:
        0 at the start; 1 or more at the end.
    """
    by_steps = progress.step / recipe.steps if recipe.steps else 0.0
    by_time = progress.elapsed_s / (60 * recipe.minutes) if recipe.minutes else 0.0
    return max(by_steps, by_time)


def learning_rate(recipe: TrainingConfig, progress: TrainerState) -> float:
    """Return the rate of the next step: linear warm-up times a cosine over the share done.

    Args:
        recipe: with the optimiser's fields.
        progress: where the run is.

    Returns:
        The rate.
    """
    optimizer = recipe.optimizer
    warm = min(1.0, (progress.step + 1) / (optimizer.warmup_steps + 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress_fraction(recipe, progress))))
    return optimizer.lr * warm * (optimizer.final_share + (1 - optimizer.final_share) * cosine)
