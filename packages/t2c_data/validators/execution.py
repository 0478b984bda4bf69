"""Plan and rows of a query, from a server with limits, as evidence for the validators."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from t2c_core.errors import GraphTimeoutError, QueryError
from t2c_core.graph.client import QueryLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient, PlanFacts
    from t2c_core.guard.guard import Guard

LIMITS = QueryLimits(timeout_s=20, max_rows=100)
MAX_CACHED_OUTCOMES = 1_000
"""Maximum number of outcomes that are kept: the wordings of one query stand near each other."""
MAX_CACHED_PLANS = 10_000
"""Maximum number of query texts whose plan is cached; pairs that differ in values alone have the same text."""
PLAN_TRIES = 4
"""Maximum number of times a plan is asked for: a busy server may not return it in time."""


@dataclass(frozen=True, kw_only=True)
class ExecutionEvidence:
    """Outcome of planning and running a query."""

    planned: bool = False
    """Whether the server could plan it."""
    query_type: str = ""
    """`r` if it only reads."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    ran: bool = False
    code: str = ""
    """Status code of the server, or `timeout`."""
    error: str = ""


class QueryExecutor:
    """Plans and runs queries; a query text is planned once, and wordings with the same query run it once.

    Args:
        client: client of the graph.
        guard: a query that it refuses is not sent.
    """

    def __init__(self, client: GraphClient, guard: Guard) -> None:
        self._client = client
        self._guard = guard
        self._types: LRUCache[str, str] = LRUCache(MAX_CACHED_PLANS)
        self._outcomes: LRUCache[str, asyncio.Task[ExecutionEvidence]] = LRUCache(MAX_CACHED_OUTCOMES)

    async def execute(self, cypher: str, parameters: Mapping[str, Any]) -> ExecutionEvidence:
        """Plan a query that the guard allows, and run it if it only reads.

        Raises:
            GraphUnavailableError: the database does not answer.
        """
        key = json.dumps([cypher, parameters], sort_keys=True, default=repr)
        if key not in self._outcomes:
            self._outcomes[key] = asyncio.ensure_future(self._execute(cypher, parameters))
        return await self._outcomes[key]

    async def _execute(self, cypher: str, parameters: Mapping[str, Any]) -> ExecutionEvidence:
        verdict = self._guard.check(cypher, parameters)
        if not verdict.allowed:
            return ExecutionEvidence()
        planned, query_type = False, ""
        try:
            query_type = await self._query_type(verdict.cypher, parameters)
            planned = True
            if query_type != "r":
                return ExecutionEvidence(planned=True, query_type=query_type)
            result = await self._client.execute_read(verdict.cypher, parameters, LIMITS)
        except GraphTimeoutError as error:
            return ExecutionEvidence(planned=planned, query_type=query_type, code="timeout", error=str(error))
        except QueryError as error:
            return ExecutionEvidence(
                planned=planned, query_type=query_type, code=error.code, error=str(error)
            )
        return ExecutionEvidence(
            planned=True, query_type=query_type, columns=result.columns, rows=result.rows, ran=True
        )

    async def _query_type(self, cypher: str, parameters: Mapping[str, Any]) -> str:
        if cypher not in self._types:
            self._types[cypher] = (await self._plan(cypher, parameters)).query_type
        return self._types[cypher]

    async def _plan(self, cypher: str, parameters: Mapping[str, Any]) -> PlanFacts:
        for _ in range(PLAN_TRIES - 1):
            with contextlib.suppress(GraphTimeoutError):
                return await self._client.explain(cypher, parameters)
        return await self._client.explain(cypher, parameters)
