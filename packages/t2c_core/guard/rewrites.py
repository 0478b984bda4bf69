"""Changes to a syntax tree, gathered by the layers and made in one go. Holds no reasons for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.traversal import transform
from t2c_core.guard.verdict import Repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Node, Query

    Change = Callable[[Node], Node]


class PendingRewrites:
    """What is to be changed, by kind and position of the node."""

    def __init__(self) -> None:
        self._changes: dict[tuple[type[Node], int], list[Change]] = {}
        self._told: set[tuple[str, str]] = set()
        self.repairs: list[Repair] = []

    def add(self, node: Node, change: Change) -> None:
        """Have a node changed; several changes of one are made in turn, each after those of its children.

        Nodes are known by their kind and position, so only a tree that was read from a text can be changed.
        """
        assert node.position >= 0, node  # noqa: S101 - a mistake of ours, never of the query
        self._changes.setdefault((type(node), node.position), []).append(change)

    def tell(self, code: str, told: str, position: int = -1) -> None:
        """Note a repair once."""
        if (code, told) not in self._told:
            self._told.add((code, told))
            self.repairs.append(Repair(code, told, position))

    def apply(self, query: Query) -> Query:
        """Make all changes."""
        if not self._changes:
            return query
        return transform(query, self._change)

    def _change(self, node: Node) -> Node:
        for change in self._changes.get((type(node), node.position), ()):
            node = change(node)
        return node
