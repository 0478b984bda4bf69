"""The interface of models that generate Cypher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from t2c_core.grammar import Grammar

Prompt = str | Sequence[Mapping[str, str]]
"""A text to continue, or chat messages with `role` and `content`."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A completion without prompt and end-of-sequence token."""

    text: str
    tokens: int
    """Number of generated tokens, including the end-of-sequence token."""
    mean_logprob: float | None
    """Mean log-probability (natural) per token; None if the model does not return it."""
    elapsed_ms: float


class CypherModel(Protocol):
    """A model that completes prompts."""

    @property
    def name(self) -> str:
        """Return the name to show in answers."""

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Generate one completion.

        Args:
            prompt: prompt that `t2c_core.prompt` rendered.
            hypothesis: 0 for the most probable completion; 1, 2, … for alternatives.
            grammar: grammar that constrains the completion, if any.
            timeout_s: maximum seconds to wait; the generation is cancelled after that.

        Raises:
            ModelUnavailableError: the model cannot be reached.
            CompletionError: the model returned no usable completion.
            DeadlineError: the generation took longer than `timeout_s`.
            OverloadedError: the queue of the model is full.
        """

    def check_support(self, *, chat: bool, grammar: bool) -> None:
        """Check that the model supports chat messages or grammars, if they will be used.

        Raises:
            SettingsError: a chat template or a package is missing.
        """

    async def check(self) -> None:
        """Check that the model is available.

        Raises:
            ModelUnavailableError: it is not; the message says why.
        """

    async def close(self) -> None:
        """Release the resources of the model."""


def require_xgrammar() -> None:
    """Check that grammars can be used.

    Raises:
        SettingsError: xgrammar is not installed.
    """
    if find_spec("xgrammar") is None:
        raise SettingsError(
            "`model.grammar` needs the package xgrammar; install graphling[local], or set `model.grammar` to off"
        )
