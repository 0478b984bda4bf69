"""What runs a network token by token: our own pass for small LLaMA models, transformers for all others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import torch

from t2c_service.models.local.llama import FastLlama

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

PARITY_CHECK_TOKENS = 12
TOLERANCE = 1e-2
"""Largest difference of log-probabilities between our pass and transformers' for ours to be used."""


class Engine(Protocol):
    """A causal language model."""

    def prefill(self, rows: Sequence[Sequence[int]], room: int) -> tuple[Any, Tensor]:
        """Read prompts of token ids; gives a state, to be handed to `step`, and the logits after each, (B, N)."""

    def decode_step(self, state: Any, tokens: Sequence[int]) -> Tensor:
        """Read one more token of each row; gives the logits after it, (B, N)."""


class TransformersState:
    """A cache of transformers with the mask of its padding.

    Args:
        cache: of that library.
        mask: 1 for tokens, 0 for padding, (B, S).
    """

    def __init__(self, cache: Any, mask: Tensor) -> None:
        self.cache = cache
        self.mask = mask

    def select_rows(self, rows: Sequence[int]) -> None:
        """Go on with some rows only, in the order given."""
        chosen = torch.tensor(rows)
        self.cache.batch_select_indices(chosen)
        self.mask = self.mask[chosen]


class TransformersEngine:
    """Any causal language model of transformers.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model

    def prefill(self, rows: Sequence[Sequence[int]], room: int) -> tuple[TransformersState, Tensor]:  # noqa: ARG002
        """Read prompts; see `Engine.start`."""
        from transformers import DynamicCache

        longest = max(map(len, rows))
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        state = TransformersState(DynamicCache(config=self._model.config), mask)
        return state, self._forward(state, tokens)

    def decode_step(self, state: TransformersState, tokens: Sequence[int]) -> Tensor:
        """Read one more token of each row; see `Engine.step`."""
        state.mask = torch.cat([state.mask, torch.ones_like(state.mask[:, :1])], dim=1)
        return self._forward(state, torch.tensor(tokens)[:, None])

    def _forward(self, state: TransformersState, tokens: Tensor) -> Tensor:
        positions = (state.mask.cumsum(1) - 1).clamp_(min=0)[:, -tokens.shape[1] :]
        output: Any = self._model(
            input_ids=tokens,
            attention_mask=state.mask,
            position_ids=positions,
            past_key_values=state.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits


def choose_engine(model: PreTrainedModel, *, is_small: bool) -> Engine:
    """Run a small model by our own pass, if that gives what transformers gives; all others by transformers."""
    theirs = TransformersEngine(model)
    ours = FastLlama.of(model) if is_small else None
    if ours is None:
        return theirs
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(model.config.vocab_size)
    probe = torch.randint(0, vocabulary, (PARITY_CHECK_TOKENS,), generator=generator).tolist()
    with torch.inference_mode():
        difference = max(
            float((left.log_softmax(-1) - right.log_softmax(-1)).abs().max())
            for left, right in zip(_read(ours, probe), _read(theirs, probe), strict=True)
        )
    if difference > TOLERANCE:
        log.warning("our pass differs from transformers' by %.3g for this model; theirs is used", difference)
        return theirs
    return FastLlama.of(model, is_quantised=True) or theirs


def _read(engine: Engine, tokens: list[int]) -> list[Tensor]:
    """Give the logits after a prompt beside a shorter one, and after one more token."""
    state, first = engine.prefill([tokens[:-1], tokens[:3]], 1)
    return [first, engine.decode_step(state, [tokens[-1], tokens[-1]])]
