"""Agreement of greedy generations of a model and its teacher."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gqa_compress.checkpoint.environment import choose_device
from gqa_compress.checkpoint.reader import load_model, load_tokenizer
from gqa_compress.errors import RowsError
from gqa_compress.text.calibration import read_sequences


@dataclass(frozen=True, kw_only=True)
class GenerationAgreement:
    """Agreement of greedy continuations of two models.

    Attributes:
        prompts: number of prompts.
        new_tokens: tokens generated per prompt.
        exact_match: fraction of prompts with equal continuations.
        common_prefix_ratio: mean fraction of a continuation before the first difference.
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
    prompt_length: int = 64,
    new_tokens: int = 32,
) -> GenerationAgreement:
    """Continue the same prompts with a model and its teacher.

    Args:
        model: checkpoint folder.
        teacher: checkpoint folder with the same tokenizer.
        text: text to take prompts from, evenly.
        prompts: maximum number of prompts.
        prompt_length: tokens per prompt.
        new_tokens: tokens to generate per prompt.

    Returns:
        The agreement.

    Raises:
        CheckpointError: a folder is not a loadable checkpoint.
        RowsError: the text cannot be read or has no prompt of that length.
    """
    device = choose_device()
    pieces = read_sequences(text, load_tokenizer(model), tokens=None, max_length=prompt_length)
    pieces = [piece for piece in pieces if len(piece) == prompt_length]
    if not pieces:
        raise RowsError(f"{text} has no sequence of {prompt_length} tokens to use as a prompt")
    chosen = torch.tensor(pieces[:: max(1, len(pieces) // prompts)][:prompts], device=device)
    first, second = (
        _generate(load_model(folder).to(device), chosen, new_tokens) for folder in (model, teacher)
    )
    equal_so_far = (first == second).cummin(dim=1).values  # (B, new tokens)
    return GenerationAgreement(
        prompts=len(chosen),
        new_tokens=new_tokens,
        exact_match=float(equal_so_far[:, -1].double().mean()),
        common_prefix_ratio=float(equal_so_far.double().mean()),
    )


@torch.no_grad()
def _generate(model: Any, prompts: torch.Tensor, new_tokens: int) -> torch.Tensor:
    """Return (B, new_tokens) greedy tokens; the EOS token is never generated."""
    tokens: torch.Tensor = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    return tokens[:, prompts.shape[1] :]
