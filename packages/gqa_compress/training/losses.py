"""What training minimises.

Holds losses as functions of logits. Knows nothing of models, batches or schedules.
"""

import torch
import torch.nn.functional as F  # noqa: N812


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy at each place.

    Args:
        logits: (n, V).
        targets: (n,) token ids.

    Returns:
        (n,) nats, in fp32.
    """
    return F.cross_entropy(logits.float(), targets, reduction="none")


def kl_divergence(student: torch.Tensor, teacher: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Return KL(teacher ‖ student) at each place, scaled by the squared temperature.

    Args:
        student: (n, V) logits.
        teacher: (n, V) logits.
        temperature: of both distributions.

    Returns:
        (n,) nats, in fp32.

    Source:
        Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; docs/algorithm.md.
    """
    log_student = F.log_softmax(student.float() / temperature, dim=-1)
    log_teacher = F.log_softmax(teacher.float() / temperature, dim=-1)
    return F.kl_div(log_student, log_teacher, log_target=True, reduction="none").sum(-1) * temperature**2


def bild(student: torch.Tensor, teacher: torch.Tensor, *, top: int, temperature: float) -> torch.Tensor:
    """Return the bi-directional logits difference at each place.

    The highest logits of one model choose the tokens; the differences of all their pairs, in rank order, are
    compared as distributions. Once with the tokens that the teacher ranks highest and once with the student's.

    Args:
        student: (n, V) logits.
        teacher: (n, V) logits.
        top: k, tokens compared; fewer where the vocabulary is smaller.
        temperature: of the differences.

    Returns:
        (n,) nats, in fp32; 0 where the logits of the chosen tokens differ by a constant.

    Source:
        Li et al., "BiLD: Bi-directional Logits Difference Loss for Large Language Model Distillation", 2024;
        docs/algorithm.md.
    """
    student, teacher = student.float(), teacher.float()
    count = min(top, student.shape[-1])
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
