"""Bounds how many rows a query can go through: paths without end, patterns that multiply, results without LIMIT.

Holds no limits on single expressions (see `limits`); the server's time-out ends what is slow in spite of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.analysis import Matched
from t2c_core.guard.dataflow.analyzer import is_aggregate
from t2c_core.guard.verdict import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.guard.dataflow.abstract_values import Binding
    from t2c_core.guard.dataflow.analysis import AnalysisResult
    from t2c_core.guard.rewrites import PendingRewrites
    from t2c_core.guard.schema.index import SchemaIndex

MAX_HOPS = 20
"""Of one path of variable length."""
DEFAULT_MAX_HOPS = 15
"""The end that a path gets which has none, and leads along relationships of any kind or in both directions."""
MAX_ALL_HOPS = 40
"""Of all paths of variable length in one clause."""
MAX_ROWS = 100_000_000
"""Estimated product of patterns that are not connected."""
MAX_DISCONNECTED_WEIGHT = 6
"""Weight of all patterns that are not connected, where no counts are known: three labels, or two of anything else."""


def check_cost(facts: AnalysisResult, shape: SchemaIndex | None, edits: PendingRewrites) -> None:
    """Pass a query that does not multiply without need; give long paths an end.

    Raises:
        Refused: `cost.hops` or `cost.product`.
    """
    for each in facts.paths:
        _check_hops(each.pattern, edits)
    _check_cartesian_product(facts, shape)


def add_limit(query: t.Query, max_rows: int, edits: PendingRewrites) -> None:
    """Have a LIMIT added where none is and more than one row may come."""
    if len(query.parts) > 1 and not query.all:
        return  # a LIMIT in each part would drop rows that others repeat
    for part in query.parts:
        last = part.clauses[-1]
        if not isinstance(last, t.Return) or last.limit is not None or len(part.clauses) == 1:
            continue
        if not last.star and all(is_aggregate(each) for each in last.items):
            continue
        limit = t.Integer(max_rows + 1)
        edits.add(last, lambda node: replace(cast("t.Return", node), limit=limit))  # noqa: B023
        edits.tell("repair.limit", f"LIMIT {max_rows + 1}", last.position)


def _check_hops(path: t.PathPattern, edits: PendingRewrites) -> None:
    is_shortest = path.shortest is not None or (
        path.selector is not None and path.selector.kind not in ("ALL", "ANY")
    )
    if all(
        isinstance(each, t.NodePattern)
        or (isinstance(each, t.RelationshipPattern) and each.length is None and each.quantifier is None)
        for each in path.parts
    ):
        return
    total = endless = 0
    for node in walk(path):
        if isinstance(node, t.RelationshipPattern) and node.length is not None:
            least, most = node.length.least, node.length.most
            is_plain = node.types is not None and node.direction != "-"
        elif isinstance(node, t.RelationshipPattern | t.ParenthesizedPath) and node.quantifier is not None:
            least, most = node.quantifier.least, node.quantifier.most
            arrows = [each for each in walk(node) if isinstance(each, t.RelationshipPattern)]
            is_plain = all(each.types is not None and each.direction != "-" for each in arrows)
        else:
            continue
        longest = most if most is not None else _unbounded_length(least or 1, is_shortest=is_shortest)
        total += longest
        endless += most is None
        if longest > MAX_HOPS or total > MAX_ALL_HOPS:
            raise Refused(
                "cost.hops",
                f"paths of up to {total} relationships are looked for; {MAX_HOPS} may be",
                node.position,
            )
        if most is None and not is_shortest and not is_plain:
            edits.add(node, _with_upper_bound)
            edits.tell("repair.hops", f"at most {DEFAULT_MAX_HOPS} relationships", node.position)
    if endless > 1:
        raise Refused("cost.hops", f"{endless} paths have no end; give them one", path.position)


def _unbounded_length(least: int, *, is_shortest: bool) -> int:
    """Give the length to count a path without end with."""
    if least > DEFAULT_MAX_HOPS:
        return MAX_HOPS + 1
    return least if is_shortest else DEFAULT_MAX_HOPS


def _with_upper_bound(node: t.Node) -> t.Node:
    if isinstance(node, t.RelationshipPattern) and node.length is not None:
        return replace(node, length=replace(node.length, most=DEFAULT_MAX_HOPS))
    repeated = cast("t.RelationshipPattern | t.ParenthesizedPath", node)
    return replace(
        repeated, quantifier=replace(cast("t.Quantifier", repeated.quantifier), most=DEFAULT_MAX_HOPS)
    )


def _check_cartesian_product(facts: AnalysisResult, shape: SchemaIndex | None) -> None:
    """Multiply the groups of nodes that nothing connects, up to each aggregation."""
    if not any(isinstance(each, Matched) and each.groups for each in facts.steps):
        return
    sizes = _sizes(facts, shape) if shape is not None else {}
    rows, free = 1, 0
    around: list[tuple[int, int]] = []
    for step in facts.steps:
        if step == "aggregate":
            rows, free = around[-1] if around else (1, 0)
        elif step == "enter":
            around.append((rows, free))
        elif step == "leave":
            around.pop()
        elif isinstance(step, Matched):
            for group in _components(step.groups):
                if any(each.is_selective for each in group):
                    continue
                free += 2 if len(group) == 1 and next(iter(group)).labels is not None else 3
                rows *= max((sizes.get(id(each), 1) for each in group), default=1)
            if rows > MAX_ROWS or (shape is None and free > MAX_DISCONNECTED_WEIGHT):
                raise Refused(
                    "cost.product",
                    "these patterns are not connected, so that each row of one is joined with each of the others; "
                    "connect them by a relationship or a variable",
                    step.position,
                )


def _components(groups: Sequence[tuple[frozenset[Binding], bool]]) -> list[frozenset[Binding]]:
    """Join groups that share a node; give those that nothing found earlier is part of."""
    joined: list[tuple[frozenset[Binding], bool]] = []
    for nodes, is_bound in groups:
        apart = []
        for other, was_bound in joined:
            if other & nodes:
                nodes, is_bound = nodes | other, is_bound or was_bound  # noqa: PLW2901
            else:
                apart.append((other, was_bound))
        joined = [*apart, (nodes, is_bound)]
    return [nodes for nodes, is_bound in joined if not is_bound]


def _sizes(facts: AnalysisResult, shape: SchemaIndex) -> dict[int, int]:
    """Estimate how many there are of each node, or of the relationships that lead to it."""
    sizes: dict[int, int] = {}
    for use in facts.nodes:
        owners = use.binding.owners
        sizes[id(use.binding)] = (
            shape.nodes if owners is None else sum(shape.counts.get(each, 0) for each in owners)
        )
    for arrow in facts.relationships:
        if arrow.left is not None and arrow.right is not None:
            count = shape.relationship_count(arrow.binding.labels, arrow.left.owners, arrow.right.owners)
            sizes[id(arrow.left)] = max(sizes[id(arrow.left)], count)
    return {place: max(size, 1) for place, size in sizes.items()}
