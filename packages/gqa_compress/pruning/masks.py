"""Masks of the original KV heads: one number in [0, 1] per head and layer, shared by keys and values.

Hard-concrete distribution, sparsity penalty and schedule. Source: Louizos, Welling, Kingma, "Learning Sparse Neural
Networks through L0 Regularization", ICLR 2018, with the constants of Jin et al., 2025; docs/algorithm.md, (20).
"""

import math
from typing import Literal

import torch

MaskSchedule = Literal["learned", "forced", "linear"]

TEMPERATURE = 1 / 3
SHARPNESS = 1e-3
STRETCH = 1.005
NOISE = (0.4, 0.6)
# log of (1 − ε)/ε at the stretched edge, as in the paper's expected L0 norm.
EDGE = math.log(0.995 / 0.005)
# Initial distance from 1/2 in logits, and the distance to which a mask is forced: it is 1 or 0 whatever noise is drawn.
SATURATED = 8.0


def target_sparsity(progress_fraction: float, sparsity_warmup_ratio: float) -> float:
    """Return the target fraction of zero masks: rises linearly from 0 to 1 at the end of the warm-up."""
    return min(1.0, progress_fraction / sparsity_warmup_ratio)


class HeadMasks(torch.nn.Module):
    """The masks of all layers.

    Args:
        layers: L.
        heads: K, original KV heads per layer.
        schedule: `learned` by gradient and penalty; `forced`, the same with the lowest masks set to zero by rule;
            `linear`, one number for all that falls linearly.
        sparsity_warmup_ratio: fraction of the run after which all masks should be zero.
    """

    def __init__(self, layers: int, heads: int, schedule: MaskSchedule, sparsity_warmup_ratio: float) -> None:
        super().__init__()
        self.schedule = schedule
        self.shape = (layers, heads)
        self.sparsity_warmup_ratio = sparsity_warmup_ratio
        if schedule != "linear":
            start = torch.full(self.shape, SATURATED * SHARPNESS * TEMPERATURE)
            self.log_alpha = torch.nn.Parameter(start)

    def sample(self, progress_fraction: float, generator: torch.Generator) -> torch.Tensor:
        """Sample masks for a training step.

        Args:
            progress_fraction: fraction of the run that is done.
            generator: source of noise, on the CPU.

        Returns:
            (L, K) in [0, 1]; gradients pass the clipping straight through.
        """
        if self.schedule == "linear":
            return self.deterministic(progress_fraction)
        low, high = NOISE
        noise = low + (high - low) * torch.rand(self.shape, generator=generator)
        return self._hard(torch.logit(noise).to(self.log_alpha.device))

    def deterministic(self, progress_fraction: float) -> torch.Tensor:
        """Return the masks without noise and gradient, (L, K) in [0, 1], given the fraction of the run that is done."""
        if self.schedule == "linear":
            return torch.full(
                self.shape, 1.0 - target_sparsity(progress_fraction, self.sparsity_warmup_ratio)
            )
        with torch.no_grad():
            return self._hard(torch.zeros_like(self.log_alpha))

    def prob_nonzero(self) -> torch.Tensor:
        """Return the probability that each mask is not zero, (L, K)."""
        return torch.sigmoid(EDGE * TEMPERATURE + self.log_alpha / (SHARPNESS * TEMPERATURE))

    def sparsity_penalty(self, progress_fraction: float) -> torch.Tensor:
        """Return the penalty for deviating from the target sparsity, a scalar; 0 for `linear`."""
        if self.schedule == "linear":
            return torch.zeros(())
        target = target_sparsity(progress_fraction, self.sparsity_warmup_ratio)
        missed = (1 - self.prob_nonzero().mean() - target).abs()
        return missed + (missed + 1e-6) ** 2

    @torch.no_grad()
    def force_lowest_to_zero_(self, progress_fraction: float) -> None:
        """Set as many of the lowest masks to zero as the target asks for; only for `forced`."""
        if self.schedule != "forced":
            return
        flat = self.log_alpha.view(-1)
        count = round(target_sparsity(progress_fraction, self.sparsity_warmup_ratio) * len(flat))
        lowest = torch.argsort(flat, stable=True)[:count]
        flat[lowest] = flat[lowest].clamp_max(-SATURATED * SHARPNESS * TEMPERATURE)

    def all_pruned(self, progress_fraction: float) -> bool:
        """Return whether every mask is zero and stays so; never for `learned`, where gradients may raise it again."""
        target = target_sparsity(progress_fraction, self.sparsity_warmup_ratio)
        return self.schedule != "learned" and target >= 1 and not self.deterministic(progress_fraction).any()

    def _hard(self, noise: torch.Tensor) -> torch.Tensor:
        soft = torch.sigmoid(noise + self.log_alpha / (SHARPNESS * TEMPERATURE))
        stretched = (soft - 0.5) * STRETCH + 0.5
        clipped = stretched.clamp(0, 1)
        return stretched + (clipped - stretched).detach()
