"""Diagnosis of an empty result: drop one condition at a time, guard and run the rest, and count its rows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import Logical, MapLiteral, Match, NodePattern, RelationshipPattern, With
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import transform, walk
from t2c_core.errors import CypherSyntaxError, GraphError, QueryRejectedError
from t2c_core.graph.client import QueryLimits
from t2c_service.answering.explaining.verbalise_rows import format_value
from t2c_service.answering.records import Diagnosis, Relaxation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.cypher.ast_nodes import Expression, Node, Query
    from t2c_service.answering.attempts.guarded_graph import ApprovedQuery, GuardedGraph

COUNTED_ROWS = 100
"""Maximum number of rows counted for a relaxed query."""
MAX_CONDITION_CHARS = 200

NO_CONDITIONS = "The query has no conditions; nothing in the graph matches its pattern."
NOTHING_HELPS = "Dropping any one of the conditions gives no rows either."
OUT_OF_TIME = "No reason was found within the time limit."


@dataclass(frozen=True)
class Condition:
    """A condition of a query, and the query without it."""

    text: str
    relaxed: Query


@dataclass(frozen=True, kw_only=True)
class DiagnosisBudget:
    """Limits of a diagnosis."""

    queries: int
    seconds: float


async def diagnose(guarded: GuardedGraph, query: ApprovedQuery, budget: DiagnosisBudget) -> Diagnosis | None:
    """Find out why a query returned no rows.

    Args:
        guarded: graph that the query ran on.
        query: query that returned no rows.
        budget: limits; the diagnosis is partial once they are reached.

    Returns:
        The diagnosis, or None if the budget is zero or the query cannot be parsed.
    """
    if budget.queries < 1:
        return None
    try:
        found = list(conditions(parse(query.cypher)))
    except CypherSyntaxError:
        return None
    if not found:
        return Diagnosis(summary=NO_CONDITIONS)
    tried: list[Relaxation] = []
    try:
        async with asyncio.timeout(budget.seconds):
            for each in found[: budget.queries]:
                relaxation = await _relax(guarded, query, each, budget)
                if relaxation is not None:
                    tried.append(relaxation)
    except TimeoutError:
        pass
    complete = len(tried) == len(found)
    return Diagnosis(
        summary=_summary(tried, query.parameters, complete=complete),
        relaxations=tuple(tried),
        complete=complete,
    )


def conditions(query: Query) -> Iterator[Condition]:
    """Yield each condition of a query in the order of its text."""
    for node in walk(query):
        match node:
            case Match(where=where) | With(where=where) if where is not None:
                for part, rest in _without_each(where):
                    yield _condition(query, node, replace(node, where=rest), render(part))
            case NodePattern() | RelationshipPattern():
                yield from _of_pattern(query, node)


def _of_pattern(query: Query, node: NodePattern | RelationshipPattern) -> Iterator[Condition]:
    if node.where is not None:
        for part, rest in _without_each(node.where):
            yield _condition(query, node, replace(node, where=rest), render(part))
    if isinstance(node.properties, MapLiteral):
        entries = node.properties.entries
        for entry in entries:
            others = tuple(each for each in entries if each is not entry)
            properties = replace(node.properties, entries=others) if others else None
            text = f"{entry.key} = {render(entry.value)}"
            yield _condition(query, node, replace(node, properties=properties), text)


def _without_each(where: Expression) -> Iterator[tuple[Expression, Expression | None]]:
    """Yield each operand of a conjunction with the conjunction of the others."""
    if not (isinstance(where, Logical) and where.operator == "AND"):
        yield where, None
        return
    for part in where.operands:
        rest = tuple(each for each in where.operands if each is not part)
        yield part, rest[0] if len(rest) == 1 else replace(where, operands=rest)


def _condition(query: Query, old: Node, new: Node, text: str) -> Condition:
    return Condition(text, transform(query, lambda node: new if node is old else node))


async def _relax(
    guarded: GuardedGraph, query: ApprovedQuery, condition: Condition, budget: DiagnosisBudget
) -> Relaxation | None:
    cypher = render(condition.relaxed)
    limits = QueryLimits(timeout_s=budget.seconds, max_rows=COUNTED_ROWS)
    used = {name: value for name, value in query.parameters.items() if f"${name}" in cypher}
    try:
        result = await guarded.run(await guarded.check(cypher, used), limits)
    except (QueryRejectedError, GraphError):
        return None
    return Relaxation(
        condition=condition.text[:MAX_CONDITION_CHARS],
        cypher=cypher,
        rows=len(result.rows),
        more=result.truncated,
    )


def _summary(tried: list[Relaxation], parameters: Mapping[str, object], *, complete: bool) -> str:
    helping = [each for each in tried if each.rows]
    if not helping:
        return NOTHING_HELPS if complete and tried else OUT_OF_TIME
    phrases = [
        f"without {_with_values(each.condition, parameters)} there "
        f"{'is' if each.rows == 1 else 'are'} {'more than ' if each.more else ''}{each.rows} "
        f"{'row' if each.rows == 1 else 'rows'}"
        for each in helping
    ]
    text = "; ".join(phrases)
    return f"{text[:1].upper()}{text[1:]}."


def _with_values(condition: str, parameters: Mapping[str, object]) -> str:
    """Replace the parameters of a condition by their values."""
    for name in sorted(parameters, key=len, reverse=True):  # $v10 before $v1
        condition = condition.replace(f"${name}", format_value(parameters[name]))
    return condition
