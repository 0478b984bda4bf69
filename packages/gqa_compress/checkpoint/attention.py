"""Causal attention as two batched matrix products, for short sequences on a CPU.

torch's fused kernel costs more than all matrix products together at 40 tokens per row
(docs/decisions/training-speed.md). Not for left-padded batches, KV caches or sliding windows.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

NAME = "batched_matmul"


def batched_matmul_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute causal attention in the interface of transformers.

    Args:
        module: attention layer, unused.
        query: (B, H, T, D).
        key: (B, G, T, D).
        value: (B, G, T, D).
        attention_mask: unused; rows are padded on the right.
        scaling: factor of the scores.

    Returns:
        (B, T, H, D) and None.
    """
    del module, attention_mask
    batch, heads, length, size = query.shape
    groups = key.shape[1]
    ratio = heads // groups
    with torch.autocast(query.device.type, enabled=False):
        q = query.float().reshape(batch * groups, ratio * length, size)
        k = key.float().reshape(batch * groups, length, size)
        v = value.float().reshape(batch * groups, length, size)
        future = torch.full((length, length), float("-inf"), device=q.device).triu(1)
        scores = torch.baddbmm(future.repeat(ratio, 1), q, k.transpose(1, 2), alpha=scaling)  # (B·G, M·T, T)
        mixed = torch.bmm(scores.softmax(-1), v).view(batch, heads, length, size)
    return mixed.transpose(1, 2), None


def _no_mask(*_: Any, **__: Any) -> None:
    return None


def register() -> None:
    """Register the function with transformers under `NAME`."""
    AttentionInterface.register(NAME, batched_matmul_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
