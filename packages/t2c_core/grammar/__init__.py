"""Grammars of the Cypher that a model may write on a graph, in the EBNF that xgrammar and vLLM read."""

from t2c_core.grammar.compact import atoms_grammar
from t2c_core.grammar.cypher import cypher_grammar
from t2c_core.grammar.per_question import Grammar, QuestionGrammars

__all__ = ["Grammar", "QuestionGrammars", "atoms_grammar", "cypher_grammar"]
