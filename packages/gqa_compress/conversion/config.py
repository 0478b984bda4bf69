"""Configuration of a conversion, and its report, which is written as conversion.json."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from gqa_compress.checkpoint.architectures import AttentionDims
from gqa_compress.errors import PlanError


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """How to convert a checkpoint."""

    kv_heads: int
    """KV heads to keep; divides the present number."""
    method: Literal["mean", "aligned", "weighted"] = "weighted"
    """How a group of heads is merged into one."""
    grouping: Literal["adjacent", "search"] = "adjacent"
    """Which heads form a group."""
    refit: bool = True
    """Fit the output and down projections to the source model's residual stream by ridge regression."""
    distill_steps_per_layer: Annotated[int, Parameter(name=("--layer-distill-steps", "--local-steps"))] = 400
    """Adam steps on each layer's attention, and as many on all of the last layer; 0 for the closed form alone."""
    tokens: int = 65_536
    """Approximate number of calibration tokens."""
    max_length: Annotated[int, Parameter(name=("--max-length", "--length"))] = 512
    """Maximum number of tokens in a calibration sequence."""
    max_tokens_per_batch: int = 2048
    """Maximum number of tokens in a batch of calibration sequences; a distillation step uses one batch."""
    dtype: Literal["source", "float32", "bfloat16", "float16"] = "source"
    """Data type of the weights that are written."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; `auto` is CUDA if there is one."""
    seed: int = 0
    """Seed of grouping restarts and of the order of distillation batches."""

    def __post_init__(self) -> None:
        for name, minimum in (
            ("kv_heads", 1),
            ("distill_steps_per_layer", 0),
            ("tokens", 1),
            ("max_length", 2),
            ("max_tokens_per_batch", 2),
        ):
            if getattr(self, name) < minimum:
                raise PlanError(f"{name}={getattr(self, name)} is too few; use at least {minimum}")

    def check(self, dims: AttentionDims) -> None:
        """Check that the model can be converted to this number of KV heads.

        Raises:
            PlanError: `kv_heads` does not divide the model's.
        """
        if dims.num_kv_heads % self.kv_heads:
            raise PlanError(
                f"kv_heads={self.kv_heads} does not divide num_key_value_heads={dims.num_kv_heads}; "
                f"choose one of {', '.join(map(str, dims.valid_kv_heads))}"
            )


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """Result of one layer; errors are relative to the source model's energy, on held-out tokens."""

    layer: int
    groups: list[list[int]]
    attention_relative_error: float
    residual_relative_error: float
    ridge_lambda: dict[str, float | None] = field(default_factory=dict)
    best_distill_step: dict[str, int] = field(default_factory=dict)
    seconds: float


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Source and converted model on held-out calibration sequences."""

    tokens: int
    perplexity_before: float
    perplexity_after: float
    kl: float


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """Result of a conversion."""

    source: str
    model_type: str
    plan: dict[str, Any]
    kv_heads_before: int
    kv_heads_after: int
    kv_cache_bytes_per_token_before: int
    kv_cache_bytes_per_token_after: int
    calibration_tokens: int
    held_out: HeldOut
    layers: list[LayerReport]
    seconds: float
    peak_memory_bytes: int
    device: str
    versions: dict[str, str]


def perplexity(loss: float) -> float:
    """Return the perplexity of a mean loss in nats; infinity where it exceeds a float."""
    return math.exp(loss) if loss < 700 else math.inf
