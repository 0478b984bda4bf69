"""Which weights of a model move: all, those of attention, keys and values alone, or low-rank updates.

Holds the choice before training and the merge of low-rank updates after it. Source of the updates: Hu et al., "LoRA:
Low-Rank Adaptation of Large Language Models", ICLR 2022, by peft.
"""

from typing import Any

import torch

from gqa_compress.checkpoint.architectures import SUPPORTED, Architecture
from gqa_compress.errors import RecipeError
from gqa_compress.training.config import TrainingConfig


def choose_trainable(model: Any, recipe: TrainingConfig) -> Any:
    """Freeze what the recipe does not train, and add low-rank updates if it asks for them.

    Args:
        model: changed in place.
        recipe: with `trainable`, `lora` and `seed`.

    Returns:
        What `merged` wants back after training: peft's wrapper of the model, or None.

    Raises:
        RecipeError: the model's projections are not known.
    """
    if recipe.trainable == "full":
        return None
    if model.config.model_type not in SUPPORTED:
        raise RecipeError(
            f"trainable={recipe.trainable} needs to know where a {model.config.model_type} keeps its "
            "projections; use trainable: full"
        )
    where = SUPPORTED[model.config.model_type]
    if recipe.trainable == "lora":
        return _with_updates(model, where, recipe)
    names = (where.k, where.v) if recipe.trainable == "kv" else (where.q, where.k, where.v, where.o)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(f".{part}." in name for part in names))
    return None


def merged(model: Any, adapter: Any) -> Any:
    """Return the model with its low-rank updates added to the weights.

    Args:
        model: that was trained.
        adapter: what `choose_trainable` returned.

    Returns:
        A stock model.
    """
    return model if adapter is None else adapter.merge_and_unload()


def _with_updates(model: Any, where: Architecture, recipe: TrainingConfig) -> Any:
    from peft import LoraConfig, get_peft_model

    leaves = [name.rsplit(".", 1)[-1] for name in (where.q, where.k, where.v, where.o)]
    config = LoraConfig(r=recipe.lora.rank, lora_alpha=recipe.lora.alpha, target_modules=leaves)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return get_peft_model(model, config)
