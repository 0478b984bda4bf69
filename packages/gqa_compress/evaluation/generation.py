"""How far a model writes what its teacher would write.

Holds greedy continuation of real prompts by both. Loss and divergence are in perplexity.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gqa_compress.checkpoint.environment import default_device
from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.errors import RowsError
from gqa_compress.text.calibration import read_sequences


@dataclass(frozen=True, kw_only=True)
class GenerationAgreement:
    """Greedy continuations of two models, side by side.

    Attributes:
        prompts: how many were continued.
        new_tokens: tokens written for each.
        whole: share of prompts whose continuations are equal.
        until: mean share of a continuation before the first difference.
    """

    prompts: int
    new_tokens: int
    exact_match: float
    common_prefix_ratio: float


def compare_generations(
    model: Path,
    teacher: Path,
    text: Path,
    *,
    prompts: int = 32,
    prompt_tokens: int = 64,
    new_tokens: int = 32,
) -> GenerationAgreement:
    """Continue the same prompts by a model and by its teacher.

    Args:
        model: checkpoint folder.
        teacher: checkpoint folder with the same tokenizer.
        text: to take prompts from, evenly.
        prompts: how many to take at most.
        prompt_tokens: tokens of each prompt.
        new_tokens: tokens to write.

    Returns:
        How far they agree.

    Raises:
        CheckpointError: a folder is no loadable checkpoint.
        RowsError: the text cannot be read or has no prompt of that many tokens.
    """
    device = default_device()
    pieces = read_sequences(text, load_tokenizer(model), tokens=None, length=prompt_tokens)
    exact_match = [piece for piece in pieces if len(piece) == prompt_tokens]
    if not exact_match:
        raise RowsError(f"{text} has no {prompt_tokens} tokens in a row to prompt with")
    chosen = torch.tensor(exact_match[:: max(1, len(exact_match) // prompts)][:prompts], device=device)
    first, second = (
        _continue(load_model(folder).to(device), chosen, new_tokens) for folder in (model, teacher)
    )
    same = (first == second).cummin(dim=1).values  # (B, new tokens)
    return GenerationAgreement(
        prompts=len(chosen),
        new_tokens=new_tokens,
        exact_match=float(same[:, -1].double().mean()),
        common_prefix_ratio=float(same.double().mean()),
    )


@torch.no_grad()
def _continue(model: Any, prompts: torch.Tensor, new_tokens: int) -> torch.Tensor:
    """Return (B, new_tokens) greedy tokens; the end-of-text token is never written."""
    written: torch.Tensor = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    return written[:, prompts.shape[1] :]
