"""Which models can be converted, as data.

Holds where each supported model type keeps its projections and how its rotary planes lie, and the reason why each
well-known other type is refused. Reads configurations only, no weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gqa_compress.errors import UnsupportedError

DTYPE_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Where one model type keeps what a conversion touches, relative to a decoder layer."""

    norm: str = "input_layernorm"
    """Norm before attention."""
    attention: str = "self_attn"
    """The attention module itself."""
    q: str = "self_attn.q_proj"
    """Query projection."""
    k: str = "self_attn.k_proj"
    """Key projection."""
    v: str = "self_attn.v_proj"
    """Value projection."""
    o: str = "self_attn.o_proj"
    """Projection from the heads back to the residual stream."""
    down: str = "mlp.down_proj"
    """Projection from the MLP back to the residual stream."""
    rope: Literal["half", "interleaved"] = "half"
    """Whether a rotary plane is (p, p + n/2) or (2p, 2p + 1)."""
    unsupported_options: tuple[tuple[str, str], ...] = ()
    """Configuration fields that must be unset, each with the reason."""


QK_NORM = (
    "normalises queries and keys a head, so keys of different heads cannot be scaled or rotated into one"
)
NO_KV = "has no option for fewer key-value heads, so no stock checkpoint could hold the result"
FUSED = "keeps query, key and value in one fused matrix, which is not split yet"
EXPERTS = "routes its MLP over experts, whose refits are not implemented"

SUPPORTED: Mapping[str, Architecture] = {
    "llama": Architecture(),
    "mistral": Architecture(),
    "qwen2": Architecture(),
    "gemma": Architecture(),
    "stablelm": Architecture(unsupported_options=(("qk_layernorm", QK_NORM),)),
    "phi": Architecture(
        o="self_attn.dense", down="mlp.fc2", unsupported_options=(("qk_layernorm", QK_NORM),)
    ),
    "starcoder2": Architecture(down="mlp.c_proj"),
    "cohere": Architecture(rope="interleaved", unsupported_options=(("use_qk_norm", QK_NORM),)),
}

UNSUPPORTED: Mapping[str, str] = {
    **dict.fromkeys(
        ("qwen3", "qwen3_moe", "olmo2", "olmo3", "gemma3", "gemma3_text", "exaone4", "cohere2"), QK_NORM
    ),
    **dict.fromkeys(("gpt_neox", "gpt2", "gptj", "opt", "bloom", "mpt", "codegen", "gpt_neo"), NO_KV),
    **dict.fromkeys(("phi3", "gpt_bigcode", "dbrx", "falcon"), FUSED),
    **dict.fromkeys(("mixtral", "qwen2_moe", "phimoe", "olmoe", "granitemoe"), EXPERTS),
    "gemma2": "normalises the attention output before adding it to the residual stream, which refits do not cover",
    "granite": "scales the attention output before adding it to the residual stream, which refits do not cover",
    "olmo": "may clip queries, keys and values, which does not commute with merging",
    **dict.fromkeys(
        ("deepseek_v2", "deepseek_v3", "minicpm3"),
        "keeps one latent vector a token instead of keys and values",
    ),
}


@dataclass(frozen=True, kw_only=True)
class AttentionDims:
    """The sizes of one model's attention."""

    model_type: str
    layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    rotary_dim: int
    dtype: str
    max_length: int

    @property
    def kv_cache_bytes_per_token(self) -> int:
        """Bytes of key-value cache a token in the checkpoint's own precision."""
        return 2 * self.layers * self.num_kv_heads * self.head_dim * DTYPE_BYTES.get(self.dtype, 4)


def attention_dims(config: Any) -> AttentionDims:
    """Read the sizes from a configuration.

    Args:
        config: a transformers configuration of any decoder.

    Returns:
        The sizes; a type without kv heads counts as many as query heads.

    Raises:
        UnsupportedError: it names no heads or layers at all.
    """
    num_heads = getattr(config, "num_attention_heads", None)
    hidden = getattr(config, "hidden_size", None)
    if not (isinstance(num_heads, int) and isinstance(hidden, int)):
        raise UnsupportedError(
            f"{config.model_type} names no attention heads; only decoder models can be converted"
        )
    head_dim = getattr(config, "head_dim", None) or hidden // num_heads
    rope = getattr(config, "rope_parameters", None) or {}
    share = rope.get("partial_rotary_factor", 1.0) if isinstance(rope, dict) else 1.0
    lengths = (getattr(config, name, None) for name in ("max_position_embeddings", "sliding_window"))
    return AttentionDims(
        model_type=config.model_type,
        layers=config.num_hidden_layers,
        hidden_size=hidden,
        num_heads=num_heads,
        num_kv_heads=getattr(config, "num_key_value_heads", None) or num_heads,
        head_dim=head_dim,
        rotary_dim=int(head_dim * share),
        dtype=str(getattr(config, "dtype", None) or "float32").removeprefix("torch."),
        max_length=min([length for length in lengths if isinstance(length, int) and length > 0] or [2048]),
    )


def unsupported_reason(config: Any) -> str | None:
    """Say why a model cannot be converted.

    Args:
        config: its transformers configuration.

    Returns:
        The reason, or None when it can be.
    """
    kind = config.model_type
    if getattr(config, "quantization_config", None):
        return "is quantised; convert the unquantised checkpoint and quantise the result"
    if getattr(config, "auto_map", None):
        return "needs its own code to load, so the result would not be a stock checkpoint"
    if kind in SUPPORTED:
        reasons = (why for name, why in SUPPORTED[kind].unsupported_options if getattr(config, name, None))
        return next(reasons, None)
    return UNSUPPORTED.get(kind, f"is not among the supported types: {', '.join(sorted(SUPPORTED))}")


def architecture(config: Any) -> Architecture:
    """Look up a supported model type.

    Args:
        config: its transformers configuration.

    Returns:
        Where it keeps its projections.

    Raises:
        UnsupportedError: it cannot be converted; the message says why.
    """
    reason = unsupported_reason(config)
    if reason is not None:
        raise UnsupportedError(f"{config.model_type} cannot be converted: it {reason}")
    return SUPPORTED[config.model_type]
