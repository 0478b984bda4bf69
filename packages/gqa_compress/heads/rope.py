"""RoPE helpers: which head dimensions are rotated as a pair, and complex-valued views of query and key projections.

A complex factor per rotary pair commutes with the rotation. Source: docs/algorithm.md, (2) and (5).
"""

from dataclasses import dataclass

import torch

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims


@dataclass(frozen=True)
class RotaryPairs:
    """Dimensions of a head, D = 2P + E.

    Attributes:
        real: (P,) first dimension of each rotary pair.
        imaginary: (P,) second dimension.
        unrotated: (E,) dimensions without rotation.
    """

    real: torch.Tensor
    imaginary: torch.Tensor
    unrotated: torch.Tensor


def rotary_pairs(arch: Architecture, dims: AttentionDims) -> RotaryPairs:
    """Return the rotary pairs of a model's heads."""
    size = dims.rotary_dim - dims.rotary_dim % 2
    if arch.rope == "half":
        real, imaginary = torch.arange(size // 2), torch.arange(size // 2, size)
    else:
        real, imaginary = torch.arange(0, size, 2), torch.arange(1, size, 2)
    return RotaryPairs(real, imaginary, torch.arange(size, dims.head_dim))


def as_complex(rows: torch.Tensor, pairs: RotaryPairs) -> torch.Tensor:
    """Return the rotated rows of (..., D, C) as complex rows, (..., P, C): row of `real` + i · row of `imaginary`."""
    return torch.complex(rows[..., pairs.real, :], rows[..., pairs.imaginary, :])


def as_real(rotated: torch.Tensor, unrotated: torch.Tensor, pairs: RotaryPairs) -> torch.Tensor:
    """Return (..., D, C) real, joined from complex rows (..., P, C) and the unrotated rows (..., E, C)."""
    size = 2 * rotated.shape[-2] + unrotated.shape[-2]
    rows = rotated.real.new_zeros((*rotated.shape[:-2], size, rotated.shape[-1]))
    rows[..., pairs.real, :] = rotated.real
    rows[..., pairs.imaginary, :] = rotated.imag
    rows[..., pairs.unrotated, :] = unrotated
    return rows


def complex_gram(gram: torch.Tensor, pairs: RotaryPairs) -> torch.Tensor:
    """Compute one complex Gram matrix per rotary pair from the real Gram matrix of keys.

    Args:
        gram: (..., M, D, M, D) real, Σ_t k_i(t) k_j(t)ᵀ for each pair of heads.
        pairs: rotary pairs of D.

    Returns:
        (..., P, M, M) complex, Σ_t conj(z_i) z_j.
    """
    a, b = pairs.real, pairs.imaginary

    def part(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        chosen = gram.movedim(-3, -2)[..., first, second]  # (..., M, M, P)
        return chosen.movedim(-1, -3)

    return torch.complex(part(a, a) + part(b, b), part(a, b) - part(b, a))
