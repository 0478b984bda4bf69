"""The things a run starts from: device, model, optimiser.

Holds their making from a recipe. Trains nothing.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from gqa_compress.checkpoint.environment import default_device
from gqa_compress.checkpoint.reader import load_model
from gqa_compress.errors import RecipeError
from gqa_compress.training import attention
from gqa_compress.training.config import ModelConfig, TrainingConfig

# Model types whose only attention mask is the causal one.
PLAIN_CAUSAL = {"llama", "qwen2", "gemma"}


def pick_device(recipe: TrainingConfig) -> torch.device:
    """Choose where to train.

    Args:
        recipe: with `device`.

    Returns:
        The device.

    Raises:
        RecipeError: an accelerator was asked for and there is none.
    """
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("device=cuda was asked for and no CUDA device is there; use device: auto or cpu")
    return default_device() if recipe.device == "auto" else torch.device(recipe.device)


def uses_bf16(recipe: TrainingConfig, device: torch.device) -> bool:
    """Tell whether matrix products run in bf16.

    Args:
        recipe: with `precision`.
        device: where to train.

    Returns:
        Whether they do; `auto` asks the processor.
    """
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def start_model(folder: Path) -> Any:
    """Load a checkpoint to train or to learn from.

    Args:
        folder: the checkpoint.

    Returns:
        The model in fp32, with the attention that is fastest for it.

    Raises:
        CheckpointError: the folder is no loadable checkpoint.
    """
    attention.register()
    return _with_attention(load_model(folder))


def make_model(shape: ModelConfig, tokenizer: Any, seed: int) -> Any:
    """Make a LLaMA with random weights.

    Args:
        shape: its sizes.
        tokenizer: decides the vocabulary and the special tokens.
        seed: of the weights.

    Returns:
        The model, in fp32.
    """
    attention.register()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        num_key_value_heads=shape.num_key_value_heads,
        head_dim=shape.head_dim or shape.hidden_size // shape.num_attention_heads,
        tie_word_embeddings=shape.tie_word_embeddings,
        max_position_embeddings=shape.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        rms_norm_eps=shape.rms_norm_eps,
        initializer_range=shape.initializer_range,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _with_attention(LlamaForCausalLM(config))  # type: ignore[no-untyped-call]


def make_optimizer(
    recipe: TrainingConfig, model: torch.nn.Module, ratios: dict[int, float] | None = None
) -> torch.optim.AdamW:
    """Make AdamW with weight decay on matrices only.

    Args:
        recipe: with the optimiser's fields.
        model: its trainable weights.
        ratios: learning rate over that of the run, by `id` of the weight; 1 for all others.

    Returns:
        The optimiser, all of it in one fused call a step; its groups carry their `ratio`.
    """
    ratios = ratios or {}
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decayed = parameter.ndim >= 2 and id(parameter) not in embeddings
            decay = recipe.optimizer.weight_decay if decayed else 0.0
            groups.setdefault((ratios.get(id(parameter), 1.0), decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "ratio": ratio, "weight_decay": decay}
            for (ratio, decay), parameters in sorted(
                groups.items(), key=lambda group: (group[0][0], -group[0][1])
            )
        ],
        lr=recipe.optimizer.lr,
        betas=recipe.optimizer.betas,
        fused=True,
    )


def _with_attention(model: Any) -> Any:
    if model.config.model_type in PLAIN_CAUSAL and not torch.cuda.is_available():
        model.set_attn_implementation(attention.NAME)
    return model
