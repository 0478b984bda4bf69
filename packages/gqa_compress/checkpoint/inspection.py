"""A checkpoint's attention, and whether it can be converted and trained on chats, without reading its weights."""

from dataclasses import dataclass
from pathlib import Path

from gqa_compress.checkpoint.architectures import attention_dims, unsupported_reason
from gqa_compress.checkpoint.chat_template import chat_template_problem
from gqa_compress.checkpoint.reader import read_config


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A checkpoint's attention configuration; written as JSON by `gqa-compress inspect`."""

    architecture: str
    """Model type."""
    layers: int
    """Decoder layers."""
    hidden_size: int
    """Width of the residual stream."""
    heads: int
    """Query heads."""
    kv_heads: int
    """KV heads."""
    head_dim: int
    """Head dimension."""
    dtype: str
    """Data type of the weights."""
    kv_cache_bytes_per_token: int
    """Bytes of keys and values per token in that type."""
    supported: bool
    """Whether the model can be converted."""
    reason: str | None
    """Why not."""
    valid_kv_heads: list[int]
    """Numbers of KV heads that it can be converted to."""
    chat_supported: bool
    """Whether it can be trained on chats."""
    chat_reason: str | None
    """Why not."""


def inspect(model: Path) -> Inspection:
    """Return the attention configuration of a checkpoint folder.

    Raises:
        CheckpointError: there is no readable configuration.
        UnsupportedError: the model is not a decoder with attention heads.
    """
    config = read_config(model)
    dims, reason = attention_dims(config), unsupported_reason(config)
    chat_reason = chat_template_problem(model)
    return Inspection(
        architecture=dims.model_type,
        layers=dims.layers,
        hidden_size=dims.hidden_size,
        heads=dims.num_heads,
        kv_heads=dims.num_kv_heads,
        head_dim=dims.head_dim,
        dtype=dims.dtype,
        kv_cache_bytes_per_token=dims.kv_cache_bytes_per_token,
        supported=reason is None,
        reason=None if reason is None else f"{dims.model_type} {reason}",
        valid_kv_heads=[] if reason else dims.valid_kv_heads,
        chat_supported=chat_reason is None,
        chat_reason=chat_reason,
    )
