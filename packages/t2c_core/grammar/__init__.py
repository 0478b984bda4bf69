"""Grammars of the Cypher that a model may write on a graph, in the EBNF that xgrammar and vLLM read."""

from t2c_core.grammar.atoms import atoms_grammar
from t2c_core.grammar.general import cypher_grammar
from t2c_core.grammar.notation import MAX_ITEMS

__all__ = ["MAX_ITEMS", "atoms_grammar", "cypher_grammar"]
