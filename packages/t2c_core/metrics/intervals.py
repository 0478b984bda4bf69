"""Confidence intervals of a mean and of a proportion."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 2_000
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence bounds."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    scores: Sequence[float],
    *,
    groups: Sequence[object] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the bootstrap confidence interval of a mean; the same scores and seed give the same bounds.

    Args:
        scores: One score per question, at least one.
        groups: Cluster of each score, for instance the query of a rephrased question; clusters are resampled whole.
        confidence: Confidence level between 0 and 1.
        seed: Seed of the resampling.

    Raises:
        ValueError: There are no scores.
    """
    if not scores:
        raise ValueError("no scores: expected at least one")
    blocks: dict[object, list[float]] = {}
    for position, score in enumerate(scores):
        blocks.setdefault(groups[position] if groups else position, []).append(score)
    totals = [(math.fsum(block), len(block)) for block in blocks.values()]
    generator = random.Random(seed)  # noqa: S311
    means = []
    for _ in range(RESAMPLES):
        drawn = generator.choices(totals, k=len(totals))
        means.append(math.fsum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    tail = (1 - confidence) / 2
    low, high = math.floor(tail * RESAMPLES), math.ceil((1 - tail) * RESAMPLES) - 1
    return Interval(math.fsum(scores) / len(scores), means[low], means[high])


def wilson_interval(successes: int, trials: int, *, z: float = NORMAL_95) -> Interval:
    """Return the Wilson score interval of a proportion, which suits few trials and proportions near 0 and 1.

    Args:
        successes: Number of successes, between 0 and `trials`.
        trials: Number of trials, at least one.
        z: Normal quantile of the confidence level, 1.96 for 95 %.

    Raises:
        ValueError: The counts are invalid.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"invalid counts: {successes} successes of {trials} trials; expected 0 <= successes <= trials, trials > 0"
        )
    proportion = successes / trials
    scale = 1 + z * z / trials
    centre = (proportion + z * z / (2 * trials)) / scale
    margin = z / scale * math.sqrt(proportion * (1 - proportion) / trials + z * z / (4 * trials * trials))
    return Interval(proportion, max(0.0, centre - margin), min(1.0, centre + margin))
