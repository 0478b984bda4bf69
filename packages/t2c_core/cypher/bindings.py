"""What a variable or expression can stand for: a node with some label, a relationship with some type, lists of them.

Holds no walk through queries (see `scope`) and no schema.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.tree import Label, LabelAnd, LabelOr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.tree import LabelExpression

Names = frozenset[str] | None
"""Labels or types of which it has at least one; None if it may have any."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What an expression can be."""

    kind: Literal["node", "relationship", "path", "value", "unknown"]
    """`value` is surely no part of the graph: text, numbers, dates, truth; `unknown` may be anything, maps included."""
    names: Names = None
    """Of a node or relationship."""
    lists: int = 0
    """How many lists it is wrapped in."""

    def item(self) -> Binding:
        """Give what an item of the list is."""
        return replace(self, lists=self.lists - 1) if self.lists else UNKNOWN

    def listed(self) -> Binding:
        """Give what a list of it is."""
        return replace(self, lists=self.lists + 1)

    def narrowed(self, names: Names) -> Binding:
        """Give what it is if it also has one of these names."""
        if names is None:
            return self
        if self.names is None:
            return replace(self, names=names)
        return replace(self, names=(self.names & names) or (self.names | names))

    def joined(self, other: Binding) -> Binding:
        """Give what something is that is either this or the other."""
        if (self.kind, self.lists) != (other.kind, other.lists):
            return UNKNOWN
        both = self.names is not None and other.names is not None
        return replace(
            self, names=(self.names or frozenset()) | (other.names or frozenset()) if both else None
        )


UNKNOWN = Binding("unknown")
VALUE = Binding("value")


def join(bindings: Iterable[Binding]) -> Binding:
    """Give what something is that is any of these."""
    found: Binding | None = None
    for each in bindings:
        found = each if found is None else found.joined(each)
    return found or UNKNOWN


def names_of(labels: LabelExpression | None) -> Names:
    """Give the labels or types of which an element that fits the expression has at least one.

    Of several that it must all have, each alone would do: all are given.
    """
    if isinstance(labels, Label):
        return frozenset({labels.name})
    if isinstance(labels, LabelOr):
        parts = [names_of(each) for each in labels.operands]
        return None if None in parts else frozenset().union(*[part for part in parts if part])
    if isinstance(labels, LabelAnd):
        known = [part for part in map(names_of, labels.operands) if part is not None]
        return frozenset().union(*known) if known else None
    return None
