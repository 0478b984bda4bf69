"""What the database says of a query: its plan, its rows, or why it refuses. Judges nothing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.parser import parse
from t2c_core.errors import CypherSyntaxError, GraphTimeoutError, QueryError, RefusedError
from t2c_core.graph.client import Limits
from t2c_core.guard.allow import check_allowed
from t2c_core.guard.limits import check_length, check_limits
from t2c_core.guard.policy import Policy
from t2c_core.guard.tour import tour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient, PlanFacts
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


def refusal(cypher: str, parameters: Mapping[str, Scalar]) -> tuple[str, str] | None:
    """Say why a query must not even be sent: a code of the guard and a sentence; None if it may."""
    try:
        check_length(cypher)
        query = parse(cypher)
        stops = list(tour(query))
        check_allowed(stops, Policy())
        check_limits(query, stops, parameters)
    except CypherSyntaxError as error:
        return f"parse.{error.reason}", str(error)
    except RefusedError as error:
        return error.codes[0], str(error)
    return None


async def gather(
    client: GraphClient, cypher: str, parameters: Mapping[str, Scalar], limits: Limits = LIMITS
) -> Evidence:
    """Plan a query, and run it if it only reads.

    Raises:
        GraphUnavailableError: the database does not answer.
    """
    refused = refusal(cypher, parameters)
    if refused is not None:
        return Evidence(code=refused[0], error=refused[1])
    planned, query_type = False, ""
    try:
        plan = await _plan(client, cypher, parameters)
        planned, query_type = True, plan.query_type
        if query_type != "r":
            return Evidence(planned=True, query_type=query_type)
        result = await client.read(cypher, parameters, limits)
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
