"""The interface of prompt formats: a linked question in, prompt text out; a completion in, Cypher out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from t2c_core.schema.model import Scalar
    from t2c_core.values.linker import LinkedQuestion


@dataclass(frozen=True)
class ParsedCompletion:
    """What a model's completion says."""

    cypher: str
    parameters: dict[str, Scalar] = field(default_factory=dict)
    """Values by name, without the dollar sign; only those that the Cypher uses."""
    unanswerable: bool = False
    """Whether the model says that the graph cannot answer; `cypher` is then empty."""
    repairs: tuple[str, ...] = ()
    """What was mended in the completion, for traces."""


class PromptFormat(Protocol):
    """How a question is put to a kind of model."""

    name: str
    """Name and version, for instance `atoms-1`."""

    def render(self, linked: LinkedQuestion) -> str:
        """Write the prompt of a question."""
        ...

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Read a completion of that prompt."""
        ...
