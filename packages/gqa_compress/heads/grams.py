"""Gram matrices (uncentred second moments) of layer inputs, and those of keys, values and queries derived from them.

Their size does not depend on the number of tokens, and sums over workers are exact. Source: docs/algorithm.md,
section "Grams".
"""

from dataclasses import dataclass

import torch

from gqa_compress.heads.projections import HeadProjections


class InputGram:
    """Accumulates Σ [x; 1][x; 1]ᵀ over tokens in float64.

    Args:
        size: C, the width of x.
        device: device to accumulate on.
    """

    def __init__(self, size: int, device: torch.device | None = None) -> None:
        self.moments = torch.zeros(size + 1, size + 1, dtype=torch.float64, device=device)

    @property
    def tokens(self) -> int:
        """Number of tokens added."""
        return int(self.moments[-1, -1])

    def add(self, x: torch.Tensor) -> None:
        """Add tokens, (N, C)."""
        x = x.double()
        self.moments[:-1, :-1] += x.t() @ x
        total = x.sum(0)
        self.moments[:-1, -1] += total
        self.moments[-1, :-1] += total
        self.moments[-1, -1] += len(x)


@dataclass(frozen=True)
class HeadGrams:
    """Gram matrices by head, used for alignment, grouping and merging.

    Attributes:
        keys: (K, D, K, D), Σ k_i k_jᵀ before rotation.
        values: (K, D, K, D), Σ v_i v_jᵀ.
        queries: (K, D, D), Σ q qᵀ over tokens and over the query heads of each KV head.
    """

    keys: torch.Tensor
    values: torch.Tensor
    queries: torch.Tensor


def head_grams(heads: HeadProjections, moments: torch.Tensor) -> HeadGrams:
    """Derive the Gram matrices of keys, values and queries; exact, biases included.

    Args:
        heads: projections of K heads.
        moments: (C + 1, C + 1), Σ [x; 1][x; 1]ᵀ.

    Returns:
        The Gram matrices.
    """
    return HeadGrams(
        keys=_pairs(heads.w_k, moments),
        values=_pairs(heads.w_v, moments),
        queries=torch.einsum("krdc,krec->kde", heads.w_q @ moments, heads.w_q),
    )


def _pairs(rows: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
    count, size, _ = rows.shape
    flat = rows.flatten(0, 1)
    return (flat @ moments @ flat.t()).view(count, size, count, size)


def grouped_pairs(blocks: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Return the blocks within groups, (G, M, D, M, D), of (K, D, K, D), given the heads of each group, (G, M)."""
    chosen = blocks.movedim(2, 1)[groups[:, :, None], groups[:, None, :]]  # (G, M, M, D, D)
    return chosen.movedim(2, 3)
