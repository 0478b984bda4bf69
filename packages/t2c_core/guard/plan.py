"""Judge a query by the plan that the server made of it: it must only read, by operators known to only read.

READ access alone is no guard: LOAD CSV, SHOW, TERMINATE and procedures all run in it and are reported as reading.
Holds no database access (see `graph.client`).
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
"""Operators that read the graph and nothing else; any other is refused, so that a new one is not trusted by default."""


class QueryPlan(Protocol):
    """What the server tells of a query that it has planned; see `t2c_core.graph.client.PlanFacts`."""

    @property
    def query_type(self) -> str:
        """`r` if it reads."""

    @property
    def operators(self) -> Collection[str]:
        """Names of all operators."""


def check_plan(facts: QueryPlan) -> None:
    """Pass a plan that only reads.

    Raises:
        RefusedError: `plan.query_type` if the server says that the query does more than read, `plan.operator` if an
            operator is none of `READING_OPERATORS`.
    """
    if facts.query_type != "r":
        raise QueryRejectedError(
            f"only reading queries run here; the server says that this one is of type {facts.query_type!r}",
            codes=("plan.query_type",),
        )
    strange = sorted(name for name in facts.operators if name.partition("(")[0] not in READING_OPERATORS)
    if strange:
        raise QueryRejectedError(
            f"the plan has {', '.join(strange)}, which is not among the operators that only read the graph",
            codes=("plan.operator",),
        )
