"""What can go wrong in t2c_core.

T2CError
├── InputError (ValueError)         a person gave something wrong: exit 2, or a 4xx problem
│   ├── SourceError                 a CSV folder or zip that cannot be imported as it is
│   ├── CypherSyntaxError           a query that our parser does not read: position and reason
│   ├── SnapshotError               a schema or value index that is missing, torn or of another version
│   └── PolicyError                 a policy file that cannot be read as one
├── GraphError                      the database
│   ├── GraphUnavailableError       cannot be reached, or stopped answering
│   ├── GraphTimeoutError           a query ran past its time limit
│   └── QueryError                  the server refused a query: code, message, position
├── RefusedError                    a query that must not run: stable reason codes
└── EmbeddedError                   the embedded Neo4j could not be made, started or stopped
"""

from __future__ import annotations

from typing import Literal


class T2CError(Exception):
    """Any failure that t2c_core raises on purpose."""


class InputError(T2CError, ValueError):
    """Something a person gave is wrong; the message says what was asked, found and to do."""


class SourceError(InputError):
    """A folder or zip of CSVs cannot be imported as it is."""


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
"""Why a query is not read: not the reading language (`syntax`, `token`), too long or deep, it writes, loads a file,
administers, chooses a graph, has options (EXPLAIN, PROFILE, CYPHER), is several, or makes transactions of its own."""


class CypherSyntaxError(InputError):
    """A query is not in the reading language that our parser knows.

    Args:
        message: what is wrong, without the place.
        position: where, in characters from the query's start.
        reason: the kind of refusal.
    """

    def __init__(self, message: str, *, position: int, reason: SyntaxErrorReason) -> None:
        super().__init__(f"{message} (at character {position})")
        self.position = position
        self.reason = reason


class SnapshotError(InputError):
    """A snapshot folder is missing, torn or written by another format version."""


class PolicyError(InputError):
    """A policy file cannot be read as one."""


class GraphError(T2CError):
    """The database failed."""


class GraphUnavailableError(GraphError):
    """The database cannot be reached or stopped answering."""


class GraphTimeoutError(GraphError):
    """A query ran past its time limit."""


class QueryError(GraphError):
    """The server refused a query.

    Args:
        message: the server's words.
        code: its status code, for instance `Neo.ClientError.Statement.SyntaxError`.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class QueryRejectedError(T2CError):
    """A query must not run.

    Args:
        message: why, for a person.
        codes: stable reason codes, most important first.
    """

    def __init__(self, message: str, *, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class EmbeddedError(T2CError):
    """The embedded Neo4j could not be made, started or stopped."""
