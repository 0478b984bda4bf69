"""How like two queries are as texts, whatever they return."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_GRAM = 4

_TOKEN = re.compile(r"\w+|[^\w\s]")


def exact_match(gold: str, predicted: str) -> bool:
    """Tell whether two queries are the same text but for blanks and a final semicolon."""
    return _plain(gold) == _plain(predicted)


def google_bleu(pairs: Iterable[tuple[str, str]]) -> float:
    """Measure a corpus of (gold, predicted) queries by shared runs of one to four tokens, 0 to 1.

    Of each pair the runs in common and those of its longer side are counted; the sums over the corpus are
    divided. An empty corpus, or one of empty texts, scores 0.

    Source:
        GLEU of Wu et al., "Google's Neural Machine Translation System" (arXiv 1609.08144), section 3.4,
        corpus form.
    """
    matches = runs = 0
    for gold, predicted in pairs:
        left, right = _grams(gold), _grams(predicted)
        matches += (left & right).total()
        runs += max(left.total(), right.total())
    return matches / runs if runs else 0.0


def _plain(query: str) -> str:
    return " ".join(query.split()).rstrip("; ")


def _grams(query: str) -> Counter[tuple[str, ...]]:
    tokens = _TOKEN.findall(query)
    return Counter(
        tuple(tokens[start : start + size])
        for size in range(1, MAX_GRAM + 1)
        for start in range(len(tokens) - size + 1)
    )
