"""Results of the gold queries, which are guarded and run like any other, and whether they can be compared with."""

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
"""Wide limits, since a truncated result is no gold."""
_GUARD = Guard(policy=Policy(max_rows=LIMITS.max_rows))
TOLERATED = frozenset({None, "inner limit"})
"""Values of `Gold.unstable` that count as stable: whether an inner limit makes a difference is not examined."""


@dataclass(frozen=True, kw_only=True)
class GoldResult:
    """The result of one gold query."""

    gold: Gold | None = None
    excluded: str | None = None
    """Why the pair is excluded: `refused`, `fails`, `timeout`, `cut`, `empty`, `unstable` (nondeterministic) or
    `differs from the file's rows`."""
    detail: str = ""
    nodes: frozenset[str] | None = None
    """Element ids of its provenance, if they can be determined."""


async def run_gold(graph: GraphClient | None, pair: EvaluationPair, *, traced: bool = True) -> GoldResult:  # noqa: PLR0911  (one per reason)
    """Run the gold query of an answerable pair.

    Args:
        graph: database to run it on; without one, the rows of the file are the gold.
        pair: pair with a query, rows, or both, which must then agree.
        traced: whether to determine the provenance too.
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
    """Return the element ids of the nodes that a query's patterns match, or None if they cannot be determined."""
    query = provenance_query(cypher)
    if query is None:
        return None
    try:
        guarded = _GUARD.require(query, parameters).cypher
        check_plan(await graph.explain(guarded, parameters))
        result = await graph.execute_read(guarded, parameters, LIMITS)
    except (QueryRejectedError, QueryError, GraphTimeoutError):
        return None
    return None if result.truncated else frozenset(str(row[0]) for row in result.rows)


async def _run(graph: GraphClient, cypher: str, parameters: Mapping[str, Any]) -> Gold | None:
    query = GoldQuery(cypher, parameters)
    guarded = _GUARD.require(cypher, parameters).cypher
    check_plan(await graph.explain(guarded, parameters))
    result = await graph.execute_read(guarded, parameters, LIMITS)
    if result.truncated:
        return None
    probed = None
    if query.probe is not None:
        with suppress(QueryError):
            probed = (await graph.execute_read(query.probe, parameters, LIMITS)).rows
    return query.read(result.rows, probed)
