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


def divergence(student: torch.Tensor, teacher: torch.Tensor, *, temperature: float) -> torch.Tensor:
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
