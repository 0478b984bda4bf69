"""Clauses of Cypher 25 as those of Cypher 5 with the same meaning.

    LET x = e, y = f      WITH *, e AS x, f AS y
    FILTER [WHERE] c      WITH * WHERE c
    FOR x IN list         UNWIND list AS x
    RETURN … NEXT …       WITH … …

The others have no such form and are refused by name.

Source: https://neo4j.com/docs/cypher-manual/25/clauses/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.expressions import expression
from t2c_core.cypher.token_stream import Rewrite
from t2c_core.cypher.traversal import has_aggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Clause
    from t2c_core.cypher.token_stream import TokenStream
    from t2c_core.errors import CypherSyntaxError

_REFUSED = {
    "WHEN": "WHEN of Cypher 25 is not supported; use CASE, or UNION of two queries with WHERE",
    "SEARCH": "SEARCH of Cypher 25 is not supported; the guard allows no vector search",
    "{": "queries in braces of Cypher 25 are not supported; use CALL { … }",
}


def refusal(tokens: TokenStream) -> CypherSyntaxError | None:
    """Return the error for a clause of Cypher 25 that has no form in Cypher 5, or None if there is no such clause."""
    return tokens.error(_REFUSED[tokens.key]) if tokens.key in _REFUSED else None


def begins_clause(tokens: TokenStream) -> bool:
    """Return whether a clause of Cypher 25 begins that has a form in Cypher 5."""
    return tokens.key in _CLAUSES and tokens.keys[tokens.at + 1] != "="


def clause(tokens: TokenStream, *, is_first: bool) -> Clause:
    """Parse LET, FILTER or FOR as the clause of Cypher 5.

    Args:
        tokens: the tokens.
        is_first: whether it begins the query, so that there are no variables for `WITH *`.
    """
    word, position = tokens.key, tokens.starts[tokens.at]
    tokens.rewrites.append(Rewrite("language", f"{word} of Cypher 25 replaced", position))
    tokens.advance()
    return _CLAUSES[word](tokens, position, is_first)


def next_query(tokens: TokenStream, last: t.Return) -> t.With:
    """Return the clause for `RETURN … NEXT`, at its second word."""
    position = tokens.starts[tokens.at]
    unnamed = [each for each in last.items if not (each.alias or isinstance(each.expression, t.Variable))]
    if unnamed:
        raise tokens.error("NEXT needs a name for each column: RETURN … AS name")
    tokens.rewrites.append(Rewrite("language", "NEXT of Cypher 25 replaced", position))
    tokens.advance()
    return t.With(
        last.items, last.star, last.distinct, last.order, last.skip, last.limit, position=last.position
    )


def _let(tokens: TokenStream, position: int, is_first: bool) -> t.With:
    items = [_definition(tokens)]
    while tokens.accept(","):
        items.append(_definition(tokens))
    return t.With(tuple(items), star=not is_first, position=position)


def _definition(tokens: TokenStream) -> t.ProjectionItem:
    position = tokens.starts[tokens.at]
    variable = tokens.variable()
    tokens.expect("=")
    value = expression(tokens)
    if has_aggregate(value):
        raise tokens.error("LET takes no aggregates; use WITH", at=tokens.at - 1)
    return t.ProjectionItem(value, variable, position=position)


def _filter(tokens: TokenStream, position: int, is_first: bool) -> t.With:
    if is_first:
        raise tokens.error("FILTER needs a clause before it, such as MATCH")
    tokens.accept("WHERE")
    return t.With(star=True, where=expression(tokens), position=position)


def _for(tokens: TokenStream, position: int, is_first: bool) -> t.Unwind:  # noqa: ARG001
    variable = tokens.variable()
    tokens.expect("IN")
    return t.Unwind(expression(tokens), variable, position=position)


_CLAUSES: dict[str, Callable[[TokenStream, int, bool], Clause]] = {
    "LET": _let,
    "FILTER": _filter,
    "FOR": _for,
}
