"""Questions that say nearly the same, found by the sentence encoder: near-duplicates that words alone do not show.

Values are taken out first, so that what is compared is the wording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.pairs import mask_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.dataset.sentence_encoder import Encoder
    from t2c_data.pairs import Pair

SIMILARITY_THRESHOLD = 0.95
"""Cosine from which on two wordings count as one."""
BLOCK = 1_024
"""Rows of the matrix of cosines that are in memory at once."""


def near_duplicate_questions(
    pairs: Sequence[Pair], encoder: Encoder, *, bound: float = SIMILARITY_THRESHOLD
) -> list[tuple[int, int]]:
    """Find pairs whose questions are nearly equal without their values.

    Args:
        pairs: what to compare, each with each.
        encoder: the sentence encoder.
        bound: cosine from which on two are alike.

    Returns:
        Places in `pairs`, the smaller first; of each wording its first pair stands for all.
    """
    first: dict[str, int] = {}
    for place, pair in enumerate(pairs):
        first.setdefault(mask_values(pair.question, pair.parameters), place)
    texts = list(first)
    vectors = encoder.vectors(texts)
    found: list[tuple[int, int]] = []
    for start in range(0, len(texts), BLOCK):
        cosines = vectors[start : start + BLOCK] @ vectors.T
        rows, columns = (cosines >= bound).nonzero()
        found += [
            (first[texts[start + int(row)]], first[texts[int(column)]])
            for row, column in zip(rows, columns, strict=True)
            if start + row < column
        ]
    return found
