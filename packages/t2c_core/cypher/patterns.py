"""Parsing of patterns: nodes, relationships, quantified paths, and selectors of shortest paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher.ast_nodes import (
    NodePattern,
    ParenthesizedPath,
    PathLength,
    PathPattern,
    PathSelector,
    Quantifier,
    RelationshipPattern,
)
from t2c_core.cypher.expressions import label_expression, map_literal, parameter, where
from t2c_core.cypher.lexer import INTEGER
from t2c_core.cypher.token_stream import (
    AFTER_NODE_VARIABLE,
    AFTER_RELATIONSHIP_VARIABLE,
    DASHES,
    LEFT_HEADS,
    RIGHT_HEADS,
)

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import LabelExpression, MapLiteral, Parameter, PathPart, Variable
    from t2c_core.cypher.token_stream import TokenStream

_SELECTORS = ("ANY", "ALL", "SHORTEST")
_AFTER_SELECTOR = ("(", INTEGER, "SHORTEST", "PATH", "PATHS", "GROUP", "GROUPS")
_SHORTEST = {"SHORTESTPATH": "shortestPath", "ALLSHORTESTPATHS": "allShortestPaths"}


def patterns(tokens: TokenStream) -> tuple[PathPattern, ...]:
    """Parse path patterns separated by commas."""
    found = [path_pattern(tokens)]
    while tokens.accept(","):
        found.append(path_pattern(tokens))
    return tuple(found)


def path_pattern(tokens: TokenStream) -> PathPattern:
    """Parse `[variable =] [selector] parts`."""
    position = tokens.starts[tokens.at]
    variable = None
    if tokens.is_name(tokens.at) and tokens.keys[tokens.at + 1] == "=":
        variable = tokens.variable()
        tokens.advance()
    selector = _selector(tokens) if tokens.key in _SELECTORS else None
    if tokens.key in _SHORTEST:
        parts, shortest = _shortest_path(tokens)
    else:
        parts, shortest = _parts(tokens), None
    return PathPattern(parts, variable, selector, cast("Any", shortest), position=position)


def pattern_in_expression(tokens: TokenStream, variable: Variable | None = None) -> PathPattern:
    """Parse nodes and relationships, or shortestPath(…), in an expression."""
    position = tokens.starts[tokens.at] if variable is None else variable.position
    if tokens.key in _SHORTEST:
        parts, shortest = _shortest_path(tokens)
        return PathPattern(parts, variable, shortest=cast("Any", shortest), position=position)
    found: list[PathPart] = [_node(tokens)]
    while tokens.begins_relationship(tokens.at):
        found.append(_relationship(tokens))
        found.append(_node(tokens))
    return PathPattern(tuple(found), variable, position=position)


def _shortest_path(tokens: TokenStream) -> tuple[tuple[PathPart, ...], str]:
    function = _SHORTEST[tokens.key]
    tokens.advance()
    tokens.expect("(")
    parts = _parts(tokens)
    tokens.expect(")")
    return parts, function


def _selector(tokens: TokenStream) -> PathSelector:
    position, kind = tokens.starts[tokens.at], tokens.key
    tokens.advance()
    if kind != "SHORTEST" and tokens.accept("SHORTEST"):
        kind += " SHORTEST"
    count = tokens.count() if kind in ("ANY", "SHORTEST") and tokens.key == INTEGER else None
    tokens.accept_any(("PATH", "PATHS"))
    if kind == "SHORTEST" and tokens.accept_any(("GROUP", "GROUPS")):
        kind = "SHORTEST GROUPS"
    elif kind == "SHORTEST" and count is None:
        raise tokens.unexpected("a number or GROUP")
    return PathSelector(cast("Any", kind), count, position=position)


def _parts(tokens: TokenStream) -> tuple[PathPart, ...]:
    found: list[PathPart] = [_node_or_group(tokens)]
    while True:
        key = tokens.key
        if key in LEFT_HEADS or key in DASHES:
            if not isinstance(found[-1], NodePattern):
                raise tokens.unexpected("a node")
            found.append(_relationship(tokens))
            found.append(_node(tokens))
        elif key == "(":
            found.append(_node_or_group(tokens))
        else:
            return tuple(found)


def _node_or_group(tokens: TokenStream) -> NodePattern | ParenthesizedPath:
    at = tokens.at
    if tokens.key != "(":
        raise tokens.unexpected("a pattern")
    first, second = tokens.keys[at + 1], tokens.keys[at + 2]
    is_group = first == "(" or (tokens.is_name(at + 1) and second == "=")
    if not is_group and not (first in _SELECTORS and second in _AFTER_SELECTOR):
        return _node(tokens)
    position = tokens.starts[at]
    tokens.advance()
    pattern = path_pattern(tokens)
    condition = where(tokens)
    tokens.expect(")")
    return ParenthesizedPath(pattern, condition, _quantifier(tokens), position=position)


def _node(tokens: TokenStream) -> NodePattern:
    position = tokens.starts[tokens.at]
    tokens.expect("(")
    variable = _pattern_variable(tokens, AFTER_NODE_VARIABLE)
    labels = _pattern_labels(tokens)
    properties = _properties(tokens)
    condition = where(tokens)
    tokens.expect(")")
    return NodePattern(variable, labels, properties, condition, position=position)


def _relationship(tokens: TokenStream) -> RelationshipPattern:
    position = tokens.starts[tokens.at]
    to_left = tokens.accept_any(LEFT_HEADS)
    _expect_dash(tokens)
    variable = types = length = properties = condition = None
    if tokens.accept("["):
        variable = _pattern_variable(tokens, AFTER_RELATIONSHIP_VARIABLE)
        types = _pattern_labels(tokens)
        length = _length(tokens) if tokens.key == "*" else None
        properties = _properties(tokens)
        condition = where(tokens)
        tokens.expect("]")
    _expect_dash(tokens)
    to_right = tokens.accept_any(RIGHT_HEADS)
    direction = "-" if to_left == to_right else "<-" if to_left else "->"
    quantifier = _quantifier(tokens)
    return RelationshipPattern(
        variable, types, cast("Any", direction), length, properties, condition, quantifier, position=position
    )


def _expect_dash(tokens: TokenStream) -> None:
    if not tokens.accept_any(DASHES):
        raise tokens.unexpected("- of a relationship")


def _pattern_variable(tokens: TokenStream, following: tuple[str, ...]) -> Variable | None:
    """Parse the variable of a node or relationship, unless the word is WHERE or IS as a keyword."""
    if not tokens.is_name(tokens.at):
        return None
    if tokens.keys[tokens.at + 1] not in following and tokens.key in ("WHERE", "IS"):
        return None
    return tokens.variable()


def _pattern_labels(tokens: TokenStream) -> LabelExpression | None:
    return label_expression(tokens) if tokens.accept_any((":", "IS")) else None


def _properties(tokens: TokenStream) -> MapLiteral | Parameter | None:
    if tokens.key == "{":
        return map_literal(tokens)
    return parameter(tokens) if tokens.key == "$" else None


def _length(tokens: TokenStream) -> PathLength:
    position = tokens.starts[tokens.at]
    tokens.expect("*")
    least = tokens.count() if tokens.key == INTEGER else None
    if not tokens.accept(".."):
        return PathLength(least, least, position=position)
    return PathLength(least, tokens.count() if tokens.key == INTEGER else None, position=position)


def _quantifier(tokens: TokenStream) -> Quantifier | None:
    position = tokens.starts[tokens.at]
    if tokens.accept("+"):
        return Quantifier(1, None, position=position)
    if tokens.accept("*"):
        return Quantifier(0, None, position=position)
    if not tokens.accept("{"):
        return None
    least = tokens.count() if tokens.key == INTEGER else None
    if least is not None and tokens.accept("}"):
        return Quantifier(least, least, position=position)
    tokens.expect(",")
    most = tokens.count() if tokens.key == INTEGER else None
    tokens.expect("}")
    return Quantifier(least or 0, most, position=position)
