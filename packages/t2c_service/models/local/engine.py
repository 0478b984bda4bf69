"""Engines that run a causal language model step by step: `FastLlama` for small LLaMA models, else transformers."""

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
"""Maximum difference of log-probabilities from transformers at which `FastLlama` is used."""


class EngineState(Protocol):
    """Key-value cache of a batch."""

    def select_rows(self, rows: Sequence[int]) -> None:
        """Keep some rows, in the given order."""


class Engine(Protocol):
    """A causal language model."""

    def prefill(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> tuple[Any, Tensor]:
        """Process prompts of token ids; return an `EngineState` and the logits after each prompt, (B, V)."""

    def decode_step(self, state: Any, tokens: Sequence[int]) -> Tensor:
        """Process one more token per row; return the logits after it, (B, V)."""


class TransformersState:
    """A cache of transformers with its attention mask.

    Args:
        cache: cache object of transformers.
        mask: (B, S); 1 for tokens, 0 for padding.
    """

    def __init__(self, cache: Any, mask: Tensor) -> None:
        self.cache = cache
        self.mask = mask

    def select_rows(self, rows: Sequence[int]) -> None:
        """Keep some rows, in the given order."""
        chosen = torch.tensor(rows)
        self.cache.batch_select_indices(chosen)
        self.mask = self.mask[chosen]


class TransformersEngine:
    """Any causal language model of transformers.

    Args:
        model: model in evaluation mode.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model

    def prefill(
        self,
        rows: Sequence[Sequence[int]],
        max_new_tokens: int,  # noqa: ARG002
    ) -> tuple[TransformersState, Tensor]:
        """Process prompts; see `Engine.prefill`."""
        from transformers import DynamicCache

        longest = max(map(len, rows))
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        state = TransformersState(DynamicCache(config=self._model.config), mask)
        return state, self._forward(state, tokens)

    def decode_step(self, state: TransformersState, tokens: Sequence[int]) -> Tensor:
        """Process one more token per row; see `Engine.decode_step`."""
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
    """Return `FastLlama` for a small model if its logits agree with transformers, else transformers."""
    reference = TransformersEngine(model)
    fast = FastLlama.of(model) if is_small else None
    if fast is None:
        return reference
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(model.config.vocab_size)
    probe = torch.randint(0, vocabulary, (PARITY_CHECK_TOKENS,), generator=generator).tolist()
    with torch.inference_mode():
        difference = max(
            float((left.log_softmax(-1) - right.log_softmax(-1)).abs().max())
            for left, right in zip(_logits(fast, probe), _logits(reference, probe), strict=True)
        )
    if difference > TOLERANCE:
        log.warning(
            "FastLlama differs from transformers by %.3g for this model; transformers is used", difference
        )
        return reference
    return FastLlama.of(model, is_quantised=True) or reference


def _logits(engine: Engine, tokens: list[int]) -> list[Tensor]:
    """Return the logits after a prompt that is batched with a shorter one, and after one more token."""
    state, first = engine.prefill([tokens[:-1], tokens[:3]], 1)
    return [first, engine.decode_step(state, [tokens[-1], tokens[-1]])]
