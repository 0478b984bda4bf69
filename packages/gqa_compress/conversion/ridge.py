"""Ridge updates: a projection fitted to what the source model adds to the residual stream.

The ridge strength is chosen on held-out tokens. Source: docs/algorithm.md, section "Ridge updates".
"""

import torch

LAMBDAS = (1e-4, 1e-3, 1e-2, 1e-1)
# Random combinations of the outputs by which λ is chosen, if there are more outputs.
SKETCH = 256


class ResidualGram:
    """Accumulates Σ w·zᵀz and Σ w·zᵀr in float64, which give a linear update; a bias is a last column of ones.

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

    def add(self, z: torch.Tensor, r: torch.Tensor, weights: torch.Tensor) -> None:
        """Add tokens, z (N, inputs) and r (N, outputs), with their weights, (N,); products in their dtype."""
        if self.bias:
            z = torch.cat([z, z.new_ones(len(z), 1)], dim=1)
        root = weights.sqrt()[:, None]
        z, r = z * root, r * root
        self.zz += (z.t() @ z).double()
        self.zr += (z.t() @ r).double()

    def error_change(self, change: torch.Tensor, zr: torch.Tensor | None = None) -> float:
        """Compute Σ w‖z·change − r‖² − Σ w‖r‖² over all tokens.

        Args:
            change: change of the weight, (inputs [+ 1], outputs).
            zr: Σ w·zᵀr of the same outputs, if they are not all.
        """
        return float((change * (self.zz @ change - 2 * (self.zr if zr is None else zr))).sum())


def ridge(gram: ResidualGram, ridge_lambda: float) -> torch.Tensor:
    """Solve argmin ‖z·Δ − r‖² + λ·s·‖Δ‖², where s is the mean of diag zᵀz.

    Args:
        gram: zᵀz and zᵀr of the tokens.
        ridge_lambda: λ.

    Returns:
        Δ, (inputs [+ 1], outputs) in float64.
    """
    return torch.cholesky_solve(gram.zr, _factor(gram.zz, ridge_lambda))


def ridge_update(fit: ResidualGram, held_out: ResidualGram) -> tuple[torch.Tensor, float | None]:
    """Compute the ridge update with the smallest held-out error.

    Errors are compared on `SKETCH` random combinations of the outputs, an unbiased estimate: to solve for every output
    of a wide layer at every λ takes three times as long, and the result is the same where the same λ is chosen.

    Args:
        fit: tokens to fit.
        held_out: tokens to choose λ by.

    Returns:
        The change of the weight, and λ; zeros and None if no λ is better than no change.
    """
    fit_zr, held_out_zr = (gram.zr @ _sketch(gram.zr) for gram in (fit, held_out))
    best, chosen, smallest = None, None, 0.0
    for ridge_lambda in LAMBDAS:
        factor = _factor(fit.zz, ridge_lambda)
        error = held_out.error_change(torch.cholesky_solve(fit_zr, factor), held_out_zr)
        if error < smallest:
            best, chosen, smallest = factor, ridge_lambda, error
    if best is None:
        return torch.zeros_like(fit.zr), None
    return torch.cholesky_solve(fit.zr, best), chosen


def _factor(zz: torch.Tensor, ridge_lambda: float) -> torch.Tensor:
    """Return the Cholesky factor of zᵀz + λ·s·I."""
    left = zz.clone()
    diagonal = left.diagonal()
    diagonal += ridge_lambda * diagonal.mean().clamp_min(torch.finfo(torch.float64).tiny)
    factor: torch.Tensor = torch.linalg.cholesky(left)
    return factor


def _sketch(zr: torch.Tensor) -> torch.Tensor:
    """Return combinations of the outputs, (outputs, SKETCH), or all outputs if they are fewer."""
    outputs = zr.shape[1]
    if outputs <= SKETCH:
        return torch.eye(outputs, dtype=zr.dtype, device=zr.device)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (outputs, SKETCH), generator=generator).to(zr) * 2 - 1
    scaled: torch.Tensor = signs / SKETCH**0.5
    return scaled
