"""Logits at the positions of the loss, and losses as functions of logits."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from gqa_compress.text.training_rows import Batch


def logits_at_positions(model: Any, batch: Batch) -> torch.Tensor:
    """Compute the logits at the batch's positions only, (n, V).

    The model's own forward computes them, so that scales and soft caps after the LM head apply; a hook selects the
    positions before the LM head, which is most of the work of a small model.
    """

    def select(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        hidden = arguments[0].flatten(0, 1)  # (B·T, C)
        return (hidden.index_select(0, batch.loss_positions)[None],)

    handle = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        logits: torch.Tensor = model(input_ids=batch.input_ids, use_cache=False).logits[0]
    finally:
        handle.remove()
    return logits


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of logits (n, V) and token ids (n,), in nats, (n,) in fp32."""
    return F.cross_entropy(logits.float(), targets, reduction="none")


def same_vocabulary(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both logits without the rows that only one has: padding, since both know every token."""
    size = min(first.shape[-1], second.shape[-1])
    return first[..., :size], second[..., :size]


def kl_divergence(student: torch.Tensor, teacher: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Compute KL(teacher ‖ student) at each position, scaled by the squared temperature.

    Args:
        student: (n, V) logits.
        teacher: (n, V) logits.
        temperature: temperature of both distributions.

    Returns:
        (n,) nats, in fp32, over the tokens that both have: vocabularies may be padded to different sizes.

    Source:
        Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; docs/algorithm.md.
    """
    student, teacher = same_vocabulary(student, teacher)
    log_student = F.log_softmax(student.float() / temperature, dim=-1)
    log_teacher = F.log_softmax(teacher.float() / temperature, dim=-1)
    return F.kl_div(log_student, log_teacher, log_target=True, reduction="none").sum(-1) * temperature**2


@dataclass(frozen=True)
class TopLogits:
    """The most probable tokens of a teacher at each position, most probable first.

    Attributes:
        log_probabilities: (n, k), at the temperature of the distillation.
        tokens: (n, k) token ids.
    """

    log_probabilities: torch.Tensor
    tokens: torch.Tensor

    def at(self, rows: torch.Tensor) -> "TopLogits":
        """Return some positions, given by index."""
        return TopLogits(self.log_probabilities[rows], self.tokens[rows])


def kl_of_top(student: torch.Tensor, teacher: TopLogits, *, temperature: float) -> torch.Tensor:
    """Compute KL(teacher ‖ student) at each position over the teacher's top tokens and all others as one.

    Args:
        student: (n, V) logits.
        teacher: its top tokens.
        temperature: temperature of both distributions, that of the teacher's log-probabilities.

    Returns:
        (n,) nats, in fp32: at most, and with all tokens exactly, the divergence over the vocabulary.
    """
    log_student = F.log_softmax(student.float() / temperature, dim=-1).gather(-1, teacher.tokens)
    log_teacher = teacher.log_probabilities.float()
    top = (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
    tiny = torch.finfo(torch.float32).eps
    rest_teacher, rest_student = (
        (1 - each.exp().sum(-1)).clamp_min(tiny) for each in (log_teacher, log_student)
    )
    rest = rest_teacher * (rest_teacher.log() - rest_student.log())
    return (top + rest) * temperature**2


def bild_of_top(
    student: torch.Tensor, teacher: TopLogits, *, top_k: int, temperature: float, scale: float
) -> torch.Tensor:
    """Compute the bi-directional logits difference at each position by the teacher's top tokens.

    A token that the student ranks high and that is not among them has the lowest of their logits.

    Args:
        student: (n, V) logits.
        teacher: its top tokens.
        top_k: see `bild`.
        temperature: see `bild`.
        scale: temperature of the teacher's log-probabilities.
    """
    logits = teacher.log_probabilities.float() * scale  # the same up to a constant of each position
    full = logits[:, -1:].expand(student.shape).scatter(-1, teacher.tokens, logits)
    return bild(student, full, top_k=top_k, temperature=temperature)


def bild(student: torch.Tensor, teacher: torch.Tensor, *, top_k: int, temperature: float) -> torch.Tensor:
    """Compute the bi-directional logits difference at each position.

    The differences between all pairs of the highest logits, in rank order, are compared as distributions: once for the
    tokens that the teacher ranks highest and once for the student's.

    Args:
        student: (n, V) logits.
        teacher: (n, V) logits.
        top_k: number of tokens compared; fewer if the vocabulary is smaller.
        temperature: temperature of the differences.

    Returns:
        (n,) nats, in fp32; 0 where the logits of the chosen tokens differ by a constant.

    Source:
        Li et al., "BiLD: Bi-directional Logits Difference Loss for Large Language Model Distillation", 2024;
        docs/algorithm.md.
    """
    student, teacher = (logits.float() for logits in same_vocabulary(student, teacher))
    count = min(top_k, student.shape[-1])
    leads = (teacher.topk(count).indices, student.topk(count).indices)
    first, second = torch.triu_indices(count, count, 1, device=student.device)

    def differences(logits: torch.Tensor, lead: torch.Tensor) -> torch.Tensor:
        ranked = logits.gather(-1, lead)  # (n, k)
        return F.log_softmax((ranked[:, first] - ranked[:, second]) / temperature, dim=-1)

    return sum(
        (
            F.kl_div(
                differences(student, lead), differences(teacher, lead), log_target=True, reduction="none"
            ).sum(-1)
            for lead in leads
        ),
        start=student.new_zeros(len(student)),
    )
