"""What the database says of a query: its plan, its rows, or why it refuses. Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphTimeoutError, QueryError, RefusedError
from t2c_core.graph.client import Limits
from t2c_core.guard.limits import check_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient
    from t2c_core.schema.model import Scalar

LIMITS = Limits(timeout_s=20, max_rows=100)


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
    client: GraphClient, cypher: str, parameters: Mapping[str, Scalar], limits: Limits = LIMITS
) -> Evidence:
    """Plan a query, and run it if it only reads.

    Raises:
        GraphUnavailableError: the database does not answer.
    """
    try:
        check_limits(cypher)
    except RefusedError as error:
        return Evidence(error=str(error), code="limits")
    planned, query_type = False, ""
    try:
        plan = await client.explain(cypher, parameters)
        planned, query_type = True, plan.query_type
        if query_type != "r":
            return Evidence(planned=True, query_type=query_type)
        result = await client.read(cypher, parameters, limits)
    except GraphTimeoutError as error:
        return Evidence(planned=planned, query_type=query_type, code="timeout", error=str(error))
    except QueryError as error:
        return Evidence(planned=planned, query_type=query_type, code=error.code, error=str(error))
    return Evidence(planned=True, query_type=query_type, columns=result.columns, rows=result.rows, ran=True)
