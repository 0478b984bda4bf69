"""The part of the graph behind an answer, when its rows are plain values: the same pattern, returned as nodes.

Only queries that match and then return are taken (`MATCH … RETURN …`); for all others there is no view. The rewritten
query goes through the same guard as any other.
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
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from t2c_core.cypher.ast_nodes import Clause, Expression, PathPattern
    from t2c_core.schema.model import GraphSchema, ParameterValue

MAX_MATCHES = 40
"""Matches drawn at most."""
MAX_VALUES = 10
"""Rows whose matches are drawn, the same number for each."""
ROW_VALUES = "shown"

_PLAIN_TYPES = frozenset({"STRING", "INTEGER", "FLOAT", "BOOLEAN"})


def plain_properties(schema: GraphSchema) -> frozenset[str]:
    """Names of the properties whose values come back from JSON as they were, for every owner that has them."""
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
    """A query for the elements behind some rows."""

    cypher: str
    parameters: dict[str, Any]
    max_matches: int
    """Matches that it looks for, for each row; where there are as many, there may be more."""

    def is_sample(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Tell from its rows whether there may be more matches than it found."""
        return any(count >= self.max_matches for count in Counter(repr(row[0]) for row in rows).values())


def build_provenance_query(
    cypher: str,
    parameters: Mapping[str, ParameterValue],
    rows: Sequence[Sequence[Any]],
    *,
    plain: frozenset[str],
) -> ProvenanceQuery | None:
    """Rewrite a query so that it returns the nodes and relationships behind its rows.

    Args:
        cypher: a query that ran.
        parameters: of that query.
        rows: of its result; the first column that is a plain property says which matches belong to which row.
        plain: see `plain_properties`.

    Returns:
        The query; none when the one given is of another shape, or has no relationship to draw.
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
    inner = _query(*matches[:-1], _also(matches[-1], condition), Return(elements, limit=Integer(max_matches)))
    query = _query(
        Unwind(Parameter(ROW_VALUES), shown),
        CallSubquery(inner, (shown,)),
        Return((ProjectionItem(shown), *elements)),
    )
    return ProvenanceQuery(render(query), {**parameters, ROW_VALUES: values}, max_matches)


def _shape(cypher: str) -> tuple[tuple[Match, ...], Return] | None:
    """Give the MATCH clauses and the RETURN of a query that has nothing else, and a relationship to draw."""
    try:
        query = parse(cypher)
    except CypherSyntaxError:
        return None
    *before, last = query.parts[0].clauses
    matches = tuple(clause for clause in before if isinstance(clause, Match) and not clause.optional)
    if len(query.parts) > 1 or len(matches) < len(before) or not matches or not isinstance(last, Return):
        return None
    nodes = list(walk(query))
    takes_name = any(isinstance(node, Variable | Parameter) and node.name == ROW_VALUES for node in nodes)
    patterns = [node for match in matches for pattern in match.patterns for node in walk(pattern)]
    has_relationship = any(isinstance(node, RelationshipPattern) for node in patterns)
    return (matches, last) if has_relationship and not takes_name else None


def _variables(patterns: Iterable[PathPattern]) -> dict[str, None]:
    """Name the nodes and relationships of patterns, in their order."""
    found: dict[str, None] = {}
    for pattern in patterns:
        for part in pattern.parts:
            if isinstance(part, ParenthesizedPath):
                found |= _variables([part.pattern])
            elif part.variable:
                found[part.variable.name] = None
    return found


def _plain_column(returned: Return, plain: frozenset[str]) -> tuple[int, Expression | None]:
    """Give the first column that is a plain property, by its number and as an expression."""
    for number, item in enumerate(() if returned.star else returned.items):
        found = item.expression
        if isinstance(found, Property) and isinstance(found.subject, Variable) and found.key in plain:
            return number, found
    return 0, None


def _also(match: Match, condition: Expression) -> Match:
    """Ask for one more condition."""
    where = match.where
    if where is None:
        return replace(match, where=condition)
    known = where.operands if isinstance(where, Logical) and where.operator == "AND" else (where,)
    return replace(match, where=Logical("AND", (*known, condition)))


def _query(*clauses: Clause) -> Query:
    return Query((SingleQuery(clauses),))
