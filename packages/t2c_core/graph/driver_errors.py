"""The driver's exceptions as this package's errors.

Holds no connection (see `client`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

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

TIMEOUT_CODES = frozenset(
    {
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
        "Neo.TransientError.Transaction.LockClientStopped",
    }
)
_SCHEMES = ("bolt://", "bolt+s://", "bolt+ssc://", "neo4j://", "neo4j+s://", "neo4j+ssc://")
TOO_DEEP = "Graphling.AnswerTooDeep"
MISSING_DATABASE = "Neo.ClientError.Database.DatabaseNotFound"


@contextmanager
def validate_uri(uri: str) -> Iterator[None]:
    """Make a driver inside this block.

    Raises:
        InputError: the address is none of a Neo4j.
    """
    try:
        if not uri.startswith(_SCHEMES):
            raise InputError(f"{uri!r} is no address of a Neo4j; write bolt://host:port")
        yield
    except (ConfigurationError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{uri!r} is no address of a Neo4j ({error}); write bolt://host:port") from error


@contextmanager
def translate_driver_errors(uri: str) -> Iterator[None]:
    """Raise what the driver raises as an error of this package.

    Raises:
        InputError: the user, password or database is wrong.
        GraphUnavailableError: nothing answers, or it stopped answering.
        GraphTimeoutError: a query ran past its time limit.
        QueryError: the server refused a query.
    """
    try:
        yield
    except (DriverError, Neo4jError, RecursionError) as error:
        raise to_graph_error(error, uri) from error


def to_graph_error(error: Exception, uri: str) -> GraphError | InputError:  # noqa: PLR0911
    """Give the error of this package that says what an exception of the driver means."""
    match error:
        case AuthError():
            return InputError(
                f"{uri} refused the user or password ({_first_line(error)}); give them with --auth-file, "
                "or in NEO4J_USERNAME and NEO4J_PASSWORD"
            )
        case ServiceUnavailable() | SessionExpired() | DatabaseUnavailable():
            return GraphUnavailableError(
                f"no Neo4j answers at {uri} ({_first_line(error)}); check the address, or run t2c-graph up"
            )
        case RecursionError():
            return QueryError("the answer nests too deep for the driver to read", code=TOO_DEEP)
        case ConfigurationError():
            return InputError(f"{uri} cannot be used like this: {error}")
        case Neo4jError() if error.code in TIMEOUT_CODES:
            return GraphTimeoutError(f"the query ran past its time limit: {error.message}")
        case Neo4jError() if error.code == MISSING_DATABASE:
            return InputError(f"{error.message} Choose another --database")
        case Neo4jError():
            return QueryError(error.message or str(error), code=error.code or "")
    return GraphError(f"{uri}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(":")
