"""The graph view of an answer: nodes among its rows, or else the matches of its pattern (provenance).

Only queries of the form `MATCH … RETURN …` are rewritten; the rewritten query is guarded like any other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.ast_nodes import (
    CallSubquery,
    Comparison,
    Integer,
    Logical,
    Match,
    Parameter,
    ParenthesizedPath,
    ProjectionItem,
    Property,
    Query,
    RelationshipPattern,
    Return,
    SingleQuery,
    Unwind,
    Variable,
)
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import walk
from t2c_core.errors import CypherSyntaxError, GraphError, QueryRejectedError
from t2c_core.graph.client import QueryLimits
from t2c_service.answering.records import GraphView

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from t2c_core.cypher.ast_nodes import Clause, Expression, PathPattern
    from t2c_core.schema.model import GraphSchema, ParameterValue
    from t2c_service.answering.attempts.confidence import AttemptResult
    from t2c_service.answering.attempts.guarded_graph import GuardedGraph
    from t2c_service.settings import LimitSettings

MAX_MATCHES = 40
"""Maximum number of matches in a view."""
MAX_VALUES = 10
"""Maximum number of rows whose matches are shown, the same number for each."""
ROW_VALUES = "shown"

_PLAIN_TYPES = frozenset({"STRING", "INTEGER", "FLOAT", "BOOLEAN"})


def plain_properties(schema: GraphSchema) -> frozenset[str]:
    """Return the names of properties whose values survive a round trip through JSON, in every label and type."""
    types: dict[str, set[str]] = {}
    for properties in (
        *(each.properties for each in schema.labels),
        *(each.properties for each in schema.types),
    ):
        for each in properties:
            types.setdefault(each.name, set()).add(each.type)
    return frozenset(name for name, found in types.items() if found <= _PLAIN_TYPES)


@dataclass(frozen=True)
class ProvenanceQuery:
    """A query for the nodes and relationships behind some rows."""

    cypher: str
    parameters: dict[str, Any]
    max_matches: int
    """Maximum number of matches per row; a row with that many may have more."""

    def is_sample(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Return whether there may be more matches than the query returned."""
        return any(count >= self.max_matches for count in Counter(repr(row[0]) for row in rows).values())


def build_provenance_query(
    cypher: str,
    parameters: Mapping[str, ParameterValue],
    rows: Sequence[Sequence[Any]],
    *,
    plain: frozenset[str],
) -> ProvenanceQuery | None:
    """Build a query for the nodes and relationships behind the rows of another query.

    Args:
        cypher: query that ran.
        parameters: parameters of that query.
        rows: rows of its result; the first column that is a plain property assigns matches to rows.
        plain: names returned by `plain_properties`.

    Returns:
        The query, or None if the original has another form or no relationship.
    """
    shape = _shape(cypher)
    if shape is None:
        return None
    matches, returned = shape
    variables = _variables(pattern for match in matches for pattern in match.patterns)
    if not variables:
        return None
    elements = tuple(ProjectionItem(Variable(name)) for name in variables)
    column, key = _plain_column(returned, plain)
    if key is None:
        sample = Return((ProjectionItem(Integer(1)), *elements), limit=Integer(MAX_MATCHES))
        return ProvenanceQuery(render(_query(*matches, sample)), dict(parameters), MAX_MATCHES)
    values = list(dict.fromkeys(row[column] for row in rows if row[column] is not None))[:MAX_VALUES]
    max_matches = MAX_MATCHES // max(1, len(values))
    shown = Variable(ROW_VALUES)
    condition = Comparison((key, shown), ("=",))
    inner = _query(
        *matches[:-1], _with_condition(matches[-1], condition), Return(elements, limit=Integer(max_matches))
    )
    query = _query(
        Unwind(Parameter(ROW_VALUES), shown),
        CallSubquery(inner, (shown,)),
        Return((ProjectionItem(shown), *elements)),
    )
    return ProvenanceQuery(render(query), {**parameters, ROW_VALUES: values}, max_matches)


def _shape(cypher: str) -> tuple[tuple[Match, ...], Return] | None:
    """Return the MATCH clauses and the RETURN of a query with no other clauses and at least one relationship."""
    try:
        query = parse(cypher)
    except CypherSyntaxError:
        return None
    *before, last = query.parts[0].clauses
    matches = tuple(clause for clause in before if isinstance(clause, Match) and not clause.optional)
    if len(query.parts) > 1 or len(matches) < len(before) or not matches or not isinstance(last, Return):
        return None
    nodes = list(walk(query))
    uses_name = any(isinstance(node, Variable | Parameter) and node.name == ROW_VALUES for node in nodes)
    patterns = [node for match in matches for pattern in match.patterns for node in walk(pattern)]
    has_relationship = any(isinstance(node, RelationshipPattern) for node in patterns)
    return (matches, last) if has_relationship and not uses_name else None


def _variables(patterns: Iterable[PathPattern]) -> dict[str, None]:
    """Return the variables of nodes and relationships in the order of the patterns."""
    found: dict[str, None] = {}
    for pattern in patterns:
        for part in pattern.parts:
            if isinstance(part, ParenthesizedPath):
                found |= _variables([part.pattern])
            elif part.variable:
                found[part.variable.name] = None
    return found


def _plain_column(returned: Return, plain: frozenset[str]) -> tuple[int, Expression | None]:
    """Return index and expression of the first column that is a plain property."""
    for number, item in enumerate(() if returned.star else returned.items):
        found = item.expression
        if isinstance(found, Property) and isinstance(found.subject, Variable) and found.key in plain:
            return number, found
    return 0, None


def _with_condition(match: Match, condition: Expression) -> Match:
    where = match.where
    if where is None:
        return replace(match, where=condition)
    known = where.operands if isinstance(where, Logical) and where.operator == "AND" else (where,)
    return replace(match, where=Logical("AND", (*known, condition)))


def _query(*clauses: Clause) -> Query:
    return Query((SingleQuery(clauses),))


TIMEOUT_S = 2.0
"""Maximum seconds of the extra query."""
CELL_CHARS = 200


class ResultGraphBuilder:
    """Build graph views of answers on one graph.

    Args:
        guarded: graph that checks and runs the extra query.
        schema: schema of that graph.
        limits: limits of the service.
    """

    def __init__(self, guarded: GuardedGraph, schema: GraphSchema, limits: LimitSettings) -> None:
        self._guarded = guarded
        self._plain = plain_properties(schema)
        self._limits = QueryLimits(
            timeout_s=min(TIMEOUT_S, limits.timeout_s),
            max_rows=MAX_MATCHES,
            max_bytes=limits.max_bytes,
            max_cell_chars=CELL_CHARS,
        )

    async def build(self, attempt_result: AttemptResult) -> GraphView:
        """Build the view of an attempt; it is empty if the extra query cannot be built or fails."""
        result = attempt_result.result
        if result is None:
            return GraphView()
        if result.graph.nodes:
            return GraphView.of(result, sampled=result.truncated)
        attempt = attempt_result.attempt
        query = build_provenance_query(
            attempt.cypher or "", attempt.parameters, result.rows, plain=self._plain
        )
        if query is None:
            return GraphView()
        try:
            approved = await self._guarded.check(query.cypher, query.parameters)
            found = await self._guarded.run(approved, self._limits)
        except (QueryRejectedError, GraphError):
            return GraphView()
        sampled = query.is_sample(found.rows) or len(result.rows) > MAX_VALUES
        return GraphView.of(found, sampled=sampled)
