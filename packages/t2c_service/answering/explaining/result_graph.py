"""The graph view of an answer: the nodes among its rows, or else the pattern behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.errors import GraphError, QueryRejectedError
from t2c_core.graph.client import QueryLimits
from t2c_service.answering.explaining.provenance_query import (
    MAX_MATCHES,
    MAX_VALUES,
    build_provenance_query,
    plain_properties,
)
from t2c_service.answering.records import GraphView

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema
    from t2c_service.answering.attempts.confidence import AttemptResult
    from t2c_service.answering.attempts.guarded_graph import GuardedGraph
    from t2c_service.settings import LimitSettings

TIMEOUT_S = 2.0
"""Longest extra query for a view."""
CELL_CHARS = 200


class ResultGraphBuilder:
    """Makes views of answers on one graph.

    Args:
        guarded: the extra query runs through it, like any other.
        schema: of that graph.
        limits: the service's.
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

    async def build(self, tried: AttemptResult) -> GraphView:
        """Show what stands behind rows; a view that cannot be made is an empty one, the answer stands without it."""
        result = tried.result
        if result is None:
            return GraphView()
        if result.graph.nodes:
            return GraphView.of(result, sampled=result.truncated)
        attempt = tried.attempt
        query = build_provenance_query(
            attempt.cypher or "", attempt.parameters, result.rows, plain=self._plain
        )
        if query is None:
            return GraphView()
        try:
            passed = await self._guarded.check(query.cypher, query.parameters)
            found = await self._guarded.run(passed, self._limits)
        except (QueryRejectedError, GraphError):
            return GraphView()
        sampled = query.is_sample(found.rows) or len(result.rows) > MAX_VALUES
        return GraphView.of(found, sampled=sampled)
