"""Why a query has no rows: its conditions are left out one at a time, and rows are counted, within a budget.

Every relaxed query goes through the guard like any other; only the number of its rows is told.
"""

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
"""Rows counted at most for a relaxed query."""
MAX_CONDITION_CHARS = 200

NO_CONDITIONS = "The query has no condition to leave out: the graph holds nothing of this shape."
NOTHING_HELPS = "Leaving out any one of its conditions gives no rows either."


@dataclass(frozen=True)
class Condition:
    """A condition of a query, and the query without it."""

    text: str
    relaxed: Query


@dataclass(frozen=True, kw_only=True)
class DiagnosisBudget:
    """What finding out may cost."""

    queries: int
    seconds: float


async def diagnose(guarded: GuardedGraph, passed: ApprovedQuery, budget: DiagnosisBudget) -> Diagnosis | None:
    """Find out why a query has no rows.

    Args:
        guarded: the graph.
        passed: the query, which ran and had none.
        budget: when it is spent, what is known by then is told.

    Returns:
        None if there is no budget, or the query cannot be taken apart.
    """
    if budget.queries < 1:
        return None
    try:
        found = list(conditions(parse(passed.cypher)))
    except CypherSyntaxError:
        return None
    if not found:
        return Diagnosis(summary=NO_CONDITIONS)
    tried: list[Relaxation] = []
    try:
        async with asyncio.timeout(budget.seconds):
            for each in found[: budget.queries]:
                relaxation = await _relaxed(guarded, passed, each, budget)
                if relaxation is not None:
                    tried.append(relaxation)
    except TimeoutError:
        pass
    complete = len(tried) == len(found)
    return Diagnosis(
        summary=_summary(tried, passed.parameters, complete=complete),
        relaxations=tuple(tried),
        complete=complete,
    )


def conditions(query: Query) -> Iterator[Condition]:
    """Give each condition of a query's patterns, in the order of the text."""
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
    """Give each part of a conjunction with what is left of it."""
    if not (isinstance(where, Logical) and where.operator == "AND"):
        yield where, None
        return
    for part in where.operands:
        rest = tuple(each for each in where.operands if each is not part)
        yield part, rest[0] if len(rest) == 1 else replace(where, operands=rest)


def _condition(query: Query, old: Node, new: Node, text: str) -> Condition:
    return Condition(text, transform(query, lambda node: new if node is old else node))


async def _relaxed(
    guarded: GuardedGraph, passed: ApprovedQuery, condition: Condition, budget: DiagnosisBudget
) -> Relaxation | None:
    cypher = render(condition.relaxed)
    limits = QueryLimits(timeout_s=budget.seconds, max_rows=COUNTED_ROWS)
    used = {name: value for name, value in passed.parameters.items() if f"${name}" in cypher}
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
        return NOTHING_HELPS if complete and tried else "No reason was found in the time that there was."
    told = [
        f"without {_told(each.condition, parameters)} there "
        f"{'is' if each.rows == 1 else 'are'} {'more than ' if each.more else ''}{each.rows} "
        f"{'row' if each.rows == 1 else 'rows'}"
        for each in helping
    ]
    text = "; ".join(told)
    return f"{text[:1].upper()}{text[1:]}."


def _told(condition: str, parameters: Mapping[str, object]) -> str:
    """Write a condition with the values of its parameters, longest name first so that $v1 does not spoil $v10."""
    for name in sorted(parameters, key=len, reverse=True):
        condition = condition.replace(f"${name}", format_value(parameters[name]))
    return condition
