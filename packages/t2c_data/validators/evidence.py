"""What guard and database say of a query: a verdict, a plan, rows, or why it is refused. Judges no pair."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphTimeoutError, QueryError
from t2c_core.graph.client import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient, PlanFacts
    from t2c_core.guard.guard import Guard
    from t2c_core.schema.model import Scalar

LIMITS = Limits(timeout_s=20, max_rows=100)
PLAN_TRIES = 4
"""A busy machine is no fault of a query: its plan is asked for again when it does not come in time."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
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


async def gather(
    client: GraphClient,
    guard: Guard,
    cypher: str,
    parameters: Mapping[str, Scalar],
    limits: Limits = LIMITS,
) -> Evidence:
    """Plan a query that the guard allows, and run it if it only reads; nothing is sent that the guard refuses.

    Raises:
        GraphUnavailableError: the database does not answer.
    """
    verdict = guard.check(cypher, parameters)
    if not verdict.allowed:
        return Evidence()
    planned, query_type = False, ""
    try:
        plan = await _plan(client, verdict.cypher, parameters)
        planned, query_type = True, plan.query_type
        if query_type != "r":
            return Evidence(planned=True, query_type=query_type)
        result = await client.read(verdict.cypher, parameters, limits)
    except GraphTimeoutError as error:
        return Evidence(planned=planned, query_type=query_type, code="timeout", error=str(error))
    except QueryError as error:
        return Evidence(planned=planned, query_type=query_type, code=error.code, error=str(error))
    return Evidence(planned=True, query_type=query_type, columns=result.columns, rows=result.rows, ran=True)


async def _plan(client: GraphClient, cypher: str, parameters: Mapping[str, Scalar]) -> PlanFacts:
    for _ in range(PLAN_TRIES - 1):
        with contextlib.suppress(GraphTimeoutError):
            return await client.explain(cypher, parameters)
    return await client.explain(cypher, parameters)
