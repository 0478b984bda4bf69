"""Generalised Procrustes analysis of the heads of each group, computed from Gram matrices.

Values are aligned by orthogonal maps, keys by one rotation per rotary pair.
Source: Gower, "Generalized Procrustes analysis", 1975; docs/algorithm.md, section "Alignment".
"""

import torch

MAX_ROUNDS = 100
TOLERANCE = 1e-5


def polar(matrices: torch.Tensor) -> torch.Tensor:
    """Return the nearest orthogonal matrices of (..., D, D): U·Vᵀ of the singular value decomposition."""
    u, _, vh = torch.linalg.svd(matrices)
    nearest: torch.Tensor = u @ vh
    return nearest


def phase(numbers: torch.Tensor) -> torch.Tensor:
    """Return complex numbers of modulus 1 with the same angles; 1 for zero."""
    size = numbers.abs()
    return torch.where(
        size > 0, numbers / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(numbers)
    )


def align_values(blocks: torch.Tensor) -> torch.Tensor:
    """Compute one orthogonal map per head that aligns the heads of each group with their mean.

    Args:
        blocks: (G, M, D, M, D), Σ v_i v_jᵀ.

    Rerotations:
        (G, M, D, D), Q with v_i·Q_i aligned; the common rotation of a group is arbitrary.
    """
    cross = blocks.movedim(2, 3)  # (G, M, M, D, D), from head i to head j
    rotations = polar(cross[:, :, 0])  # (G, M, D, D), onto head 0
    previous = torch.zeros((), dtype=blocks.dtype)
    for _ in range(MAX_ROUNDS):
        target = torch.einsum("gijde,gjef->gidf", cross, rotations)
        objective = (target * rotations).sum()
        if objective - previous <= TOLERANCE * objective.abs():
            break
        previous, rotations = objective, polar(target)
    return rotations


def align_keys(blocks: torch.Tensor) -> torch.Tensor:
    """Compute one rotation per head and rotary pair that aligns the heads of each group with their mean.

    Args:
        blocks: (G, P, M, M) complex, Σ conj(z_i) z_j.

    Rerotations:
        (G, P, M) complex of modulus 1, e with e_i·z_i aligned.
    """
    rotations = phase(blocks[..., :, 0])
    previous = torch.zeros((), dtype=blocks.real.dtype)
    for _ in range(MAX_ROUNDS):
        target = (blocks @ rotations[..., None])[..., 0]
        objective = (target * rotations.conj()).real.sum()
        if objective - previous <= TOLERANCE * objective.abs():
            break
        previous, rotations = objective, phase(target)
    return rotations
