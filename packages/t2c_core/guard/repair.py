"""Repairs that need no schema, and the collection in which all layers record their changes to a syntax tree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import transform
from t2c_core.guard.verdict import Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from t2c_core.guard.language.complexity import VisitedNode

    Change = Callable[[t.Node], t.Node]

RENAMED_FUNCTIONS = {"toint": "toInteger", "rels": "relationships", "distance": "point.distance"}


class PendingRewrites:
    """Changes to a syntax tree, recorded by type and position of the node and applied together."""

    def __init__(self) -> None:
        self._changes: dict[tuple[type[t.Node], int], list[Change]] = {}
        self.repairs: list[Repair] = []

    def add(self, node: t.Node, change: Change) -> None:
        """Record a change of a parsed node; changes of one node are applied in order, after those of its children."""
        assert node.position >= 0, node  # noqa: S101 - a bug of the guard, whatever the query
        self._changes.setdefault((type(node), node.position), []).append(change)

    def record(self, code: str, message: str, position: int = -1) -> None:
        """Record a repair unless the same message has been recorded."""
        if all((each.code, each.message) != (code, message) for each in self.repairs):
            self.repairs.append(Repair(code, message, position))

    def apply(self, query: t.Query) -> t.Query:
        """Return the tree with all changes applied."""
        return transform(query, self._change) if self._changes else query

    def _change(self, node: t.Node) -> t.Node:
        for change in self._changes.get((type(node), node.position), ()):
            node = change(node)
        return node


def replace_deprecated(visited: Sequence[VisitedNode], rewrites: PendingRewrites) -> None:
    """Replace forms that Neo4j no longer accepts, and remove duplicate columns."""
    for node, *_ in visited:
        if isinstance(node, t.Projection) and len(set(node.items)) < len(node.items):
            rewrites.add(node, _without_duplicates)
            rewrites.record("repair.column", "duplicate column removed", node.position)
        if isinstance(node, t.FunctionInvocation) and len(node.name) == 1:
            _replace_function(node, rewrites)


def _replace_function(node: t.FunctionInvocation, rewrites: PendingRewrites) -> None:
    name = node.name[0].lower()
    argument = node.arguments[0] if len(node.arguments) == 1 else None
    is_pattern = isinstance(argument, t.PatternExpression) and not argument.pattern.shortest
    if name in RENAMED_FUNCTIONS:
        change, message = _renamed, f"{node.name[0]}() is now {RENAMED_FUNCTIONS[name]}()"
    elif name in ("size", "length") and is_pattern:
        change, message = _as_count, f"{name}() of a pattern is now COUNT {{}}"
    elif name == "exists" and isinstance(argument, t.Property):
        change, message = _as_not_null, "exists() of a property is now IS NOT NULL"
    elif name == "length" and isinstance(argument, t.Property | t.String | t.ListLiteral):
        change, message = _as_size, "length() of a string or list is now size()"
    else:
        return
    rewrites.add(node, cast("Change", change))
    rewrites.record("repair.deprecated", message, node.position)


def _without_duplicates(node: t.Node) -> t.Node:
    projection = cast("t.Projection", node)
    return replace(projection, items=tuple(dict.fromkeys(projection.items)))


def _renamed(node: t.FunctionInvocation) -> t.Node:
    return replace(node, name=tuple(RENAMED_FUNCTIONS[node.name[0].lower()].split(".")))


def _as_count(node: t.FunctionInvocation) -> t.Node:
    at = node.position
    match = t.Match((cast("t.PatternExpression", node.arguments[0]).pattern,), position=at)
    return t.SubqueryExpression(
        "COUNT", t.Query((t.SingleQuery((match,), position=at),), position=at), position=at
    )


def _as_not_null(node: t.FunctionInvocation) -> t.Node:
    return t.IsNull(node.arguments[0], negated=True, position=node.position)


def _as_size(node: t.FunctionInvocation) -> t.Node:
    return t.FunctionInvocation(("size",), node.arguments, position=node.position)


def parameterize_literals(
    visited: Sequence[VisitedNode], parameters: Mapping[str, object], rewrites: PendingRewrites
) -> None:
    """Replace strings that a property is compared with by the parameter of that value, ignoring case."""
    names: dict[str, list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, str) and value:
            names.setdefault(value.casefold(), []).append(name)
    for literal in _compared_strings(visited) if names else ():
        found = names.get(literal.value.casefold(), [])
        if len(found) == 1:
            parameter = t.Parameter(found[0])
            rewrites.add(literal, lambda node, parameter=parameter: _parameterized(node, parameter))  # type: ignore[misc]
            rewrites.record("repair.parameter", f"'{literal.value}' → ${found[0]}", literal.position)


def _parameterized(node: t.Node, parameter: t.Parameter) -> t.Node:
    """Return the parameter for a string, or a cast of the string with the parameter in it."""
    if isinstance(node, t.FunctionInvocation):
        return replace(node, arguments=(parameter,))
    return parameter if isinstance(node, t.String) else node


def _compared_strings(visited: Sequence[VisitedNode]) -> list[t.String]:
    """Return the strings that a property is compared with for equality."""
    found: list[t.Expression] = []
    for node, *_ in visited:
        if isinstance(node, t.NodePattern | t.RelationshipPattern):
            if isinstance(node.properties, t.MapLiteral):
                found += [each.value for each in node.properties.entries]
        elif isinstance(node, t.Comparison) and node.operators == ("=",):
            if any(isinstance(each, t.Property) for each in node.operands):
                found += node.operands
        elif isinstance(node, t.BinaryPredicate) and isinstance(node.right, t.ListLiteral):
            found += node.right.items if node.operator == "IN" and isinstance(node.left, t.Property) else ()
    return [each for each in found if isinstance(each, t.String)]
