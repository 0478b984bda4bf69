"""Going through a syntax tree, and making a changed one.

Holds nothing about what the nodes mean.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from t2c_core.cypher.ast_nodes import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NodeT = TypeVar("NodeT", bound=Node)
_PLAIN = frozenset({"str", "int", "bool", "float", "int | None", "str | None", "tuple[str, ...]"})


_child_fields_by_kind: dict[type[Node], tuple[str, ...]] = {}


def _child_fields(kind: type[Node]) -> tuple[str, ...]:
    """Name the fields of a class that may hold nodes."""
    found = _child_fields_by_kind.get(kind)
    if found is None:
        found = tuple(
            each.name
            for each in fields(kind)
            if each.name != "position"
            and each.type not in _PLAIN
            and "Operator" not in each.type
            and not each.type.startswith("Literal[")
        )
        _child_fields_by_kind[kind] = found
    return found


def children(node: Node) -> Iterator[Node]:
    """Give the nodes directly below one, in the order of their class's fields."""
    for name in _child_fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            for each in value:
                if isinstance(each, Node):
                    yield each


def walk(node: Node) -> Iterator[Node]:
    """Give a node and all below it, each before its children, without recursion."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(tuple(children(found))))


def transform(node: NodeT, change: Callable[[Node], Node]) -> NodeT:
    """Make a tree in which each node is what `change` made of it, from the leaves up.

    Args:
        node: the root; what `change` makes of it must be of the same kind.
        change: gets each node with its children changed already, and gives it or another in its place.
    """
    changed: dict[str, Any] = {}
    for name in _child_fields(type(node)):
        value = getattr(node, name)
        new = _rewritten(value, change)
        if new is not value:
            changed[name] = new
    return cast("NodeT", change(replace(node, **changed) if changed else node))


def _rewritten(value: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return transform(value, change)
    if isinstance(value, tuple):
        new = tuple(_rewritten(each, change) for each in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value
