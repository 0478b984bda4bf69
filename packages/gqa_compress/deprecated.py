"""Old spellings of flags, recipe fields and JSON fields, accepted or written for one more version."""

from collections.abc import Mapping
from typing import Any

RECIPE_FIELDS: Mapping[str, str] = {
    "out": "output_dir",
    "train": "train_file",
    "dev": "validation_file",
    "checkpoint": "init_checkpoint",
    "steps": "max_steps",
    "minutes": "max_minutes",
    "dev_every": "eval_steps",
    "dev_rows": "max_eval_samples",
    "checkpoint_every": "save_steps",
    "accumulate": "gradient_accumulation_steps",
    "recompute": "gradient_checkpointing",
    "patience": "early_stopping_patience",
    "batch_tokens": "max_tokens_per_batch",
    "max_tokens": "max_length",
    "prompt_weight": "prompt_loss_weight",
}
SECTION_FIELDS: Mapping[str, Mapping[str, str]] = {
    "optimizer": {"lr": "learning_rate", "clip": "max_grad_norm", "final_share": "min_lr_ratio"},
    "teacher": {"weight": "kl_weight", "answers": "completion_loss", "bild_top": "bild_top_k"},
    "lora": {"rank": "r", "alpha": "lora_alpha"},
    "pruning": {
        "masks": "mask_schedule",
        "start": "init",
        "ramp_share": "sparsity_warmup_ratio",
        "zero_share": "mask_off_ratio",
        "shared_rate": "merged_lr_multiplier",
        "mask_lr": "mask_learning_rate",
        "penalty": "sparsity_penalty_weight",
    },
}
TRAINER_STATE: Mapping[str, str] = {"best": "best_eval_loss", "stale": "evals_without_improvement"}
OUTPUT_FIELDS: Mapping[str, str] = {
    "kv_cache_bytes_per_token": "cache_bytes_a_token",
    "kv_cache_bytes_per_token_before": "cache_bytes_a_token_before",
    "kv_cache_bytes_per_token_after": "cache_bytes_a_token_after",
    "head_dim": "head_size",
    "valid_kv_heads": "choices",
    "distill_steps_per_layer": "local_steps",
    "max_length": "length",
    "attention_relative_error": "attention_error",
    "residual_relative_error": "stream_error",
    "ridge_lambda": "refit_strengths",
    "best_distill_step": "local_steps_kept",
    "top1_agreement": "agreement",
    "perplexity_ratio": "ratio",
    "greedy_prefix_ratio": "written",
    "batch_size": "batch",
    "prompt_length": "prompt",
    "eval_loss": "dev_loss",
    "eval_exact_match": "dev_exact",
    "mean_head_mask": "heads_left",
}
"""New to old name."""
FLAGS: Mapping[str, str] = {
    "--against": "--teacher",
    "--length": "--max-length",
    "--local-steps": "--layer-distill-steps",
    "--batch": "--batch-size",
    "--prompt": "--prompt-length",
}


def rename_recipe_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Rename the old fields of a recipe.

    Args:
        fields: recipe as read from YAML or JSON.

    Returns:
        The recipe with new names, and a note "old is now new" per old name. A field that is given under both names
        keeps the old one as well, so that validation rejects it.
    """
    notes: list[str] = []
    renamed = _renamed(fields, RECIPE_FIELDS, "", notes)
    for section, table in SECTION_FIELDS.items():
        if isinstance(renamed.get(section), Mapping):
            renamed[section] = _renamed(renamed[section], table, f"{section}.", notes)
    return renamed, notes


def rename_fields(fields: Mapping[str, Any], table: Mapping[str, str]) -> dict[str, Any]:
    """Return fields under their new names, given a table from old to new."""
    return _renamed(fields, table, "", [])


def rename_output_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON output with its new names alone, whichever version wrote it."""
    old = {old: new for new, old in OUTPUT_FIELDS.items()}
    return {old.get(name, name): value for name, value in content.items()}


def with_old_names(content: Any) -> Any:
    """Return a JSON output in which every renamed field also has its old name, after the new one."""
    if isinstance(content, list):
        return [with_old_names(item) for item in content]
    if not isinstance(content, Mapping):
        return content
    both = {}
    for name, value in content.items():
        both[name] = value if name in {"recipe", "fingerprint"} else with_old_names(value)
        if name in OUTPUT_FIELDS:
            both.setdefault(OUTPUT_FIELDS[name], both[name])
    return both


def _renamed(
    fields: Mapping[str, Any], table: Mapping[str, str], prefix: str, notes: list[str]
) -> dict[str, Any]:
    renamed = {}
    for name, value in fields.items():
        new = table.get(name, name)
        if new != name and new in fields:
            new = name
        if new != name:
            notes.append(f"{prefix}{name} is now {prefix}{new}")
        renamed[new] = value
    return renamed
