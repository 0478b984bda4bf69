"""What a run starts from: device, model, trainable weights, optimizer, learning rate."""

import math
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from gqa_compress.checkpoint import attention
from gqa_compress.checkpoint.architectures import SUPPORTED
from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.reader import load_model
from gqa_compress.errors import CheckpointError, InputError, RecipeError
from gqa_compress.training.checkpoints import TrainerState
from gqa_compress.training.config import ModelConfig, TrainingConfig

# Model types whose only attention mask is the causal one.
PLAIN_CAUSAL = {"llama", "qwen2", "gemma"}
# Longest row for which scores of all pairs of tokens are worth their memory on a CPU.
MAX_SCORES_LENGTH = 512


def pick_device(recipe: TrainingConfig) -> torch.device:
    """Return the device to train on.

    Raises:
        InputError: CUDA was asked for and is not available.
    """
    return choose_device(recipe.device)


def uses_bf16(recipe: TrainingConfig, device: torch.device) -> bool:
    """Return whether matrix products run in bf16; `auto` asks the hardware."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def load_for_training(folder: Path, max_length: int) -> Any:
    """Load a checkpoint in fp32 with the fastest attention implementation.

    Args:
        folder: checkpoint folder.
        max_length: maximum number of tokens of a row.

    Raises:
        CheckpointError: the checkpoint cannot be loaded, or could not be saved again.
    """
    model = load_model(folder)
    try:
        model.generation_config.validate(strict=True)
    except ValueError as error:
        raise CheckpointError(
            f"{folder / 'generation_config.json'} is invalid, so the trained model could not be saved: {error}"
        ) from error
    return with_attention(model, max_length)


def make_model(config: ModelConfig, tokenizer: Any, seed: int) -> Any:
    """Build a LLaMA with random fp32 weights.

    Args:
        config: sizes.
        tokenizer: decides the vocabulary and the special tokens.
        seed: seed of the weights.

    Returns:
        The model.
    """
    llama = llama_config(config, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(llama)  # type: ignore[no-untyped-call]
    return with_attention(model, config.max_position_embeddings)


def llama_config(config: ModelConfig, tokenizer: Any) -> LlamaConfig:
    """Return the configuration of transformers for a model with random weights."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim or config.hidden_size // config.num_attention_heads,
        tie_word_embeddings=config.tie_word_embeddings,
        max_position_embeddings=config.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rms_norm_eps=config.rms_norm_eps,
        initializer_range=config.initializer_range,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Check that a model has an embedding for every token.

    Raises:
        InputError: the tokenizer has more tokens.
    """
    if model.config.vocab_size < len(tokenizer):
        raise InputError(
            f"the tokenizer has {len(tokenizer)} tokens and the model only {model.config.vocab_size}"
        )


def choose_trainable(model: Any, recipe: TrainingConfig) -> Any:
    """Freeze the weights that the recipe does not train, and add LoRA if it asks for that.

    Args:
        model: changed in place.
        recipe: recipe with `trainable`, `lora` and `seed`.

    Returns:
        peft's wrapper of a model with LoRA, else None.

    Raises:
        RecipeError: the names of the model's projections are not known.

    Source:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
    """
    if recipe.trainable == "full":
        return None
    if model.config.model_type not in SUPPORTED:
        raise RecipeError(
            f"trainable={recipe.trainable} needs the names of the projections of {model.config.model_type}, which are "
            "not known; use trainable: full"
        )
    arch = SUPPORTED[model.config.model_type]
    names = (arch.k, arch.v) if recipe.trainable == "kv" else (arch.q, arch.k, arch.v, arch.o)
    if recipe.trainable != "lora":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(f".{part}." in name for part in names))
        return None
    from peft import LoraConfig, get_peft_model

    leaves = [name.rsplit(".", 1)[-1] for name in names]
    targets = leaves if recipe.lora.targets == "attention" else "all-linear"
    config = LoraConfig(r=recipe.lora.r, lora_alpha=recipe.lora.lora_alpha, target_modules=targets)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return get_peft_model(model, config)


def cast_frozen_(model: torch.nn.Module, recipe: TrainingConfig) -> None:
    """Store weights that are not trained in the recipe's data type for them."""
    dtype = getattr(torch, recipe.frozen_dtype)
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


def make_optimizer(
    recipe: TrainingConfig, model: torch.nn.Module, lr_ratios: dict[int, float] | None = None
) -> torch.optim.AdamW:
    """Build AdamW with weight decay on matrices only.

    Args:
        recipe: recipe with the optimizer's fields.
        model: its trainable weights are optimized.
        lr_ratios: learning rate relative to the recipe's, by `id` of the weight; 1 for all others.

    Returns:
        The fused optimizer; its groups carry their `ratio`.
    """
    lr_ratios = lr_ratios or {}
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decayed = parameter.ndim >= 2 and id(parameter) not in embeddings
            decay = recipe.optimizer.weight_decay if decayed else 0.0
            groups.setdefault((lr_ratios.get(id(parameter), 1.0), decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "ratio": ratio, "weight_decay": decay}
            for (ratio, decay), parameters in sorted(
                groups.items(), key=lambda group: (group[0][0], -group[0][1])
            )
        ],
        lr=recipe.optimizer.learning_rate,
        betas=recipe.optimizer.betas,
        fused=True,
    )


def learning_rate(recipe: TrainingConfig, state: TrainerState) -> float:
    """Return the learning rate of the next step: linear warm-up times cosine decay over the run."""
    optimizer = recipe.optimizer
    warmup = min(1.0, (state.step + 1) / (optimizer.warmup_steps + 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, state.progress_fraction(recipe))))
    decay = optimizer.min_lr_ratio + (1 - optimizer.min_lr_ratio) * cosine
    return optimizer.learning_rate * warmup * decay


def with_attention(model: Any, max_length: int) -> Any:
    """Choose the fastest attention implementation for rows of this length on this machine; return the model."""
    config = model.config
    plain = config.model_type in PLAIN_CAUSAL and not getattr(config, "use_sliding_window", False)
    if plain and max_length <= MAX_SCORES_LENGTH and not torch.cuda.is_available():
        attention.register()
        model.set_attn_implementation(attention.NAME)
    return model
