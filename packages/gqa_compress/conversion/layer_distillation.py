"""Distillation of one layer on cached states, without gradients through any other layer.

Holds the losses and the optimisation of a layer's weights by them, stopped by held-out sequences.
Source: docs/algorithm.md, section "Local distillation".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gqa_compress.conversion.layer_runner import HiddenStates
from gqa_compress.training.losses import kl_divergence

LOOKS = 10

Batches = list[tuple[HiddenStates, torch.Tensor]]
"""Streams before a layer, each with its target."""
Forward = Callable[[HiddenStates], torch.Tensor]
"""From the stream before a layer to what is compared with a target, (B, T, C)."""
Loss = Callable[[HiddenStates, torch.Tensor], torch.Tensor]
"""From the stream before a layer and its target to one error a token, (n,)."""


@dataclass(frozen=True, kw_only=True)
class LayerDistillationConfig:
    """How one layer is distilled."""

    steps: int
    """Adam steps a layer."""
    lr: float
    """First learning rate; falls to zero along a cosine."""
    clip: float = 1.0
    """Highest norm of the gradient."""
    seed: int = 0
    """Of the order of batches."""


@dataclass(frozen=True)
class LayerDistillationResult:
    """What the distillation of one layer came to.

    Attributes:
        before: held-out loss a token before the first step.
        after: the same for the weights that were kept.
        steps: after which those weights came.
    """

    before: float
    after: float
    steps: int


def squared_error(forward: Forward, batches: Batches) -> Loss:
    """Make the loss that compares streams, as a share of the mean squared size of the targets.

    Args:
        forward: what is distilled.
        batches: whose targets set the unit.

    Returns:
        The loss.
    """
    total = sum(float(target[states.mask].double().square().sum()) for states, target in batches)
    tokens = sum(int(states.mask.sum()) for states, _ in batches)
    unit = max(total / tokens, torch.finfo(torch.float32).tiny)
    return lambda states, target: (forward(states) - target)[states.mask].square().sum(-1) / unit


def divergence_of(forward: Forward, logits: Callable[[torch.Tensor], torch.Tensor]) -> Loss:
    """Make the loss that compares what two streams predict.

    Args:
        forward: what is distilled, the last layer.
        logits: from the stream after the last layer to logits, (B, T, C) → (B, T, V).

    Returns:
        KL(target ‖ distilled) in nats.
    """

    def loss(states: HiddenStates, target: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            taught = logits(target)[states.mask]
        return kl_divergence(logits(forward(states))[states.mask], taught, temperature=1.0)

    return loss


def distill_layer_(
    parameters: list[torch.nn.Parameter],
    loss: Loss,
    seen: Batches,
    held_out: Batches,
    plan: LayerDistillationConfig,
) -> LayerDistillationResult:
    """Move a layer's weights so that its loss falls, in place.

    Args:
        parameters: the weights to move.
        loss: of the layer that has them.
        seen: to fit.
        held_out: to judge by; the best weights seen there are kept.
        plan: steps and rates.

    Returns:
        Losses before and after.
    """
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=plan.lr, betas=(0.9, 0.95), fused=True)
    best = before = _mean(loss, held_out)
    kept, kept_step = [parameter.detach().clone() for parameter in parameters], 0
    generator = torch.Generator().manual_seed(plan.seed)
    order: list[int] = []
    for step in range(plan.steps):
        if not order:
            order = torch.randperm(len(seen), generator=generator).tolist()
        for group in optimizer.param_groups:
            group["lr"] = plan.lr * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        optimizer.zero_grad()
        loss(*seen[order.pop()]).mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        if (step + 1) % max(1, plan.steps // LOOKS) == 0 or step + 1 == plan.steps:
            error = _mean(loss, held_out)
            if error < best:
                best, kept_step = error, step + 1
                kept = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, weights in zip(parameters, kept, strict=True):
            parameter.copy_(weights)
            parameter.requires_grad_(False)
    return LayerDistillationResult(before, best, kept_step)


@torch.no_grad()
def _mean(loss: Loss, batches: Batches) -> float:
    total, tokens = 0.0, 0
    for states, target in batches:
        errors = loss(states, target)
        total, tokens = total + float(errors.double().sum()), tokens + len(errors)
    return total / tokens
