"""A whole graph in memory, and the ways in which it matches a query tree.

Serves `evaluation`, which checks queries without Cypher; it is read apart from the sample.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_data.errors import EvaluationLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from t2c_data.graph.sample import Read
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship

MAX_ENTITIES = 400_000
"""Maximum number of nodes and relationships of a graph that is read."""
_INDEXED = frozenset({"STRING", "INTEGER"})


@dataclass(slots=True, eq=False)
class GraphNode:
    """A node of the graph."""

    labels: frozenset[str]
    properties: dict[str, Any]
    relationships: dict[tuple[str, bool], list[GraphRelationship]] = field(default_factory=dict)
    """Relationships by type and whether the node is their start."""


@dataclass(slots=True, eq=False)
class GraphRelationship:
    """A relationship of the graph."""

    type: str
    start: GraphNode
    end: GraphNode
    properties: dict[str, Any]


Binding = dict[int, GraphNode | GraphRelationship]
"""Node or relationship of the graph, by identity of the part of the tree."""


class EvaluationGraph:
    """A whole graph in memory.

    Args:
        nodes: id, labels and properties of each node.
        relationships: type, ids of start and end, and properties of each relationship.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[Any, Sequence[str], dict[str, Any]]],
        relationships: Sequence[tuple[str, Any, Any, dict[str, Any]]],
    ) -> None:
        by_id = {key: GraphNode(frozenset(labels), properties) for key, labels, properties in nodes}
        self.by_label: dict[str, list[GraphNode]] = {}
        for node in by_id.values():
            for label in node.labels:
                self.by_label.setdefault(label, []).append(node)
        for name, start, end, properties in relationships:
            rel = GraphRelationship(name, by_id[start], by_id[end], properties)
            rel.start.relationships.setdefault((name, True), []).append(rel)
            rel.end.relationships.setdefault((name, False), []).append(rel)
        self._by_value: dict[tuple[str, str], dict[Any, list[GraphNode]]] = {}

    @classmethod
    async def read(cls, read: Read, *, max_entities: int = MAX_ENTITIES) -> EvaluationGraph | None:
        """Read a whole graph; None if it has more nodes and relationships than allowed."""
        counts = await read("MATCH (n) RETURN count(n)", {}) + await read(
            "MATCH ()-[r]->() RETURN count(r)", {}
        )
        if sum(row[0] for row in counts) > max_entities:
            return None
        nodes = await read("MATCH (n) RETURN elementId(n), labels(n), properties(n)", {})
        query = "MATCH (a)-[r]->(b) RETURN type(r), elementId(a), elementId(b), properties(r)"
        relationships = await read(query, {})
        return cls([(a, b, c) for a, b, c in nodes], [(a, b, c, d) for a, b, c, d in relationships])

    def nodes_with(self, label: str, name: str, value: Any) -> list[GraphNode]:
        """Return the nodes of a label whose property has a value that can be hashed."""
        index = self._by_value.get((label, name))
        if index is None:
            index = self._by_value[label, name] = {}
            for node in self.by_label.get(label, ()):
                found = node.properties.get(name)
                if found is not None and not isinstance(found, list | dict):
                    index.setdefault(found, []).append(node)
        return index.get(value, [])

    def bindings(self, root: QueryNode, *, max_bindings: int | None = None) -> list[Binding]:
        """Return each way to match the tree of a root; a relationship is used at most once.

        Raises:
            EvaluationLimitError: there are more than `max_bindings`.
        """
        matcher = TreeMatcher(self)
        found: list[Binding] = []
        for binding in matcher.bindings(root):
            found.append(binding)
            if max_bindings is not None and len(found) > max_bindings:
                raise EvaluationLimitError(f"more than {max_bindings} bindings")
        return found


class TreeMatcher:
    """Matches query trees in one graph; conditions are tested once per node.

    Args:
        graph: graph to match in.
    """

    def __init__(self, graph: EvaluationGraph) -> None:
        self._graph = graph
        self._met: dict[tuple[int, int], bool] = {}

    def bindings(self, root: QueryNode) -> Iterator[Binding]:
        """Yield each way to match the tree of a root."""
        nodes = self._candidates(root)
        for node in self._graph.by_label.get(root.label, ()) if nodes is None else nodes:
            if root.label in node.labels and self._meets_conditions(root, node):
                for found, _ in self._bind_all(root.relationships, root, {id(root): node}, frozenset()):
                    yield found

    def has_path(self, rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> bool:
        """Return whether a relationship of the tree is matched from a node."""
        return next(self._follow(rel, anchor, {id(anchor): node}, frozenset()), None) is not None

    def count_paths(self, rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> int:
        """Return in how many ways a relationship of the tree is matched from a node."""
        return sum(1 for _ in self._follow(rel, anchor, {id(anchor): node}, frozenset()))

    def _candidates(self, query: QueryNode) -> list[GraphNode] | None:
        """Return the few nodes that can match by a value of their own or of a neighbour; None for all."""
        found: list[list[GraphNode]] = []
        if not query.is_disjunction:
            found += [
                self._graph.nodes_with(query.label, each.name, each.mentions[0].value)
                for each in query.conditions
                if each.operator == "eq" and each.mentions and not each.literal and each.type in _INDEXED
            ]
        for rel in query.relationships:
            ends = None if rel.is_negated else self._candidates(rel.node)
            if ends is not None:
                starts: dict[int, GraphNode] = {}
                for end in ends:
                    for name in rel.types or (rel.triple.type,):
                        for each in end.relationships.get((name, not rel.forward), ()):
                            start = each.start if rel.forward else each.end
                            starts[id(start)] = start
                found.append([*starts.values()])
        return min(found, key=len, default=None)

    def _bind_all(
        self,
        rels: Sequence[QueryRelationship],
        anchor: QueryNode,
        binding: Binding,
        used: frozenset[GraphRelationship],
    ) -> Iterator[tuple[Binding, frozenset[GraphRelationship]]]:
        """Match the relationships of an anchor that are not negated, one after the other."""
        pending = [each for each in rels if not each.is_negated]
        if not pending:
            yield binding, used
            return
        for found, taken in self._follow(pending[0], anchor, binding, used):
            yield from self._bind_all(pending[1:], anchor, found, taken)

    def _follow(
        self,
        rel: QueryRelationship,
        anchor: QueryNode,
        binding: Binding,
        used: frozenset[GraphRelationship],
    ) -> Iterator[tuple[Binding, frozenset[GraphRelationship]]]:
        here = binding[id(anchor)]
        assert isinstance(here, GraphNode)  # noqa: S101 - an anchor is bound to a node
        for name in rel.types or (rel.triple.type,):
            for each in here.relationships.get((name, rel.forward), ()):
                there = each.end if rel.forward else each.start
                if each in used or not self._is_of_triple(each, rel):
                    continue
                known = binding.get(id(rel.node))
                if known is not None and known is not there:
                    continue
                if not all(is_met(each.properties, one) for one in rel.conditions):
                    continue
                if binding.get(id(rel.node), there) is not there or not self._meets_conditions(
                    rel.node, there
                ):
                    continue
                found = {**binding, id(rel): each, id(rel.node): there}
                if known is not None:  # a second relationship to the same node
                    yield found, used | {each}
                    continue
                yield from self._bind_all(rel.node.relationships, rel.node, found, used | {each})

    @staticmethod
    def _is_of_triple(rel: GraphRelationship, query: QueryRelationship) -> bool:
        return query.triple.source in rel.start.labels and query.triple.target in rel.end.labels

    def _meets_conditions(self, query: QueryNode, node: GraphNode) -> bool:
        key = id(query), id(node)
        met = self._met.get(key)
        if met is None:
            met = self._met[key] = self._test_conditions(query, node)
        return met

    def _test_conditions(self, query: QueryNode, node: GraphNode) -> bool:
        """Return whether a node meets its property, count and absence conditions."""
        met = [is_met(node.properties, each) for each in query.conditions]
        if not (any(met) if query.is_disjunction and len(met) > 1 else all(met)):
            return False
        for predicate in query.count_predicates:
            number = self.count_paths(predicate.rel, query, node)
            if not compare(predicate.operator, number, [predicate.mention.value]):
                return False
        return not any(self.has_path(each, query, node) for each in query.relationships if each.is_negated)


def count_paths(rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> int:
    """Return in how many ways a relationship of the tree is matched from a node."""
    return TreeMatcher(EvaluationGraph((), ())).count_paths(rel, anchor, node)


def is_in(subset: QueryNode, node: GraphNode) -> bool:
    """Return whether a node meets the conditions of a subset and has its relationships."""
    matcher = TreeMatcher(EvaluationGraph((), ()))
    return all(is_met(node.properties, each) for each in subset.conditions) and all(
        matcher.has_path(each, subset, node) for each in subset.relationships
    )


def is_met(properties: dict[str, Any], condition: PropertyPredicate) -> bool:
    """Return whether properties meet a predicate."""
    value = properties.get(condition.name)
    if condition.operator in {"null", "known"}:
        return (value is None) == (condition.operator == "null")
    if value is None:
        return False
    if condition.literal:
        literal = re.sub(r"\\(.)", r"\1", condition.literal[1:-1])
        return bool(bool(value == literal) == (condition.operator == "eq"))
    operands = [each.value for each in condition.mentions]
    if condition.type in {"DATE", "LOCAL DATETIME", "ZONED DATETIME"}:
        value = str(value)[:10]
    return compare(condition.operator, value, operands)


_COMPARISONS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "eq": lambda value, operands: value == operands[0],
    "on": lambda value, operands: value == operands[0],
    "ne": lambda value, operands: value != operands[0],
    "gt": lambda value, operands: value > operands[0],
    "after": lambda value, operands: value > operands[0],
    "ge": lambda value, operands: value >= operands[0],
    "since": lambda value, operands: value >= operands[0],
    "lt": lambda value, operands: value < operands[0],
    "before": lambda value, operands: value < operands[0],
    "le": lambda value, operands: value <= operands[0],
    "until": lambda value, operands: value <= operands[0],
    "between": lambda value, operands: operands[0] <= value <= operands[1],
    "during": lambda value, operands: operands[0] <= value <= operands[1],
    "in": lambda value, operands: value in operands,
    "contains": lambda value, operands: operands[0] in value,
    "starts": lambda value, operands: value.startswith(operands[0]),
    "ends": lambda value, operands: value.endswith(operands[0]),
    "true": lambda value, _: value is True,
    "false": lambda value, _: value is False,
    "has": lambda value, operands: all(each in value for each in operands),
    "size_gt": lambda value, operands: len(value) > operands[0],
    "size_ge": lambda value, operands: len(value) >= operands[0],
    "size_eq": lambda value, operands: len(value) == operands[0],
    "year": lambda value, operands: int(value[:4]) == operands[0],
    "after_year": lambda value, operands: int(value[:4]) > operands[0],
    "before_year": lambda value, operands: int(value[:4]) < operands[0],
    "years": lambda value, operands: operands[0] <= int(value[:4]) <= operands[1],
    "month": lambda value, operands: [int(value[5:7]), int(value[:4])][: len(operands)] == operands,
}


def compare(operator: str, value: Any, operands: list[Any]) -> bool:
    """Compare a value as an operator of a predicate does; values of different types do not compare."""
    try:
        return bool(_COMPARISONS[operator](value, operands))
    except (TypeError, AttributeError, ValueError):
        return False
