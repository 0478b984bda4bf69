"""How sure a measure is: intervals of a mean and a share, a paired test, and chances of k tries."""

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
    """A measure with its bounds."""

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
    """Bound a mean by resampling; the same scores and seed give the same bounds.

    Args:
        scores: one for each question, at least one.
        groups: what belongs together, one for each score (the wordings of one query, say): groups are drawn
            whole.
        confidence: between 0 and 1.
        seed: of the resampling.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("a mean of no scores was asked for; give at least one")
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


def wilson_interval(successes: int, tries: int, *, z: float = NORMAL_95) -> Interval:
    """Bound a share of successes; sensible for few tries and for shares near 0 and 1.

    Args:
        successes: between 0 and `tries`.
        tries: at least one.
        z: normal quantile of the confidence, 1.96 for 95 %.

    Raises:
        ValueError: the counts are none of a share.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= successes <= tries or tries == 0:
        raise ValueError(
            f"{successes} successes of {tries} tries are no share; give 0 <= successes <= tries, tries > 0"
        )
    share = successes / tries
    scale = 1 + z * z / tries
    centre = (share + z * z / (2 * tries)) / scale
    margin = z / scale * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    return Interval(share, max(0.0, centre - margin), min(1.0, centre + margin))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Test whether two systems that answered the same questions are equally good: exact two-sided p-value.

    Raises:
        ValueError: the systems answered different numbers of questions.

    Source:
        McNemar, Psychometrika 12 (1947), in the exact binomial form.
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    differing = only_first + only_second
    tail: int = sum(math.comb(differing, each) for each in range(min(only_first, only_second) + 1))
    return min(1.0, tail / 2 ** (differing - 1)) if differing else 1.0


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Estimate without bias the chance that at least one of k samples is right.

    Args:
        samples: how many were drawn, at least k.
        right: how many of them were right.
        k: at least 1.

    Raises:
        ValueError: fewer samples than k, or more right than samples.

    Source:
        Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.
    """
    if not 1 <= k <= samples or not 0 <= right <= samples:
        raise ValueError(
            f"pass@{k} of {right} right in {samples}; give 1 <= k <= samples, 0 <= right <= samples"
        )
    return 1.0 - math.comb(samples - right, k) / math.comb(samples, k)
