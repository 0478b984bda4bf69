"""All nodes of a tree with how deep they stand, in one pass. Holds no limits (see `limits`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children

if TYPE_CHECKING:
    from collections.abc import Iterator

_BRACKETS: frozenset[type[t.Node]] = frozenset(
    {
        t.ListLiteral, t.MapLiteral, t.FunctionInvocation, t.CaseExpression, t.Not, t.UnaryOp, t.MapProjection, t.ListComprehension,
        t.PatternComprehension, t.ReduceExpression, t.IterablePredicate, t.SubqueryExpression, t.CallSubquery, t.ParenthesizedPath, t.LabelNot,
        t.LabelAnd, t.LabelOr, t.ContainerIndex, t.ListSlice, t.Trim, t.Normalize, t.Arithmetic, t.Logical, t.Comparison,
    }
)  # fmt: skip
"""What nests; operators too, since inside each other they are in brackets, or would be on the server's stack."""
LOOPS: frozenset[type[t.Node]] = frozenset({t.ListComprehension, t.ReduceExpression, t.IterablePredicate})
SUBQUERIES: frozenset[type[t.Node]] = frozenset({t.SubqueryExpression, t.CallSubquery})


class VisitedNode(NamedTuple):
    """A node and how many of each kind stand around it, itself included."""

    node: t.Node
    depth: int
    loops: int
    subqueries: int


def walk_with_depth(query: t.Query) -> Iterator[VisitedNode]:
    """Visit every node, parents first."""
    waiting = [VisitedNode(query, 0, 0, 0)]
    while waiting:
        stop = waiting.pop()
        yield stop
        _, depth, loops, subqueries = stop
        for child in children(stop.node):
            kind = type(child)
            waiting.append(
                VisitedNode(
                    child,
                    depth + (kind in _BRACKETS),
                    loops + (kind in LOOPS),
                    subqueries + (kind in SUBQUERIES),
                )
            )
