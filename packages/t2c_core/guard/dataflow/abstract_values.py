"""What an expression of a query may hold, as far as the guard must know: plain data, or something of the graph.

Holds the kinds of values and how two of them join; `flow` works them out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind = Literal["node", "relationship"]


@dataclass(eq=False, slots=True)
class Binding:
    """A node or relationship that patterns find, under one name or none."""

    kind: Kind
    position: int
    """Of its first pattern in the text."""
    labels: frozenset[str] | None = None
    """Labels or types, one of which it has for sure; None if nothing is known."""
    inferred: frozenset[str] | None = None
    """What the schema leaves possible where `labels` is None."""
    is_selective: bool = False
    """Whether a property or identity is asked for, so that few are found."""
    subquery_depth: int = 0
    """How many subqueries it stands in; what one of them says of it holds in there only."""
    excluded: set[str] = field(default_factory=set)
    """Labels that a policy keeps it from having."""

    @property
    def owners(self) -> frozenset[str] | None:
        """Labels or types it may have; None if any."""
        return self.labels if self.labels is not None else self.inferred


@dataclass(frozen=True, slots=True)
class NonEntity:
    """Holds nothing of the graph but what was read of it by name."""


@dataclass(frozen=True, slots=True)
class Top:
    """May hold anything."""


@dataclass(frozen=True, slots=True)
class Element:
    """A node or relationship."""

    kind: Kind
    bindings: frozenset[Binding] | None
    """One of these; None if no pattern has named it."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list."""

    item: Value


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map with elements of the graph somewhere."""

    entries: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class PathOf:
    """A path."""

    node: Element
    relationship: Element


Value: TypeAlias = NonEntity | Top | Element | ListOf | MapOf | PathOf

PLAIN = NonEntity()
UNKNOWN = Top()


def join(first: Value, second: Value) -> Value:
    """Give what holds either of two values."""
    if second in (first, PLAIN):
        return first
    if first == PLAIN:
        return second
    if isinstance(first, Element) and isinstance(second, Element) and first.kind == second.kind:
        if first.bindings is None or second.bindings is None:
            return Element(first.kind, None)
        return Element(first.kind, first.bindings | second.bindings)
    if isinstance(first, ListOf) and isinstance(second, ListOf):
        return ListOf(join(first.item, second.item))
    return UNKNOWN


def joined(values: list[Value]) -> Value:
    """Give what holds any of several values."""
    result: Value = PLAIN
    for each in values:
        result = join(result, each)
    return result


def item_of(value: Value) -> Value:
    """Give what an item of a list may be; of no list, the value itself."""
    if isinstance(value, ListOf):
        return value.item
    if isinstance(value, MapOf):
        return joined([each for _, each in value.entries])
    return value


def list_of(item: Value) -> Value:
    """Give a list of such items."""
    return PLAIN if item == PLAIN else ListOf(item)


def map_of(entries: tuple[tuple[str, Value], ...]) -> Value:
    """Give a map with such entries."""
    return PLAIN if all(each == PLAIN for _, each in entries) else MapOf(entries)
