"""Grammars of the Cypher that a model may write for a graph, in the EBNF of xgrammar and vLLM."""

from t2c_core.grammar.compact import atoms_grammar
from t2c_core.grammar.cypher import cypher_grammar
from t2c_core.grammar.per_question import Grammar, GrammarCache

__all__ = ["Grammar", "GrammarCache", "atoms_grammar", "cypher_grammar"]
