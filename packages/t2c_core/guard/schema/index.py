"""Lookup tables of a schema: properties by label or type, endpoint labels by type, name resolution."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

Endpoints = tuple[str, str]
"""Labels of the start node and the end node."""


class SchemaIndex:
    """Lookup tables of a schema.

    Args:
        schema: Schema of the graph.
        excludable: Labels and types that are not in the schema but may be excluded by name: `!Label`.
    """

    def __init__(self, schema: GraphSchema, excludable: frozenset[str] = frozenset()) -> None:
        self.excludable = excludable
        self.labels = frozenset(schema.label_by_name)
        self.types = frozenset(schema.type_by_name)
        self.partial_properties = frozenset(schema.partial_properties)
        self.partial_triples = frozenset(schema.partial_triples)
        self.counts = {each.name: each.count for each in schema.labels}
        self.node_count = sum(self.counts.values())
        named: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        self.properties = {each.name: frozenset(key.name for key in each.properties) for each in named}
        self.property_types = {(each.name, key.name): key.type for each in named for key in each.properties}
        """Most frequent type of each property of a label or type."""
        self.labels_or_types: dict[str, set[str]] = {}
        """Labels and types by property."""
        for name, keys in self.properties.items():
            for key in keys:
                self.labels_or_types.setdefault(key, set()).add(name)
        self._triples = schema.triples
        self._endpoints: dict[str, set[Endpoints]] = {}
        for triple in schema.triples:
            self._endpoints.setdefault(triple.type, set()).add((triple.source, triple.target))
        self._all_endpoints = set[Endpoints]().union(*self._endpoints.values())
        self._folded_labels, self._folded_types = _fold(self.labels), _fold(self.types)
        self._folded_keys = {name: _fold(keys) for name, keys in self.properties.items()}

    def endpoint_labels(self, types: frozenset[str] | None) -> set[Endpoints]:
        """Return the endpoint labels of relationships of some types, or of any type if None."""
        if types is None:
            return self._all_endpoints
        if len(types) == 1:
            return self._endpoints.get(next(iter(types)), set())
        return set[Endpoints]().union(*(self._endpoints.get(each, set()) for each in types))

    def path_endpoints(self, types: frozenset[str] | None, least: int, most: int | None) -> set[Endpoints]:
        """Return the labels at both ends of a path of `least` to `most` relationships of some types.

        Paths of no relationship are left out.
        """
        step: dict[str, set[str]] = {}
        for start, end in self.endpoint_labels(types):
            step.setdefault(start, set()).add(end)
        found: set[Endpoints] = set()
        for first in step:
            reached = frozenset({first})
            seen: set[frozenset[str]] = set()
            hops = 0
            while reached and (most is None or hops < most) and not (hops >= least and reached in seen):
                seen.add(reached)
                reached = frozenset(end for each in reached for end in step.get(each, ()))
                hops += 1
                if hops >= least:
                    found |= {(first, end) for end in reached}
        return found

    def has_all_triples(self, types: frozenset[str] | None) -> bool:
        """Return whether the schema lists all triples of some types, or of any type if None."""
        return not (self.partial_triples if types is None else self.partial_triples & types)

    def path_growth(
        self, types: frozenset[str] | None, starts: frozenset[str] | None, direction: str, hops: int
    ) -> list[float]:
        """Estimate the number of paths of 1, 2, … `hops` relationships that begin at all nodes of some labels.

        A node of several labels is counted by the label that gives most paths, so that none is counted twice.

        Args:
            types: relationship types; any if None.
            starts: labels of the first node; any if None.
            direction: `->` or `<-`, from the first node.
            hops: maximum number of relationships.
        """
        steps = [
            (each.source, each.target, each.count)
            if direction == "->"
            else (each.target, each.source, each.count)
            for each in self._triples
            if types is None or each.type in types
        ]
        paths = {
            name: float(self.counts.get(name, 0)) for name in (self.labels if starts is None else starts)
        }
        growth: list[float] = []
        while len(growth) < hops:
            longer: dict[str, float] = {}
            for first, second, count in steps:
                found = paths.get(first, 0.0) * count / max(self.counts.get(first, 0), 1)
                longer[second] = max(longer.get(second, 0.0), found)
            paths = longer
            growth.append(max(paths.values(), default=0.0))
        return growth

    def relationship_count(
        self, types: frozenset[str] | None, first: frozenset[str] | None, second: frozenset[str] | None
    ) -> int:
        """Count relationships of some types between nodes of some labels in either direction; None means any."""
        return sum(
            each.count
            for each in self._triples
            if (types is None or each.type in types)
            and (
                (_fits(each.source, first) and _fits(each.target, second))
                or (_fits(each.source, second) and _fits(each.target, first))
            )
        )

    def resolve_label_or_type(self, name: str, *, is_type: bool) -> str | None:
        """Return the one label or type that equals a name but for case, whitespace, dashes and underscores."""
        found = (self._folded_types if is_type else self._folded_labels).get(_folded(name), [])
        return found[0] if len(found) == 1 else None

    def resolve_property(self, labels_or_types: Iterable[str], name: str) -> str | None:
        """Return the one property of some labels or types that equals a name in the same sense."""
        folded = _folded(name)
        found = {key for each in labels_or_types for key in self._folded_keys.get(each, {}).get(folded, [])}
        return found.pop() if len(found) == 1 else None


def suggest(name: str, names: Iterable[str]) -> str:
    """Return the part of an error message that suggests names for an unknown one."""
    known = sorted(names)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known[:12])}{' …' if len(known) > 12 else ''}" if known else ""


def _fits(label: str, labels: frozenset[str] | None) -> bool:
    return labels is None or label in labels


def _fold(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(_folded(name), []).append(name)
    return found


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")
