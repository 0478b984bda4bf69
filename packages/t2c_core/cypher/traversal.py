"""Walking and transforming syntax trees."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from t2c_core.cypher.ast_nodes import CountStar, FunctionInvocation, Node, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NodeT = TypeVar("NodeT", bound=Node)
AGGREGATES = frozenset("count sum avg min max collect stdev stdevp percentilecont percentiledisc".split())
"""Names of the functions that aggregate rows, in lower case."""
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
"""Operators of ranges, and those that say the same with the operands exchanged."""
_PLAIN = frozenset({"str", "int", "bool", "float", "int | None", "str | None", "tuple[str, ...]"})


@cache
def _child_fields(kind: type[Node]) -> tuple[str, ...]:
    """Return the names of the fields of a class which may hold nodes."""
    return tuple(
        each.name
        for each in fields(kind)
        if each.name != "position"
        and each.type not in _PLAIN
        and "Operator" not in each.type
        and not each.type.startswith("Literal[")
    )


def children(node: Node) -> Iterator[Node]:
    """Yield the direct children of a node, in the order of the fields of its class."""
    for name in _child_fields(type(node)):  # type: ignore[arg-type]
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            for each in value:
                if isinstance(each, Node):
                    yield each


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all its descendants in pre-order, without recursion."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(tuple(children(found))))


def has_aggregate(node: Node) -> bool:
    """Return whether an expression aggregates rows."""
    return any(
        isinstance(each, CountStar)
        or (
            isinstance(each, FunctionInvocation)
            and len(each.name) == 1
            and each.name[0].lower() in AGGREGATES
        )
        for each in walk(node)
    )


def transform(node: NodeT, change: Callable[[Node], Node]) -> NodeT:
    """Return a tree in which `change` was applied to each node, bottom-up.

    Args:
        node: Root; its replacement must be of the same kind.
        change: Function of a node, whose children are changed already, which returns the node or a replacement.
    """
    changed: dict[str, Any] = {}
    for name in _child_fields(type(node)):  # type: ignore[arg-type]
        value = getattr(node, name)
        new = _transformed(value, change)
        if new is not value:
            changed[name] = new
    return cast("NodeT", change(replace(node, **changed) if changed else node))


def _transformed(value: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return transform(value, change)
    if isinstance(value, tuple):
        new = tuple(_transformed(each, change) for each in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value


def parameter_names(tree: Node) -> list[str]:
    """Return the names of the parameters of a query, in the order of its text."""
    found = sorted(
        (each for each in walk(tree) if isinstance(each, Parameter)), key=lambda each: each.position
    )
    return list(dict.fromkeys(each.name for each in found))
