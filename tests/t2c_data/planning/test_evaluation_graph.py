"""Ways to match a query tree in a graph in memory, against an enumeration of all assignments of relationships."""

import itertools
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from t2c_core.schema.model import Triple
from t2c_data.errors import EvaluationLimitError
from t2c_data.planning import evaluation_graph
from t2c_data.planning.evaluation_graph import (
    EvaluationGraph,
    GraphNode,
    GraphRelationship,
    TreeMatcher,
    compare,
)
from t2c_data.planning.query_tree import (
    CountPredicate,
    PropertyPredicate,
    QueryNode,
    QueryRelationship,
    ValueMention,
)

LABELS, TYPES = ("A", "B"), ("R", "S")


def mention(value: int) -> ValueMention:
    return ValueMention(0, value, "number")


@pytest.mark.parametrize(
    ("value", "operator", "literal", "expected"),
    [(0, "eq", "0", True), (3, "eq", "0", False), (3, "gt", "0", True), (0, "gt", "0", False), (None, "eq", "0", False),
     ("NULL", "null", "", True), ("NULL", "known", "", False), ("030", "known", "", True), (None, "null", "", True)],
)  # fmt: skip
def test_zero_and_strings_for_absent_values(value: Any, operator: Any, literal: str, expected: bool) -> None:
    condition = PropertyPredicate("x", operator, literal=literal, missing_text="NULL")
    assert evaluation_graph.is_met({} if value is None else {"x": value}, condition) is expected


def draw_graph(random: Random) -> EvaluationGraph:
    nodes = [
        (i, random.choice((["A"], ["B"], ["A", "B"])), {"x": random.choice((None, 0, 1))}) for i in range(4)
    ]
    rels = [
        (random.choice(TYPES), random.randrange(4), random.randrange(4), {"y": random.randrange(2)})
        for _ in range(6)
    ]
    return EvaluationGraph(nodes, rels)


def draw_relationship(random: Random, anchor: QueryNode, node: QueryNode) -> QueryRelationship:
    forward = random.random() < 0.5
    ends = (anchor.label, node.label) if forward else (node.label, anchor.label)
    return QueryRelationship(
        Triple(source=ends[0], type=random.choice(TYPES), target=ends[1], count=1),
        forward,
        node,
        types=random.choice(((), (), TYPES)),
        conditions=[PropertyPredicate("y", "eq", (mention(1),), "INTEGER")] if random.random() < 0.2 else [],
    )


def draw_node(random: Random, depth: int) -> QueryNode:
    node = QueryNode(random.choice(LABELS))
    for operator in random.sample(("eq", "ne"), random.choice((0, 0, 1, 2))):
        node.conditions.append(
            PropertyPredicate("x", operator, (mention(random.randrange(2)),), "INTEGER")  # type: ignore[arg-type]
        )
    node.is_disjunction = random.random() < 0.3
    for _ in range(random.choice((0, 1, 2)) if depth else 0):
        node.relationships.append(draw_relationship(random, node, draw_node(random, depth - 1)))
    if depth and random.random() < 0.3:
        node.relationships.append(draw_relationship(random, node, draw_node(random, 0)))
        node.relationships[-1].is_negated = True
    if depth and random.random() < 0.2:
        rel = draw_relationship(random, node, QueryNode(random.choice(LABELS)))
        node.count_predicates.append(CountPredicate(rel, random.choice(("gt", "le")), mention(1)))
    present = [each for each in node.relationships if not each.is_negated]
    if present and random.random() < 0.3:  # a second relationship to the same node
        node.relationships.append(draw_relationship(random, node, present[0].node))
    return node


def flatten(
    anchor: QueryNode, rels: Sequence[QueryRelationship]
) -> list[tuple[QueryNode, QueryRelationship]]:
    found, seen = [], set()
    for rel in rels:
        found.append((anchor, rel))
        if id(rel.node) not in seen:
            seen.add(id(rel.node))
            found += flatten(rel.node, [each for each in rel.node.relationships if not each.is_negated])
    return found


def assignments(
    rels: Sequence[GraphRelationship], node: GraphNode, anchor: QueryNode, wanted: Sequence[QueryRelationship]
) -> list[dict[int, Any]]:
    """Return all ways to take different relationships of the graph for those of a tree."""
    parts, found = flatten(anchor, wanted), []
    for chosen in itertools.permutations(rels, len(parts)):
        binding: dict[int, Any] = {id(anchor): node}
        for (start, query), rel in zip(parts, chosen, strict=True):
            ends = (rel.start, rel.end) if query.forward else (rel.end, rel.start)
            if (
                rel.type not in (query.types or (query.triple.type,))
                or binding[id(start)] is not ends[0]
                or binding.setdefault(id(query.node), ends[1]) is not ends[1]
                or not {query.triple.source} <= rel.start.labels
                or not {query.triple.target} <= rel.end.labels
                or any(rel.properties["y"] != each.mentions[0].value for each in query.conditions)
            ):
                break
            binding[id(query)] = rel
        else:
            queries = {id(query.node): query.node for _, query in parts}
            if all(is_met(rels, query, binding[key]) for key, query in queries.items()):
                found.append(binding)
    return found


def is_met(rels: Sequence[GraphRelationship], query: QueryNode, node: GraphNode) -> bool:
    value = node.properties["x"]
    met = [
        value is not None and (value == each.mentions[0].value) == (each.operator == "eq")
        for each in query.conditions
    ]
    counts = [
        compare(each.operator, len(assignments(rels, node, query, [each.rel])), [each.mention.value])
        for each in query.count_predicates
    ]
    absent = [not assignments(rels, node, query, [each]) for each in query.relationships if each.is_negated]
    return (any(met) if query.is_disjunction and met else all(met)) and all(counts) and all(absent)


def as_counts(bindings: Sequence[dict[int, Any]]) -> Counter[frozenset[tuple[int, int]]]:
    return Counter(frozenset((key, id(value)) for key, value in each.items()) for each in bindings)


@pytest.mark.parametrize("seed", range(40))
def test_bindings_are_all_assignments_that_meet_the_tree(seed: int) -> None:
    random = Random(seed)
    found = 0
    for _ in range(12):
        graph, root = draw_graph(random), draw_node(random, 2)
        present = [each for each in root.relationships if not each.is_negated]
        if len(flatten(root, present)) > 4:
            continue
        nodes = {id(node): node for each in graph.by_label.values() for node in each}.values()
        rels = [rel for node in nodes for (_, out), each in node.relationships.items() if out for rel in each]
        expected = [
            binding
            for node in nodes
            if root.label in node.labels and is_met(rels, root, node)
            for binding in assignments(rels, node, root, present)
        ]
        assert as_counts(TreeMatcher(graph).bindings(root)) == as_counts(expected)
        found += len(expected)
    assert found or seed not in range(5)


def test_a_tree_that_matches_in_more_ways_than_allowed_is_refused() -> None:
    nodes = [(0, ["A"], {}), *((i, ["B"], {}) for i in range(1, 4))]
    graph = EvaluationGraph(nodes, [("R", 0, i, {}) for i in range(1, 4)])
    root = QueryNode("A")
    root.relationships.append(
        QueryRelationship(Triple(source="A", type="R", target="B", count=3), True, QueryNode("B"))
    )
    assert len(TreeMatcher(graph).bindings(root, max_bindings=3)) == 3
    with pytest.raises(EvaluationLimitError, match="more than 2"):
        TreeMatcher(graph).bindings(root, max_bindings=2)
