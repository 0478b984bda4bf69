"""Grammars of questions: the grammar of the graph, with one parameter per linked value, and static semantics."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from t2c_core.grammar.compact import atoms_grammar
from t2c_core.grammar.cypher import cypher_grammar
from t2c_core.grammar.static_semantics import StaticSemantics
from t2c_core.prompt.compact_cypher import MAX_PARAMETERS
from t2c_core.prompt.schema_tokens import SchemaTokenFormat

if TYPE_CHECKING:
    from t2c_core.prompt.format import PromptFormat
    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.linker import LinkedQuestion


@dataclass(frozen=True)
class Grammar:
    """Grammar of completions."""

    text: str
    """EBNF whose rule `root` is a complete completion."""
    uses_schema_tokens: bool = False
    """Whether models of the format have a token for each atom, so that only such tokens are allowed."""
    semantics: StaticSemantics | None = field(default=None, compare=False)
    """Rules that the grammar cannot state, if there are any."""

    @property
    def key(self) -> tuple[object, ...]:
        """Return what makes the completions of two grammars equal."""
        return self.text, self.semantics.key if self.semantics else ()


class GrammarCache:
    """Grammars of a graph and prompt format, whose texts are generated once.

    Args:
        schema: schema of the graph, without hidden names.
        format_: prompt format of the completions.
    """

    def __init__(self, schema: GraphSchema, format_: PromptFormat) -> None:
        uses_schema_tokens = isinstance(format_, SchemaTokenFormat)
        write = atoms_grammar if uses_schema_tokens else cypher_grammar

        @lru_cache(maxsize=MAX_PARAMETERS + 1)
        def text_for(parameters: int) -> str:
            return write(schema, parameters=parameters)

        self._schema = schema
        self._uses_schema_tokens = uses_schema_tokens
        self._text_for = text_for

    def for_question(self, linked: LinkedQuestion) -> Grammar:
        """Return the grammar of a question."""
        text = self._text_for(min(len(linked.links), MAX_PARAMETERS))
        if not self._uses_schema_tokens:
            return Grammar(text)
        return Grammar(text, self._uses_schema_tokens, StaticSemantics(self._schema, linked))
