"""The shape of a query: whether it lists, aggregates or groups, with conditions on groups, order and limit."""

from __future__ import annotations

from typing import Literal

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.traversal import has_aggregate, walk
from t2c_core.errors import CypherSyntaxError

QueryShape = Literal[
    "list",
    "ordered list",
    "top of list",
    "aggregate",
    "groups",
    "ordered groups",
    "top groups",
    "groups with condition",
    "aggregate of groups",
    "other",
]
_LISTS: tuple[QueryShape, ...] = ("list", "ordered list", "top of list")
_GROUPS: tuple[QueryShape, ...] = ("groups", "ordered groups", "top groups")


def query_shape(cypher: str) -> QueryShape:
    """Return the shape of a query.

    Args:
        cypher: a query.

    Returns:
        `groups with condition`: WHERE after an aggregate in WITH, or on a COUNT subquery. `aggregate of groups`: an
        aggregate over aggregates. `top …`: ORDER BY and LIMIT. `other`: a union, or no query of the read-only subset.
    """
    try:
        query = parse(cypher)
    except CypherSyntaxError:
        return "other"
    projections = [each for each in query.parts[0].clauses if isinstance(each, t.Projection)]
    if len(query.parts) > 1 or not projections:
        return "other"
    *inner, final = projections
    groups = [each for each in inner if _is_aggregated(each)]
    is_aggregated = _is_aggregated(final)
    if any(isinstance(each, t.With) and each.where for each in groups) or _has_counted_condition(query):
        return "groups with condition"
    if groups and is_aggregated:
        return "aggregate of groups"
    if is_aggregated and all(has_aggregate(each.expression) for each in final.items):
        return "aggregate"
    is_ordered = any(each.order for each in projections)
    is_cut = is_ordered and any(each.limit is not None for each in projections)
    shapes = _GROUPS if groups or is_aggregated else _LISTS
    return shapes[is_ordered + is_cut]


def _is_aggregated(projection: t.Projection) -> bool:
    return any(has_aggregate(each.expression) for each in projection.items)


def _has_counted_condition(query: t.Query) -> bool:
    return any(
        isinstance(operand, t.SubqueryExpression) and operand.kind == "COUNT"
        for match in walk(query)
        if isinstance(match, t.Match) and match.where
        for comparison in walk(match.where)
        if isinstance(comparison, t.Comparison)
        for operand in comparison.operands
    )
