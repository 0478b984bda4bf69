"""What a training run is asked to do, as frozen dataclasses that are also the YAML.

Holds the fields, their limits and the YAML reader. Loads no model and no data.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gqa_compress.errors import RecipeError

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A LLaMA to be made from scratch; names are those of `transformers.LlamaConfig`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hidden_size: Positive = 256
    """Channels of the residual stream."""
    intermediate_size: Positive = 688
    """Channels inside the MLP."""
    num_hidden_layers: Positive = 6
    """Decoder layers."""
    num_attention_heads: Positive = 8
    """Query heads."""
    num_key_value_heads: Positive | None = None
    """Key-value heads; as many as query heads when absent."""
    head_dim: Positive | None = None
    """Channels a head; hidden_size / num_attention_heads when absent."""
    tie_word_embeddings: bool = True
    """Whether the output matrix is the input embedding."""
    max_position_embeddings: Positive = 512
    """Longest sequence the model is meant for."""
    rope_theta: PositiveFloat = 10_000.0
    """Base of the rotary frequencies."""
    rms_norm_eps: PositiveFloat = 1e-6
    """Term that keeps the norm finite."""
    initializer_range: PositiveFloat = 0.02
    """Standard deviation of the first weights."""

    def __post_init__(self) -> None:
        heads, kv_heads = self.num_attention_heads, self.num_key_value_heads or self.num_attention_heads
        if heads % kv_heads:
            raise ValueError(f"num_key_value_heads={kv_heads} does not divide num_attention_heads={heads}")
        if self.head_dim is None and self.hidden_size % heads:
            raise ValueError(f"num_attention_heads={heads} does not divide hidden_size={self.hidden_size}")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW with linear warm-up, then a cosine to a share of the rate."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    lr: PositiveFloat = 1.5e-3
    """Highest learning rate."""
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    """Steps over which the rate rises from zero."""
    final_share: Share = 0.0
    """Share of `lr` at the end of the cosine."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    """Decay of the two moments."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decay of matrices; norms, biases and embeddings have none."""
    clip: PositiveFloat = 1.0
    """Highest norm of the gradient."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A checkpoint whose predictions the student also learns from."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    checkpoint: Path
    """Folder of the teacher; it must share the tokenizer."""
    weight: Share = 0.5
    """Share of the KL term in the loss; the rest is cross-entropy."""
    temperature: PositiveFloat = 1.0
    """Temperature of both distributions in the KL term."""
    answers: Literal["kl", "bild"] = "kl"
    """What completion tokens are compared by; prompt tokens, where they weigh anything, always by KL."""
    bild_top: Annotated[int, Field(ge=3)] = 16
    """Highest logits of either model whose pairwise differences are compared by `bild`."""
    bild_temperature: PositiveFloat = 3.0
    """Temperature of those differences."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank updates of the attention projections, merged into them at the end."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    rank: Positive = 16
    """Rank of each update."""
    alpha: Positive = 32
    """Scale of each update, times 1 / rank."""


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """Fade the checkpoint's key-value heads into fewer ones while training (docs/algorithm.md, "Pruning")."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kv_heads: Positive
    """Key-value heads that are left."""
    masks: Literal["learned", "forced", "linear"] = "forced"
    """Hard-concrete masks by gradient, the same with the lowest pushed down by rule, or one number that falls."""
    start: Literal["aligned", "mean"] = "aligned"
    """What the merged heads begin with."""
    grouping: Literal["adjacent", "search"] = "adjacent"
    """Which heads form a group."""
    calibration: Path | None = None
    """Text to align by; the training rows when absent."""
    tokens: Positive = 65_536
    """About how many tokens to align by."""
    ramp_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of the run over which the target rises to no original heads at all."""
    zero_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the run from which masks are zero whatever was learned."""
    shared_rate: PositiveFloat = 2.0
    """Learning rate of the merged heads over that of the rest."""
    mask_lr: PositiveFloat = 1e-4
    """Learning rate of the masks at the optimiser's highest rate."""
    penalty: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the penalty for being off the target."""

    def __post_init__(self) -> None:
        if self.ramp_share > self.zero_share:
            raise ValueError(f"ramp_share={self.ramp_share} is more than zero_share={self.zero_share}")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training run. Paths are relative to the folder the command runs in."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    out: Path
    """Folder for the checkpoint, `metrics.jsonl` and `checkpoints/`."""
    train: Path
    """JSONL of {"prompt", "completion"} (loss on the completion) or {"text"} (loss on all of it)."""
    dev: Path | None = None
    """Held-out rows of the same form."""
    tokenizer: Path | None = None
    """Tokenizer folder; that of `checkpoint` when absent."""
    model: ModelConfig | None = None
    """Shape of a model made from scratch."""
    checkpoint: Path | None = None
    """Checkpoint folder to start from instead."""
    teacher: Teacher | None = None
    """Distil from this checkpoint as well."""
    trainable: Literal["full", "attention", "kv", "lora"] = "full"
    """What moves: all weights, q/k/v/o, k/v alone, or low-rank updates of q/k/v/o (`lora`)."""
    lora: Lora = field(default_factory=Lora)
    """The updates when `trainable` is `lora`."""
    pruning: Pruning | None = None
    """Lose key-value heads on the way."""
    patience: Positive | None = None
    """Looks at the held-out rows without a better loss after which the run ends; the best weights are kept."""
    recompute: bool = False
    """Compute activations again in the backward pass rather than keep them: less memory, a third more time."""
    steps: Positive | None = None
    """Optimiser steps to make."""
    minutes: PositiveFloat | None = None
    """Minutes to train for, resumed time counted in; with `steps`, whichever ends first."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """How the weights move."""
    batch_tokens: Positive = 2304
    """Tokens in a batch, padding included."""
    accumulate: Positive = 1
    """Batches a step."""
    max_tokens: Positive = 512
    """Longer rows are left out, and counted."""
    prompt_weight: Share = 0.0
    """Weight of prompt tokens in the loss; completion tokens weigh 1."""
    dev_every: Positive = 200
    """Steps between two looks at the held-out rows."""
    dev_rows: Positive = 512
    """Held-out rows looked at, evenly spaced over the file."""
    checkpoint_every: Positive = 200
    """Steps between two checkpoints."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the matrix products; `auto` is bf16 where the processor has it. Weights stay fp32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` is the accelerator if there is one."""
    threads: Positive | None = None
    """Threads of the matrix products; torch decides when absent."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides first weights and the order of rows."""

    def __post_init__(self) -> None:
        if (self.model is None) == (self.checkpoint is None):
            raise ValueError("give either `model` (from scratch) or `checkpoint` (a folder to start from)")
        if self.model is not None and self.tokenizer is None:
            raise ValueError("a model from scratch needs `tokenizer`, a folder")
        if self.steps is None and self.minutes is None:
            raise ValueError("give `steps` or `minutes` (or both; whichever ends first)")
        if self.pruning is not None and (self.checkpoint is None or self.trainable == "lora"):
            raise ValueError("`pruning` needs a `checkpoint` to prune, and `trainable` other than lora")
        if self.patience is not None and self.dev is None:
            raise ValueError("`patience` needs `dev`, the held-out rows")
        if self.max_tokens > self.batch_tokens:
            raise ValueError(
                f"max_tokens={self.max_tokens} is more than batch_tokens={self.batch_tokens}; raise it"
            )
        if self.model is not None and self.max_tokens > self.model.max_position_embeddings:
            raise ValueError(
                f"max_tokens={self.max_tokens} is more than the model's "
                f"max_position_embeddings={self.model.max_position_embeddings}"
            )


def read_recipe(path: Path) -> TrainingConfig:
    """Read a recipe from YAML.

    Args:
        path: the YAML file; it may say `extends: FILE`, relative to itself, whose fields hold unless given again.

    Returns:
        The recipe, every field checked.

    Raises:
        RecipeError: the file is missing, is no YAML mapping, or a field is unknown or out of range.
    """
    try:
        return TypeAdapter(TrainingConfig).validate_python(_read_fields(path))
    except ValidationError as error:
        raise RecipeError(f"the recipe {path} is wrong:\n{_explain(error)}") from error


def as_json(recipe: TrainingConfig) -> dict[str, object]:
    """Return a recipe as plain JSON values, for manifests and comparison.

    Args:
        recipe: the recipe.

    Returns:
        A mapping with paths as text.
    """
    plain = TypeAdapter(TrainingConfig).dump_python(recipe, mode="json")
    return {name.name: plain[name.name] for name in dataclasses.fields(recipe)}


def _read_fields(path: Path, above: tuple[Path, ...] = ()) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"the recipe {path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"the recipe {path} holds {type(content).__name__}, not a mapping of fields")
    parent = content.pop("extends", None)
    if parent is None:
        return content
    above = (*above, path.resolve())
    if not isinstance(parent, str) or (path.parent / parent).resolve() in above:
        raise RecipeError(f"the recipe {path} extends {parent!r}; name another recipe")
    inherited = _read_fields(path.parent / parent, above)
    for name, value in content.items():
        old = inherited.get(name)
        inherited[name] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
    return inherited


def same_run(recipe: TrainingConfig, stored: object) -> bool:
    """Tell whether a stored recipe asks for the same run; fields that it lacks count as their defaults.

    Args:
        recipe: the recipe.
        stored: what `as_json` once returned.

    Returns:
        Whether both are equal.
    """
    try:
        return bool(TypeAdapter(TrainingConfig).validate_python(stored) == recipe)
    except ValidationError:
        return False


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "recipe"
        if problem["type"] == "unexpected_keyword_argument":
            lines.append(f"  {where}: no such field")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (found {problem['input']!r})"
            lines.append(f"  {where}: {message}{given}")
    return "\n".join(lines)
