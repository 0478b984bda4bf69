"""Parser entry point: the text of a query as a syntax tree.

The parser is recursive descent without backtracking: ambiguities are resolved by looking at the tokens around a
matched pair of brackets, so that time is linear in the length of the text. The limits on brackets and CASE bound the
recursion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.clauses import query, subquery
from t2c_core.cypher.lexer import END, tokenize
from t2c_core.cypher.patterns import pattern_in_expression
from t2c_core.cypher.token_stream import TokenStream
from t2c_core.cypher.traversal import children
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Node, Query
    from t2c_core.cypher.token_stream import Rewrite
    from t2c_core.cypher.unicode import Version

MAX_HEIGHT = 120
"""Maximum height of the syntax tree."""


def parse(text: str, *, version: Version = 5) -> Query:
    """Parse a query of the read-only Cypher subset; as `parse_with_rewrites`, without the rewrites."""
    return parse_with_rewrites(text, version=version)[0]


def parse_with_rewrites(text: str, *, version: Version = 5) -> tuple[Query, tuple[Rewrite, ...]]:
    """Parse a query of the read-only Cypher subset.

    Hints to the planner are left out of the tree, and LET, FILTER, FOR and NEXT of Cypher 25 become WITH and UNWIND, so
    that the text has to be rendered again where there are rewrites.

    Args:
        text: One query, optionally followed by one semicolon.
        version: Language version in which the server will read it.

    Returns:
        The tree, and what it does not contain as written.

    Raises:
        CypherSyntaxError: The text is not such a query; has position and reason.
    """
    found = tokenize(text, version=version)
    tokens = TokenStream(found, version, pattern=pattern_in_expression, query=subquery)
    tree = query(tokens)
    if tokens.key == ";" and tokens.keys[tokens.at + 1] != END:
        tokens.advance()
        raise tokens.error("only one statement is allowed", "statements")
    if not tokens.accept(";") and tokens.key != END:
        raise tokens.unexpected("the end of the query")
    if len(found.keys) > MAX_HEIGHT:
        _check_height(tree)
    return tree, tuple(tokens.rewrites)


def _check_height(tree: Query) -> None:
    stack: list[tuple[Node, int]] = [(tree, 1)]
    while stack:
        node, height = stack.pop()
        if height > MAX_HEIGHT:
            raise CypherSyntaxError(
                f"the query nests deeper than {MAX_HEIGHT}", position=node.position, reason="depth"
            )
        stack.extend((child, height + 1) for child in children(node))
