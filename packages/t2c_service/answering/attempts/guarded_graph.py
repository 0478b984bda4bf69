"""The graph behind the guard: every query of the service is checked and run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import QueryRejectedError
from t2c_core.guard.guard import Guard
from t2c_core.guard.plan import check_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient, PlanFacts, QueryLimits, QueryResult
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema


@dataclass(frozen=True, kw_only=True)
class ApprovedQuery:
    """A query that the guard and the planner allow."""

    executable_cypher: str
    """Text that is sent to the server."""
    cypher: str
    """Text to show: the original if only a LIMIT was added."""
    parameters: Mapping[str, Any]
    plan: PlanFacts
    repairs: tuple[str, ...] = ()
    """Repairs as `code: message`."""


class GuardedGraph:
    """One graph under one policy.

    Args:
        graph: client of the database.
        schema: schema of that graph without what the policy hides.
        policy: what must not be visible.
        allow_repairs: whether queries that need a repair are allowed.
    """

    def __init__(
        self, graph: GraphClient, schema: GraphSchema, policy: Policy, *, allow_repairs: bool = True
    ) -> None:
        self._graph = graph
        self._allow_repairs = allow_repairs
        self._guard = Guard(schema, policy)

    def allows(self, cypher: str, parameters: Mapping[str, Any]) -> bool:
        """Return whether the guard allows a query; the server is not asked."""
        return self._guard.check(cypher, parameters).allowed

    async def check(self, cypher: str, parameters: Mapping[str, Any]) -> ApprovedQuery:
        """Check a query with the guard and with EXPLAIN.

        Raises:
            QueryRejectedError: the query must not run.
            QueryError: the server rejects the query.
            GraphUnavailableError, GraphTimeoutError: the server does not answer.
        """
        verdict = self._guard.require(cypher, parameters)
        repairs = [repair for repair in verdict.repairs if repair.code != "repair.limit"]
        if repairs and not self._allow_repairs:
            raise QueryRejectedError(
                f"the query needs a repair: {repairs[0].message}", codes=(repairs[0].code,)
            )
        plan = await self._graph.explain(verdict.cypher, parameters)
        check_plan(plan)
        return ApprovedQuery(
            executable_cypher=verdict.cypher,
            cypher=verdict.cypher if repairs else cypher,
            parameters=parameters,
            plan=plan,
            repairs=tuple(f"{repair.code}: {repair.message}" for repair in verdict.repairs),
        )

    async def run(self, query: ApprovedQuery, limits: QueryLimits) -> QueryResult:
        """Run an approved query in a READ transaction; raises what `GraphClient.execute_read` raises."""
        return await self._graph.execute_read(query.executable_cypher, query.parameters, limits)
