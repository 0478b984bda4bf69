"""What a checkpoint's attention looks like, read from its configuration alone."""

from dataclasses import dataclass
from pathlib import Path

from gqa_compress.checkpoint.architectures import attention_dims, unsupported_reason
from gqa_compress.checkpoint.reader import read_config


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A checkpoint's attention.

    Attributes:
        architecture: model type.
        layers: decoder layers.
        hidden_size: channels of the residual stream.
        heads: query heads.
        kv_heads: key-value heads.
        head_size: channels a head.
        dtype: precision of the weights.
        cache_bytes_a_token: bytes of keys and values for each token, in that precision.
        supported: whether it can be converted.
        reason: why not; None when it can.
        choices: numbers of key-value heads it can be converted to.
    """

    architecture: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_size: int
    dtype: str
    cache_bytes_a_token: int
    supported: bool
    reason: str | None
    choices: list[int]


def inspect(model: Path) -> Inspection:
    """Read what a checkpoint's attention looks like.

    Args:
        model: checkpoint folder.

    Returns:
        Its sizes, and whether it can be converted.

    Raises:
        CheckpointError: there is no readable configuration.
        UnsupportedError: it is no decoder with attention heads.
    """
    config = read_config(model)
    sizes, reason = attention_dims(config), unsupported_reason(config)
    return Inspection(
        architecture=sizes.model_type,
        layers=sizes.layers,
        hidden_size=sizes.hidden_size,
        heads=sizes.num_heads,
        kv_heads=sizes.num_kv_heads,
        head_size=sizes.head_dim,
        dtype=sizes.dtype,
        cache_bytes_a_token=sizes.kv_cache_bytes_per_token,
        supported=reason is None,
        reason=None if reason is None else f"{sizes.model_type} {reason}",
        choices=[]
        if reason
        else [n for n in range(1, sizes.num_kv_heads + 1) if sizes.num_kv_heads % n == 0],
    )
