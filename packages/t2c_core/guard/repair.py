"""Puts right what needs no schema: forms that the server no longer takes, literals that are linked parameters.

Works on the tree. Each repair is told. What needs the schema is put right in `validity`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.guard.language.depth_traversal import VisitedNode
    from t2c_core.guard.rewrites import Change, PendingRewrites

RENAMED = {"toint": "toInteger", "rels": "relationships", "distance": "point.distance"}
"""Functions that are called otherwise today."""


def replace_deprecated(stops: Sequence[VisitedNode], edits: PendingRewrites) -> None:
    """Have forms exchanged that Neo4j took once and takes no longer, and columns left out that are there already."""
    for node, *_ in stops:
        if isinstance(node, t.Projection) and len(set(node.items)) < len(node.items):
            edits.add(node, _without_doubles)
            edits.tell("repair.column", "a column that was named twice is there once", node.position)
        if not isinstance(node, t.FunctionInvocation) or len(node.name) != 1:
            continue
        name = node.name[0].lower()
        only = node.arguments[0] if len(node.arguments) == 1 else None
        if name in RENAMED:
            _exchange(edits, node, f"{node.name[0]}() is {RENAMED[name]}()", _rename)
        elif (
            name in ("size", "length") and isinstance(only, t.PatternExpression) and not only.pattern.shortest
        ):
            _exchange(edits, node, f"{name}() of a pattern is COUNT {{}}", _counted)
        elif name == "exists" and isinstance(only, t.Property):
            _exchange(edits, node, "exists() of a property is IS NOT NULL", _not_null)
        elif name == "length" and isinstance(only, t.Property | t.String | t.ListLiteral):
            _exchange(edits, node, "length() of a text or list is size()", _sized)


def parameterize_literals(
    stops: Sequence[VisitedNode], parameters: Mapping[str, object], edits: PendingRewrites
) -> None:
    """Have literals exchanged for the parameter of that value, where a value is asked for.

    A literal that differs from the linked value in case only is meant to be that value.
    """
    names: dict[str, list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, str) and value:
            names.setdefault(value.casefold(), []).append(name)
    if not names:
        return
    for literal in _wanted(stops):
        found = names.get(literal.value.casefold(), [])
        if len(found) == 1:
            parameter = t.Parameter(found[0])
            edits.add(literal, lambda _node, parameter=parameter: parameter)  # type: ignore[misc]
            edits.tell("repair.parameter", f"'{literal.value}' → ${found[0]}", literal.position)


def _wanted(stops: Sequence[VisitedNode]) -> list[t.String]:
    """List the texts that a property is compared with for equality."""
    found: list[t.Expression] = []
    for node, *_ in stops:
        if isinstance(node, t.NodePattern | t.RelationshipPattern) and isinstance(
            node.properties, t.MapLiteral
        ):
            found += [each.value for each in node.properties.entries]
        elif isinstance(node, t.Comparison) and node.operators == ("=",):
            sides = node.operands
            if any(isinstance(each, t.Property) for each in sides):
                found += sides
        elif (
            isinstance(node, t.BinaryPredicate)
            and node.operator == "IN"
            and isinstance(node.left, t.Property)
        ):
            found += node.right.items if isinstance(node.right, t.ListLiteral) else ()
    return [each for each in found if isinstance(each, t.String)]


def _exchange(edits: PendingRewrites, node: t.FunctionInvocation, told: str, change: Change) -> None:
    edits.add(node, change)
    edits.tell("repair.deprecated", told, node.position)


def _without_doubles(node: t.Node) -> t.Node:
    projection = cast("t.Projection", node)
    return replace(projection, items=tuple(dict.fromkeys(projection.items)))


def _rename(node: t.Node) -> t.Node:
    function = cast("t.FunctionInvocation", node)
    name = tuple(RENAMED[function.name[0].lower()].split("."))
    return t.FunctionInvocation(name, function.arguments, function.distinct, position=function.position)


def _counted(node: t.Node) -> t.Node:
    pattern = cast("t.PatternExpression", cast("t.FunctionInvocation", node).arguments[0]).pattern
    at = node.position
    match = t.Match((pattern,), position=at)
    query = t.Query((t.SingleQuery((match,), position=at),), position=at)
    return t.SubqueryExpression("COUNT", query, position=at)


def _not_null(node: t.Node) -> t.Node:
    return t.IsNull(cast("t.FunctionInvocation", node).arguments[0], negated=True, position=node.position)


def _sized(node: t.Node) -> t.Node:
    return t.FunctionInvocation(("size",), cast("t.FunctionInvocation", node).arguments, position=node.position)
