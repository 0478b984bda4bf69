"""How much two heads have in common once one is turned onto the other.

Holds the pair scores. Source: docs/algorithm.md, section "Grouping".
"""

import numpy as np
import numpy.typing as npt
import torch

from gqa_compress.conversion.gram import HeadGrams
from gqa_compress.heads.rope import RotaryPairs, complex_gram


def head_similarity(grams: HeadGrams, where: RotaryPairs) -> npt.NDArray[np.float64]:
    """Score every pair of heads, keys and values counting alike.

    Args:
        grams: of the heads' keys and values.
        where: their rotary planes.

    Returns:
        (K, K) symmetric, from 0 to 2; the diagonal is 0.
    """
    keys = complex_gram(grams.keys, where).abs().sum(0)  # (K, K)
    still = grams.keys[:, where.unrotated][:, :, :, where.unrotated].movedim(2, 1)  # (K, K, E, E)
    score = _normalised(keys + torch.linalg.matrix_norm(still, ord="nuc"))
    score = score + _normalised(torch.linalg.matrix_norm(grams.values.movedim(2, 1), ord="nuc"))
    score.fill_diagonal_(0)
    symmetric: npt.NDArray[np.float64] = ((score + score.t()) / 2).cpu().numpy()
    return symmetric


def _normalised(value: torch.Tensor) -> torch.Tensor:
    energy = value.diagonal().clamp_min(torch.finfo(value.dtype).tiny).sqrt()
    return value / energy[:, None] / energy
