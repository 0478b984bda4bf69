"""Rotary planes of a head, and keys and queries as complex numbers in them.

Holds which coordinates turn together and the complex view in which any complex factor a plane commutes with the
rotation. Computes no rotation itself. Source: docs/algorithm.md, (2) and (5).
"""

from dataclasses import dataclass

import torch

from gqa_compress.checkpoint.architectures import Architecture, AttentionDims


@dataclass(frozen=True)
class RotaryPairs:
    """Coordinates of a head.

    Attributes:
        real: (P,) first coordinate of each rotary plane.
        imaginary: (P,) second coordinate.
        rest: (E,) coordinates without rotation.
    """

    real: torch.Tensor
    imaginary: torch.Tensor
    unrotated: torch.Tensor


def rotary_pairs(architecture: Architecture, geometry: AttentionDims) -> RotaryPairs:
    """Return the rotary planes of a model's heads.

    Args:
        architecture: says how planes lie.
        geometry: says how many coordinates turn.

    Returns:
        The planes.
    """
    size = geometry.rotary_dim - geometry.rotary_dim % 2
    if architecture.rope == "half":
        real, imaginary = torch.arange(size // 2), torch.arange(size // 2, size)
    else:
        real, imaginary = torch.arange(0, size, 2), torch.arange(1, size, 2)
    return RotaryPairs(real, imaginary, torch.arange(size, geometry.head_dim))


def as_complex(rows: torch.Tensor, where: RotaryPairs) -> torch.Tensor:
    """View the rotary rows of a projection as complex rows.

    Args:
        rows: (..., D, C) real.
        where: the planes of D.

    Returns:
        (..., P, C) complex, z_p = row of the plane's first coordinate + i · row of its second.
    """
    return torch.complex(rows[..., where.real, :], rows[..., where.imaginary, :])


def as_real(turned: torch.Tensor, unrotated: torch.Tensor, where: RotaryPairs) -> torch.Tensor:
    """Put complex rotary rows and the other rows back together.

    Args:
        turned: (..., P, C) complex.
        rest: (..., E, C) real.
        where: the planes of D = 2P + E.

    Returns:
        (..., D, C) real.
    """
    size = 2 * turned.shape[-2] + unrotated.shape[-2]
    rows = turned.real.new_zeros((*turned.shape[:-2], size, turned.shape[-1]))
    rows[..., where.real, :] = turned.real
    rows[..., where.imaginary, :] = turned.imag
    rows[..., where.unrotated, :] = unrotated
    return rows


def complex_gram(gram: torch.Tensor, where: RotaryPairs) -> torch.Tensor:
    """Turn a Gram of keys into one complex Gram a plane.

    Args:
        gram: (..., M, D, M, D) real, Σ_t k_i(t) k_j(t)ᵀ for each pair of heads.
        where: the planes of D.

    Returns:
        (..., P, M, M) complex, Σ_t conj(z_i) z_j.
    """
    a, b = where.real, where.imaginary

    def part(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        chosen = gram.movedim(-3, -2)[..., first, second]  # (..., M, M, P)
        return chosen.movedim(-1, -3)

    return torch.complex(part(a, a) + part(b, b), part(a, b) - part(b, a))
