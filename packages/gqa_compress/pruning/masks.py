"""Masks of the original key-value heads: one number in [0, 1] a head and layer, shared by keys and values.

Holds the hard-concrete distribution, its penalty, and the rule that pushes the lowest masks down. Knows nothing of
models. Source: Louizos, Welling, Kingma, "Learning Sparse Neural Networks through L0 Regularization", ICLR 2018, with
the constants of Jin et al., 2025; docs/algorithm.md, (20).
"""

import math
from typing import Literal

import torch

from gqa_compress.pruning.schedule import linear_mask, target_sparsity

Kind = Literal["learned", "forced", "linear"]

TEMPERATURE = 1 / 3
SHARPNESS = 1e-3
STRETCH = 1.005
NOISE = (0.4, 0.6)
# log of (1 − ε)/ε at the stretched edge, with which the expected score is written in the paper.
EDGE = math.log(0.995 / 0.005)
# Distance from the middle, in units of the logistic function, at which a mask starts or is pushed to: it is 1 or 0
# whatever noise is drawn.
SATURATED = 8.0


class HeadMasks(torch.nn.Module):
    """The masks of all layers.

    Args:
        layers: L.
        heads: K, original key-value heads of a layer.
        kind: `learned` by gradient and penalty; `forced`, the same and the lowest are pushed down by rule; `linear`,
            one number for all that falls with time.
        ramp_share: share of the run at which all heads should be gone.
    """

    def __init__(self, layers: int, heads: int, kind: Kind, ramp_share: float) -> None:
        super().__init__()
        self.kind = kind
        self.shape = (layers, heads)
        self.ramp_share = ramp_share
        if kind != "linear":
            start = torch.full(self.shape, SATURATED * SHARPNESS * TEMPERATURE)
            self.log_alpha = torch.nn.Parameter(start)

    def sample(self, share: float, generator: torch.Generator) -> torch.Tensor:
        """Draw masks for a training step.

        Args:
            share: of the run that is done.
            generator: of the noise, on the CPU.

        Returns:
            (L, K) in [0, 1]; gradients pass the clipping straight through.
        """
        if self.kind == "linear":
            return torch.full(self.shape, linear_mask(share, self.ramp_share))
        low, high = NOISE
        noise = low + (high - low) * torch.rand(self.shape, generator=generator)
        return self._hard(torch.logit(noise).to(self.log_alpha.device))

    def deterministic(self, share: float) -> torch.Tensor:
        """Return the masks without noise.

        Args:
            share: of the run that is done.

        Returns:
            (L, K) in [0, 1], without gradient.
        """
        if self.kind == "linear":
            return torch.full(self.shape, linear_mask(share, self.ramp_share))
        with torch.no_grad():
            return self._hard(torch.zeros_like(self.log_alpha))

    def prob_nonzero(self) -> torch.Tensor:
        """Return how likely each mask is not zero, (L, K)."""
        return torch.sigmoid(EDGE * TEMPERATURE + self.log_alpha / (SHARPNESS * TEMPERATURE))

    def sparsity_penalty(self, share: float) -> torch.Tensor:
        """Return what being off the target sparsity costs.

        Args:
            share: of the run that is done.

        Returns:
            A scalar; 0 for `linear`.
        """
        if self.kind == "linear":
            return torch.zeros(())
        missed = (1 - self.prob_nonzero().mean() - target_sparsity(share, self.ramp_share)).abs()
        return missed + (missed + 1e-6) ** 2

    @torch.no_grad()
    def force_lowest_to_zero_(self, share: float) -> None:
        """Push the lowest masks to zero, as many as the target asks for; only for `forced`.

        Args:
            share: of the run that is done.
        """
        if self.kind != "forced":
            return
        flat = self.log_alpha.view(-1)
        count = round(target_sparsity(share, self.ramp_share) * len(flat))
        lowest = torch.argsort(flat, stable=True)[:count]
        flat[lowest] = flat[lowest].clamp_max(-SATURATED * SHARPNESS * TEMPERATURE)

    def all_pruned(self, share: float) -> bool:
        """Tell whether every mask is zero and will stay so.

        Args:
            share: of the run that is done.

        Returns:
            Never True for `learned`, whose masks gradients may raise again.
        """
        return self.kind != "learned" and target_sparsity(share, self.ramp_share) >= 1

    def _hard(self, noise: torch.Tensor) -> torch.Tensor:
        soft = torch.sigmoid(noise + self.log_alpha / (SHARPNESS * TEMPERATURE))
        stretched = (soft - 0.5) * STRETCH + 0.5
        clipped = stretched.clamp(0, 1)
        return stretched + (clipped - stretched).detach()
