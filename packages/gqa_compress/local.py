"""Distillation of one layer on cached states, without gradients through any other layer.

Holds the optimisation of a layer's projections towards the original model's residual stream, stopped by held-out
sequences. Source: docs/algorithm.md, section "Local distillation".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gqa_compress.calibration.states import States

LOOKS = 10


@dataclass(frozen=True, kw_only=True)
class LocalSteps:
    """How one layer is distilled."""

    steps: int
    """Adam steps a layer."""
    lr: float = 2e-3
    """First learning rate; falls to zero along a cosine."""
    clip: float = 1.0
    """Highest norm of the gradient."""
    bf16: bool = False
    """Whether matrix products run in bf16."""
    seed: int = 0
    """Of the order of batches."""


@dataclass(frozen=True)
class LocalReport:
    """What the distillation of one layer came to.

    Attributes:
        before: held-out squared error a token before the first step.
        after: the same for the weights that were kept.
        steps: after which those weights came.
    """

    before: float
    after: float
    steps: int


Forward = Callable[[States], torch.Tensor]


def distil_(
    parameters: list[torch.nn.Parameter],
    forward: Forward,
    seen: list[tuple[States, torch.Tensor]],
    held_out: list[tuple[States, torch.Tensor]],
    plan: LocalSteps,
) -> LocalReport:
    """Move a layer's weights so that its output comes closer to targets, in place.

    Args:
        parameters: the weights to move.
        forward: from the stream before the layer to what is compared with the target, (B, T, C).
        seen: batches and their targets (B, T, C) to fit.
        held_out: others to judge by; the best weights seen there are kept.
        plan: steps and rates.

    Returns:
        Errors before and after.
    """
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=plan.lr, betas=(0.9, 0.95), fused=True)
    scale = _energy(seen)
    best = before = _error(forward, held_out)
    kept, kept_step = [parameter.detach().clone() for parameter in parameters], 0
    generator = torch.Generator().manual_seed(plan.seed)
    order: list[int] = []
    for step in range(plan.steps):
        if not order:
            order = torch.randperm(len(seen), generator=generator).tolist()
        states, target = seen[order.pop()]
        for group in optimizer.param_groups:
            group["lr"] = plan.lr * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        with torch.autocast(states.hidden.device.type, dtype=torch.bfloat16, enabled=plan.bf16):
            output = forward(states)
        loss = (output.float() - target)[states.mask].square().sum(-1).mean() / scale
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        if (step + 1) % max(1, plan.steps // LOOKS) == 0 or step + 1 == plan.steps:
            error = _error(forward, held_out)
            if error < best:
                best, kept_step = error, step + 1
                kept = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, weights in zip(parameters, kept, strict=True):
            parameter.copy_(weights)
            parameter.requires_grad_(False)
    return LocalReport(before, best, kept_step)


@torch.no_grad()
def _error(forward: Forward, batches: list[tuple[States, torch.Tensor]]) -> float:
    total, tokens = 0.0, 0
    for states, target in batches:
        total += float((forward(states) - target)[states.mask].double().square().sum())
        tokens += int(states.mask.sum())
    return total / tokens


def _energy(batches: list[tuple[States, torch.Tensor]]) -> float:
    """Return the mean squared size of the targets, so that the loss has no unit."""
    total = sum(float(target[states.mask].double().square().sum()) for states, target in batches)
    tokens = sum(int(states.mask.sum()) for states, _ in batches)
    return max(total / tokens, torch.finfo(torch.float32).tiny)
