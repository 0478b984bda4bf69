"""What the loop asks of a model; holds no model (see `local` and `openai`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from t2c_core.grammar import Grammar

Prompt = str | Sequence[Mapping[str, str]]
"""One text to continue, or chat messages with `role` and `content`."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a model wrote, without prompt and end mark."""

    text: str
    tokens: int
    """Number of tokens written, the end mark included."""
    mean_logprob: float | None
    """Mean natural logarithm of the tokens' probabilities; none if the model does not say."""
    elapsed_ms: float


class CypherModel(Protocol):
    """Something that turns a prompt into a completion."""

    @property
    def name(self) -> str:
        """Name to show beside an answer."""

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Write one completion.

        Args:
            prompt: what `t2c_core.prompt` rendered.
            hypothesis: 0 for the likeliest completion, 1, 2 … for others to try after it.
            grammar: what the completion must be; anything without one.
            timeout_s: longest wait; the work is given up after it.

        Raises:
            ModelUnavailableError: the model cannot be reached or is not there.
            CompletionError: it wrote no usable completion.
            DeadlineError: it took longer than `timeout_s`.
            OverloadedError: too many wait for it.
        """

    async def check(self) -> None:
        """Make sure that the model can be asked.

        Raises:
            ModelUnavailableError: it cannot; the message says why.
        """

    async def close(self) -> None:
        """Let go of what the model holds."""
