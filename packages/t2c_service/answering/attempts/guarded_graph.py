"""The graph behind its guard: a query is passed, perhaps mended, or refused; only what was passed can be run.

This is the one place where the service calls the guard; the layers themselves are `t2c_core.guard`.
"""

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
    """A query that may run."""

    executable_cypher: str
    """The text that is sent."""
    cypher: str
    """The same for people: as it was written if nothing but a LIMIT was added."""
    parameters: Mapping[str, Any]
    plan: PlanFacts
    repairs: tuple[str, ...] = ()
    """What was mended, for the trace."""


class GuardedGraph:
    """One graph under one policy.

    Args:
        graph: read through this and nothing else.
        schema: of that graph, without what the policy hides.
        policy: what may not be seen.
        is_mended: whether a query that had to be mended is passed.
    """

    def __init__(
        self, graph: GraphClient, schema: GraphSchema, policy: Policy, *, is_mended: bool = True
    ) -> None:
        self._graph = graph
        self._is_mended = is_mended
        self._guard = Guard(schema, policy)

    async def check(self, cypher: str, parameters: Mapping[str, Any]) -> ApprovedQuery:
        """Let a query through, or not.

        Raises:
            RefusedError: it must not run.
            QueryError: the server does not take it.
            GraphUnavailableError, GraphTimeoutError: the server does not answer.
        """
        verdict = self._guard.require(cypher, parameters)
        mended = [repair for repair in verdict.repairs if repair.code != "repair.limit"]
        if mended and not self._is_mended:
            raise QueryRejectedError(
                f"the query would have to be mended: {mended[0].told}", codes=(mended[0].code,)
            )
        plan = await self._graph.explain(verdict.cypher, parameters)
        check_plan(plan)
        return ApprovedQuery(
            executable_cypher=verdict.cypher,
            cypher=verdict.cypher if mended else cypher,
            parameters=parameters,
            plan=plan,
            repairs=tuple(f"{repair.code}: {repair.told}" for repair in verdict.repairs),
        )

    async def run(self, passed: ApprovedQuery, limits: QueryLimits) -> QueryResult:
        """Run what `check` passed, in a READ transaction; see `GraphClient.read` for what it raises."""
        return await self._graph.execute_read(passed.executable_cypher, passed.parameters, limits)
