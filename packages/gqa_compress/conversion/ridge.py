"""Ridge refits of a projection to what the original model's residual stream wants of it.

Holds the solve and the choice of its strength on held-out tokens. Source: docs/algorithm.md, section "Refits".
"""

import torch

from gqa_compress.conversion.gram import ResidualGram

LAMBDAS = (1e-4, 1e-3, 1e-2, 1e-1)


def ridge(seen: ResidualGram, ridge_lambda: float) -> torch.Tensor:
    """Solve argmin ‖z·Δ − r‖² + λ·s·‖Δ‖², s the mean of diag zᵀz.

    Args:
        seen: the tokens' zᵀz and zᵀr.
        strength: λ.

    Returns:
        Δ, (inputs [+ 1], outputs) in float64.
    """
    penalty = ridge_lambda * seen.zz.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    left = seen.zz + penalty * torch.eye(len(seen.zz), dtype=seen.zz.dtype, device=seen.zz.device)
    return torch.cholesky_solve(seen.zr, torch.linalg.cholesky(left))


def ridge_update(seen: ResidualGram, held_out: ResidualGram) -> tuple[torch.Tensor, float | None]:
    """Refit with the strength that does best on held-out tokens.

    Args:
        seen: tokens to fit.
        held_out: tokens to judge by.

    Returns:
        What to add to the weight, and the strength; zeros and None when no strength does better than no change.
    """
    best, chosen, least = torch.zeros_like(seen.zr), None, held_out.rr
    for ridge_lambda in LAMBDAS:
        change = ridge(seen, ridge_lambda)
        error = held_out.error(change)
        if error < least:
            best, chosen, least = change, ridge_lambda, error
    return best, chosen
