"""From the text of a query to its tree.

Time grows linearly with the text: the parser never goes back, and what could be two things is told from the tokens
around a bracket. Recursion is bounded by the limits on brackets and CASE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.clauses import ClauseParser
from t2c_core.cypher.lexer import END, tokenize
from t2c_core.cypher.traversal import children
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Node, Query
    from t2c_core.cypher.unicode import Version

MAX_HEIGHT = 120
"""Nodes below each other."""


def parse(text: str, *, version: Version = 5) -> Query:
    """Read a query of the reading language.

    Args:
        text: one query; one semicolon may follow it.
        version: of the language, that the server will read it in.

    Raises:
        CypherSyntaxError: it is not such a query; says where and why.
    """
    tokens = tokenize(text, version=version)
    parser = ClauseParser(tokens, version)
    query = parser.query()
    if parser.key == ";" and parser.keys[parser.at + 1] != END:
        parser.advance()
        raise parser.error("only one query may be sent at once", "statements")
    if not parser.accept(";") and parser.key != END:
        raise parser.unexpected("the end of the query")
    if len(tokens.keys) > MAX_HEIGHT:
        _check_height(query)
    return query


def _check_height(query: Query) -> None:
    waiting: list[tuple[Node, int]] = [(query, 1)]
    while waiting:
        node, height = waiting.pop()
        if height > MAX_HEIGHT:
            raise CypherSyntaxError(
                f"the query nests deeper than {MAX_HEIGHT}", position=node.position, reason="depth"
            )
        waiting.extend((child, height + 1) for child in children(node))
