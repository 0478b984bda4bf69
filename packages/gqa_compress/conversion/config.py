"""What a conversion is asked to do, and what it came to.

Holds the frozen request and the report that is written as conversion.json. Computes nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from gqa_compress.checkpoint.architectures import AttentionDims
from gqa_compress.errors import PlanError

Method = Literal["mean", "aligned", "weighted"]
Grouping = Literal["adjacent", "search"]


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """How a checkpoint is converted."""

    kv_heads: int
    """Key-value heads to keep; divides those there are."""
    method: Method = "weighted"
    """How a group of heads becomes one."""
    grouping: Grouping = "adjacent"
    """Which heads form a group."""
    refit: bool = True
    """Refit the output and down projections against the original residual stream."""
    local_steps: int = 400
    """Adam steps on each layer's attention, and as many on all of the last layer; 0 for the closed form alone."""
    tokens: int = 65_536
    """About how many calibration tokens to take."""
    length: int = 512
    """Most tokens in a calibration sequence."""
    seed: int = 0
    """Of grouping restarts and the order of local batches."""

    def __post_init__(self) -> None:
        for name, least in (("kv_heads", 1), ("local_steps", 0), ("tokens", 1), ("length", 2)):
            if getattr(self, name) < least:
                raise PlanError(f"{name}={getattr(self, name)} is too few; use at least {least}")

    def check(self, sizes: AttentionDims) -> None:
        """Refuse a number of heads that the model cannot take.

        Args:
            sizes: of the model.

        Raises:
            PlanError: it does not divide the key-value heads.
        """
        if sizes.num_kv_heads % self.kv_heads:
            choices = [str(n) for n in range(1, sizes.num_kv_heads + 1) if sizes.num_kv_heads % n == 0]
            raise PlanError(
                f"kv_heads={self.kv_heads} does not divide num_key_value_heads={sizes.num_kv_heads}; "
                f"choose one of {', '.join(choices)}"
            )


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What became of one layer; errors are shares of the original's energy on held-out tokens."""

    layer: int
    groups: list[list[int]]
    attention_error: float
    stream_error: float
    refit_strengths: dict[str, float | None] = field(default_factory=dict)
    local_steps_kept: dict[str, int] = field(default_factory=dict)
    seconds: float


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Both models on calibration sequences that nothing was fitted to."""

    tokens: int
    perplexity_before: float
    perplexity_after: float
    kl: float


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What a conversion came to; written as conversion.json."""

    source: str
    model_type: str
    plan: dict[str, Any]
    kv_heads_before: int
    kv_heads_after: int
    cache_bytes_a_token_before: int
    cache_bytes_a_token_after: int
    calibration_tokens: int
    held_out: HeldOut
    layers: list[LayerReport]
    seconds: float
    peak_memory_bytes: int
    device: str
    versions: dict[str, str]
