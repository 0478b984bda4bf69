"""Check of the server's execution plan: query type `r`, and operators that only read.

READ access mode does not suffice: LOAD CSV, SHOW, TERMINATE and procedures all run in it and are reported as reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from t2c_core.errors import QueryRejectedError

if TYPE_CHECKING:
    from collections.abc import Collection

_DIRECTIONS = ("Directed", "Undirected")

READING_OPERATORS = frozenset(
    """
    AllNodesScan NodeByLabelScan UnionNodeByLabelsScan IntersectionNodeByLabelsScan SubtractionNodeByLabelsScan
    NodeByIdSeek NodeByElementIdSeek NodeIndexSeek NodeUniqueIndexSeek NodeIndexSeekByRange NodeUniqueIndexSeekByRange
    NodeIndexScan NodeIndexContainsScan NodeIndexEndsWithScan MultiNodeIndexSeek AssertingMultiNodeIndexSeek
    DynamicLabelNodeLookup NodeCountFromCountStore RelationshipCountFromCountStore
    Expand OptionalExpand VarLengthExpand PruningVarLengthExpand BFSPruningVarLengthExpand ProjectEndpoints
    ShortestPath StatefulShortestPath LegacyFindShortestPaths Repeat RepeatTrail RepeatWalk BidirectionalRepeatTrail
    Trail BidirectionalTrail PathPropagatingBFS
    Apply SemiApply AntiSemiApply SelectOrSemiApply SelectOrAntiSemiApply LetSemiApply LetAntiSemiApply
    LetSelectOrSemiApply LetSelectOrAntiSemiApply ConditionalApply AntiConditionalApply RollUpApply Argument
    CartesianProduct NodeHashJoin NodeLeftOuterHashJoin NodeRightOuterHashJoin LeftOuterHashJoin RightOuterHashJoin
    ValueHashJoin TriadicSelection TriadicBuild TriadicFilter AssertSameNode AssertSameRelationship Optional
    Union OrderedUnion Filter Projection CacheProperties NullifyMetadata ProduceResults EmptyRow Eager
    EagerAggregation OrderedAggregation Distinct OrderedDistinct Limit ExhaustiveLimit Skip Sort PartialSort Top
    PartialTop Top1WithTies Unwind
    """.split()
) | {
    f"{direction}{rest}"
    for direction in _DIRECTIONS
    for rest in (
        "AllRelationshipsScan", "RelationshipTypeScan", "UnionRelationshipTypesScan", "RelationshipIndexSeek",
        "RelationshipIndexSeekByRange", "RelationshipUniqueIndexSeek", "RelationshipIndexScan",
        "RelationshipIndexContainsScan", "RelationshipIndexEndsWithScan", "RelationshipByIdSeek",
        "RelationshipByElementIdSeek", "DynamicRelationshipTypeLookup",
    )
}  # fmt: skip
"""Allowlist of operators that only read the graph."""


class QueryPlan(Protocol):
    """Execution plan of a query, such as `t2c_core.graph.client.PlanFacts`."""

    @property
    def query_type(self) -> str:
        """`r` if the query only reads."""

    @property
    def operators(self) -> Collection[str]:
        """Names of all operators."""


def check_plan(plan: QueryPlan) -> None:
    """Check that a plan only reads.

    Raises:
        QueryRejectedError: `plan.query_type` if the server says that the query does more than read, `plan.operator` if
            an operator is not one of `READING_OPERATORS`.
    """
    if plan.query_type != "r":
        raise QueryRejectedError(
            f"the server reports query type {plan.query_type!r}; only read queries ('r') are allowed",
            codes=("plan.query_type",),
        )
    unknown = sorted(name for name in plan.operators if name.partition("(")[0] not in READING_OPERATORS)
    if unknown:
        raise QueryRejectedError(
            f"the plan has operators that are not on the list of read-only operators: {', '.join(unknown)}",
            codes=("plan.operator",),
        )
