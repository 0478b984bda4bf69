"""A whole graph in memory, and the ways in which it matches a query tree.

Serves `evaluation`, which checks queries without Cypher; it is read apart from the sample.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_data.errors import EvaluationLimitError
from t2c_data.planning.query_tree import ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
            index = {}
            for node in self.by_label.get(label, ()):
                found = node.properties.get(name)
                if found is not None and not isinstance(found, list | dict):
                    index.setdefault(found, []).append(node)
            self._by_value[label, name] = index
        return index.get(value, [])


class TreeMatcher:
    """Matches query trees in one graph; conditions are tested and paths counted once per node.

    Args:
        graph: graph to match in.
    """

    def __init__(self, graph: EvaluationGraph) -> None:
        self._graph = graph
        self._patterns: dict[int, list[_Step]] = {}
        self._met: dict[tuple[int, int], bool] = {}
        self._counts: dict[tuple[int, int], int] = {}

    def bindings(self, root: QueryNode, *, max_bindings: int | None = None) -> list[Binding]:
        """Return each way to match the tree of a root; a relationship is used at most once.

        Raises:
            EvaluationLimitError: there are more than `max_bindings`.
        """
        steps = _steps(root, _present(root))
        parts = [id(root), *(id(each.rel.node) for each in steps), *(id(each.rel) for each in steps)]
        candidates = self._candidates(root)
        found: list[Binding] = []
        for node in self._graph.by_label.get(root.label, ()) if candidates is None else candidates:
            if root.label not in node.labels or not self._meets_conditions(root, node):
                continue
            limit = None if max_bindings is None else max_bindings + 1 - len(found)
            found += [
                dict(zip(parts, match, strict=True)) for match in self._matches(steps, node, limit=limit)
            ]
            if max_bindings is not None and len(found) > max_bindings:
                raise EvaluationLimitError(f"more than {max_bindings} bindings")
        return found

    def has_path(self, rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> bool:
        """Return whether a relationship of the tree is matched from a node."""
        return bool(self._matches(self._pattern(rel, anchor), node, limit=1))

    def count_paths(self, rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> int:
        """Return in how many ways a relationship of the tree is matched from a node."""
        key = id(rel), id(node)
        if key not in self._counts:
            self._counts[key] = len(self._matches(self._pattern(rel, anchor), node))
        return self._counts[key]

    def is_in(self, subset: QueryNode, node: GraphNode) -> bool:
        """Return whether a node meets the conditions of a subset and has its relationships."""
        return all(is_met(node.properties, each) for each in subset.conditions) and all(
            self.has_path(each, subset, node) for each in subset.relationships
        )

    def _pattern(self, rel: QueryRelationship, anchor: QueryNode) -> list[_Step]:
        if id(rel) not in self._patterns:
            self._patterns[id(rel)] = _steps(anchor, [rel])
        return self._patterns[id(rel)]

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

    def _matches(
        self, steps: Sequence[_Step], node: GraphNode, *, limit: int | None = None
    ) -> list[tuple[GraphNode | GraphRelationship, ...]]:
        """Return the matches of steps from a node: the nodes, then the relationships.

        Args:
            steps: steps of a tree.
            node: node that its root is bound to.
            limit: number of matches that are enough.
        """
        found: list[tuple[GraphNode | GraphRelationship, ...]] = []
        nodes: list[GraphNode] = [node]
        used: list[GraphRelationship] = []

        def extend() -> bool:
            """Match the next step in all ways; return whether enough is found."""
            step = steps[len(used)]
            is_last = len(used) + 1 == len(steps)
            here = nodes[step.anchor]
            rels = [each for key in step.keys for each in here.relationships.get(key, ())]
            for each in rels if step.near in here.labels else ():
                there = each.end if step.rel.forward else each.start
                if step.far not in there.labels or not (
                    step.is_free or self._fits(step, each, there, nodes, used)
                ):
                    continue
                if is_last:
                    found.append((*nodes, there, *used, each))
                    is_enough = limit is not None and len(found) >= limit
                else:
                    nodes.append(there)
                    used.append(each)
                    is_enough = extend()
                    nodes.pop()
                    used.pop()
                if is_enough:
                    return True
            return False

        if not steps:
            return [(node,)]
        extend()
        return found

    def _fits(
        self,
        step: _Step,
        rel: GraphRelationship,
        there: GraphNode,
        nodes: Sequence[GraphNode],
        used: Sequence[GraphRelationship],
    ) -> bool:
        """Return whether a relationship and its far node meet the conditions of a step."""
        return (
            (step.known is None or nodes[step.known] is there)
            and not any(used[other] is rel for other in step.same_types)
            and all(is_met(rel.properties, each) for each in step.rel.conditions)
            and self._meets_conditions(step.rel.node, there)
        )

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


@dataclass(slots=True)
class _Step:
    """A relationship of a tree in the order of matching; nodes are numbered in the order in which steps reach them."""

    rel: QueryRelationship
    anchor: int
    """Number of the node that it starts from; the root has 0."""
    known: int | None
    """Number of its far node, if an earlier step reached that; None if this step does."""
    keys: tuple[tuple[str, bool], ...]
    """Types and whether the anchor is the start."""
    near: str
    """Label of the anchor by the triple."""
    far: str
    """Label of the far node by the triple."""
    same_types: tuple[int, ...]
    """Earlier steps that may use the same relationship."""
    is_free: bool
    """Whether nothing but the labels restricts what it matches."""


def _steps(root: QueryNode, relationships: Sequence[QueryRelationship]) -> list[_Step]:
    """Return the steps from a root over relationships and on from their nodes, those with conditions first."""
    steps: list[_Step] = []
    numbers = {id(root): 0}

    def add(anchor: QueryNode, rels: Sequence[QueryRelationship]) -> None:
        for rel in sorted(rels, key=_is_free):
            triple, types = rel.triple, rel.types or (rel.triple.type,)
            ends = (triple.source, triple.target)
            near, far = ends if rel.forward else ends[::-1]
            same = [number for number, each in enumerate(steps) if {name for name, _ in each.keys} & {*types}]
            known = numbers.get(id(rel.node))
            keys = tuple((name, rel.forward) for name in types)
            is_free = known is None and not same and not rel.conditions and not _is_restricted(rel.node)
            steps.append(_Step(rel, numbers[id(anchor)], known, keys, near, far, tuple(same), is_free))
            if known is None:
                numbers[id(rel.node)] = len(steps)
                add(rel.node, _present(rel.node))

    add(root, relationships)
    return steps


def _present(node: QueryNode) -> list[QueryRelationship]:
    """Return the relationships of a node that must exist."""
    return [each for each in node.relationships if not each.is_negated]


def _is_restricted(node: QueryNode) -> bool:
    return bool(
        node.conditions or node.count_predicates or any(each.is_negated for each in node.relationships)
    )


def _is_free(rel: QueryRelationship) -> bool:
    """Return whether neither a relationship nor what it leads to has a condition."""
    return not rel.conditions and not _is_restricted(rel.node) and all(map(_is_free, rel.node.relationships))


def is_met(properties: dict[str, Any], condition: PropertyPredicate) -> bool:
    """Return whether properties meet a predicate."""
    value = properties.get(condition.name)
    if condition.operator in {"null", "known"}:
        is_absent = value is None or value == condition.missing_text
        return is_absent == (condition.operator == "null")
    if value is None:
        return False
    if condition.literal == ZERO:
        return compare(condition.operator, value, [0])
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
