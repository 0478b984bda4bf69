"""What guard and database say of a query: a verdict, a plan, rows, or why it is refused. Judges no pair."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphTimeoutError, QueryError
from t2c_core.graph.client import QueryLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient, PlanFacts
    from t2c_core.guard.guard import Guard
    from t2c_core.schema.model import Scalar

LIMITS = QueryLimits(timeout_s=20, max_rows=100)
REMEMBERED = 10_000
"""Texts whose plan is remembered: pairs that differ in values alone have one text."""
PLAN_TRIES = 4
"""A busy machine is no fault of a query: its plan is asked for again when it does not come in time."""


@dataclass(frozen=True, kw_only=True)
class ExecutionEvidence:
    """What became of a query when it was planned and run."""

    planned: bool = False
    """Whether the server could plan it."""
    query_type: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    ran: bool = False
    code: str = ""
    """The server's status code, or `timeout`."""
    error: str = ""


class QueryExecutor:
    """Has the database plan and run queries, with limits; a text that it planned before is not planned again.

    Args:
        client: runs queries.
        guard: what it refuses is not sent.
    """

    def __init__(self, client: GraphClient, guard: Guard) -> None:
        self._client = client
        self._guard = guard
        self._types: dict[str, str] = {}

    async def execute(self, cypher: str, parameters: Mapping[str, Scalar]) -> ExecutionEvidence:
        """Plan a query that the guard allows, and run it if it only reads.

        Raises:
            GraphUnavailableError: the database does not answer.
        """
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

    async def _query_type(self, cypher: str, parameters: Mapping[str, Scalar]) -> str:
        if cypher not in self._types:
            plan = await self._plan(cypher, parameters)
            if len(self._types) == REMEMBERED:
                del self._types[next(iter(self._types))]
            self._types[cypher] = plan.query_type
        return self._types[cypher]

    async def _plan(self, cypher: str, parameters: Mapping[str, Scalar]) -> PlanFacts:
        for _ in range(PLAN_TRIES - 1):
            with contextlib.suppress(GraphTimeoutError):
                return await self._client.explain(cypher, parameters)
        return await self._client.explain(cypher, parameters)
