"""Gold queries run on the graph, READ-only and guarded like any other; those that are no measure are named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphTimeoutError, QueryError, QueryRejectedError
from t2c_core.graph.client import QueryLimits
from t2c_core.guard.guard import Guard
from t2c_core.guard.plan import check_plan
from t2c_core.guard.policy.policy import Policy
from t2c_core.metrics import Gold, GoldQuery, compare, provenance_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient
    from t2c_service.evaluation.pairs import EvaluationPair

LIMITS = QueryLimits(timeout_s=30.0, max_rows=50_000, max_bytes=50_000_000, max_cell_chars=100_000)
"""Wide, since a gold that is cut is none."""
_GUARD = Guard(policy=Policy(max_rows=LIMITS.max_rows))
TOLERATED = frozenset({None, "inner limit"})
"""Instabilities that count; an inner limit is not looked into, which is no reason to doubt the gold."""


@dataclass(frozen=True, kw_only=True)
class GoldResult:
    """What a gold is worth."""

    gold: Gold | None = None
    excluded: str | None = None
    """Why it does not count: `refused`, `fails`, `timeout`, `cut`, `empty`, `unstable` or `differs from the
    file's rows`."""
    detail: str = ""
    nodes: frozenset[str] | None = None
    """Provenance of its rows, if it can be told."""


async def run_gold(graph: GraphClient | None, pair: EvaluationPair, *, traced: bool = True) -> GoldResult:  # noqa: PLR0911  (one for each verdict)
    """Find out what the gold of an answerable pair returns.

    Args:
        graph: where to run it; without one, the file's rows are the gold.
        pair: with a query, rows, or both; both have to agree.
        traced: whether to look for the nodes behind its rows too.
    """
    if graph is None or pair.cypher is None:
        rows = tuple(tuple(row) for row in pair.rows or ())
        return GoldResult(gold=Gold(rows, None, None)) if rows else GoldResult(excluded="empty")
    try:
        gold = await _run(graph, pair.cypher, pair.parameters)
    except QueryRejectedError as error:
        return GoldResult(excluded="refused", detail=str(error))
    except QueryError as error:
        return GoldResult(excluded="fails", detail=str(error))
    except GraphTimeoutError as error:
        return GoldResult(excluded="timeout", detail=str(error))
    if gold is None:
        return GoldResult(excluded="cut", detail=f"more than {LIMITS.max_rows} rows")
    if not gold.rows:
        return GoldResult(gold=gold, excluded="empty")
    if pair.rows is not None and not compare(pair.rows, gold.rows).equal:
        return GoldResult(gold=gold, excluded="differs from the file's rows")
    nodes = await provenance(graph, pair.cypher, pair.parameters) if traced else None
    if gold.unstable not in TOLERATED:
        return GoldResult(gold=gold, excluded="unstable", detail=str(gold.unstable), nodes=nodes)
    return GoldResult(gold=gold, nodes=nodes)


async def provenance(graph: GraphClient, cypher: str, parameters: Mapping[str, Any]) -> frozenset[str] | None:
    """Find the nodes that a query's patterns match; none if they cannot be told."""
    query = provenance_query(cypher)
    if query is None:
        return None
    try:
        passed = _GUARD.require(query, parameters).cypher
        check_plan(await graph.explain(passed, parameters))
        result = await graph.execute_read(passed, parameters, LIMITS)
    except (QueryRejectedError, QueryError, GraphTimeoutError):
        return None
    return None if result.truncated else frozenset(str(row[0]) for row in result.rows)


async def _run(graph: GraphClient, cypher: str, parameters: Mapping[str, Any]) -> Gold | None:
    query = GoldQuery(cypher, parameters)
    passed = _GUARD.require(cypher, parameters).cypher
    check_plan(await graph.explain(passed, parameters))
    result = await graph.execute_read(passed, parameters, LIMITS)
    if result.truncated:
        return None
    probed = None
    if query.probe is not None:
        with suppress(QueryError):
            probed = (await graph.execute_read(query.probe, parameters, LIMITS)).rows
    return query.read(result.rows, probed)
