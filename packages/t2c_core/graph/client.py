"""Read-only Bolt access with limits: query plans and results."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from neo4j import READ_ACCESS, AsyncGraphDatabase
from neo4j.graph import Node, Path, Relationship

from t2c_core.errors import GraphOverloadedError, GraphTimeoutError, GraphUnavailableError, QueryError
from t2c_core.graph.connection import translate_driver_errors, validate_uri
from t2c_core.graph.driver_values import record_values
from t2c_core.results import canonical, is_embedding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from types import TracebackType

    from neo4j import AsyncSession, AsyncTransaction

    from t2c_core.schema.model import Scalar

LANGUAGE = "CYPHER 5"
"""Prefix of every query, so that the database's default language has no effect."""
GRACE_S = 2.0
"""Seconds to wait beyond the server's own time limit."""
EXPLAIN_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
FETCH_SIZE = 200
"""Rows per message of the server."""


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """Limits of one query."""

    timeout_s: float = 10.0
    max_rows: int = 1000
    max_bytes: int = 2_000_000
    """Maximum size of all rows as JSON."""
    max_cell_chars: int = 2000
    """Maximum length of one string; a longer one is cut and ends in an ellipsis."""


@dataclass(frozen=True, kw_only=True)
class ResultGraph:
    """Distinct nodes and relationships of a result."""

    nodes: tuple[dict[str, Any], ...] = ()
    """`id`, `labels`, `properties`."""
    relationships: tuple[dict[str, Any], ...] = ()
    """`id`, `type`, `start`, `end`, `properties`."""


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """Result of a query as plain JSON values."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    """Whether rows or long strings were cut because of the limits."""
    elapsed_ms: float
    graph: ResultGraph


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """Query plan from EXPLAIN."""

    query_type: str
    """`r` for a read-only query; `w`, `rw` and `s` (schema or system) otherwise."""
    operators: frozenset[str]
    """Names of the plan's operators, without the suffix of the database."""
    estimated_rows: float
    """Largest estimate of any operator."""
    notifications: tuple[str, ...] = ()
    """GQLSTATUS and description of the server's notifications."""


class GraphClient:
    """READ-only access to one database; an asynchronous context manager, safe to share between tasks.

    Args:
        uri: Bolt address; `neo4j://` routes to readers of a cluster.
        auth: user and password, or None for a server without authentication.
        database: name of the database; the server's default database if None.
        concurrency: maximum number of connections.

    Raises:
        InputError: the address is invalid.
    """

    def __init__(
        self,
        uri: str,
        *,
        auth: tuple[str, str] | None = None,
        database: str | None = None,
        concurrency: int = 32,
    ) -> None:
        self.uri = uri
        self.database = database
        self._free_connections = asyncio.Semaphore(concurrency)
        logging.getLogger("neo4j.notifications").setLevel(logging.ERROR)  # PlanFacts holds them
        with validate_uri(uri):
            self._driver = AsyncGraphDatabase.driver(
                uri,
                auth=auth,
                max_connection_pool_size=concurrency,
                connection_timeout=CONNECT_TIMEOUT_S,
                connection_acquisition_timeout=CONNECT_TIMEOUT_S * 2,
                user_agent="graphling",
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    async def verify_connectivity(self) -> None:
        """Check that the database answers a query.

        Raises:
            GraphUnavailableError: the database does not answer.
        """
        try:
            await self.execute_read("RETURN 1", limits=QueryLimits(timeout_s=CONNECT_TIMEOUT_S))
        except (GraphTimeoutError, QueryError) as error:
            raise GraphUnavailableError(str(error)) from error

    async def explain(self, cypher: str, parameters: Mapping[str, Scalar] | None = None) -> PlanFacts:
        """Return the server's plan of a query, without running the query.

        Raises:
            QueryError: the server rejected the query.
            GraphUnavailableError: the server does not answer.
            GraphTimeoutError: planning exceeded its time limit.
        """
        async with self._transaction(EXPLAIN_TIMEOUT_S) as transaction:
            result = await transaction.run(f"{LANGUAGE} EXPLAIN {cypher}", dict(parameters or {}))
            summary = await result.consume()
        operators = list(_operators(summary.plan or {}))
        return PlanFacts(
            query_type=summary.query_type or "",
            operators=frozenset(name for name, _ in operators),
            estimated_rows=max((rows for _, rows in operators), default=0.0),
            notifications=tuple(
                f"{each.gql_status} {each.status_description}"
                for each in summary.gql_status_objects
                if each.is_notification
            ),
        )

    async def execute_read(
        self, cypher: str, parameters: Mapping[str, Any] | None = None, limits: QueryLimits | None = None
    ) -> QueryResult:
        """Run a query in an explicit READ transaction that is rolled back.

        Args:
            cypher: a query that the guard allows; it is sent unchanged.
            parameters: values by name, without the dollar sign.
            limits: limits of the query; the defaults of `QueryLimits` if None.

        Raises:
            QueryError: the server rejected the query, for example because it writes.
            GraphTimeoutError: the query exceeded `limits.timeout_s`.
            GraphUnavailableError: the server does not answer.
        """
        limits = limits or QueryLimits()
        started = time.perf_counter()
        reader = _Reader(limits)
        fetch_size = min(FETCH_SIZE, limits.max_rows + 1)  # one row more shows that the result is truncated
        async with self._transaction(limits.timeout_s, fetch_size) as transaction:
            result = await transaction.run(f"{LANGUAGE} {cypher}", dict(parameters or {}))
            columns = tuple(result.keys())
            async for record in result:
                if not reader.add(record_values(record)):
                    break
        return QueryResult(
            columns=columns,
            rows=tuple(reader.rows),
            truncated=reader.truncated,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
            graph=ResultGraph(
                nodes=tuple(reader.nodes.values()), relationships=tuple(reader.relationships.values())
            ),
        )

    @asynccontextmanager
    async def _transaction(
        self, timeout_s: float, fetch_size: int = FETCH_SIZE
    ) -> AsyncIterator[AsyncTransaction]:
        with translate_driver_errors(self.uri):
            await self._acquire(timeout_s)
            try:
                async with asyncio.timeout(timeout_s + GRACE_S), self._session(fetch_size) as session:
                    transaction = await session.begin_transaction(timeout=timeout_s)
                    try:
                        yield transaction
                    finally:
                        if not transaction.closed():
                            await transaction.rollback()
            except TimeoutError as error:
                raise GraphTimeoutError(f"the query exceeded its time limit of {timeout_s:g} s") from error
            finally:
                self._free_connections.release()

    async def _acquire(self, timeout_s: float) -> None:
        """Wait for a free connection, so that a wait for other queries is not taken for a slow query."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._free_connections.acquire()
        except TimeoutError as error:
            raise GraphOverloadedError(
                f"all connections to {self.uri} were in use for {timeout_s:g} s; try again in a moment"
            ) from error

    def _session(self, fetch_size: int) -> AsyncSession:
        return self._driver.session(
            database=self.database, default_access_mode=READ_ACCESS, fetch_size=fetch_size
        )


class _Reader:
    """Collects rows until a limit is reached."""

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self.rows: list[tuple[Any, ...]] = []
        self.truncated = False
        self.nodes: dict[str, dict[str, Any]] = {}
        self.relationships: dict[str, dict[str, Any]] = {}

    def add(self, values: list[Any]) -> bool:
        """Add a row; return whether there is room for another one."""
        row = tuple(self._cut(canonical(value)) for value in values)
        size = len(json.dumps(row, ensure_ascii=False).encode())
        if len(self.rows) == self._limits.max_rows or self._bytes + size > self._limits.max_bytes:
            self.truncated = True
            return False
        self._bytes += size
        self.rows.append(row)
        for value in values:
            self._add_entities(value)
        return True

    def _cut(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > self._limits.max_cell_chars:
            self.truncated = True
            return value[: self._limits.max_cell_chars - 1] + "…"
        if isinstance(value, list):
            return [self._cut(each) for each in value]
        if isinstance(value, dict):
            return {name: _without_numbers(self._cut(each)) for name, each in value.items()}
        return value

    def _add_entities(self, value: Any) -> None:
        match value:
            case Node():
                self.nodes[value.element_id] = {
                    "id": value.element_id,
                    "labels": sorted(value.labels),
                    "properties": self._cut(canonical(dict(value))),
                }
            case Relationship():
                self.relationships[value.element_id] = {
                    "id": value.element_id,
                    "type": value.type,
                    "start": value.start_node.element_id if value.start_node else None,
                    "end": value.end_node.element_id if value.end_node else None,
                    "properties": self._cut(canonical(dict(value))),
                }
            case Path():
                for each in (*value.nodes, *value.relationships):
                    self._add_entities(each)
            case list():
                for each in value:
                    self._add_entities(each)
            case dict():
                self._add_entities(list(value.values()))


def _without_numbers(value: Any) -> Any:
    """Return the value of a property; of an embedding, which nobody reads, its length."""
    return f"[{len(value)} numbers]" if is_embedding(value) else value


def _operators(plan: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    stack = [plan]
    while stack:
        each = stack.pop()
        if "operatorType" in each:
            name = str(each["operatorType"]).partition("@")[0]
            yield name, float((each.get("args") or {}).get("EstimatedRows", 0.0))
        stack += each.get("children") or ()
