"""Model types that can be converted, as data: names of their projections and layout of their rotary pairs.

Also the reason why each other well-known type is rejected, and the attention sizes of a configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gqa_compress.errors import UnsupportedError

DTYPE_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Module names of one model type, relative to a decoder layer."""

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
    """Output projection of attention."""
    down: str = "mlp.down_proj"
    """Output projection of the MLP."""
    rope: Literal["half", "interleaved"] = "half"
    """Whether dimensions (p, p + n/2) or (2p, 2p + 1) are rotated as a pair."""
    unsupported_options: tuple[tuple[str, str], ...] = ()
    """Configuration fields that must be unset, each with the reason."""


QK_NORM = (
    "normalizes queries and keys per head, so keys of different heads cannot be scaled or rotated into one"
)
NO_KV = "has no option for fewer key-value heads, so no standard checkpoint could hold the result"
FUSED = "keeps query, key and value in one fused matrix, which is not split yet"
ENCODER = "is an encoder, which reads text and writes none"
ENCODER_DECODER = "has an encoder beside its decoder, which is not supported"
EXPERTS = "routes its MLP over experts, whose ridge updates are not implemented"

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
    **dict.fromkeys(
        (
            "bert",
            "roberta",
            "xlm-roberta",
            "distilbert",
            "albert",
            "electra",
            "deberta",
            "deberta-v2",
            "mpnet",
            "modernbert",
        ),
        ENCODER,
    ),
    **dict.fromkeys(("t5", "mt5", "bart", "mbart", "pegasus"), ENCODER_DECODER),
    "gemma2": "normalizes the attention output before the residual stream, which ridge updates do not cover",
    "granite": "scales the attention output before the residual stream, which ridge updates do not cover",
    "olmo": "may clip queries, keys and values, which does not commute with merging",
    **dict.fromkeys(
        ("deepseek_v2", "deepseek_v3", "minicpm3"),
        "keeps one latent vector per token instead of keys and values",
    ),
}


@dataclass(frozen=True, kw_only=True)
class AttentionDims:
    """Sizes of a model's attention."""

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
        """KV-cache bytes per token at the checkpoint's dtype."""
        return 2 * self.layers * self.num_kv_heads * self.head_dim * DTYPE_BYTES.get(self.dtype, 4)

    @property
    def valid_kv_heads(self) -> list[int]:
        """Numbers of KV heads that the model can be converted to."""
        return [n for n in range(1, self.num_kv_heads + 1) if self.num_kv_heads % n == 0]


def attention_dims(config: Any) -> AttentionDims:
    """Return the attention sizes of a transformers configuration of any decoder.

    A type without KV heads counts as one with as many KV heads as query heads.

    Raises:
        UnsupportedError: the configuration has no attention heads.
    """
    num_heads = getattr(config, "num_attention_heads", None)
    hidden = getattr(config, "hidden_size", None)
    if not (isinstance(num_heads, int) and isinstance(hidden, int)):
        raise UnsupportedError(
            f"{config.model_type} has no attention heads; only decoder models can be converted"
        )
    head_dim = getattr(config, "head_dim", None) or hidden // num_heads
    rope = getattr(config, "rope_parameters", None) or {}
    ratio = rope.get("partial_rotary_factor", 1.0) if isinstance(rope, dict) else 1.0
    lengths = (getattr(config, name, None) for name in ("max_position_embeddings", "sliding_window"))
    return AttentionDims(
        model_type=config.model_type,
        layers=config.num_hidden_layers,
        hidden_size=hidden,
        num_heads=num_heads,
        num_kv_heads=getattr(config, "num_key_value_heads", None) or num_heads,
        head_dim=head_dim,
        rotary_dim=int(head_dim * ratio),
        dtype=str(getattr(config, "dtype", None) or "float32").removeprefix("torch."),
        max_length=min([length for length in lengths if isinstance(length, int) and length > 0] or [2048]),
    )


def unsupported_reason(config: Any) -> str | None:
    """Return why a model with this transformers configuration cannot be converted, or None if it can."""
    model_type = config.model_type
    if getattr(config, "quantization_config", None):
        return "is quantized; convert the unquantized checkpoint and quantize the result"
    if getattr(config, "auto_map", None) and model_type not in SUPPORTED:
        return "needs custom code to load, so the result would not be a standard checkpoint"
    if model_type in SUPPORTED:
        reasons = (
            why for name, why in SUPPORTED[model_type].unsupported_options if getattr(config, name, None)
        )
        return next(reasons, None)
    return UNSUPPORTED.get(model_type, f"is not among the supported types: {', '.join(sorted(SUPPORTED))}")


def architecture(config: Any) -> Architecture:
    """Return the module names of a supported model type.

    Raises:
        UnsupportedError: the model cannot be converted; the message says why.
    """
    reason = unsupported_reason(config)
    if reason is not None:
        raise UnsupportedError(f"{config.model_type} cannot be converted: it {reason}")
    return SUPPORTED[config.model_type]
