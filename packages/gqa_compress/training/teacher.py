"""Distillation from a teacher model that runs beside the student."""

from typing import Any

import torch

from gqa_compress.text.training_rows import Batch
from gqa_compress.training.config import Teacher
from gqa_compress.training.losses import bild, kl_divergence
from gqa_compress.training.setup import check_vocabulary, load_for_training


class LiveTeacher:
    """A frozen model that the student learns from.

    Args:
        config: checkpoint and losses.
        tokenizer: tokenizer of the student.
        device: device to run on.
    """

    def __init__(self, config: Teacher, tokenizer: Any, device: torch.device) -> None:
        self.config = config
        self.model = load_for_training(config.checkpoint)
        check_vocabulary(self.model, tokenizer)
        self.model.to(device).eval().requires_grad_(requires_grad=False)

    def loss(self, logits: torch.Tensor, target: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the distillation loss at each position, (n,), of the student's and the teacher's logits, (n, V)."""
        config = self.config
        if config.completion_loss == "kl":
            return kl_divergence(logits, target, temperature=config.temperature)
        completion, prompt = (
            torch.nonzero(part)[:, 0] for part in (batch.is_completion, ~batch.is_completion)
        )
        losses = logits.new_zeros(len(batch.targets), dtype=torch.float32)
        by_bild = bild(
            logits[completion],
            target[completion],
            top_k=config.bild_top_k,
            temperature=config.bild_temperature,
        )
        by_kl = kl_divergence(logits[prompt], target[prompt], temperature=config.temperature)
        return losses.index_add(0, completion, by_bild).index_add(0, prompt, by_kl)
