"""Grammars of the Cypher that a model may write on a graph, in the EBNF that xgrammar and vLLM read."""

from t2c_core.grammar.atoms import atoms_grammar
from t2c_core.grammar.general import cypher_grammar
from t2c_core.grammar.questions import Grammar, QuestionGrammars

__all__ = ["Grammar", "QuestionGrammars", "atoms_grammar", "cypher_grammar"]
