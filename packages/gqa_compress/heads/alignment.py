"""Generalised Procrustes analysis of the heads of each group, from Gram blocks alone.

Holds orthogonal maps for values and one rotation a rotary plane for keys. Knows nothing of weights.
Source: Gower, "Generalized Procrustes analysis", 1975; docs/algorithm.md, section "Alignment".
"""

import torch

MAX_ROUNDS = 100
ENOUGH = 1e-5


def polar(matrices: torch.Tensor) -> torch.Tensor:
    """Return the nearest orthogonal matrices.

    Args:
        matrices: (..., D, D).

    Returns:
        (..., D, D), U·Vᵀ of the singular value decomposition.
    """
    u, _, vh = torch.linalg.svd(matrices)
    nearest: torch.Tensor = u @ vh
    return nearest


def phase(numbers: torch.Tensor) -> torch.Tensor:
    """Return the complex numbers of size one with the same angles; 1 where there is no angle.

    Args:
        numbers: complex, any shape.

    Returns:
        The same shape.
    """
    size = numbers.abs()
    return torch.where(
        size > 0, numbers / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(numbers)
    )


def align_values(blocks: torch.Tensor) -> torch.Tensor:
    """Find one orthogonal map a head that brings the heads of each group onto their mean.

    Args:
        blocks: (G, M, D, M, D), Σ v_i v_jᵀ.

    Returns:
        (G, M, D, D), Q with v_i·Q_i aligned; Q_0 fixes nothing beyond the common rotation.
    """
    cross = blocks.movedim(2, 3)  # (G, M, M, D, D), from head i to head j
    turns = polar(cross[:, :, 0])  # (G, M, D, D), onto head 0
    gain = torch.zeros((), dtype=blocks.dtype)
    for _ in range(MAX_ROUNDS):
        toward = torch.einsum("gijde,gjef->gidf", cross, turns)
        reached = (toward * turns).sum()
        if reached - gain <= ENOUGH * reached.abs():
            break
        gain, turns = reached, polar(toward)
    return turns


def align_keys(blocks: torch.Tensor) -> torch.Tensor:
    """Find one rotation a head and rotary plane that brings the heads of each group onto their mean.

    Args:
        blocks: (G, P, M, M) complex, Σ conj(z_i) z_j.

    Returns:
        (G, P, M) complex of size one, e with e_i·z_i aligned.
    """
    turns = phase(blocks[..., :, 0])
    gain = torch.zeros((), dtype=blocks.real.dtype)
    for _ in range(MAX_ROUNDS):
        toward = (blocks @ turns[..., None])[..., 0]
        reached = (toward * turns.conj()).real.sum()
        if reached - gain <= ENOUGH * reached.abs():
            break
        gain, turns = reached, phase(toward)
    return turns
