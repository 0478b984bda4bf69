"""Allowlists of AST node types, functions and procedures; anything else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.guard.language.complexity import VisitedNode
    from t2c_core.guard.policy.policy import Policy

NODES: frozenset[type[t.Node]] = frozenset(
    {
        t.Query, t.SingleQuery, t.Match, t.Unwind, t.With, t.Return, t.OrderBySkipLimit, t.Finish, t.CallSubquery,
        t.CallProcedure, t.YieldItem, t.ProjectionItem, t.SortItem, t.PathPattern, t.PathSelector, t.NodePattern,
        t.RelationshipPattern, t.ParenthesizedPath, t.PathLength, t.Quantifier, t.Label, t.DynamicLabel, t.AnyLabel,
        t.LabelNot, t.LabelAnd, t.LabelOr, t.Null, t.Boolean, t.Integer, t.Float, t.FloatConstant, t.String,
        t.Parameter, t.Variable, t.ListLiteral, t.MapLiteral, t.MapEntry, t.Property, t.ContainerIndex, t.ListSlice,
        t.UnaryOp, t.Not, t.Logical, t.Comparison, t.Arithmetic, t.BinaryPredicate, t.IsNull, t.IsTyped,
        t.IsNormalized, t.LabelPredicate, t.CaseExpression, t.CaseAlternative, t.CaseOperand, t.FunctionInvocation,
        t.CountStar, t.Trim, t.Normalize, t.MapProjection, t.AllPropertiesSelector, t.PropertySelector,
        t.ListComprehension, t.PatternComprehension, t.PatternExpression, t.ReduceExpression, t.IterablePredicate,
        t.SubqueryExpression,
    }
)  # fmt: skip
"""AST node types that only read. A new node type is refused until it is listed here."""

FUNCTIONS = frozenset(
    """
    count sum avg min max collect stdev stdevp percentilecont percentiledisc any_value
    abs ceil ceiling floor round sign sqrt exp log ln log10 e pi rand isnan infinity nan
    sin cos tan cot asin acos atan atan2 degrees radians haversin sinh cosh tanh coth mod power
    tostring tointeger tofloat toboolean tostringornull tointegerornull tofloatornull tobooleanornull
    tostringlist tointegerlist tofloatlist tobooleanlist valuetype
    tolower toupper lower upper trim ltrim rtrim btrim replace substring left right split reverse normalize
    char_length character_length size length isempty head last tail range keys properties labels type id elementid
    nodes relationships startnode endnode exists coalesce nullif randomuuid timestamp
    date time localtime datetime localdatetime duration zoned_datetime zoned_time local_datetime local_time
    date.transaction date.statement date.realtime date.truncate
    time.transaction time.statement time.realtime time.truncate
    localtime.transaction localtime.statement localtime.realtime localtime.truncate
    datetime.transaction datetime.statement datetime.realtime datetime.truncate
    datetime.fromepoch datetime.fromepochmillis
    localdatetime.transaction localdatetime.statement localdatetime.realtime localdatetime.truncate
    duration.between duration.inmonths duration.indays duration.inseconds
    point point.distance point.withinbbox
    vector.similarity.cosine vector.similarity.euclidean vector_dimension_count vector_norm vector_distance
    all any none single
    """.split()
)
"""Functions that depend on their arguments only and have no side effects, in lower case."""


def check_allowed(visited: Sequence[VisitedNode], policy: Policy) -> None:
    """Check that a query consists of allowlisted node types, functions and procedures only.

    Raises:
        GuardRejectionError: `allow.node`, `allow.procedure` or `allow.function`.
    """
    functions = FUNCTIONS | policy.allowed_functions
    for node, *_ in visited:
        if type(node) not in NODES:
            raise GuardRejectionError(
                "allow.node",
                f"{type(node).__name__} is not on the list of read-only node types",
                node.position,
            )
        if isinstance(node, t.FunctionInvocation):
            kind, allowed = "function", functions
        elif isinstance(node, t.CallProcedure):
            kind, allowed = "procedure", policy.allowed_procedures
        else:
            continue
        name = ".".join(node.name)
        if name.lower() not in allowed:
            raise GuardRejectionError(f"allow.{kind}", f"the {kind} {name} is not allowed", node.position)
