"""Training recipes: frozen dataclasses with limits, read from YAML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gqa_compress.deprecated import rename_recipe_fields
from gqa_compress.errors import RecipeError
from gqa_compress.pruning.masks import MaskSchedule
from graphling_io.console import print_status

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A LLaMA with random weights; fields of `transformers.LlamaConfig`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    hidden_size: Positive = 256
    """Width of the residual stream."""
    intermediate_size: Positive = 688
    """Width of the MLP."""
    num_hidden_layers: Positive = 6
    """Decoder layers."""
    num_attention_heads: Positive = 8
    """Query heads."""
    num_key_value_heads: Positive | None = None
    """KV heads; as many as query heads if absent."""
    head_dim: Positive | None = None
    """Head dimension; hidden_size / num_attention_heads if absent."""
    tie_word_embeddings: bool = True
    """Whether the LM head is the input embedding."""
    max_position_embeddings: Positive = 512
    """Maximum sequence length."""
    rope_theta: PositiveFloat = 10_000.0
    """Base of the rotary frequencies."""
    rms_norm_eps: PositiveFloat = 1e-6
    """Epsilon of RMSNorm."""
    initializer_range: PositiveFloat = 0.02
    """Standard deviation of the initial weights."""

    def __post_init__(self) -> None:
        heads, kv_heads = self.num_attention_heads, self.num_key_value_heads or self.num_attention_heads
        if heads % kv_heads:
            raise ValueError(f"num_key_value_heads={kv_heads} does not divide num_attention_heads={heads}")
        if self.head_dim is None and self.hidden_size % heads:
            raise ValueError(f"num_attention_heads={heads} does not divide hidden_size={self.hidden_size}")


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW with linear warm-up and cosine decay."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    learning_rate: PositiveFloat = 1.5e-3
    """Peak learning rate."""
    warmup_steps: Annotated[int, Field(ge=0)] = 50
    """Steps over which the learning rate rises from zero."""
    min_lr_ratio: Ratio = 0.0
    """Final learning rate, relative to the peak."""
    betas: tuple[Ratio, Ratio] = (0.9, 0.95)
    """Decay rates of the two moments."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Weight decay of matrices; norms, biases and embeddings have none."""
    max_grad_norm: PositiveFloat = 1.0
    """Maximum norm of the gradient."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Distillation from a teacher checkpoint."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    checkpoint: Path
    """Checkpoint folder of the teacher, with the same tokenizer."""
    cache: Path | None = None
    """Folder of its highest logits that `gqa-compress teach` wrote, read instead of running it."""
    cache_top_k: Positive = 64
    """Number of highest logits of a token in that folder; the rest of the vocabulary counts as one token."""
    kl_weight: Ratio = 0.5
    """Weight of the distillation loss; that of cross-entropy is 1 minus it."""
    temperature: PositiveFloat = 1.0
    """Temperature of both distributions in the KL divergence."""
    completion_loss: Literal["kl", "bild"] = "kl"
    """Distillation loss of completion tokens; that of prompt tokens is always KL."""
    bild_top_k: Annotated[int, Field(ge=3)] = 16
    """Number of highest logits of either model whose pairwise differences `bild` compares."""
    bild_temperature: PositiveFloat = 3.0
    """Temperature of those differences."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """LoRA of projections, merged into them at the end."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    r: Positive = 16
    """Rank of each update."""
    lora_alpha: Positive = 32
    """Scale of each update, divided by the rank."""
    targets: Literal["attention", "all"] = "attention"
    """Projections that get an update: those of attention, or those of the MLP too."""


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """Pruning of KV heads during training (docs/algorithm.md, "Pruning")."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kv_heads: Positive
    """KV heads to keep."""
    mask_schedule: MaskSchedule = "forced"
    """Hard-concrete masks learned by gradient, the same with the lowest forced to zero, or one linear schedule."""
    init: Literal["aligned", "mean"] = "aligned"
    """Initial weights of the merged heads."""
    grouping: Literal["adjacent", "search"] = "adjacent"
    """Which heads form a group."""
    calibration: Path | None = None
    """Calibration text for the alignment; the training rows if absent."""
    tokens: Positive = 65_536
    """Approximate number of calibration tokens."""
    sparsity_warmup_ratio: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Fraction of the run over which the target sparsity rises to 1."""
    mask_off_ratio: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Fraction of the run after which the original heads are removed, whatever masks were learned."""
    merged_lr_multiplier: PositiveFloat = 2.0
    """Learning rate of the merged heads, relative to the other weights."""
    mask_learning_rate: PositiveFloat = 1e-4
    """Peak learning rate of the masks."""
    sparsity_penalty_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the penalty for deviating from the target sparsity."""

    def __post_init__(self) -> None:
        if self.sparsity_warmup_ratio > self.mask_off_ratio:
            raise ValueError(
                f"sparsity_warmup_ratio={self.sparsity_warmup_ratio} exceeds mask_off_ratio={self.mask_off_ratio}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One training run. Paths are relative to the working directory."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    output_dir: Path
    """Folder for the model, `metrics.jsonl` and `checkpoints/`."""
    train_file: Path
    """JSONL of {"prompt", "completion"} (loss on the completion), {"messages"} (loss on replies of the assistant) or
    {"text"} (loss on all of it)."""
    validation_file: Path | None = None
    """Held-out rows of the same form."""
    tokenizer: Path | None = None
    """Tokenizer folder; `init_checkpoint` if absent."""
    model: ModelConfig | None = None
    """Configuration of a model trained from scratch."""
    init_checkpoint: Path | None = None
    """Checkpoint folder to start from instead."""
    teacher: Teacher | None = None
    """Distillation from a teacher."""
    trainable: Literal["full", "attention", "kv", "lora"] = "full"
    """Weights to train: all, q/k/v/o, k/v, or LoRA."""
    lora: Lora = field(default_factory=Lora)
    """LoRA if `trainable` is `lora`."""
    pruning: Pruning | None = None
    """Pruning of KV heads during the run."""
    early_stopping_patience: Positive | None = None
    """Evaluations without a lower loss after which the run stops; the best weights are kept."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""
    max_steps: Positive | None = None
    """Optimizer steps."""
    max_minutes: PositiveFloat | None = None
    """Minutes of training, over all resumed parts; with `max_steps`, whichever ends first."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    """Optimizer and learning rate."""
    max_tokens_per_batch: Positive = 2304
    """Maximum number of tokens per batch, padding included."""
    gradient_accumulation_steps: Positive = 1
    """Batches per step."""
    max_length: Positive = 512
    """Maximum number of tokens per row; longer texts are cut, longer prompts with completions left out and counted."""
    prompt_loss_weight: Ratio = 0.0
    """Weight of prompt tokens in the loss; that of completion tokens is 1."""
    eval_steps: Positive = 200
    """Steps between two evaluations on the held-out rows."""
    max_eval_samples: Positive = 512
    """Number of held-out rows to evaluate on, evenly spaced over the file."""
    save_steps: Positive = 200
    """Steps between two checkpoints."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Data type of matrix products; `auto` is bf16 where the hardware supports it. Trained weights stay fp32."""
    frozen_dtype: Literal["float32", "bfloat16"] = "float32"
    """Data type of weights that are not trained, those of the teacher included; bfloat16 needs `precision: bf16`."""
    dtype: Literal["source", "float32", "bfloat16", "float16"] = "source"
    """Data type of the weights that are written; `source` is that of `init_checkpoint`, fp32 from scratch."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; `auto` is CUDA if there is one."""
    threads: Positive | None = None
    """Threads of matrix products; chosen by torch if absent."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the initial weights and of the order of rows."""

    def __post_init__(self) -> None:
        if (self.model is None) == (self.init_checkpoint is None):
            raise ValueError(
                "give either `model` (from scratch) or `init_checkpoint` (a folder to start from)"
            )
        if self.model is not None and self.tokenizer is None:
            raise ValueError("a model from scratch needs `tokenizer`, a folder")
        if self.max_steps is None and self.max_minutes is None:
            raise ValueError("give `max_steps` or `max_minutes` (or both; whichever ends first)")
        if self.pruning is not None and (self.init_checkpoint is None or self.trainable == "lora"):
            raise ValueError("`pruning` needs an `init_checkpoint`, and `trainable` other than lora")
        if self.early_stopping_patience is not None and self.validation_file is None:
            raise ValueError("`early_stopping_patience` needs `validation_file`, the held-out rows")
        if self.frozen_dtype == "bfloat16" and self.precision != "bf16":
            raise ValueError(f"`frozen_dtype: bfloat16` needs `precision: bf16`, not {self.precision}")
        if self.max_length > self.max_tokens_per_batch:
            raise ValueError(
                f"max_length={self.max_length} exceeds max_tokens_per_batch={self.max_tokens_per_batch}; raise it"
            )
        if self.model is not None and self.max_length > self.model.max_position_embeddings:
            raise ValueError(
                f"max_length={self.max_length} exceeds the model's "
                f"max_position_embeddings={self.model.max_position_embeddings}"
            )

    @property
    def tokenizer_folder(self) -> Path:
        """Folder to load the tokenizer from."""
        folder = self.tokenizer or self.init_checkpoint
        assert folder is not None  # noqa: S101  checked above
        return folder

    @property
    def inputs(self) -> list[Path]:
        """All files and folders that the run reads."""
        found = [self.train_file, self.validation_file, self.tokenizer, self.init_checkpoint]
        found += [self.teacher.checkpoint, self.teacher.cache] if self.teacher else []
        found += [self.pruning.calibration if self.pruning else None]
        return [path for path in found if path is not None]


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a recipe from YAML.

    Args:
        path: YAML file. `extends: FILE`, relative to it, takes over the fields of another recipe. Old field names are
            accepted with a note on standard error.
        overrides: FIELD=VALUE, VALUE in YAML; fields of a group are written as GROUP.FIELD.

    Returns:
        The validated recipe.

    Raises:
        RecipeError: the file is missing or not a YAML mapping, or a field is unknown or out of range.
    """
    fields, notes = _read_fields(path)
    for override in overrides:
        _set_field(fields, override)
    for note in notes:
        print_status(f"gqa-compress: deprecated field in the recipe {path}: {note}")
    try:
        return TypeAdapter(TrainingConfig).validate_python(fields)
    except ValidationError as error:
        raise RecipeError(f"the recipe {path} is invalid:\n{_explain(error)}") from error


def _set_field(fields: dict[str, Any], override: str) -> None:
    """Set one field of a recipe in place, given as FIELD=VALUE."""
    name, equals, value = override.partition("=")
    *groups, last = name.split(".")
    for group in groups:
        fields = fields.setdefault(group, {})
        if not isinstance(fields, dict):
            raise RecipeError(f"{override!r} sets a field of {group}, which is no group of fields")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value in {override!r} is not YAML: {error}") from error
    if not equals or not all(name.split(".")):
        raise RecipeError(f"{override!r} is not FIELD=VALUE, for instance max_steps=100")
    fields[last] = parsed


def as_json(recipe: TrainingConfig) -> dict[str, object]:
    """Return a recipe as JSON values, with paths as strings."""
    plain: dict[str, object] = TypeAdapter(TrainingConfig).dump_python(recipe, mode="json")
    return plain


def _read_fields(path: Path, above: tuple[Path, ...] = ()) -> tuple[dict[str, Any], list[str]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"the recipe {path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"the recipe {path} is {type(content).__name__}, not a mapping of fields")
    parent = content.pop("extends", None)
    content, notes = rename_recipe_fields(content)
    if parent is None:
        return content, notes
    above = (*above, path.resolve())
    if not isinstance(parent, str) or (path.parent / parent).resolve() in above:
        raise RecipeError(f"the recipe {path} extends {parent!r}; name another recipe")
    inherited, old_notes = _read_fields(path.parent / parent, above)
    for name, value in content.items():
        old = inherited.get(name)
        inherited[name] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
    return inherited, old_notes + notes


def same_run(recipe: TrainingConfig, stored: object) -> bool:
    """Return whether a stored recipe equals this one; it may have old field names, missing fields have defaults."""
    if not isinstance(stored, dict):
        return False
    try:
        return bool(TypeAdapter(TrainingConfig).validate_python(rename_recipe_fields(stored)[0]) == recipe)
    except ValidationError:
        return False


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        field_name = ".".join(str(part) for part in problem["loc"]) or "recipe"
        if problem["type"] == "unexpected_keyword_argument":
            lines.append(f"  {field_name}: unknown field")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (found {problem['input']!r})"
            lines.append(f"  {field_name}: {message}{given}")
    return "\n".join(lines)
