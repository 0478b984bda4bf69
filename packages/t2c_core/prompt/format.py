"""Interface of prompt formats: they render a linked question as a prompt and parse a completion as Cypher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from t2c_core.schema.model import Scalar
    from t2c_core.values.linker import LinkedQuestion


@dataclass(frozen=True)
class ParsedCompletion:
    """Parsed completion of a model."""

    cypher: str
    parameters: dict[str, Scalar] = field(default_factory=dict)
    """Values of the parameters that the query uses, by name without the dollar sign."""
    unanswerable: bool = False
    """Whether the model says that the graph cannot answer the question; `cypher` is then empty."""
    repairs: tuple[str, ...] = ()
    """Messages about repairs of the completion."""


class PromptFormat(Protocol):
    """Prompt format of a kind of model."""

    name: str
    """Name and version, for instance `atoms-1`."""

    def render(self, linked: LinkedQuestion) -> str:
        """Return the prompt of a question."""
        ...

    def parse(self, completion: str, linked: LinkedQuestion) -> ParsedCompletion:
        """Parse a completion of the prompt."""
        ...
