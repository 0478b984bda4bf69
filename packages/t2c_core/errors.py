"""Exceptions of t2c_core.

T2CError
├── InputError (ValueError)         invalid input: exit 2, or a 4xx problem
│   ├── SourceError                 a CSV folder or zip cannot be imported
│   ├── CypherSyntaxError           a query is not in the read-only Cypher subset
│   ├── SnapshotError               a schema or value index is missing, damaged or of another version
│   └── PolicyError                 a policy is invalid
├── GraphError                      the database failed
│   ├── GraphUnavailableError       the database does not answer
│   ├── GraphTimeoutError           a query exceeded its time limit
│   ├── GraphOverloadedError        all connections of this process are in use
│   └── QueryError                  the server rejected a query
├── QueryRejectedError              the guard rejected a query: stable reason codes
└── EmbeddedError                   the embedded Neo4j could not be installed, started or stopped
"""

from __future__ import annotations

from typing import Literal


class T2CError(Exception):
    """Base class of the exceptions of t2c_core."""


class InputError(T2CError, ValueError):
    """Input is invalid; the message says what failed, the value, and what is expected."""


class SourceError(InputError):
    """A folder or zip of CSVs cannot be imported."""


SyntaxErrorReason = Literal[
    "syntax",
    "token",
    "length",
    "depth",
    "write",
    "load",
    "command",
    "use",
    "option",
    "statements",
    "transactions",
]
"""Why a query is rejected: invalid syntax (`syntax`, `token`), too long or too deep, a write, LOAD CSV, an
administration command, USE, an option (EXPLAIN, PROFILE, CYPHER), several statements, or CALL IN TRANSACTIONS."""


class CypherSyntaxError(InputError):
    """A query is not in the read-only Cypher subset.

    Args:
        message: what is invalid, without the position.
        position: offset in characters from the start of the query.
        reason: reason code.
    """

    def __init__(self, message: str, *, position: int, reason: SyntaxErrorReason) -> None:
        super().__init__(f"{message} (at character {position})")
        self.position = position
        self.reason = reason


class SnapshotError(InputError):
    """A snapshot is missing, damaged or of another format version."""


class PolicyError(InputError):
    """A policy is invalid."""


class GraphError(T2CError):
    """The database failed."""


class GraphUnavailableError(GraphError):
    """The database does not answer."""


class GraphOverloadedError(GraphError):
    """All connections of this process to the database are in use."""


class GraphTimeoutError(GraphError):
    """A query exceeded its time limit."""


class QueryError(GraphError):
    """The server rejected a query.

    Args:
        message: message of the server.
        code: status code of the server, such as `Neo.ClientError.Statement.SyntaxError`.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class QueryRejectedError(T2CError):
    """The guard rejected a query.

    Args:
        message: explanation for a person.
        codes: stable reason codes, most important first.
    """

    def __init__(self, message: str, *, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class EmbeddedError(T2CError):
    """The embedded Neo4j could not be installed, started or stopped."""
