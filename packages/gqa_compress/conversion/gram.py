"""Second moments of what a layer sees, accumulated token by token in float64.

Holds sums that do not grow with the number of tokens and can be added over workers, and what follows from them for
keys, values and queries. Source: docs/algorithm.md, section "Grams".
"""

from dataclasses import dataclass

import torch

from gqa_compress.heads.projections import HeadProjections


class InputGram:
    """Σ [x; 1][x; 1]ᵀ over the tokens seen by a layer.

    Args:
        size: C, the width of x.
        device: where to accumulate.
    """

    def __init__(self, size: int, device: torch.device | None = None) -> None:
        self.moments = torch.zeros(size + 1, size + 1, dtype=torch.float64, device=device)

    @property
    def tokens(self) -> int:
        """Tokens seen so far."""
        return int(self.moments[-1, -1])

    def add(self, x: torch.Tensor) -> None:
        """Add tokens.

        Args:
            x: (N, C) what the projections are applied to.
        """
        x = x.double()
        self.moments[:-1, :-1] += x.t() @ x
        total = x.sum(0)
        self.moments[:-1, -1] += total
        self.moments[-1, :-1] += total
        self.moments[-1, -1] += len(x)


class ResidualGram:
    """Σ zᵀz and Σ zᵀr, all that a linear refit needs to know; a bias is a last column of ones.

    r is what the projection still misses with its present weight, so a projection that misses nothing is left alone.

    Args:
        inputs: width of z.
        outputs: width of r.
        bias: whether the projection has one.
        device: where to accumulate.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool, device: torch.device | None = None) -> None:
        width = inputs + bias
        self.bias = bias
        self.zz = torch.zeros(width, width, dtype=torch.float64, device=device)
        self.zr = torch.zeros(width, outputs, dtype=torch.float64, device=device)
        self.rr = 0.0

    def add(self, z: torch.Tensor, r: torch.Tensor) -> None:
        """Add tokens; products of one batch in the batch's precision, their sum in float64.

        Args:
            z: (N, inputs).
            r: (N, outputs).
        """
        if self.bias:
            z = torch.cat([z, z.new_ones(len(z), 1)], dim=1)
        self.zz += (z.t() @ z).double()
        self.zr += (z.t() @ r).double()
        self.rr += float(r.double().square().sum())

    def error(self, change: torch.Tensor) -> float:
        """Return Σ ‖z·change − r‖².

        Args:
            change: (inputs [+ 1], outputs) in float64, added to the present weight.

        Returns:
            The squared error over all tokens added.
        """
        quadratic = float((change * (self.zz @ change)).sum())
        return quadratic - 2 * float((change * self.zr).sum()) + self.rr


@dataclass(frozen=True)
class HeadGrams:
    """What alignment, grouping and merging need to know of the tokens.

    Attributes:
        keys: (K, D, K, D), Σ k_i k_jᵀ before rotation.
        values: (K, D, K, D), Σ v_i v_jᵀ.
        queries: (K, D, D), Σ q qᵀ over tokens and over the query heads of each key-value head.
    """

    keys: torch.Tensor
    values: torch.Tensor
    queries: torch.Tensor


def head_grams(heads: HeadProjections, moments: torch.Tensor) -> HeadGrams:
    """Derive the Grams of keys, values and queries from the Gram of the input; exact, biases included.

    Args:
        heads: the projections.
        moments: (C + 1, C + 1), Σ [x; 1][x; 1]ᵀ.

    Returns:
        The Grams.
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


def grouped_pairs(pairs: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Take the blocks within groups.

    Args:
        pairs: (K, D, K, D).
        groups: (G, M).

    Returns:
        (G, M, D, M, D).
    """
    blocks = pairs.movedim(2, 1)[groups[:, :, None], groups[:, None, :]]  # (G, M, M, D, D)
    return blocks.movedim(2, 3)
