"""Connections for loading and describing graphs, and the driver's exceptions as errors of this package."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neo4j import GraphDatabase
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    DatabaseUnavailable,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from t2c_core.errors import GraphError, GraphTimeoutError, GraphUnavailableError, InputError, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neo4j import Driver

OLDEST_SERVER = (5, 26)
"""The first version that takes labels and types as parameters."""
CONNECT_TIMEOUT_S = 10
TIMEOUT_CODES = frozenset(
    {
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
        "Neo.TransientError.Transaction.LockClientStopped",
    }
)
TOO_DEEP = "Graphling.AnswerTooDeep"
MISSING_DATABASE = "Neo.ClientError.Database.DatabaseNotFound"
_SCHEMES = ("bolt://", "bolt+s://", "bolt+ssc://", "neo4j://", "neo4j+s://", "neo4j+ssc://")


@contextmanager
def connected(uri: str, auth: tuple[str, str] | None) -> Iterator[Driver]:
    """Connect to a server; the driver's exceptions inside the block become errors of this package.

    Args:
        uri: Bolt address.
        auth: user and password, or None for a server without authentication.

    Raises:
        InputError: the address, user or password is wrong, or the server is too old.
        GraphError: as `translate_driver_errors` raises.
    """
    with validate_uri(uri):
        driver = GraphDatabase.driver(
            uri, auth=auth, connection_timeout=CONNECT_TIMEOUT_S, notifications_min_severity="OFF"
        )
    with translate_driver_errors(uri), driver:
        agent = driver.get_server_info().agent
        version = re.fullmatch(r"Neo4j/(\d+)\.(\d+).*", agent)
        if version and (int(version[1]), int(version[2])) < OLDEST_SERVER:
            raise InputError(
                f"{uri} is a {agent}; Neo4j {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or newer is required"
            )
        yield driver


@contextmanager
def validate_uri(uri: str) -> Iterator[None]:
    """Create a driver inside this block.

    Raises:
        InputError: the address is not one of a Neo4j server.
    """
    advice = "expected bolt://host:port"
    try:
        if not uri.startswith(_SCHEMES):
            raise InputError(f"invalid Neo4j address {uri!r}: {advice}")
        yield
    except (ConfigurationError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"invalid Neo4j address {uri!r} ({error}): {advice}") from error


@contextmanager
def translate_driver_errors(uri: str) -> Iterator[None]:
    """Raise exceptions of the driver as errors of this package.

    Raises:
        InputError: the user, password or database is wrong.
        GraphUnavailableError: the server does not answer.
        GraphTimeoutError: a query exceeded its time limit.
        QueryError: the server rejected a query.
    """
    try:
        yield
    except (DriverError, Neo4jError, RecursionError) as error:
        raise to_graph_error(error, uri) from error


def is_timeout(error: Exception) -> bool:
    """Return whether the server ended a query because of its time limit."""
    return isinstance(error, Neo4jError) and error.code in TIMEOUT_CODES


def to_graph_error(error: Exception, uri: str) -> GraphError | InputError:  # noqa: PLR0911
    """Return the error of this package for an exception of the driver."""
    match error:
        case AuthError():
            return InputError(
                f"{uri} rejected the user or password ({_first_line(error)}); give them with --auth-file, "
                "or in NEO4J_USERNAME and NEO4J_PASSWORD"
            )
        case ServiceUnavailable() | SessionExpired() | DatabaseUnavailable():
            return GraphUnavailableError(
                f"no Neo4j answers at {uri} ({_first_line(error)}); check the address, or run t2c-graph up"
            )
        case RecursionError():
            return QueryError("the result is nested too deeply for the driver", code=TOO_DEEP)
        case ConfigurationError():
            return InputError(f"{uri} cannot be used like this: {error}")
        case Neo4jError() if is_timeout(error):
            return GraphTimeoutError(f"the query exceeded its time limit: {error.message}")
        case Neo4jError() if error.code == MISSING_DATABASE:
            return InputError(f"{error.message} Choose another --database")
        case Neo4jError():
            return QueryError(error.message or str(error), code=error.code or "")
    return GraphError(f"{uri}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(":")
