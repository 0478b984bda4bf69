"""Logits at the positions of the loss, and losses as functions of logits."""

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
