"""Similarity of two queries as texts."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_GRAM = 4

_TOKEN = re.compile(r"\w+|[^\w\s]")


def google_bleu(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the corpus GLEU of (gold, predicted) queries from shared n-grams of one to four tokens, 0 to 1.

    The shared n-grams of each pair and those of its longer side are summed over the corpus and divided. A corpus
    without tokens scores 0.

    Source:
        GLEU of Wu et al., "Google's Neural Machine Translation System" (arXiv 1609.08144), section 3.4,
        corpus form.
    """
    matches = total = 0
    for gold, predicted in pairs:
        left, right = _grams(gold), _grams(predicted)
        matches += (left & right).total()
        total += max(left.total(), right.total())
    return matches / total if total else 0.0


def _grams(query: str) -> Counter[tuple[str, ...]]:
    tokens = _TOKEN.findall(query)
    return Counter(
        tuple(tokens[start : start + size])
        for size in range(1, MAX_GRAM + 1)
        for start in range(len(tokens) - size + 1)
    )
