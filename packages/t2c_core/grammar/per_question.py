"""The grammar for one question: that of its graph, with as many parameters as the question has values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from t2c_core.grammar.compact import atoms_grammar
from t2c_core.grammar.cypher import cypher_grammar
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS
from t2c_core.prompt.schema_tokens import SchemaTokenFormat

if TYPE_CHECKING:
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.prompt.format import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion


@dataclass(frozen=True)
class Grammar:
    """What a completion may be."""

    text: str
    """EBNF; its rule `root` is a whole completion."""
    uses_schema_tokens: bool = False
    """Whether a model of this format has one token for each piece, so that it need not spell."""


class GrammarCache:
    """The grammars of one graph and prompt format; each is written once.

    Args:
        schema: what queries may name.
        format_: of the completions.
        policy: what they may not name.
    """

    def __init__(self, schema: GraphSchema, format_: PromptFormat, *, policy: Policy | None = None) -> None:
        uses_schema_tokens = isinstance(format_, SchemaTokenFormat)
        write = atoms_grammar if uses_schema_tokens else cypher_grammar

        @lru_cache(maxsize=MAX_PARAMETERS + 1)
        def of_size(parameters: int) -> Grammar:
            return Grammar(write(schema, policy=policy, parameters=parameters), uses_schema_tokens)

        self._of_size = of_size

    def for_question(self, linked: LinkedQuestion) -> Grammar:
        """Give the grammar for a question."""
        return self._of_size(min(len(linked.links), MAX_PARAMETERS))
