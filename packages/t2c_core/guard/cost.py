"""Bounds on the number of rows: unbounded variable-length patterns, Cartesian products, results without LIMIT.

The server's timeout stops a query that is slow all the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.analyzer import is_aggregate
from t2c_core.guard.dataflow.values import Matched
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.guard.dataflow.values import AnalysisResult, Binding, RelationshipPatternRef
    from t2c_core.guard.repair import PendingRewrites
    from t2c_core.guard.schema.index import SchemaIndex

MAX_HOPS = 20
"""Maximum length of one variable-length pattern."""
DEFAULT_MAX_HOPS = 15
"""Upper bound added to an unbounded pattern over relationships of any type or in both directions."""
MIN_DENSE_HOPS = 3
"""Minimum upper bound that is added to an unbounded pattern over many relationships; a lower one refuses the query."""
MAX_ALL_HOPS = 40
"""Maximum total length of all variable-length patterns of a path."""
MAX_ROWS = 100_000_000
"""Maximum estimated size of a Cartesian product, and number of paths of an unbounded pattern."""
MAX_DISCONNECTED_WEIGHT = 6
"""Maximum weight of disconnected patterns if no counts are known: 2 for a single labelled node, 3 for any other."""


def check_cost(analysis: AnalysisResult, index: SchemaIndex | None, rewrites: PendingRewrites) -> None:
    """Check the estimated cost of a query; add an upper bound to unbounded patterns.

    Raises:
        GuardRejectionError: `cost.hops` or `cost.product`.
    """
    for each in analysis.paths:
        _check_hops(each.pattern, rewrites)
    if index is not None:
        for use in analysis.relationships:
            _check_density(use, index, rewrites)
    _check_cartesian_product(analysis, index)


def add_limit(query: t.Query, max_rows: int, rewrites: PendingRewrites) -> None:
    """Add LIMIT `max_rows` + 1 to a query without LIMIT that may return several rows."""
    if len(query.parts) > 1 and not query.all:
        return  # a LIMIT in each part would drop rows that other parts repeat
    for part in query.parts:
        last = part.clauses[-1]
        if not isinstance(last, t.Return) or last.limit is not None or len(part.clauses) == 1:
            continue
        if last.star or not all(is_aggregate(each) for each in last.items):
            limit = t.Integer(max_rows + 1)
            rewrites.add(last, lambda node, limit=limit: replace(cast("t.Return", node), limit=limit))  # type: ignore[misc]
            rewrites.record("repair.limit", f"LIMIT {max_rows + 1}", last.position)


def _check_hops(path: t.PathPattern, rewrites: PendingRewrites) -> None:
    is_shortest = path.shortest is not None or (
        path.selector is not None and path.selector.kind not in ("ALL", "ANY")
    )
    total = unbounded = 0
    for node in walk(path) if any(map(_is_repeated, path.parts)) else ():
        if isinstance(node, t.RelationshipPattern) and node.length is not None:
            lower, upper = node.length.least, node.length.most
        elif isinstance(node, t.RelationshipPattern | t.ParenthesizedPath) and node.quantifier is not None:
            lower, upper = node.quantifier.least, node.quantifier.most
        else:
            continue
        length = upper if upper is not None else _unbounded_length(lower or 1, is_shortest=is_shortest)
        total += length
        unbounded += upper is None
        if length > MAX_HOPS or total > MAX_ALL_HOPS:
            raise GuardRejectionError(
                "cost.hops",
                f"paths of up to {total} relationships; at most {MAX_HOPS} are allowed",
                node.position,
            )
        if upper is None and not is_shortest and not _is_directed(node):
            rewrites.add(node, _with_upper_bound)
            rewrites.record("repair.hops", f"at most {DEFAULT_MAX_HOPS} relationships", node.position)
    if unbounded > 1:
        raise GuardRejectionError(
            "cost.hops",
            f"{unbounded} variable-length patterns have no upper bound; add one, for example `[*..5]`",
            path.position,
        )


def _check_density(use: RelationshipPatternRef, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    """Bound or refuse an unbounded pattern between nodes of which there are many, if it matches too many paths."""
    least, most = use.lengths
    ends = [each for each in (use.left, use.right) if each is not None]
    if most is not None or use.shortest or use.pattern.direction == "-" or use.binding.labels is None:
        return  # bounded, or given an upper bound by `_check_hops`
    if len(ends) < 2 or any(each.is_selective for each in ends):
        return
    growth = index.path_growth(
        use.binding.labels, ends[0].possible_labels, use.pattern.direction, DEFAULT_MAX_HOPS
    )
    bound = next((hops for hops, paths in enumerate(growth) if paths > MAX_ROWS), None)
    if bound is None:
        return
    types = "|".join(sorted(use.binding.labels))
    reason = f"about {growth[bound]:.0e} paths of {bound + 1} {types} relationships".replace(
        "e+0", "e"
    ).replace("e+", "e")
    if bound < max(MIN_DENSE_HOPS, least):
        raise GuardRejectionError(
            "cost.hops",
            f"{reason}; add an upper bound, for example `[:{types}*..2]`, or a condition on one end",
            use.pattern.position,
        )
    rewrites.add(use.pattern, lambda node: _with_upper_bound(node, bound))
    rewrites.record("repair.hops", f"at most {bound} relationships: {reason}", use.pattern.position)


def _is_repeated(part: t.Node) -> bool:
    return isinstance(part, t.ParenthesizedPath) or (
        isinstance(part, t.RelationshipPattern) and (part.length is not None or part.quantifier is not None)
    )


def _is_directed(node: t.Node) -> bool:
    """Return whether all relationship patterns of a node have types and one direction."""
    patterns = (each for each in walk(node) if isinstance(each, t.RelationshipPattern))
    return all(each.types is not None and each.direction != "-" for each in patterns)


def _unbounded_length(lower: int, *, is_shortest: bool) -> int:
    """Return the length by which an unbounded pattern counts."""
    if lower > DEFAULT_MAX_HOPS:
        return MAX_HOPS + 1
    return lower if is_shortest else DEFAULT_MAX_HOPS


def _with_upper_bound(node: t.Node, hops: int = DEFAULT_MAX_HOPS) -> t.Node:
    if isinstance(node, t.RelationshipPattern) and node.length is not None:
        return replace(node, length=replace(node.length, most=hops))
    repeated = cast("t.RelationshipPattern | t.ParenthesizedPath", node)
    quantifier = replace(cast("t.Quantifier", repeated.quantifier), most=hops)
    return replace(repeated, quantifier=quantifier)


def _check_cartesian_product(analysis: AnalysisResult, index: SchemaIndex | None) -> None:
    """Multiply the sizes of disconnected groups of nodes, up to each aggregation."""
    if not any(isinstance(each, Matched) and each.groups for each in analysis.steps):
        return
    sizes = _sizes(analysis, index) if index is not None else {}
    rows, weight = 1, 0
    outer: list[tuple[int, int]] = []
    for step in analysis.steps:
        if step == "aggregate":
            rows, weight = outer[-1] if outer else (1, 0)
        elif step == "enter":
            outer.append((rows, weight))
        elif step == "leave":
            outer.pop()
        elif isinstance(step, Matched):
            for group in _components(step.groups):
                if any(each.is_selective for each in group):
                    continue
                weight += 2 if len(group) == 1 and next(iter(group)).labels is not None else 3
                rows *= max((sizes.get(id(each), 1) for each in group), default=1)
            if rows > MAX_ROWS or (index is None and weight > MAX_DISCONNECTED_WEIGHT):
                raise GuardRejectionError(
                    "cost.product",
                    "disconnected patterns build a Cartesian product; connect them by a relationship or a variable",
                    step.position,
                )


def _components(groups: Sequence[tuple[frozenset[Binding], bool]]) -> list[frozenset[Binding]]:
    """Merge groups that share a node; return those without a node that was bound before."""
    joined: list[tuple[frozenset[Binding], bool]] = []
    for nodes, is_bound in groups:
        separate = []
        for other, was_bound in joined:
            if other & nodes:
                nodes, is_bound = nodes | other, is_bound or was_bound  # noqa: PLW2901
            else:
                separate.append((other, was_bound))
        joined = [*separate, (nodes, is_bound)]
    return [nodes for nodes, is_bound in joined if not is_bound]


def _sizes(analysis: AnalysisResult, index: SchemaIndex) -> dict[int, int]:
    """Estimate the number of matches of each node by its labels and relationships."""
    sizes: dict[int, int] = {}
    for node in analysis.nodes:
        labels = node.binding.possible_labels
        sizes[id(node.binding)] = (
            index.node_count if labels is None else sum(index.counts.get(each, 0) for each in labels)
        )
    for use in analysis.relationships:
        if use.left is not None and use.right is not None:
            count = index.relationship_count(
                use.binding.labels, use.left.possible_labels, use.right.possible_labels
            )
            sizes[id(use.left)] = max(sizes[id(use.left)], count)
    return {key: max(size, 1) for key, size in sizes.items()}
