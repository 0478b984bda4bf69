"""Ridge updates: a projection fitted to what the source model adds to the residual stream.

The ridge strength is chosen on held-out tokens. Source: docs/algorithm.md, section "Ridge updates".
"""

import torch

LAMBDAS = (1e-4, 1e-3, 1e-2, 1e-1)


class ResidualGram:
    """Accumulates Σ zᵀz and Σ zᵀr, from which a linear update follows; a bias is a last column of ones.

    r is the residual of the projection with its present weight, so a projection without error is not changed.

    Args:
        inputs: width of z.
        outputs: width of r.
        bias: whether the projection has a bias.
        device: device to accumulate on.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool, device: torch.device | None = None) -> None:
        width = inputs + bias
        self.bias = bias
        self.zz = torch.zeros(width, width, dtype=torch.float64, device=device)
        self.zr = torch.zeros(width, outputs, dtype=torch.float64, device=device)
        self.rr = 0.0

    def add(self, z: torch.Tensor, r: torch.Tensor) -> None:
        """Add tokens, z (N, inputs) and r (N, outputs); products in their dtype, sums in float64."""
        if self.bias:
            z = torch.cat([z, z.new_ones(len(z), 1)], dim=1)
        self.zz += (z.t() @ z).double()
        self.zr += (z.t() @ r).double()
        self.rr += float(r.double().square().sum())

    def error(self, change: torch.Tensor) -> float:
        """Return Σ ‖z·change − r‖² over all tokens, given a change of the weight, (inputs [+ 1], outputs)."""
        quadratic = float((change * (self.zz @ change)).sum())
        return quadratic - 2 * float((change * self.zr).sum()) + self.rr


def ridge(gram: ResidualGram, ridge_lambda: float) -> torch.Tensor:
    """Solve argmin ‖z·Δ − r‖² + λ·s·‖Δ‖², where s is the mean of diag zᵀz.

    Args:
        gram: zᵀz and zᵀr of the tokens.
        ridge_lambda: λ.

    Returns:
        Δ, (inputs [+ 1], outputs) in float64.
    """
    penalty = ridge_lambda * gram.zz.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    left = gram.zz + penalty * torch.eye(len(gram.zz), dtype=gram.zz.dtype, device=gram.zz.device)
    return torch.cholesky_solve(gram.zr, torch.linalg.cholesky(left))


def ridge_update(fit: ResidualGram, held_out: ResidualGram) -> tuple[torch.Tensor, float | None]:
    """Compute the ridge update with the smallest held-out error.

    Args:
        fit: tokens to fit.
        held_out: tokens to choose λ by.

    Returns:
        The change of the weight, and λ; zeros and None if no λ is better than no change.
    """
    best, chosen, smallest = torch.zeros_like(fit.zr), None, held_out.rr
    for ridge_lambda in LAMBDAS:
        change = ridge(fit, ridge_lambda)
        error = held_out.error(change)
        if error < smallest:
            best, chosen, smallest = change, ridge_lambda, error
    return best, chosen
