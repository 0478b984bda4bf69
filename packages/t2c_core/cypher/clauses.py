"""Parsing of clauses and whole queries.

A clause outside the read-only subset is recognised by its first word and rejected with a reason of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher import cypher25
from t2c_core.cypher.expressions import arguments, dotted_name, expression, where
from t2c_core.cypher.hints import skip_hints
from t2c_core.cypher.lexer import END
from t2c_core.cypher.patterns import patterns

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Clause, Expression, PathPattern, Query, SortItem, Variable
    from t2c_core.cypher.token_stream import TokenStream
    from t2c_core.errors import CypherSyntaxError, SyntaxErrorReason

_REJECTED_WORDS: dict[SyntaxErrorReason, str] = {
    "write": "CREATE MERGE SET DELETE DETACH NODETACH REMOVE FOREACH INSERT",
    "load": "LOAD",
    "command": "SHOW TERMINATE ALTER DROP GRANT DENY REVOKE RENAME START STOP ENABLE DRYRUN DEALLOCATE REALLOCATE "
    "DEFINE USING",
    "use": "USE",
    "option": "EXPLAIN PROFILE CYPHER",
    "statements": ";",
}
REJECTED = {word: reason for reason, words in _REJECTED_WORDS.items() for word in words.split()}
"""Reason for rejecting a query, by the first word of the clause."""
MatchMode = Literal["DIFFERENT RELATIONSHIPS", "REPEATABLE ELEMENTS"]
_MATCH_MODES: dict[tuple[str, ...], MatchMode] = {
    ("REPEATABLE", "ELEMENTS"): "REPEATABLE ELEMENTS",
    ("REPEATABLE", "ELEMENT", "BINDINGS"): "REPEATABLE ELEMENTS",
    ("DIFFERENT", "RELATIONSHIPS"): "DIFFERENT RELATIONSHIPS",
    ("DIFFERENT", "RELATIONSHIP", "BINDINGS"): "DIFFERENT RELATIONSHIPS",
}


def query(tokens: TokenStream) -> Query:
    """Parse a query up to its end or a closing brace."""
    return _union(tokens, must_end=True)


def subquery(tokens: TokenStream, kind: str) -> Query:
    """Parse the query of EXISTS, COUNT or COLLECT; for the first two, a bare pattern with WHERE is one MATCH."""
    if kind == "COLLECT":
        return query(tokens)
    begins_clause = tokens.key in _CLAUSES and tokens.keys[tokens.at + 1] != "="
    if tokens.key in REJECTED or begins_clause or cypher25.begins_clause(tokens):
        return _union(tokens, must_end=False)
    position = tokens.starts[tokens.at]
    matched, condition, mode = _matched(tokens)
    match = t.Match(matched, condition, mode=mode, position=position)
    return t.Query((t.SingleQuery((match,), position=position),), position=position)


def _union(tokens: TokenStream, *, must_end: bool) -> Query:
    position = tokens.starts[tokens.at]
    parts = [_single(tokens, must_end=must_end)]
    kinds = set()
    while tokens.accept("UNION"):
        kinds.add(tokens.accept("ALL"))
        tokens.accept("DISTINCT")
        if len(kinds) > 1:
            raise tokens.error("UNION and UNION ALL cannot be mixed", at=tokens.at - 1)
        parts.append(_single(tokens, must_end=must_end))
    if len(parts) > 1 and any("NEXT" in each.message for each in tokens.rewrites):
        raise tokens.error("UNION and NEXT cannot be mixed; use CALL { … UNION … }")
    return t.Query(tuple(parts), True in kinds, position=position)


def _single(tokens: TokenStream, *, must_end: bool) -> t.SingleQuery:
    position = tokens.starts[tokens.at]
    clauses: list[Clause] = []
    while tokens.key in _CLAUSES or cypher25.begins_clause(tokens):
        if clauses and isinstance(clauses[-1], t.Return | t.Finish):
            raise tokens.error(f"unexpected clause after {tokens.keys[tokens.at - 1]}")
        if tokens.key in _CLAUSES:
            clauses.append(_CLAUSES[tokens.key](tokens))
        else:
            clauses.append(cypher25.clause(tokens, is_first=not clauses))
        if tokens.key == "NEXT" and isinstance(clauses[-1], t.Return):
            clauses[-1] = cypher25.next_query(tokens, clauses[-1])
    if tokens.key not in (END, "}", "UNION", ";") or not clauses:
        raise _rejection(tokens)
    if must_end and not _is_final(clauses[-1]):
        raise tokens.unexpected("RETURN")
    return t.SingleQuery(tuple(clauses), position=position)


def _rejection(tokens: TokenStream) -> CypherSyntaxError:
    """Return the error for a token where a clause may begin."""
    reason = REJECTED.get(tokens.key)
    if reason is None:
        return cypher25.refusal(tokens) or tokens.unexpected("a clause")
    if reason == "statements":
        return tokens.error("only one statement is allowed", reason)
    return tokens.error(f"{tokens.texts[tokens.at].upper()} is not allowed in a read-only query", reason)


def _is_final(clause: Clause) -> bool:
    """Return whether a query may end with a clause."""
    if isinstance(clause, t.CallSubquery):
        return all(
            _is_final(part.clauses[-1]) and not isinstance(part.clauses[-1], t.Return)
            for part in clause.query.parts
        )
    return isinstance(clause, t.Return | t.Finish | t.CallProcedure)


# Clauses, each from its first word


def _optional(tokens: TokenStream) -> Clause:
    return _call(tokens) if tokens.keys[tokens.at + 1] == "CALL" else _match(tokens)


def _match(tokens: TokenStream) -> t.Match:
    position = tokens.starts[tokens.at]
    optional = tokens.accept("OPTIONAL")
    tokens.expect("MATCH")
    matched, condition, mode = _matched(tokens)
    return t.Match(matched, condition, optional, mode, position=position)


def _matched(tokens: TokenStream) -> tuple[tuple[PathPattern, ...], Expression | None, MatchMode | None]:
    mode = None
    if tokens.key in ("REPEATABLE", "DIFFERENT"):
        for phrase, meaning in _MATCH_MODES.items():
            if tokens.keys[tokens.at : tokens.at + len(phrase)] == list(phrase):
                if tokens.version == 5:
                    raise tokens.error(f"Cypher 5 has no {meaning}")
                mode = meaning
                tokens.advance(len(phrase))
    matched = patterns(tokens)
    skip_hints(tokens)
    return matched, where(tokens), mode


def _unwind(tokens: TokenStream) -> t.Unwind:
    position = tokens.starts[tokens.at]
    tokens.advance()
    source = expression(tokens)
    tokens.expect("AS")
    return t.Unwind(source, tokens.variable(), position=position)


def _return(tokens: TokenStream) -> t.Return:
    position = tokens.starts[tokens.at]
    tokens.advance()
    return t.Return(*_projection(tokens), position=position)


def _with(tokens: TokenStream) -> t.With:
    position = tokens.starts[tokens.at]
    tokens.advance()
    return t.With(*_projection(tokens), where(tokens), position=position)


def _projection(
    tokens: TokenStream,
) -> tuple[
    tuple[t.ProjectionItem, ...], bool, bool, tuple[SortItem, ...], Expression | None, Expression | None
]:
    distinct = tokens.accept("DISTINCT")
    star = tokens.accept("*")
    items = []
    if not star or tokens.accept(","):
        items.append(_projection_item(tokens))
        while tokens.accept(","):
            items.append(_projection_item(tokens))
    return tuple(items), star, distinct, *_order_skip_limit(tokens)


def _projection_item(tokens: TokenStream) -> t.ProjectionItem:
    position = tokens.starts[tokens.at]
    value = expression(tokens)
    return t.ProjectionItem(value, _alias(tokens), position=position)


def _alias(tokens: TokenStream) -> Variable | None:
    return tokens.variable() if tokens.accept("AS") else None


def _order_skip_limit(
    tokens: TokenStream,
) -> tuple[tuple[SortItem, ...], Expression | None, Expression | None]:
    order = []
    if tokens.accept("ORDER"):
        tokens.expect("BY")
        order.append(_sort_item(tokens))
        while tokens.accept(","):
            order.append(_sort_item(tokens))
    skip = expression(tokens) if tokens.accept_any(("SKIP", "OFFSET")) else None
    limit = expression(tokens) if tokens.accept("LIMIT") else None
    return tuple(order), skip, limit


def _sort_item(tokens: TokenStream) -> t.SortItem:
    position = tokens.starts[tokens.at]
    value = expression(tokens)
    descending = tokens.accept_any(("DESC", "DESCENDING"))
    if not descending:
        tokens.accept_any(("ASC", "ASCENDING"))
    return t.SortItem(value, descending, position=position)


def _page(tokens: TokenStream) -> t.OrderBySkipLimit:
    position = tokens.starts[tokens.at]
    return t.OrderBySkipLimit(*_order_skip_limit(tokens), position=position)


def _finish(tokens: TokenStream) -> t.Finish:
    position = tokens.starts[tokens.at]
    tokens.advance()
    return t.Finish(position=position)


def _call(tokens: TokenStream) -> t.CallSubquery | t.CallProcedure:
    position = tokens.starts[tokens.at]
    optional = tokens.accept("OPTIONAL")
    tokens.expect("CALL")
    if tokens.key in ("(", "{"):
        return _call_subquery(tokens, position, optional=optional)
    return _call_procedure(tokens, position, optional=optional)


def _call_subquery(tokens: TokenStream, position: int, *, optional: bool) -> t.CallSubquery:
    imports: tuple[Variable, ...] | None = None
    star = False
    if tokens.accept("("):
        star = tokens.accept("*")
        found: list[Variable] = []
        if not star and tokens.key != ")":
            found.append(tokens.variable())
            while tokens.accept(","):
                found.append(tokens.variable())
        tokens.expect(")")
        imports = tuple(found)
    tokens.expect("{")
    inner = query(tokens)
    tokens.expect("}")
    if tokens.key == "IN":
        raise tokens.error("CALL { … } IN TRANSACTIONS is not allowed", "transactions")
    return t.CallSubquery(inner, imports, star, optional, position=position)


def _call_procedure(tokens: TokenStream, position: int, *, optional: bool) -> t.CallProcedure:
    name = dotted_name(tokens)
    given = arguments(tokens) if tokens.accept("(") else None
    yields: tuple[t.YieldItem, ...] | None = None
    star = False
    condition = None
    if tokens.accept("YIELD"):
        star = tokens.accept("*")
        yields = () if star else _yields(tokens)
        condition = None if star else where(tokens)
    return t.CallProcedure(name, given, yields, star, condition, optional, position=position)


def _yields(tokens: TokenStream) -> tuple[t.YieldItem, ...]:
    found: list[t.YieldItem] = []
    while not found or tokens.accept(","):
        position = tokens.starts[tokens.at]
        name = tokens.name("a column")
        found.append(t.YieldItem(name, _alias(tokens), position=position))
    return tuple(found)


_CLAUSES: dict[str, Callable[[TokenStream], Clause]] = {
    "CALL": _call,
    "FINISH": _finish,
    "LIMIT": _page,
    "MATCH": _match,
    "OFFSET": _page,
    "OPTIONAL": _optional,
    "ORDER": _page,
    "RETURN": _return,
    "SKIP": _page,
    "UNWIND": _unwind,
    "WITH": _with,
}
"""Clause parsers by the first word of the clause."""
