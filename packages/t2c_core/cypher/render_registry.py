"""Who writes which node, so that the parts of the renderer need not know each other.

Holds no way of writing any node (see `render`, `render_patterns`, `render_expressions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_core.cypher.ast_nodes import Node

_WRITERS: dict[type[Node], Callable[[Any], str]] = {}


def renders(*kinds: type[Node]) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Make a function the one that writes these nodes."""

    def register(function: Callable[[Any], str]) -> Callable[[Any], str]:
        _WRITERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def render_node(node: Node) -> str:
    """Write a node and all below it."""
    return _WRITERS[type(node)](node)


def render_list(nodes: Iterable[Node]) -> str:
    """Write nodes, commas between them."""
    return ", ".join([render_node(node) for node in nodes])
