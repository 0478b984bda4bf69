"""Layer-wise distillation: one layer trained on cached hidden states, with early stopping on held-out sequences.

Source: docs/algorithm.md, section "Layer-wise distillation".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from gqa_compress.conversion.layer_runner import HiddenStates, token_weights

EVALUATIONS = 10
# Tokens whose logits are in memory at once.
LOGIT_TOKENS = 256

Batches = list[tuple[HiddenStates, torch.Tensor]]
"""Residual streams before a layer, each with its target."""
Forward = Callable[[HiddenStates], torch.Tensor]
"""From the residual stream before a layer to what is compared with the target, (B, T, C)."""
Loss = Callable[[HiddenStates, torch.Tensor], torch.Tensor]
"""From the residual stream before a layer and its target to the loss of each token, (n,)."""


@dataclass(frozen=True, kw_only=True)
class LayerDistillationConfig:
    """How to distil one layer."""

    steps: int
    """Adam steps per layer."""
    learning_rate: float
    """Initial learning rate; decays to zero along a cosine."""
    max_grad_norm: float = 1.0
    """Maximum norm of the gradient."""
    seed: int = 0
    """Seed of the order of batches."""


@dataclass(frozen=True)
class LayerDistillationResult:
    """Result of distilling one layer.

    Attributes:
        loss_before: held-out loss per token before the first step.
        loss_after: held-out loss per token of the weights that were kept.
        best_step: step of those weights.
    """

    loss_before: float
    loss_after: float
    best_step: int


def squared_error(forward: Forward, batches: Batches) -> Loss:
    """Return the squared error of what is added to the residual stream, by token relative to the stream's norm.

    Args:
        forward: forward pass that is distilled.
        batches: targets that set the unit, which is their mean weighted squared norm.

    Returns:
        The loss.
    """

    def weighted(states: HiddenStates, target: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
        weights = token_weights((states.hidden + target)[states.mask])
        return error[states.mask].square().sum(-1) * weights

    total = sum(float(weighted(states, target, target).double().sum()) for states, target in batches)
    tokens = sum(int(states.mask.sum()) for states, _ in batches)
    unit = max(total / tokens, torch.finfo(torch.float32).tiny)
    return lambda states, target: weighted(states, target, forward(states) - target) / unit


def kl_of_logits(forward: Forward, logits: Callable[[torch.Tensor], torch.Tensor]) -> Loss:
    """Return KL(target ‖ distilled) of the predictions, in nats.

    Logits are made for `LOGIT_TOKENS` tokens at a time and again in the backward pass, since those of a whole batch are
    far larger than the layer.

    Args:
        forward: forward pass of the last layer, which is distilled.
        logits: from the residual stream after the last layer to logits, (B, T, C) → (B, T, V).

    Returns:
        The loss.
    """

    def kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            log_teacher = F.log_softmax(logits(teacher[None])[0].float(), dim=-1)
        log_student = F.log_softmax(logits(student[None])[0].float(), dim=-1)
        return F.kl_div(log_student, log_teacher, log_target=True, reduction="none").sum(-1)

    def loss(states: HiddenStates, target: torch.Tensor) -> torch.Tensor:
        students = torch.split(forward(states)[states.mask], LOGIT_TOKENS)
        teachers = torch.split(target[states.mask], LOGIT_TOKENS)
        found = [
            checkpoint(kl, student, teacher, use_reentrant=False)
            for student, teacher in zip(students, teachers, strict=True)
        ]
        return torch.cat(found)

    return loss


def distill_layer_(
    parameters: list[torch.nn.Parameter],
    loss: Loss,
    fit: Batches,
    held_out: Batches,
    config: LayerDistillationConfig,
) -> LayerDistillationResult:
    """Train a layer's weights in place; the weights with the lowest held-out loss are kept.

    Args:
        parameters: weights to train.
        loss: loss of the layer that has them.
        fit: batches to train on.
        held_out: batches to choose the best weights by.
        config: steps and learning rate.

    Returns:
        Losses before and after.
    """
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)
    best = before = _mean(loss, held_out)
    kept, kept_step = [parameter.detach().clone() for parameter in parameters], 0
    generator = torch.Generator().manual_seed(config.seed)
    order: list[int] = []
    for step in range(config.steps):
        if not order:
            order = torch.randperm(len(fit), generator=generator).tolist()
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        optimizer.zero_grad()
        loss(*fit[order.pop()]).mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
        optimizer.step()
        if (step + 1) % max(1, config.steps // EVALUATIONS) == 0 or step + 1 == config.steps:
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
